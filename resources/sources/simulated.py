"""The simulated market as a source."""

from collections.abc import Callable
from datetime import datetime

import polars as pl

from nightfold.interval import duration
from nightfold.schema import RAW_BARS
from nightfold.source import ORIGIN, SimulatedSource


class SimulatedMarket:
    """A market that goes on for ever and offers any symbol."""

    def __init__(self, spec: SimulatedSource, now: Callable[[], datetime]) -> None:
        self._spec = spec
        self._now = now

    @property
    def slug(self) -> str:
        """``simulated-7``; settings other than the seed add a digest."""
        usual = self._spec == SimulatedSource(seed=self._spec.seed)
        return f"simulated-{self._spec.seed}" + ("" if usual else f"-{self._spec.fingerprint[:6]}")

    def fetch(self, symbol: str, interval: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Make the bars that have closed by now; see `MarketDataSource.fetch`."""
        from nightfold.bars.simulate import simulate_bars  # loads numba, which definitions must not

        end = min(end, self._last_close(interval))
        bars = simulate_bars([symbol], interval, start, end, self._spec)
        return RAW_BARS.conform(bars.with_columns(venue=pl.lit("simulated")))

    def coverage(self, symbol: str, interval: str) -> tuple[datetime, datetime] | None:
        """From the origin of the market to the last bar that has closed."""
        end = self._last_close(interval)
        return (ORIGIN, end) if end > ORIGIN else None

    def symbols(self, interval: str) -> list[str] | None:
        """Any symbol is offered, so there is no list."""
        return None

    def _last_close(self, interval: str) -> datetime:
        now = self._now()
        return now - (now - ORIGIN) % duration(interval)
