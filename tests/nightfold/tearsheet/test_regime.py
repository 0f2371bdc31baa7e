"""Regimes and crashes: written out by hand, blind to the future, and as history knows them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import exp
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from nightfold.tearsheet import measures
from nightfold.tearsheet.regime import (
    RegimeRules,
    count_crashes,
    crashes,
    market_days,
    regime_returns,
    regimes,
    regimes_lived,
)

START = datetime(2024, 1, 1, tzinfo=UTC)
SHORT = RegimeRules(trend_days=4, strength=1.0, volatility_days=3, compare_days=6)


def days_of(moves: Sequence[float], symbol: str = "BTCUSDT", hours: int = 24, start: datetime = START) -> pl.DataFrame:
    """Bars whose close moves by these log returns, one a bar."""
    close = 100 * np.exp(np.cumsum([0.0, *moves]))
    times = [start + timedelta(hours=hours * row) for row in range(len(close))]
    return pl.DataFrame({"symbol": symbol, "open_time": times, "close": close}).with_columns(
        pl.col("open_time").cast(pl.Datetime("ms", "UTC"))
    )


def test_the_market_is_the_mean_of_its_symbols_and_midnight_ends_the_day_before() -> None:
    one = days_of([0.01, -0.02, 0.03])
    two = days_of([0.05, 0.01], "ETHUSDT", start=START + timedelta(days=1))
    found = market_days(pl.concat([two, one]).sample(fraction=1, shuffle=True, seed=1), "1d")
    assert found["day"].to_list() == [date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)]
    assert found["log_return"].to_list() == pytest.approx([0.01, (-0.02 + 0.05) / 2, (0.03 + 0.01) / 2])
    halves = days_of([0.01, 0.02, 0.04, 0.08], hours=12)  # closes at noon and midnight
    assert market_days(halves, "12h")["log_return"].to_list() == pytest.approx([0.02 + 0.04, 0.08])


def test_days_in_a_hole_do_not_move() -> None:
    whole = days_of([0.01, 0.02, 0.04])
    assert market_days(whole[[0, 1, 3]], "1d")["log_return"].to_list() == pytest.approx([0.01, 0.0, 0.06])


def test_regimes_as_worked_by_hand() -> None:
    """Trend: mean over deviation of four days, times 2, beyond 1. Unrest: deviation of three days above its median."""
    moves = [0.0, 0.01, 0.02, 0.01, -0.02, -0.03]
    found = regimes(days_of(moves), "1d", SHORT)
    assert found["day"][0] == date(2024, 1, 3)
    scores = [np.mean(moves[i - 3 : i + 1]) / np.std(moves[i - 3 : i + 1], ddof=1) * 2 for i in range(3, 6)]
    assert scores == pytest.approx([2.449, 0.577, -0.420], abs=0.001)
    assert found["trend"].to_list() == [None, None, None, "bull", "range", "range"]
    unrest = [np.std(moves[i - 2 : i + 1], ddof=1) for i in range(2, 6)]
    assert unrest == pytest.approx([0.01, 0.00577, 0.02082, 0.02082], abs=1e-5)
    # The median needs three of them: it is .01 for the third and (.01 + .02082) / 2 for the fourth.
    assert found["unrest"].to_list() == [None, None, None, None, "high", "high"]


def test_a_fall_is_a_bear_and_no_move_is_no_regime() -> None:
    falling = regimes(days_of([-0.01, -0.02] * 4), "1d", SHORT)
    assert falling["trend"].to_list() == [None] * 3 + ["bear"] * 5
    still = regimes(days_of([0.0] * 8), "1d", SHORT)
    assert still["trend"].null_count() == 8
    assert set(still["unrest"][4:]) == {"low"}


def test_later_bars_never_change_a_regime_that_was_known() -> None:
    rng = np.random.default_rng(3)
    moves, other = rng.normal(0, 0.03, (2, 500))
    whole = regimes(days_of(moves), "1d")
    assert set(whole["trend"]) == {None, "bull", "bear", "range"}
    assert set(whole["unrest"]) == {None, "high", "low"}
    for cut in (61, 200, 400):
        changed = regimes(days_of([*moves[:cut], *other[cut:]]), "1d")
        assert changed[:cut].equals(whole[:cut])
        assert regimes(days_of(moves[:cut]), "1d").equals(whole[:cut])
        # The regime of a day is known when it begins: its own move comes into the next.
        assert whole["day"][cut - 1] == (START + timedelta(days=cut + 1)).date()


def test_each_day_counts_in_the_regime_known_before_it_and_all_days_are_accounted_for() -> None:
    known = regimes(days_of([0.0, 0.01, 0.02, 0.01, -0.02, -0.03]), "1d", SHORT)
    returns = [0.01 * day for day in range(1, 8)]
    daily = pl.DataFrame({"day": [date(2024, 1, 2) + timedelta(days=n) for n in range(7)], "daily_return": returns})
    table = regime_returns(daily, known)
    by_name = {(kind, regime): row for kind, regime, *row in table.rows()}
    assert by_name["trend", "bull"][:3] == [1, 1 / 7, pytest.approx(0.05)]  # 6 January
    ranged = by_name["trend", "range"]
    assert ranged[:2] == [2, 2 / 7]
    assert ranged[2] == pytest.approx(1.06 * 1.07 - 1)
    assert ranged[3] == pytest.approx(measures.sharpe_ratio([0.06, 0.07]))
    assert ranged[4] == 0.06
    assert by_name["trend", "bear"] == [0, 0.0, None, None, None]
    assert by_name["trend", "unknown"][0] == 4
    assert table.group_by("kind").agg(pl.col("days").sum())["days"].to_list() == [7, 7]


def test_a_lost_account_has_a_total_but_no_ratio() -> None:
    daily = pl.DataFrame({"day": [date(2024, 1, 2)], "daily_return": [-1.0]})
    table = regime_returns(daily, regimes(days_of([0.01]), "1d"))
    lost = table.filter(pl.col("days") > 0).select("regime", "total_return", "sharpe_ratio").rows()
    assert lost == [("unknown", -1.0, None)] * 2


def test_no_days_are_no_regimes() -> None:
    daily = pl.DataFrame({"day": [], "daily_return": []}, schema={"day": pl.Date, "daily_return": pl.Float64})
    table = regime_returns(daily, regimes(days_of([0.01]), "1d"))
    assert table["days"].sum() == 0
    assert regimes_lived(table) == 0


def test_a_trend_is_lived_through_after_thirty_days() -> None:
    table = pl.DataFrame(
        {
            "kind": ["trend"] * 4 + ["unrest"],
            "regime": ["bull", "bear", "range", "unknown", "high"],
            "days": [30, 29, 400, 60, 200],
        }
    )
    assert regimes_lived(table) == 2


def slow_crashes(bars: pl.DataFrame) -> list[int]:
    """Rows of one symbol that lie 20 % under a close of the 24 hours before, looked for one by one."""
    rows = bars.select("open_time", "close").rows()
    return [
        number
        for number, (now, close) in enumerate(rows)
        if any(then >= now - timedelta(hours=24) and close <= 0.8 * before for then, before in rows[: number + 1])
    ]


@pytest.mark.parametrize("seed", range(5))
def test_crashes_are_those_of_a_slow_search(seed: int) -> None:
    bars = days_of(np.random.default_rng(seed).standard_t(3, 400) * 0.03, hours=1)
    found = crashes(bars, "1h")
    rows = slow_crashes(bars)
    closes = (bars["open_time"] + timedelta(hours=1)).gather(rows).to_list()
    covered = [row for row in closes if any(start <= row <= end for start, end in found.select("start", "end").rows())]
    assert covered == closes
    assert set(found["start"]) | set(found["end"]) <= set(closes)
    assert found.height == 1 + sum(late - early > timedelta(hours=24) for early, late in pairwise(closes))


def test_a_crash_needs_the_whole_fall_within_the_hours() -> None:
    step = np.log(0.8) / 24
    assert crashes(days_of([step * 1.001] * 24, hours=1), "1h").height == 1
    assert crashes(days_of([step * 0.999] * 60, hours=1), "1h").is_empty()
    assert crashes(days_of([step * 0.999] * 60, hours=1), "1h", hours=25).height == 1
    one_bar = crashes(days_of([0.0, np.log(0.7), 0.0], hours=1), "1h")
    assert one_bar["fall"].to_list() == pytest.approx([-0.3])
    assert one_bar["start"].to_list() == [START + timedelta(hours=3)]


def test_symbols_that_fall_together_are_one_crash_of_the_market() -> None:
    down = [0.0] * 3 + [np.log(0.7)] + [0.0] * 90
    one, same = days_of(down, hours=1), days_of([0.0] * 2 + down, "ETHUSDT", hours=1)
    later = days_of([0.0] * 60 + down, "SOLUSDT", hours=1)
    assert count_crashes(crashes(pl.concat([one, same]), "1h")) == 1
    both = crashes(pl.concat([later, one, same]), "1h")
    assert both["symbol"].to_list() == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert count_crashes(both) == 2
    assert count_crashes(crashes(days_of([0.01] * 9), "1d")) == 0


def test_a_short_crash_within_a_long_one_does_not_end_it() -> None:
    hours = [(0, 100), (10, 20), (50, 60), (101, 110)]
    spans = [(START + timedelta(hours=first), START + timedelta(hours=last)) for first, last in hours]
    assert count_crashes(pl.DataFrame(spans, schema=["start", "end"], orient="row")) == 2


def test_history_has_the_crashes_it_is_known_for(market_data: Path) -> None:
    """March 2020 in Bitcoin; Terra in May, the lenders in June and FTX in November 2022 in Solana."""
    covid = pl.read_parquet(market_data / "stress/binance_spot_BTCUSDT_5m_2019-11_2020-03.parquet")
    assert crashes(covid.with_columns(symbol=pl.lit("BTCUSDT")), "5m")["start"].dt.date().to_list() == [
        date(2020, 3, 12)
    ]
    solana = pl.read_parquet(market_data / "bars_1h/binance_spot_SOLUSDT_1h.parquet").with_columns(symbol=pl.lit("SOL"))
    found = crashes(solana, "1h")
    months = {(each.year, each.month) for each in found["start"]}
    assert {(2022, 5), (2022, 6), (2022, 11)} <= months
    assert min(found["fall"]) == pytest.approx(-0.4877, abs=1e-3)


def test_history_has_the_regimes_it_is_known_for(market_data: Path) -> None:
    bitcoin = pl.read_parquet(market_data / "bars_1h/binance_spot_BTCUSDT_1h.parquet").with_columns(
        symbol=pl.lit("BTC")
    )
    known = dict(regimes(bitcoin, "1h").select("day", "trend").rows())
    assert known[date(2022, 6, 20)] == "bear"
    assert known[date(2023, 11, 15)] == "bull"
    assert known[date(2023, 6, 1)] == "range"


def test_a_year_of_sixty_percent_begins_its_bull_at_about_a_fifth() -> None:
    rules = RegimeRules()
    spread = 0.6 / 365**0.5
    assert exp(rules.strength * spread * rules.trend_days**0.5) - 1 == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("wrong", [{"trend_days": 1}, {"strength": 0}, {"volatility_days": 0}, {"window": 3}])
def test_rules_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        RegimeRules.model_validate(wrong)
