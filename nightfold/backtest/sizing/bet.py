"""What a size may depend on: the favoured side's chances, what each outcome brings, and how restless the market is."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field

from nightfold.spec import Spec

Floats = npt.NDArray[np.float64]
Share = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True, slots=True)
class Bets:
    """One position that might be taken a row, of either side; arrays of one length, NaN where unknown.

    Parameters
    ----------
    p_win, p_flat, p_lose
        Probability that the take-profit is touched first, neither, or the stop; they sum to 1.
    gain, loss
        Distance of take-profit and stop from the entry, as fractions of its price, both positive.
    flat_return
        What the position returns where neither is touched, before cost, as a fraction.
    cost
        Cost of a round trip, as a fraction.
    volatility
        Standard deviation of the symbol's returns a year, as a fraction.
    classes
        Number of outcomes the forecast tells apart.
    """

    p_win: Floats
    p_flat: Floats
    p_lose: Floats
    gain: Floats
    loss: Floats
    flat_return: Floats
    cost: Floats
    volatility: Floats
    classes: int = 3

    @classmethod
    def of_sides(cls, rows: pl.DataFrame, classes: int = 3) -> "Bets":
        """Look at each row from the side it favours.

        Parameters
        ----------
        rows
            ``side`` (-1 for a short, else a long), ``p_down``, ``p_flat``, ``p_up``, ``upper`` and ``lower`` (distances
            of the barriers), ``timeout_return`` (of a long, where none is touched), ``cost``, ``volatility`` (a year).
            Null: unknown.
        classes
            Number of outcomes the forecast tells apart.
        """
        short = pl.col("side") < 0

        def turned(long: str, other: str) -> pl.Expr:
            return pl.when(short).then(other).otherwise(long)

        names = rows.select(
            p_win=turned("p_up", "p_down"),
            p_flat="p_flat",
            p_lose=turned("p_down", "p_up"),
            gain=turned("upper", "lower"),
            loss=turned("lower", "upper"),
            flat_return=pl.when(short).then(-pl.col("timeout_return")).otherwise("timeout_return"),
            cost="cost",
            volatility="volatility",
        )
        known = names.cast(pl.Float64).fill_null(np.nan)
        return cls(**{column.name: column.to_numpy() for column in known}, classes=classes)


class Sizing(Spec):
    """A rule of the catalog; none goes beyond a largest position."""

    max_fraction: Annotated[float, Field(gt=0)] = 1.0
    """Largest position, as a fraction of equity; above 1 it needs leverage."""

    @abstractmethod
    def fraction(self, bets: Bets) -> Floats:
        """Fraction of equity to hold, 0 or more; NaN where an input that the rule needs is unknown."""

    def capped(self, fraction: Floats) -> Floats:
        """Cut fractions to what is allowed, negative ones to 0; NaN stays."""
        return np.clip(fraction, 0.0, self.max_fraction)
