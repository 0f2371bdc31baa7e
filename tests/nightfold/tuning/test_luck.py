"""What the number of trials leaves of the winner's Sharpe ratio."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest

from nightfold.tuning.ledger import LEDGER
from nightfold.tuning.luck import winner_luck

FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)
EULER = 0.5772156649


def ledger(returns: Mapping[str, list[float] | None]) -> pl.DataFrame:
    rows = [
        {
            "as_of": FEBRUARY,
            "search": "s",
            "trial": number,
            "subject": "e/a/pooled",
            "configuration": name,
            "settings": json.dumps({}),
            "state": "complete",
            "rung": 0,
            "metric": "log_loss",
            "score": 1.0,
            "rows": 9,
            "metrics": "{}",
            "first_day": None if each is None else date(2024, 1, 1),
            "daily_returns": each,
        }
        for number, (name, each) in enumerate(returns.items())
    ]
    return LEDGER.validate(pl.DataFrame(rows, schema=LEDGER.dtypes))


def drawn(count: int, days: int = 90) -> dict[str, list[float]]:
    random = np.random.default_rng(5)
    return {f"c{number}": random.normal(0.0004 * number, 0.01, days).tolist() for number in range(count)}


def by_hand(returns: list[float], tried: int, variance: float) -> float:
    """Bailey and López de Prado's formula, written out."""
    values, normal = np.array(returns), NormalDist()
    ratio = values.mean() / values.std(ddof=1)
    away = (values - values.mean()) / values.std()
    first, second = (normal.inv_cdf(1 - 1 / tried), normal.inv_cdf(1 - 1 / (tried * math.e)))
    luck = math.sqrt(variance) * ((1 - EULER) * first + EULER * second)
    spread = 1 - (away**3).mean() * ratio + ((away**4).mean() - 1) / 4 * ratio**2
    return normal.cdf((ratio - luck) * math.sqrt((len(values) - 1) / spread))


def test_the_winner_is_deflated_by_every_configuration_and_the_variance_of_their_ratios() -> None:
    returns = drawn(12)
    found = winner_luck(ledger(returns), "c11")
    ratios = [np.mean(each) / np.std(each, ddof=1) for each in returns.values()]
    assert (found.configurations, found.days) == (12, 90)
    assert found.sharpe_ratio == pytest.approx(ratios[-1] * math.sqrt(365))
    assert found.deflated_sharpe == pytest.approx(by_hand(returns["c11"], 12, float(np.var(ratios, ddof=1))), abs=1e-8)


def test_under_ten_the_variance_is_that_of_one_ratio_without_skill() -> None:
    returns = drawn(5)
    found = winner_luck(ledger(returns), "c4")
    assert found.deflated_sharpe == pytest.approx(by_hand(returns["c4"], 5, 1 / 89), abs=1e-8)


def test_trials_that_were_worse_also_deflate_the_winner() -> None:
    returns = drawn(30)
    winner = {"c11": returns["c11"]}
    alone, among = (winner_luck(ledger(each), "c11").deflated_sharpe for each in (winner, returns | winner))
    assert alone is not None
    assert among is not None
    assert among < alone


def test_copies_of_one_configuration_count_in_full_and_the_effective_number_stands_beside() -> None:
    same = drawn(1)["c0"]
    found = winner_luck(ledger({f"c{number}": same for number in range(8)}), "c0")
    assert found.configurations == 8
    assert found.effective == pytest.approx(1.0)


@pytest.mark.parametrize(
    "lost", [pytest.param(None, id="no returns"), pytest.param([0.1, -1.0, 0.2], id="account lost")]
)
def test_a_winner_without_measurable_returns_has_no_figure(lost: list[float] | None) -> None:
    found = winner_luck(ledger({**drawn(3), "w": lost}), "w")
    assert found.configurations == 4
    assert (found.sharpe_ratio, found.deflated_sharpe) == (None, None)


def test_a_search_without_any_returns_still_counts_what_it_tried() -> None:
    found = winner_luck(ledger({"a": None, "b": None}), "a")
    assert (found.configurations, found.effective, found.deflated_sharpe) == (2, None, None)
