"""From a source's settings to the source."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from nightfold.source import ArchiveSource, ExchangeSource, FolderSource, SimulatedSource, Source
from resources.sources.protocol import MarketDataSource


def build_source(source: Source, now: Callable[[], datetime], cache: Path) -> MarketDataSource:
    """Make the source that the settings describe.

    Parameters
    ----------
    source
        Its settings.
    now
        The clock, UTC; bars that close after it are not delivered by live sources.
    cache
        Folder for downloads that are worth keeping; it is made when needed.
    """
    # Each kind brings a heavy library of its own (numba, httpx, ccxt), which only those who choose it should load.
    match source:
        case SimulatedSource():
            from resources.sources.simulated import SimulatedMarket

            return SimulatedMarket(source, now)
        case FolderSource():
            from resources.sources.folder import BarFolder

            return BarFolder(source)
        case ArchiveSource():
            from resources.sources.binance_archive import BinanceArchive

            return BinanceArchive(source, now, cache)
        case ExchangeSource():
            from resources.sources.exchange import Exchange

            return Exchange(source, now)
