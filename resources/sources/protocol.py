"""What every source of bars can be asked."""

from datetime import datetime
from typing import Protocol

import polars as pl


class MarketDataSource(Protocol):
    """A source of raw bars.

    Symbols are spelled as inside (``BTCUSDT``, ``BTCUSDT.P``), times are UTC. Every method raises `SourceError` where
    an answer cannot be used and `SourceUnavailableError` where asking later may help.
    """

    @property
    def slug(self) -> str:
        """A short name, safe in file systems, that tells this source from others."""
        ...

    def fetch(self, symbol: str, interval: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Get the closed bars that open at ``start`` or later and before ``end``.

        Returns
        -------
        DataFrame
            Rows as they came, repeats among them, in the columns of `nightfold.schema.RAW_BARS` and in order of time;
            rows of one time keep the order in which they came. Empty where there is nothing.
        """
        ...

    def coverage(self, symbol: str, interval: str) -> tuple[datetime, datetime] | None:
        """Get the first open time and the end of the last bar, or None where that would cost a search."""
        ...

    def symbols(self, interval: str) -> list[str] | None:
        """List what is offered, or None where that is not known."""
        ...
