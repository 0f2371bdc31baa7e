"""What choosing is worth: the policy held constant and every variant looked at, on the same days."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from nightfold.backtest.cost import Costs
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import daily_returns
from nightfold.overfitting import NOTHING, grid_returns, judge_choice
from nightfold.robustness import Account
from nightfold.schema import TIME
from nightfold.tearsheet.measures import probability_of_overfitting

FIRST, DAYS = date(2024, 1, 1), 192
NOISE = np.random.default_rng(3).normal(0, 0.01, (20, DAYS))


def daily(returns: np.ndarray, first: date = FIRST) -> pl.DataFrame:
    days = [first + timedelta(days=day) for day in range(len(returns))]
    return pl.DataFrame({"day": days, "daily_return": returns})


def grid(*returns: np.ndarray) -> pl.DataFrame:
    frames = [daily(each).select(pl.lit(at, pl.Int64).alias("variant"), pl.all()) for at, each in enumerate(returns)]
    nothing = daily(NOISE[0]).head(0).select(pl.lit(0, pl.Int64).alias("variant"), pl.all())
    return pl.concat([nothing, *frames])


def account(moves: list[float]) -> Account:
    """A day a bar."""
    close = 100 * np.cumprod(1 + np.array(moves))
    opened = np.append(100.0, close[:-1])
    bars = pl.DataFrame(
        {
            "symbol": "AAAUSDT",
            "open_time": pl.Series(86_400_000 * np.arange(len(moves))).cast(TIME),
            "open": opened,
            "high": np.maximum(opened, close),
            "low": np.minimum(opened, close),
            "close": close,
            "volume": 1e6,
        }
    )
    return Account(bars, lambda _: wanted(bars, 0.0), Costs(), RiskLimits(), 10_000.0)


def wanted(bars: pl.DataFrame, target: float) -> pl.DataFrame:
    return bars.select("symbol", "open_time", target=pl.lit(target))


def test_the_grid_the_variants_and_the_reported_result_are_one_table(looked_at) -> None:
    """Nine constant policies, nine results and the reported one: columns in any order are the same choice."""
    runs = [looked_at(f"v{at}", returns) for at, returns in enumerate(NOISE[10:19])]
    found = judge_choice(grid(*NOISE[1:10]), runs, "reported", daily(NOISE[0]))
    assert (found.variants, found.days) == (19, DAYS)
    assert found.probability == probability_of_overfitting(NOISE[:19].T)


def test_a_variant_that_was_looked_at_can_show_the_choice_to_be_sound_or_not(looked_at) -> None:
    skilled = looked_at("skilled", NOISE[19] + 0.02)
    alone, joined = (judge_choice(grid(*NOISE[1:12]), runs, "r", daily(NOISE[0])) for runs in ([], [skilled]))
    assert alone.probability is not None
    assert alone.probability > 0.2
    assert joined.probability == 0


def test_the_reported_variant_its_copies_and_older_cards_count_once(looked_at) -> None:
    runs = [
        looked_at("r", NOISE[0]),
        looked_at("copy", NOISE[1]),
        looked_at("v", NOISE[12][:-3]),
        looked_at("v", NOISE[13]),
    ]
    found = judge_choice(grid(*NOISE[1:10]), runs, "r", daily(NOISE[0]))
    assert found.variants == 11
    assert found.probability == probability_of_overfitting(NOISE[[*range(10), 13]].T)


def test_all_are_compared_on_the_days_that_all_cover_and_who_lacks_many_is_not(looked_at) -> None:
    earlier = np.concatenate([NOISE[18][:40], NOISE[11]])
    runs = [
        looked_at("longer", earlier, FIRST - timedelta(days=40)),
        looked_at("a day less", NOISE[12][1:], FIRST + timedelta(days=1)),
        looked_at("half", NOISE[13][: DAYS // 2]),
        looked_at("elsewhere", NOISE[14], date(2022, 1, 1)),
    ]
    found = judge_choice(grid(*NOISE[1:10]), runs, "r", daily(NOISE[0]))
    assert (found.variants, found.days) == (12, DAYS - 1)
    assert found.probability == probability_of_overfitting(NOISE[[*range(10), 11, 12], 1:].T)


def test_few_variants_or_days_tell_nothing(looked_at) -> None:
    few = judge_choice(grid(*NOISE[1:9]), [], "r", daily(NOISE[0]))
    assert (few.variants, few.probability) == (9, None)
    short = judge_choice(
        grid(), [looked_at(f"v{at}", each[:159]) for at, each in enumerate(NOISE)], "r", daily(NOISE[0][:159])
    )
    assert (short.days, short.probability) == (159, None)
    assert NOTHING.probability is None


@pytest.mark.parametrize("kind", ["grid", "look"])
def test_who_lost_all_stands_still_from_then_on(looked_at, kind: str) -> None:
    lost = np.append(NOISE[11][:100], -1.2)
    runs, held = ([looked_at("lost", lost)], ()) if kind == "look" else ([], (lost,))
    found = judge_choice(grid(*NOISE[1:10], *held), runs, "r", daily(NOISE[0]))
    stands = np.concatenate([NOISE[11][:100], [-0.9999], np.zeros(DAYS - 101)])
    assert (found.variants, found.days) == (11, DAYS)
    assert found.probability == probability_of_overfitting(np.vstack([NOISE[:10], stands]).T)


def test_the_grid_holds_each_constant_in_the_same_account() -> None:
    moves = np.random.default_rng(5).normal(0, 0.01, 165).tolist()
    ours = account(moves)
    tried = [wanted(ours.bars, size) for size in (0.2, 0.9)]
    found = grid_returns(ours, tried, daily_returns(ours.trade()))
    assert found["variant"].to_list() == [0] * 165 + [1] * 165
    for at, targets in enumerate(tried):
        assert found.filter(variant=at).drop("variant").equals(daily_returns(ours.trade(targets)))


def test_under_160_days_nothing_is_traded_for_it() -> None:
    ours = account([0.01] * 159)
    found = grid_returns(ours, (pytest.fail("asked for") for _ in range(1)), daily_returns(ours.trade()))
    assert found.is_empty()
    assert found.schema == grid(NOISE[0]).schema
