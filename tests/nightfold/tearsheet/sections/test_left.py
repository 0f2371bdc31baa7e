"""What a run leaves behind: trades by what ended them, funding, orders still open, members alone, and lengths."""

import json
from collections.abc import Callable
from math import sqrt
from statistics import mean, stdev

import numpy as np
import polars as pl
import pytest

from nightfold.tearsheet import measures
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.figures import figures_json
from nightfold.tearsheet.layout import Section, Table
from nightfold.tearsheet.page import render_tearsheet, sections_of

MakeReport = Callable[..., TearsheetInput]
UNKNOWN = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def section(report: TearsheetInput, name: str) -> Section:
    return {each.name: each for each in sections_of(report)}[name]


def table(report: TearsheetInput, where: str, name: str) -> Table:
    (found,) = (part for part in section(report, where).parts if part.name == name)
    assert isinstance(found, Table)
    return found


def cells(found: Table) -> list[list[str]]:
    return [[" ".join(cell.text.split()) for cell in row] for _, rows in found.groups for row in rows]


def luck(report: TearsheetInput) -> dict[str, tuple[str, str]]:
    """Meaning and value of each line on luck."""
    rows = table(report, "trust", "luck").groups[0][1]
    return {row[0].text: (" ".join(row[0].note.split()), " ".join(row[1].text.split())) for row in rows}


def test_trades_are_summed_by_what_ended_them(make_report: MakeReport) -> None:
    trades = make_report(n_trades=8).trades.with_columns(
        exit_reason=pl.Series(["stop", "target", "time", "signal", "rule", "liquidation", "time", None]),
        profit=pl.Series([-3.0, 5.0, 1.0, 0.0, -1.0, -9.0, -2.0, 100.0]),
        is_open=pl.Series([False] * 7 + [True]),
    )
    report = make_report(trades=trades)
    assert cells(table(report, "trades", "by_exit")) == [
        ["end of its time", "2", "50.0 %", f"{MINUS}1.00"],
        ["liquidation", "1", "0.0 %", f"{MINUS}9.00"],
        ["rule of risk", "1", "0.0 %", f"{MINUS}1.00"],
        ["signal of the other side", "1", "0.0 %", "0.00"],
        ["stop", "1", "0.0 %", f"{MINUS}3.00"],
        ["take-profit", "1", "100.0 %", "+5.00"],
    ]
    told = json.loads(figures_json(report))["by_exit"]
    assert told[0] == {"exit_reason": "time", "closed": 2, "win_rate": 0.5, "profit": -1.0}
    assert sum(row["closed"] for row in told) == 7
    listed = table(report, "trades", "trades_listed").groups
    assert [row[-1].text for row in listed[0][1]][:2] == ["stop", "target"]


def test_orders_open_at_the_end_are_listed(whole_report: TearsheetInput, make_report: MakeReport) -> None:
    assert cells(table(whole_report, "trades", "open_orders")) == [["ETHUSDT", "2024-01-28 23:00", f"{MINUS}1.50000"]]
    assert whole_report.open_orders is not None
    none = make_report(open_orders=whole_report.open_orders.clear())
    assert "open_orders" not in section(none, "trades").values
    assert section(none, "trades").said == []
    assert section(make_report(), "trades").said == [
        "Which orders were open at the end is unknown: the backtest kept no record of it."
    ]


def test_funding_is_summed_by_symbol_where_any_was_paid(whole_report: TearsheetInput, make_report: MakeReport) -> None:
    found = table(whole_report, "costs", "funding")
    assert cells(found) == [
        ["BTCUSDT", "2", "+0.1500 %", "1.00", "0.00", "+1.00"],
        ["ETHUSDT", "1", "+1.0000 %", "0.00", "1.00", f"{MINUS}1.00"],
    ]
    assert found.values[0]["net"] == pytest.approx(1.0)
    assert whole_report.funding is not None
    for none in (None, whole_report.funding.clear()):
        assert "funding" not in section(make_report(funding=none), "costs").values


def test_members_stand_beside_what_they_were_worth_alone(whole_report: TearsheetInput, make_report: MakeReport) -> None:
    found = table(whole_report, "models", "alone")
    assert cells(found) == [["lightgbm", "12", f"{MINUS}0.25"], ["logistic", "3", UNKNOWN]]
    assert found.groups[0][1][1][0].note == "account lost"
    assert "alone" not in section(make_report(), "models").values


def test_every_value_at_risk_and_the_market_s_part_are_on_the_page_and_in_its_twin(make_report: MakeReport) -> None:
    report = make_report(drift=0.001)
    days, held = (frame["daily_return"].to_numpy() for frame in report.returns.values())
    told = json.loads(figures_json(report))["measures"]
    own = told["Strategy"]
    mu, sigma = days.mean(), days.std(ddof=1)
    assert own["parametric_value_at_risk"] == pytest.approx(mu - 1.6448536269514722 * sigma)
    assert own["parametric_conditional_value_at_risk"] == pytest.approx(mu - 2.062712807507426 * sigma)
    slope = np.polyfit(held, days, 1)
    assert own["beta"] == pytest.approx(slope[0])
    assert own["alpha"] == pytest.approx(365 * slope[1])
    market = told["Buy and hold"]
    assert (market["alpha"], market["beta"]) == (pytest.approx(0.0, abs=1e-12), pytest.approx(1.0))
    shown = {(row[0].text, row[0].note): row[1].text for row in table(report, "returns", "measures").groups[0][1]}
    kinds = ("historical", "of a normal law", "Cornish-Fisher")
    for name in ("Value at risk, 95 %", "Mean beyond it"):
        assert UNKNOWN not in {shown[name, f"one day, {kind}"] for kind in kinds}
    assert any(name == "Alpha" for name, _ in shown)
    assert table(report, "returns", "measures").values == told


@pytest.mark.parametrize(("held", "said"), [(0.5, []), (1.25, ["The strategy held 125.0 % of its equity on average."])])
def test_who_borrowed_is_told_why_no_one_held_as_much(make_report: MakeReport, held: float, said: list[str]) -> None:
    equity = make_report().equity.with_columns(gross_exposure=held * pl.col("equity"))
    found = section(make_report(equity=equity), "returns").said
    assert [" ".join(words.split(" Buy and hold at")[0].split()) for words in found] == said
    alike = {"Buy and hold, same exposure": make_report().daily}
    assert section(make_report(equity=equity, baselines=alike), "returns").said == []


def test_cornish_fisher_bends_the_normal_law_by_what_was_found(make_report: MakeReport) -> None:
    """The published expansion, written out: z + (z2 - 1) S / 6 + (z3 - 3z) K / 24 - (2 z3 - 5z) S2 / 36."""
    report = make_report(drift=0.001)
    days = report.daily["daily_return"].to_numpy()
    away = (days - days.mean()) / days.std()
    skew, excess, z = (away**3).mean(), (away**4).mean() - 3, -1.6448536269514722
    bent = z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
    own = json.loads(figures_json(report))["measures"]["Strategy"]
    assert own["cornish_fisher_value_at_risk"] == pytest.approx(days.mean() + bent * days.std(ddof=1))
    assert own["cornish_fisher_conditional_value_at_risk"] < own["cornish_fisher_value_at_risk"]


def test_without_a_market_of_the_same_days_its_part_is_unknown(make_report: MakeReport) -> None:
    short = make_report().daily.head(5)
    for baselines in ({}, {"Buy and hold": short}):
        told = json.loads(figures_json(make_report(baselines=baselines)))["measures"]["Strategy"]
        assert (told["alpha"], told["beta"]) == (None, None)


def test_a_sharpe_ratio_comes_with_its_bounds_and_the_days_it_needs(make_report: MakeReport) -> None:
    report = make_report(days=300, drift=0.002)
    values = table(report, "trust", "luck").values
    days = report.daily["daily_return"].to_list()
    ratio = mean(days) / stdev(days)
    interval = values["sharpe_interval"]
    assert interval["value"] == pytest.approx(ratio * sqrt(365))
    assert interval["low"] < interval["value"] < interval["high"]
    assert interval["block_days"] == 7  # the cube root of 300
    # Bailey and López de Prado's expected best of 4 tries, by hand: (1 - g) z(3/4) + g z(1 - 1/4e)
    best = (1 - 0.5772156649) * 0.6744897502 + 0.5772156649 * 1.3287219496
    assert values["minimum_backtest_years"] == pytest.approx((best / (ratio * sqrt(365))) ** 2, rel=1e-4)
    assert values["minimum_track_record_days"] == pytest.approx(measures.minimum_track_record(days))
    shown = luck(report)
    assert shown["Sharpe ratio lies between"][1].count(" to ") == 1
    assert shown["Minimum track record"][0].endswith("there are 300 days")
    assert shown["Minimum track record"][1].endswith(" days")
    assert "the best of 4 trials" in shown["Minimum backtest length"][0]
    assert "sharpe_interval" in json.loads(figures_json(report))["sections"]["trust"]["luck"]


def test_one_trial_needs_no_length(make_report: MakeReport) -> None:
    shown = luck(make_report(days=300, drift=0.002, n_trials=1))
    assert shown["Minimum backtest length"] == ("one trial needs none", "0 days")


def test_no_length_does_for_a_ratio_that_is_not_above_0(make_report: MakeReport) -> None:
    shown = luck(make_report(drift=-0.005))
    assert shown["Minimum track record"] == (
        "to be above 0 at 95 %; none will do, it is not above 0",
        UNKNOWN,
    )
    assert shown["Minimum backtest length"][1] == UNKNOWN


@pytest.mark.parametrize("lost", [[0.1, -0.5, -1.2], [0.0, 0.0, 0.0]])
def test_bounds_that_cannot_be_known_are_not_made_up(make_report: MakeReport, lost: list[float]) -> None:
    report = make_report(days=3)
    daily = report.daily.with_columns(daily_return=pl.Series(lost))
    shown = luck(make_report(days=3, daily=daily))
    assert shown["Sharpe ratio lies between"] == ("unknown: too few days, or they do not vary", UNKNOWN)
    assert shown["Minimum track record"] == ("to be above 0 at 95 %; unknown", UNKNOWN)
    assert shown["Minimum backtest length"][1] == UNKNOWN


def test_a_variance_that_was_assumed_is_said_to_be(make_report: MakeReport) -> None:
    assumed = "under 10 trials can be compared, so their variance is that without skill, 1/(T"
    for trials, variance, said in ((4, None, True), (1, None, False), (12, 0.002, False)):
        meaning, _ = luck(make_report(n_trials=trials, trial_variance=variance))["Deflated Sharpe ratio"]
        assert (assumed in meaning) is said
    assert assumed in " ".join(render_tearsheet(make_report()).split())
