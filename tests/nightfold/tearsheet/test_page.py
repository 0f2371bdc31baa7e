"""The page as a reader, a browser and a build see it."""

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from html.parser import HTMLParser

import polars as pl
import pytest

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import daily_returns
from nightfold.errors import SchemaError
from nightfold.schema import TIME
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.gates import Gate
from nightfold.tearsheet.page import render_tearsheet

MakeReport = Callable[..., TearsheetInput]
VOID = {"meta", "br", "input", "path"}
EVIL = "<script>alert('x')</script>\"'&"


class Outline(HTMLParser):
    """Tags as they open, ids, visible text, and whether each tag is closed by its own."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember a tag, and that it is open."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember a tag that closes itself."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close the tag that was opened last."""
        assert self.open.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data: str) -> None:
        """Keep what a reader sees."""
        if self.open and self.open[-1] not in {"script", "style"}:
            self.words.append(data)

    def attributes(self, name: str) -> Iterator[str]:
        """Values of an attribute over all tags."""
        return (value for _, attributes in self.tags if (value := attributes.get(name)))

    @property
    def text(self) -> str:
        """All words, with plain spaces between."""
        return " ".join(" ".join(self.words).split())


def test_the_page_is_whole_and_each_id_is_one_of_its_kind(make_report: MakeReport) -> None:
    outline = Outline(render_tearsheet(make_report()))
    ids = list(outline.attributes("id"))
    assert outline.open == []
    assert len(ids) == len(set(ids))
    assert {word for labels in outline.attributes("aria-labelledby") for word in labels.split()} <= set(ids)


def test_the_page_loads_nothing_and_is_light(make_report: MakeReport) -> None:
    page = render_tearsheet(make_report(days=900, n_trades=4000))
    outline = Outline(page)
    assert len(page) < 500_000
    assert not {"link", "img", "iframe", "object", "base"} & {tag for tag, _ in outline.tags}
    assert not [value for name in ("src", "href", "srcset", "action") for value in outline.attributes(name)]
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttp|import\(", page)


def test_the_same_input_gives_the_same_bytes(make_report: MakeReport) -> None:
    assert render_tearsheet(make_report()) == render_tearsheet(make_report())
    assert render_tearsheet(make_report()) != render_tearsheet(make_report(seed=8))


def test_all_text_is_escaped(make_report: MakeReport) -> None:
    plain = make_report()
    evil = make_report(
        title=EVIL,
        experiment=EVIL,
        description=EVIL,
        market_note=EVIL,
        symbols=[EVIL],
        interval=EVIL,
        currency=EVIL,
        settings=EVIL,
        provenance={EVIL: EVIL},
        remarks=[EVIL],
        baselines={EVIL: plain.daily},
        gates=[Gate(EVIL, 0.1, 0.2, passed=False, note=EVIL)],
        trades=plain.trades.with_columns(symbol=pl.lit(EVIL), exit_reason=pl.lit(EVIL)),
        model_metrics=plain.model_metrics.with_columns(model=pl.lit(EVIL)),
    )
    page = render_tearsheet(evil)
    outline = Outline(page)
    assert sum(tag == "script" for tag, _ in outline.tags) == 1
    assert EVIL not in page
    assert outline.text.count("<script>alert('x')</script>") > 20


def test_a_simulated_market_says_so_and_a_recorded_one_does_not(make_report: MakeReport) -> None:
    made_up = Outline(render_tearsheet(make_report()))
    recorded = Outline(render_tearsheet(make_report(is_simulated=False, market_note="Binance spot")))
    assert "Simulated market" in made_up.text
    assert "Prices are made up from seed 7" in made_up.text
    assert "imulated market" not in recorded.text
    assert "Market Binance spot" in recorded.text


def test_the_verdict_comes_before_every_number(make_report: MakeReport) -> None:
    text = Outline(render_tearsheet(make_report(drift=-0.004))).text
    assert text.index("No edge found") < text.index("Total return")
    assert "simulated rules" in Outline(render_tearsheet(make_report(remarks=["simulated rules"]))).text


def test_gates_are_shown_as_pass_fail_or_unknown(make_report: MakeReport) -> None:
    gates = [
        Gate("One", 1.0, 0.5, passed=True),
        Gate("Two", 0.1, 0.5, passed=False),
        Gate("Three", None, 0.5, passed=None, note="why"),
    ]
    text = Outline(render_tearsheet(make_report(gates=gates))).text
    assert "One 1.00 above 0.50 pass" in text
    assert "Two 0.10 above 0.50 fail" in text
    assert "Three \N{EN DASH} above 0.50 unknown why" in text


def test_costs_lead_from_the_result_before_them_to_the_result_after(make_report: MakeReport) -> None:
    report = make_report(n_trades=2)
    gain = report.equity["equity"][-1] - report.capital
    text = Outline(render_tearsheet(report)).text.replace("\N{MINUS SIGN}", "-")
    before, fees, after = (
        float(re.search(rf"{name} ([+-][\d,.]+) USDT", text)[1].replace(",", ""))  # type: ignore[index]  # absent: fails
        for name in ("costs taken out", "every fill", "account gained")
    )
    assert after == pytest.approx(gain, abs=0.01)
    assert fees == -12.0
    assert before == pytest.approx(gain + 2 * (6.0 + 0.6 + 1.2), abs=0.01)


def test_months_are_laid_out_by_year(make_report: MakeReport) -> None:
    days = [date(2023, 12, 31) + timedelta(days=n) for n in range(32)]
    daily = pl.DataFrame({"day": days, "daily_return": [0.1] + [0.0] * 30 + [-0.05]})
    text = Outline(render_tearsheet(make_report(daily=daily))).text
    assert "2023 +10.0 % +10.0 % 2024 \N{MINUS SIGN}5.0 % \N{MINUS SIGN}5.0 %" in text


def test_a_long_list_of_trades_shows_the_telling_ones_and_a_short_one_all(make_report: MakeReport) -> None:
    long, short = (Outline(render_tearsheet(make_report(n_trades=n))) for n in (300, 20))
    assert "Best" in long.text
    assert "Open at the end" in long.text
    assert "All closed trades" in short.text
    closed = make_report(n_trades=300).trades.filter(~pl.col("is_open"))["profit"].sort()
    for profit in (*closed.head(5), *closed.tail(5)):
        assert f"{profit:+.2f}".replace("-", "\N{MINUS SIGN}") in long.text


def test_forecasts_stand_beside_class_frequencies_and_chance(make_report: MakeReport) -> None:
    text = Outline(render_tearsheet(make_report())).text
    assert re.search(r"lightgbm 20 bars 17 1\.0\d{3} 1\.1100 0\.0\d{3} 0\.3\d\d 0\.330", text)


def test_settings_and_provenance_are_on_the_page(make_report: MakeReport) -> None:
    text = Outline(render_tearsheet(make_report())).text
    assert "name: barrier_baseline" in text
    assert "data fingerprint 9f86d081884c7d65" in text


def test_a_run_without_trades_reads_sensibly(make_report: MakeReport) -> None:
    report = make_report(days=30, n_trades=0)
    text = Outline(render_tearsheet(report)).text
    assert "No trades: nothing was bought or sold" in text
    assert "No closed trades" in text
    assert not re.search(r"\b(nan|inf|None|null)\b", text, re.IGNORECASE)


@pytest.mark.parametrize("n_trades", [0, 1, 3])
def test_one_day_is_enough_for_a_page(make_report: MakeReport, n_trades: int) -> None:
    outline = Outline(render_tearsheet(make_report(days=1, n_trades=n_trades)))
    assert outline.open == []
    assert "2024-01-01 to 2024-01-01" in outline.text


def test_a_lost_account_is_said_first_and_has_no_measures(make_report: MakeReport) -> None:
    report = make_report(days=3)
    lost = report.daily.with_columns(daily_return=pl.Series([0.1, -0.5, -1.2]))
    equity = report.equity.with_columns(equity=pl.lit(-20.0))
    text = Outline(render_tearsheet(make_report(days=3, daily=lost, equity=equity))).text
    assert "The account was lost" in text
    assert "Sharpe ratio \N{EN DASH} deflated \N{EN DASH}" in text


def test_a_page_without_scores_folds_or_baselines_is_a_page(make_report: MakeReport) -> None:
    full = make_report()
    bare = make_report(
        baselines={}, folds=full.folds.clear(), model_metrics=full.model_metrics.clear(), gates=[], provenance={}
    )
    text = Outline(render_tearsheet(bare)).text
    assert "No forecasts were scored." in text
    assert "Undecided" in text


def test_every_fault_of_the_tables_is_named(make_report: MakeReport) -> None:
    with pytest.raises(SchemaError) as caught:
        make_report(fills=pl.DataFrame({"fee": [1.0]}), daily=pl.DataFrame({"day": []}))
    assert "`daily` lacks daily_return" in str(caught.value)
    assert "`fills` lacks quantity, price, spread_cost, slippage_cost" in str(caught.value)
    assert "`daily` has no rows" in str(caught.value)


def test_tables_have_captions_and_headers(make_report: MakeReport) -> None:
    outline = Outline(render_tearsheet(make_report()))
    tags = [tag for tag, _ in outline.tags]
    assert tags.count("caption") == tags.count("table")
    assert all(attributes.get("scope") for tag, attributes in outline.tags if tag == "th")
    assert all(attributes.get("role") == "img" for tag, attributes in outline.tags if tag == "svg")
    assert tags.count("desc") == tags.count("svg") > 10


def test_a_simulated_run_becomes_a_page_as_it_is(make_report: MakeReport) -> None:
    hours = 24 * 3
    price = [100.0 + hour % 7 for hour in range(hours)]
    bars = pl.DataFrame({"open": price, "high": price, "low": price, "close": price}).select(
        pl.all(),
        symbol=pl.lit("BTCUSDT"),
        open_time=(pl.int_range(hours) * 3_600_000).cast(TIME),
        volume=pl.lit(1.0),
    )
    targets = bars.select("symbol", "open_time", target=(pl.int_range(hours) // 5 % 2).cast(pl.Float64))
    run = simulate(bars, targets, Costs(), RiskLimits())
    daily = daily_returns(run)
    report = make_report(
        equity=run.equity, daily=daily, trades=run.trades, fills=run.fills, capital=run.capital, baselines={}
    )
    text = Outline(render_tearsheet(report)).text
    assert "1970-01-01 to 1970-01-03" in text
    assert f"Closed trades {run.trades.filter(~pl.col('is_open')).height}" in text
    total = run.equity["equity"][-1] / run.capital - 1
    assert f"Total return {total:+.1%}".replace("-", "\N{MINUS SIGN}").replace("%", " %") in text
