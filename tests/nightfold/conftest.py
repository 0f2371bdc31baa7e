"""What several tests make: results that were looked at."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.leaderboard import MEASURES, Run, RunCard

FIRST = date(2024, 1, 1)


@pytest.fixture
def looked_at() -> Callable[..., Run]:
    """Card some daily returns as a variant's result."""

    def made(variant: str, returns: np.ndarray, first: date = FIRST, **changed: Any) -> Run:
        days = [first + timedelta(days=day) for day in range(len(returns))]
        card: dict[str, Any] = {"experiment": "e", "variant": variant, "choices": "full", "trades": 1, "version": "v"}
        card |= {"first_day": days[0], "last_day": days[-1], "days": len(days), "measures": dict.fromkeys(MEASURES)}
        return Run(RunCard(**{**card, **changed}), pl.DataFrame({"day": days, "daily_return": returns}))

    return made


@pytest.fixture
def run(looked_at: Callable[..., Run]) -> Callable[..., Run]:
    """Card a result with returns of a seed, which failed seven of eight gates."""

    def made(variant: str, seed: int = 1, days: int = 60, first: date = FIRST, experiment: str = "e") -> Run:
        returns = np.random.default_rng(seed).normal(0.001, 0.01, days)
        measures = {**dict.fromkeys(MEASURES, 0.1), "sharpe_ratio": float(seed), "win_rate": None}
        judged = {"trades": seed, "gates_passed": 1, "gates": 8, "outcome": "failed", "measures": measures}
        return looked_at(variant, returns, first, experiment=experiment, **judged)

    return made
