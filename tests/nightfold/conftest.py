"""What several tests make: results that were looked at."""

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from nightfold.leaderboard import MEASURES, Run, RunCard


@pytest.fixture
def looked_at() -> Callable[..., Run]:
    """Card some daily returns as a variant's result."""

    def made(variant: str, returns: np.ndarray, first: date = date(2024, 1, 1)) -> Run:
        days = [first + timedelta(days=day) for day in range(len(returns))]
        card = RunCard(
            experiment="e",
            variant=variant,
            choices="full",
            first_day=days[0],
            last_day=days[-1],
            days=len(days),
            trades=1,
            measures=dict.fromkeys(MEASURES),
            version="v",
        )
        return Run(card, pl.DataFrame({"day": days, "daily_return": returns}))

    return made
