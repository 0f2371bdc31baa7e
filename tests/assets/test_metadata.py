"""What the UI shows of each asset, in a deployment whose line has been made."""

import dagster as dg
import polars as pl
import pytest

from assets.markdown import markdown_table, plotted, preview
from nightfold.backtest.table import TABLES
from nightfold.schema import BARS

pytestmark = pytest.mark.xdist_group("line")

LAYERS = {
    "exchange": "market_data",
    "raw_bars": "market_data",
    "bars": "market_data",
    "features": "features",
    "labels": "labels",
    "splits": "train",
    "class_frequencies": "train",
    "logistic_regression": "train",
    "ensemble": "train",
    "predictions": "predict",
    "forecast_log": "predict",
    "backtest": "evaluate",
    "tearsheet": "evaluate",
    "comparison": "evaluate",
    "leaderboard": "evaluate",
}
WITHOUT_COLUMNS = {"exchange", "splits", "ensemble", "tearsheet", "comparison"}
SHOWN = {
    "raw_bars": {"dagster/row_count", "seconds", "first", "last", "source", "fetched", "preview"},
    "bars": {"dagster/row_count", "repairs/gap_filled", "repairs/outliers", "preview"},
    "features": {"dagster/row_count", "seconds", "incomplete_rows", "preview"},
    "labels": {"dagster/row_count", "balance"},
    "splits": {"train_rows", "validation_rows", "effective_rows", "where_bars_went", "seconds"},
    "logistic_regression": {"dagster/row_count", "log_loss", "cpu_seconds", "validation", "mlflow_run", "top_features"},
    "ensemble": {"log_loss", "beats_best_member", "gate", "scores", "weights", "seconds"},
    "predictions": {"dagster/row_count", "predicted_rows", "preview"},
    "backtest": {"total_return", "turnover", "trades", "rows", "scores", "seconds"},
    "tearsheet": {"tearsheet", "equity", "gates", "gates_passed", "total_return"},
    "comparison": {"comparison", "models", "path", "loss_gain_5"},
    "forecast_log": {"dagster/row_count", "outcomes_known", "hit_rate", "preview"},
    "leaderboard": {"leaderboard", "csv", "results", "runs", "variants"},
}
INLINE_LETTERS = 1000


@pytest.fixture(scope="module")
def nodes(finished):
    definitions, _ = finished.build()
    graph = definitions.resolve_asset_graph()
    return {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}


@pytest.fixture(scope="module")
def shown(finished):
    """Return the metadata of an asset's latest event."""
    with finished.workshop() as workshop:

        def ask(key):
            event = workshop.instance.get_latest_materialization_event(dg.AssetKey(key.split("/")))
            return event.asset_materialization.metadata

        yield ask


def stage(key):
    return key.rpartition("/")[2]


def test_every_asset_tells_group_owner_kinds_and_layer(nodes):
    for key, node in nodes.items():
        experiment, _, name = key.rpartition("/")
        tags = {tag: value for tag, value in node.tags.items() if not tag.startswith("dagster/")}
        assert tags == {"layer": LAYERS[name], **({"experiment": experiment} if experiment else {})}
        assert node.group_name == (experiment or ("operations" if name == "leaderboard" else LAYERS[name]))
        assert node.description.endswith("."), key
        assert node.owners == ["team:nightfold"]
        assert 1 <= len(node.kinds) <= 3, key


def test_every_table_tells_what_each_of_its_columns_means(nodes):
    for key, node in nodes.items():
        schemas = [value.schema for value in node.metadata.values() if isinstance(value, dg.TableSchemaMetadataValue)]
        assert bool(schemas) == (stage(key) not in WITHOUT_COLUMNS), key
        for column in (column for schema in schemas for column in schema.columns):
            assert column.description.endswith("."), (key, column.name)
            assert "time_unit" not in column.type, (key, column.name)


def test_the_columns_shown_of_stored_folders_are_those_of_their_files(nodes, finished):
    def columns(key, entry):
        return [column.name for column in nodes[key].metadata[entry].schema.columns]

    files = list((finished.lake / "single/backtest").rglob("*.parquet"))
    assert {file.stem for file in files} == set(TABLES)
    for file in files:
        assert columns("single/backtest", f"columns/{file.stem}") == list(pl.read_parquet_schema(file))
    validation = next((finished.lake / "single/logistic_regression").rglob("validation.parquet"))
    assert columns("single/logistic_regression", "dagster/column_schema") == list(pl.read_parquet_schema(validation))


def test_the_exchange_can_be_observed(nodes):
    assert nodes["exchange"].is_observable
    assert not nodes["exchange"].is_materializable


@pytest.mark.parametrize("name", SHOWN)
def test_a_materialization_shows_its_figures_and_a_preview(nodes, shown, name):
    for key in (key for key in nodes if stage(key) == name):
        metadata = shown(key)
        assert metadata.keys() >= SHOWN[name], key
        short = [entry.md_str for entry in metadata.values() if isinstance(entry, dg.MarkdownMetadataValue)]
        if name != "features":
            assert all(0 < len(text) < INLINE_LETTERS for text in short), key


def test_the_tearsheet_links_its_page_and_shows_its_curve(shown, finished):
    (reports,) = (finished.folder / "data").glob("*/reports")
    metadata = shown("single/tearsheet")
    assert metadata["tearsheet"] == dg.MetadataValue.url("/reports/single/tearsheet.html")
    address = metadata["equity"].md_str.partition("](")[2].rstrip(")")
    assert address.startswith("/reports/single/tearsheet.png?")
    assert (reports / "single/tearsheet.png").read_bytes().startswith(b"\x89PNG")
    assert "| Sharpe ratio |" in metadata["gates"].md_str


def test_a_preview_stands_upright_with_the_last_rows():
    rows = pl.DataFrame(
        {
            "symbol": ["BTCUSDT"] * 4,
            "open_time": pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 4), "1d", eager=True),
            "close": [1.0, 42000.25, None, 1 / 3],
            "venue": ["a", "b", "c|d", "e"],
        }
    )
    assert preview(rows).splitlines() == [
        "| open_time | 2024-01-02 00:00 | 2024-01-03 00:00 | 2024-01-04 00:00 |",
        "| --- | --- | --- | --- |",
        "| close | 42000.25 | – | 0.33333333 |",
        "| venue | b | c\\|d | e |",
    ]


def test_a_preview_of_no_rows_still_names_the_columns():
    assert preview(BARS.empty()).splitlines()[:3] == ["| open_time |", "| --- |", "| open |"]


def test_a_table_has_as_many_decimals_as_asked():
    frame = pl.DataFrame({"name": ["x"], "value": [1 / 3], "count": [2]})
    assert markdown_table(frame, digits=2).splitlines()[-1] == "| x | 0.33 | 2 |"


def test_figures_that_are_plotted_are_known_and_short():
    assert plotted({"sharpe_ratio": 3.8860031648, "calmar_ratio": None, "length": 11}) == {
        "sharpe_ratio": 3.886,
        "length": 11,
    }


def test_the_comparison_shows_how_differently_members_see_the_same_rows(finished):
    (reports,) = (finished.folder / "data").glob("*/reports")
    page, text = ((reports / f"pooled_one/model_comparison.{kind}").read_text() for kind in ("html", "md"))
    for measure in ("Correlation of errors", "Q statistic", "Disagreement", "Double fault", "Without a member"):
        assert page.count(f"{measure}: as of 2024-02-26, 5 bars ahead") == 1
    assert "How differently members see the validation rows of the newest as-of" in text
    assert "| first | second | forecast correlation | error correlation |" in text
