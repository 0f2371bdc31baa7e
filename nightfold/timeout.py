"""What a position returns where neither barrier is touched: measured on training rows, by fifths of volatility."""

from collections.abc import Sequence
from datetime import datetime
from math import sqrt
from typing import Annotated, Self

import numpy as np
import polars as pl
from pydantic import Field

from nightfold.schema import KEY, TIME
from nightfold.spec import Spec

FIFTHS = 5
TIMEOUTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "symbol": pl.String,
    "as_of": TIME,
    "from_volatility": pl.Float64,
    "timeout_widths": pl.Float64,
}
"""Columns of `TimeoutReturns.rows`: where a fifth begins, and what its timeouts returned on average, in widths."""


class TimeoutReturns(Spec):
    """Mean log return of the timeouts in each fifth of volatility, in widths (volatility times root horizon).

    Between barriers at 1.5 up and 1.0 down what was not touched has risen on average, by an amount that depends on how
    restless the market was: one mean for all rows would call many rows of a market without drift worth a trade.
    """

    edges: Annotated[list[float], Field(min_length=FIFTHS - 1, max_length=FIFTHS - 1)]
    """Volatility at which each fifth but the first begins, ascending."""
    means: Annotated[list[float], Field(min_length=FIFTHS, max_length=FIFTHS)]
    """One a fifth; 0 where it has no timeout."""

    @classmethod
    def fit(cls, train: pl.DataFrame, returned: pl.DataFrame, horizon: int) -> Self:
        """Measure them on training rows, each of which counts the same.

        Parameters
        ----------
        train
            ``symbol``, ``open_time`` and ``label`` of the rows learnt from: 0 where no barrier was touched.
        returned
            Of these bars, and any others: ``symbol``, ``open_time``, ``volatility`` of one bar and ``log_return`` to
            the end of the label. The fifths are those of the training rows of all symbols together.
        horizon
            Bars to the vertical barrier.
        """
        rows = train.select(*KEY, "label").join(returned, on=KEY, how="left", maintain_order="left")
        sigma, timed_out = rows["volatility"].to_numpy(), (rows["label"] == 0).to_numpy()
        edges = np.quantile(sigma, np.arange(1, FIFTHS) / FIFTHS)
        fifth = np.searchsorted(edges, sigma[timed_out], side="right")
        widths = rows["log_return"].to_numpy()[timed_out] / (sigma[timed_out] * sqrt(horizon))
        count, total = (np.bincount(fifth, each, FIFTHS) for each in (None, widths))
        return cls(edges=edges.tolist(), means=(total / np.maximum(count, 1)).tolist())

    def rows(self, symbols: Sequence[str], as_of: datetime) -> pl.DataFrame:
        """Lay the fifths out as `TIMEOUTS`, one row each, for the symbols that an as-of's models speak for."""
        fifths = {"from_volatility": [0.0, *self.edges], "timeout_widths": self.means}
        each = [pl.DataFrame({"symbol": symbol, "as_of": as_of, **fifths}, schema=TIMEOUTS) for symbol in symbols]
        return pl.concat(each)


def with_timeouts(predictions: pl.DataFrame, timeouts: pl.DataFrame) -> pl.DataFrame:
    """Put beside each prediction what timeouts returned in the training of the model behind it.

    Parameters
    ----------
    predictions
        ``symbol``, ``as_of`` of the model (null: none) and ``volatility``, in any order.
    timeouts
        `TIMEOUTS` of those models; some may be missing.

    Returns
    -------
    DataFrame
        The rows in their order, with ``timeout_widths``: a mean log return in widths, null where it is not known.
    """
    asked = predictions.select("symbol", "as_of", "volatility").with_row_index().sort("volatility")
    found = asked.join_asof(
        timeouts.sort("from_volatility", maintain_order=True),
        left_on="volatility",
        right_on="from_volatility",
        by=["symbol", "as_of"],
        check_sortedness=False,
    )
    return predictions.with_columns(found.sort("index")["timeout_widths"])
