"""How alike the variants are that were looked at: many that move as one are hardly more than one look."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from nightfold.leaderboard import Run, newest
from nightfold.tearsheet.measures import mean_correlation


def likeness(runs: Sequence[Run], variant: str, daily: pl.DataFrame) -> float | None:
    """Mean correlation of the daily returns of all variants whose result on the reported days was looked at.

    Parameters
    ----------
    runs
        All that are kept.
    variant, daily
        The reported one, ``day`` and ``daily_return``; its stored cards do not count beside it.

    Returns
    -------
    float or None
        As of `nightfold.tearsheet.measures.mean_correlation`; None while there is but one.
    """
    days = daily.select("day")
    others = [run.daily for run in newest(runs) if run.card.variant != variant]
    columns = [
        days.join(each, on="day", how="left", maintain_order="left")["daily_return"] for each in (daily, *others)
    ]
    return mean_correlation(np.stack([column.fill_null(np.nan).to_numpy() for column in columns], axis=1))
