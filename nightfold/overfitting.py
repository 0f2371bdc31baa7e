"""What choosing is worth among all that was tried: the policy held constant, and every variant that was looked at."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from nightfold.backtest.result import daily_returns
from nightfold.leaderboard import Run, newest
from nightfold.robustness import Account
from nightfold.tearsheet.measures import is_ruined
from nightfold.tearsheet.measures.overfitting import FEWEST_DAYS, probability_of_overfitting

_GRID: dict[str, type[pl.DataType]] = {"variant": pl.Int64, "day": pl.Date, "daily_return": pl.Float64}
_NEARLY_ALL = -0.9999
"""Return of the day on which an account is lost; from then on it stands still."""
_COVERED = 0.9
"""Part of the reported days that a variant must have a result on, to be compared at all."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What choosing the best of some variants is worth.

    Parameters
    ----------
    variants
        Distinct ones that were compared, on the same days.
    days
        Those days.
    probability
        Of backtest overfitting, as of `nightfold.tearsheet.measures.probability_of_overfitting`; None under ten
        variants or 160 days.
    """

    variants: int = 0
    days: int = 0
    probability: float | None = None


NOTHING = Choice()
"""Nothing was compared."""


def grid_returns(account: Account, variants: Iterable[pl.DataFrame], daily: pl.DataFrame) -> pl.DataFrame:
    """Daily returns of the same account under other settings, held constant.

    Parameters
    ----------
    account
        Of the reported run.
    variants
        Targets of each; none is traded where the range is shorter than any choice could be judged on.
    daily
        ``day``, ``daily_return`` of the reported run.

    Returns
    -------
    DataFrame
        ``variant`` from 0, ``day``, ``daily_return``: those of a variant that lost all end with the day it did.
    """
    tried = variants if daily.height >= FEWEST_DAYS else ()
    runs = [
        daily_returns(account.trade(targets)).select(pl.lit(at, pl.Int64).alias("variant"), pl.all())
        for at, targets in enumerate(tried)
    ]
    return pl.concat([pl.DataFrame(schema=_GRID), *runs])


def judge_choice(grid: pl.DataFrame, runs: Sequence[Run], variant: str, daily: pl.DataFrame) -> Choice:
    """Compare all that was tried on the reported days.

    Parameters
    ----------
    grid
        As from `grid_returns`.
    runs
        All results that are kept; the newest of each variant counts, if it covers nine of ten reported days.
    variant, daily
        The reported one, which is compared too, and its ``day``, ``daily_return``.

    Returns
    -------
    Choice
        On the days that all of them cover. Variants that did the same count once.
    """
    others = [run.daily for run in newest(runs) if run.card.variant != variant]
    held = grid.partition_by("variant", maintain_order=True)
    columns = [column for each in (daily, *others, *held) if (column := _on(daily["day"], each)) is not None]
    table = np.stack(columns, axis=1)
    table = np.unique(table[~np.isnan(table).any(axis=1)], axis=1)
    return Choice(table.shape[1], table.shape[0], probability_of_overfitting(table))


def _on(days: pl.Series, daily: pl.DataFrame) -> npt.NDArray[np.float64] | None:
    """Lay returns on some days, NaN on those without one; None where too many are."""
    own = days.to_frame().join(daily, on="day", how="left", maintain_order="left")["daily_return"]
    if is_ruined(daily["daily_return"]):
        own = pl.select(pl.when(days > daily["day"][-1]).then(0.0).otherwise(own)).to_series()
    known = own.clip(lower_bound=_NEARLY_ALL)
    return known.fill_null(np.nan).to_numpy() if known.count() >= _COVERED * len(days) else None
