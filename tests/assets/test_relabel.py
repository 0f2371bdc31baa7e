"""Rows labelled by the barriers in force at an as-of: what a direct walk gives, and nothing from later."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from assets.partitions import AsOfPartition
from assets.relabel import relabelled
from nightfold.errors import ConfigError, LakeError
from nightfold.labels.barrier import TripleBarrier, barrier_labels
from nightfold.window import window_of

pytestmark = pytest.mark.xdist_group("relabel")

HOUR = timedelta(hours=1)
FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)
SYMBOLS = ["AAAUSDT", "BBBUSDT"]
SEARCH = {
    "window_days": 30,
    "least_days": 5,
    "trials": 20,
    "population": 10,
    "cost": 0.0001,
    "follower": {"features": ["log_return_1", "log_return_5"]},
}
UNIVERSE = {"source": {"kind": "simulated", "trend_strength": 0.3}, "start": "2024-01-01", "end": "2024-03-15"}
EXPERIMENT = {"first_as_of": "2024-02-26", "models": {"logistic_regression": None}}
RELABEL = {"horizons": [5], "relabel": True}


@pytest.fixture(scope="module")
def made(deploy):
    """Deployment with searched labels, and two experiments that differ in `relabel` alone; copy before changing."""
    ours = deploy(
        universe=UNIVERSE,
        labels={"labels": {"horizons": [5], "barriers": "searched", "search": SEARCH}},
        experiments={"anew": {**EXPERIMENT, "target": RELABEL}, "stored": EXPERIMENT},
    )
    with ours.workshop() as workshop:
        workshop.backfill("ingest")
        workshop.backfill("research")
        change(ours, "barrier_params", planted)
        workshop.backfill("labels")
    return ours


def planted(params):
    """Barriers that differ from month to month and from symbol to symbol, as a search would have found them."""
    month, symbol = pl.col("open_time").dt.month(), (pl.col("symbol") == "BBBUSDT").cast(pl.Int64)
    return params.with_columns(
        upper=0.4 + 0.2 * month + 0.05 * symbol, lower=1.4 - 0.3 * month, holding_bars=6 - month - symbol
    )


def rows(deployment, key):
    return pl.read_parquet(sorted((deployment.lake / key).rglob("*.parquet"))).sort("symbol", "open_time")


def change(deployment, key, edit):
    for path in (deployment.lake / key).rglob("*.parquet"):
        edit(pl.read_parquet(path)).write_parquet(path)


def samples(deployment, experiment, *day):
    plan = deployment.build()[1].plans[experiment]
    as_of = AsOfPartition(window_of(datetime(2024, *day, tzinfo=UTC), "week"), "pooled")
    return plan.samples(deployment.environment().lake, as_of)[5]


def anew(deployment, known, span, columns=("label_5", "label_end_5", "log_return_5", "weight_5", "volatility")):
    environment = deployment.environment()
    label_set = environment.label_sets["labels"]
    return relabelled(environment.lake, environment.universe, "1h", label_set, SYMBOLS, span, known, columns)


def test_rows_of_all_months_have_the_labels_of_the_barriers_in_force(made):
    start, end = datetime(2024, 1, 10, tzinfo=UTC), datetime(2024, 3, 4, tzinfo=UTC)
    found = anew(made, end - HOUR, (start, end))
    params = rows(made, "barrier_params").filter(open_time=datetime(2024, 3, 1, tzinfo=UTC))
    bars = rows(made, "bars").filter(pl.col("open_time") < end)
    assert params.select("upper", "lower", "holding_bars").rows() == [
        pytest.approx((1.0, 0.5, 3)),
        pytest.approx((1.05, 0.5, 2)),
    ]
    for symbol, upper, lower, holding in params.select("symbol", "upper", "lower", "holding_bars").rows():
        direct = barrier_labels(bars.filter(symbol=symbol), TripleBarrier(horizon=holding, upper=upper, lower=lower))
        direct = direct.filter(pl.col("open_time") >= start)
        own = found.filter(symbol=symbol)
        assert own["open_time"].equals(direct["open_time"])
        for name in ("label", "label_end", "log_return"):
            assert own[f"{name}_5"].equals(direct[name].alias(f"{name}_5")), name
    stored = rows(made, "labels").filter(pl.col("open_time").is_between(start, end, closed="left"))
    known = stored["label_end_5"] <= end
    assert found.filter(known)["label_5"].ne_missing(stored.filter(known)["label_5"]).any()
    march = pl.col("open_time") >= datetime(2024, 3, 1, tzinfo=UTC)
    settled = pl.Series(known) & stored.select(march).to_series()
    one, other = (frame.filter(settled) for frame in (found, stored))
    assert one.select("label_5", "label_end_5").equals(other.select("label_5", "label_end_5"))
    assert one["weight_5"].to_list() == pytest.approx(other["weight_5"].to_list())


def test_the_barriers_are_those_of_the_last_bar_that_may_be_known(made):
    span = (FEBRUARY - 5 * 24 * HOUR, FEBRUARY)
    january, february = (anew(made, known, span) for known in (FEBRUARY, FEBRUARY + HOUR))
    stored = rows(made, "labels").filter(pl.col("open_time").is_between(*span, closed="left"))
    known = stored["label_end_5"] <= FEBRUARY
    assert january.filter(known)["label_5"].equals(stored.filter(known)["label_5"])
    assert not february["label_5"].equals(january["label_5"])


def test_an_experiment_learns_and_is_checked_on_labels_made_anew(made):
    one, other = samples(made, "anew", 2, 26), samples(made, "stored", 2, 26)
    assert one.fingerprint != other.fingerprint
    known = datetime(2024, 2, 26, tzinfo=UTC) - HOUR
    labels = anew(made, known, (datetime(2024, 1, 10, tzinfo=UTC), known + HOUR))
    for part, keys in one.keys.items():
        seen = keys.join(labels, on=["symbol", "open_time"], how="left", maintain_order="left")
        assert seen.height > 50, part
        assert seen["label"].equals(seen["label_5"].alias("label"))
        assert seen["label_end"].equals(seen["label_end_5"].alias("label_end"))
        assert seen["label_end"].max() <= known


def test_nothing_later_than_the_as_of_moves_a_row(made, tmp_path):
    before = samples(made, "anew", 2, 26)
    ours = made.copy(tmp_path)
    as_of = datetime(2024, 2, 26, tzinfo=UTC)
    late = pl.col("open_time") >= as_of
    wild = [pl.when(late).then(pl.col(name) * 7).otherwise(name) for name in ("open", "high", "low", "close")]
    change(ours, "bars", lambda bars: bars.with_columns(wild))
    change(
        ours,
        "barrier_params",
        lambda params: params.with_columns(
            upper=pl.when(pl.col("open_time") > FEBRUARY).then(pl.col("upper") * 3).otherwise("upper")
        ),
    )
    change(ours, "labels", lambda labels: labels.with_columns(label_5=-pl.col("label_5")))
    after = samples(ours, "anew", 2, 26)
    assert after.fingerprint == before.fingerprint
    assert after.plan() == before.plan()
    change(ours, "barrier_params", lambda params: params.with_columns(pl.col("upper") * 3, pl.col("lower") * 3))
    assert samples(ours, "anew", 2, 26).fingerprint != before.fingerprint


def test_a_split_depends_on_bars_and_barriers_where_it_labels_anew(made):
    graph = made.build()[0].resolve_asset_graph()
    parents = {
        name: {
            parent.to_user_string()
            for parent in next(
                graph.get(key) for key in graph.get_all_asset_keys() if key.to_user_string() == f"{name}/splits"
            ).parent_keys
        }
        for name in ("anew", "stored")
    }
    assert parents == {"anew": {"features", "labels", "bars", "barrier_params"}, "stored": {"features", "labels"}}


def test_a_search_that_is_not_stored_is_asked_for(made, tmp_path):
    ours = made.copy(tmp_path)
    for path in (ours.lake / "barrier_params").rglob("2024-02-01.parquet"):
        path.unlink()
    with pytest.raises(LakeError, match="the lake has no `barrier_params` of AAAUSDT from 2024-02-01"):
        samples(ours, "anew", 2, 26)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            RELABEL,
            "`target.relabel` is true; the barriers of label set `labels` are fixed, and stay as they are. Leave",
        ),
        ({**RELABEL, "kind": "up"}, "`relabel` is true; the target up has no barriers, leave it out"),
    ],
)
def test_fixed_barriers_and_other_targets_are_not_labelled_anew(deploy, target, message):
    ours = deploy(experiments={"anew": {"target": target}})
    with pytest.raises(ConfigError, match=message):
        ours.environment()
