"""Variants that were looked at: counted once each."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.experiment import Experiment
from nightfold.leaderboard import Run, looks, newest, variant_of
from nightfold.tearsheet.measures import daily_sharpe_ratio

FIRST = date(2024, 1, 1)


def daily(seed: int, days: int = 60, first: date = FIRST) -> pl.DataFrame:
    returns = np.random.default_rng(seed).normal(0.001, 0.01, days)
    return pl.DataFrame({"day": [first + timedelta(days=day) for day in range(days)], "daily_return": returns})


OTHER: dict[str, Any] = {
    "name": "f",
    "interval": "1h",
    "symbols": ["AAAUSDT"],
    "pooling": "per_symbol",
    "target": {"class_weight": "balanced"},
    "features": {"groups": ["returns"]},
    "split": {"train_days": 50},
    "retrain": "week",
    "first_as_of": "2024-01-02",
    "retune": "month",
    "max_model_age": 9,
    "models": {"class_frequencies": None, "logistic_regression": None},
    "ensemble": {"method": "rank"},
    "strategy": {"min_edge_bps": 5.0},
    "policy": {},
    "costs": {"slippage_bps": 9},
    "limits": {"max_gross": 0.5},
    "capital": 5.0,
    "seed": 1,
}
"""Another value of every setting that shapes a result."""


def test_each_variant_counts_once_however_often_it_was_made(run: Callable[..., Run]) -> None:
    runs = [run("a", days=30), run("a", days=60), run("b"), run("c")]
    assert looks(runs, "a", daily(1)).n_trials == 3
    assert looks(runs, "new", daily(1)).n_trials == 4
    assert looks([], "a", daily(1)).n_trials == 1


def test_variants_of_other_days_do_not_count(run: Callable[..., Run]) -> None:
    elsewhere = run("b", first=date(2023, 1, 1))
    assert looks([elsewhere], "a", daily(1)).n_trials == 1
    assert looks([run("b", first=FIRST + timedelta(days=59))], "a", daily(1)).n_trials == 2


def test_the_spread_of_ten_or_more_is_that_of_their_ratios_on_the_shared_days(run: Callable[..., Run]) -> None:
    few = [run(f"v{seed}", seed) for seed in range(8)]
    assert looks(few, "a", daily(99)).variance is None
    many = [run(f"v{seed}", seed, days=80) for seed in range(12)]
    found = looks(many, "a", daily(99))
    ratios = [daily_sharpe_ratio(daily(99)["daily_return"])]
    ratios += [daily_sharpe_ratio(each.daily["daily_return"].head(60)) for each in many]
    assert found.n_trials == 13
    assert found.variance == pytest.approx(max(np.var(ratios, ddof=1), 1 / 59))


def test_what_shares_few_days_or_is_a_copy_does_not_move_the_spread(run: Callable[..., Run]) -> None:
    many = [run(f"v{seed}", seed, days=80) for seed in range(12)]
    short = [run(f"s{seed}", seed, days=3, first=FIRST + timedelta(days=50)) for seed in range(3)]
    assert looks([*many, *short], "a", daily(99)).variance == looks(many, "a", daily(99)).variance
    assert looks([*many, *short], "a", daily(99)).n_trials == 16
    copies = [run(f"c{number}", 1) for number in range(12)]
    assert looks(copies, "a", daily(1)).variance == pytest.approx(1 / 59)


def test_what_the_universe_and_the_labels_add_makes_a_variant() -> None:
    given = Experiment.model_validate({"name": "e", "first_as_of": "2024-01-01", "models": {"class_frequencies": None}})
    assert len({variant_of(given, {}, market) for market in ({}, {"symbols": ["A"]}, {"labels": {"upper": 3.0}})}) == 3


def test_words_and_gates_make_no_variant_and_all_else_does() -> None:
    given = {"name": "e", "first_as_of": "2024-01-01", "models": {"class_frequencies": None}}
    base = variant_of(Experiment.model_validate(given), {}, {})
    for same in ({"description": "words"}, {"gates": {"min_sharpe": 3}}, {"owner": "team:us"}):
        assert variant_of(Experiment.model_validate({**given, **same}), {}, {}) == base
    assert set(OTHER) == set(Experiment.model_fields) - {"description", "gates", "owner"}
    others = [variant_of(Experiment.model_validate({**given, field: value}), {}, {}) for field, value in OTHER.items()]
    others.append(variant_of(Experiment.model_validate(given), {"cost_scale": 2.0}, {}))
    assert len({base, *others}) == 1 + len(OTHER) + 1


def test_the_newest_result_of_each_variant_stands_for_it(run: Callable[..., Run]) -> None:
    runs = [run("a", days=60), run("b", days=10), run("a", days=30)]
    assert [(each.card.variant, each.card.days) for each in newest(runs)] == [("b", 10), ("a", 60)]
