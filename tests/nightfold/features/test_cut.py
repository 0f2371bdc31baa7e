"""Cuts are spread evenly over day and week, and come to the rare rows."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from nightfold.features.cut import many_times, rare_times, some_times, spread_times, tried_times, visible_share

START = datetime(2024, 1, 1, tzinfo=UTC)


def made(rows: int, minutes: int = 5) -> pl.DataFrame:
    """A walk of one symbol, with volumes about 100."""
    random = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(random.normal(0, 1e-3, rows)))
    times = pl.Series([START + row * timedelta(minutes=minutes) for row in range(rows)], dtype=pl.Datetime("ms", "UTC"))
    return pl.DataFrame({"symbol": "A", "open_time": times, "close": close, "volume": random.uniform(90, 110, rows)})


def test_the_share_that_is_found_is_that_of_draws_which_all_miss() -> None:
    for cuts in (1, 4, 300):
        share = visible_share(cuts)
        assert (1 - share) ** cuts == pytest.approx(0.05)
    assert visible_share(0) == 1


@pytest.mark.parametrize("cuts", [7, 60])
def test_a_peek_that_shows_in_the_visible_share_of_rows_is_met_as_often_as_promised(cuts: int) -> None:
    times = made(600)["open_time"]
    rows = np.random.default_rng(1).permutation(600)[: round(visible_share(cuts) * 600) + 1]
    shows = set(times.gather(rows))
    met = [bool(shows & set(spread_times(times, cuts, np.random.default_rng(seed)))) for seed in range(600)]
    assert np.mean(met) > 0.95 - 0.02


def test_spread_cuts_come_to_every_time_of_day_once_they_are_twice_as_many() -> None:
    times = made(3_000)["open_time"]
    cuts = spread_times(times, 600, np.random.default_rng(3))
    assert len(set(cuts)) == 600
    assert cuts == sorted(cuts)
    assert len({cut.time() for cut in cuts}) == 288


def test_spread_cuts_of_hours_come_to_every_weekday_at_every_time_of_day() -> None:
    times = made(24 * 7 * 20, minutes=60)["open_time"]
    cuts = spread_times(times, 24 * 7 * 2, np.random.default_rng(3))
    assert len({(cut.weekday(), cut.hour) for cut in cuts}) == 24 * 7


def test_every_row_is_as_likely_a_cut() -> None:
    times = made(50)["open_time"]
    counts = np.zeros(50)
    for seed in range(800):
        counts[times.is_in(spread_times(times, 7, np.random.default_rng(seed)))] += 1
    assert counts == pytest.approx(800 * 7 / 50, rel=0.35)


def test_rare_rows_and_those_before_them_are_cuts() -> None:
    bars = made(2_000)
    row = pl.int_range(pl.len())
    odd = bars.with_columns(
        volume=pl.when(row == 700).then(0).when(row == 900).then(9_000).otherwise(pl.col("volume")),
        close=pl.col("close") * pl.when(row >= 1_200).then(1.5).otherwise(1),
    )
    times = tried_times(odd, 10)
    found = set(rare_times(odd, times, 100, np.random.default_rng(1)))
    assert {odd["open_time"][number] for number in (699, 700, 899, 900, 1_199, 1_200)} <= found
    assert 50 < len(found) <= 100
    assert found <= set(times)


def test_one_in_four_of_many_cuts_is_at_rare_rows() -> None:
    bars = made(3_000)
    cuts, spread = many_times(bars, tried_times(bars, 100), 400, np.random.default_rng(1))
    assert spread == 300
    assert 300 < len(cuts) <= 400
    assert cuts == sorted(set(cuts))


def test_few_bars_are_all_cuts() -> None:
    bars = made(9)
    times = tried_times(bars, 100)
    assert times.to_list() == bars["open_time"][4:8].to_list()
    assert spread_times(times, 300, np.random.default_rng(1)) == times.to_list()
    assert some_times(times, 300, np.random.default_rng(1)) == times.to_list()
    assert many_times(bars[:1], tried_times(bars[:1], 0), 400, np.random.default_rng(1)) == ([], 0)
