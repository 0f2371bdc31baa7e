"""Features of all bars of a range as one table, from which rows and windows are taken without copies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.interval import duration
from nightfold.models.dataset import Features
from nightfold.models.window import Windows, window_ends
from nightfold.schema import KEY


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """Bars chosen from a table of features.

    Parameters
    ----------
    table
        One row a bar, one column a feature; NaN where it is unknown. The bars of each symbol stand together in time.
    names
        Features, in column order.
    breaks
        Whether a bar does not follow the one before it: another symbol, or a hole between them.
    chosen
        Positions of the bars meant.
    """

    table: NDArray[np.float32]
    names: tuple[str, ...]
    breaks: NDArray[np.bool_]
    chosen: NDArray[np.int64]

    @classmethod
    def from_frame(cls, frame: pl.DataFrame, names: Sequence[str], interval: str) -> Self:
        """Take all bars of a frame that is sorted by symbol and time."""
        table = frame.select(pl.col(names).cast(pl.Float32).fill_null(np.nan)).to_numpy(order="c")
        follows = (pl.col("open_time").diff() == duration(interval)) & (pl.col("symbol") == pl.col("symbol").shift())
        breaks = frame.select(KEY).select(~follows.fill_null(value=False)).to_series().to_numpy()
        return cls(table, tuple(names), breaks, np.arange(frame.height))

    def __len__(self) -> int:
        """Return the number of bars meant."""
        return len(self.chosen)

    @cached_property
    def complete(self) -> NDArray[np.bool_]:
        """Whether all features of a bar of the table are known."""
        return np.asarray(np.isfinite(self.table).all(axis=1))

    def take(self, chosen: Any) -> "FeatureRows":
        """Mean other bars of the same table, by position in it."""
        return replace(self, chosen=np.asarray(chosen, dtype=np.int64))

    def usable(self, window: int | None) -> NDArray[np.bool_]:
        """Tell which bars of the table have all features, over a window that ends there where one is given."""
        return self.complete if window is None else window_ends(self.complete, self.breaks, window)

    def features(self, names: Sequence[str], window: int | None = None) -> Features:
        """Return what a model of these features and this window is handed."""
        table = self.table
        if tuple(names) != self.names:
            table = table[:, [self.names.index(name) for name in names]]
        return table[self.chosen] if window is None else Windows(table, self.chosen, window)
