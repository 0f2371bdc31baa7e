"""Bars: as the source delivered them, and clean on the time grid."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import dagster as dg
import polars as pl

from assets.frame_type import frame_type, table_metadata
from assets.keys import OWNER, asset_key, code_version, data_key
from assets.markdown import markdown_table, preview
from assets.partitions import AFTER_ITS_PARENT, IN_ONE_RUN, DataPartition, data_partitions, data_to_data, selected_data
from nightfold.bars.clean import clean_bars, cleaning_report, margin, settling
from nightfold.bars.resample import resample_bars
from nightfold.errors import SourceError
from nightfold.interval import Interval, duration
from nightfold.schema import BARS, RAW_BARS
from nightfold.source import market_note
from nightfold.spec import fingerprint
from nightfold.universe import Universe
from nightfold.window import midnight
from resources.io_manager import Frames, Piece
from resources.lake import Lake
from resources.sources.protocol import MarketDataSource

GROUP = "market_data"

_LATE_START = timedelta(days=1)


class FetchConfig(dg.Config):
    """How bars are fetched."""

    force: bool = False
    """Fetch whole partitions again, not just what came after the last stored bar."""


@dataclass(frozen=True, slots=True)
class MarketData:
    """The two assets of one interval, with the code version that everything below them carries on."""

    raw_bars: dg.AssetsDefinition
    bars: dg.AssetsDefinition
    version: str


def exchange_asset(universe: Universe) -> dg.AssetsDefinition:
    """Make `exchange`: the outside world as the first node of the graph, which can be asked what it has."""
    interval = universe.source_interval or universe.interval
    spec = dg.AssetSpec(
        "exchange",
        description=f"{market_note(universe.source)} Observe it to see since when and until when it has bars.",
        group_name=GROUP,
        kinds={"source"},
        owners=[OWNER],
        tags={"layer": "market_data"},
        metadata=universe.source.model_dump(mode="json"),
    )

    @dg.multi_observable_source_asset(name="exchange", specs=[spec])
    def exchange(source: dg.ResourceParam[MarketDataSource]) -> dg.ObserveResult:
        offers = []
        for symbol in universe.symbols:
            span = source.coverage(symbol, interval)
            first, end = (None, None) if span is None else (f"{moment:%Y-%m-%d %H:%M}" for moment in span)
            offers.append({"symbol": symbol, "first": first, "end": end})
        return dg.ObserveResult(
            # The version is shown, but not Dagster's own: that would call all bars ever fetched stale at each look.
            metadata={
                "source": source.slug,
                "symbols": len(offers),
                "offers": dg.MetadataValue.md(markdown_table(pl.DataFrame(offers))),
                "data_version": fingerprint({"source": source.slug, "offers": offers}),
            },
        )

    asset: dg.AssetsDefinition = exchange
    return asset


def market_data(universe: Universe, interval: Interval) -> MarketData:
    """Make `raw_bars` and `bars` of one interval."""
    raw_key, bars_key = (data_key(universe, name, interval) for name in ("raw_bars", "bars"))
    fetched = universe.source_interval or interval
    partitions = data_partitions(universe)
    raw_version = code_version(
        "bars.raw bars.simulate", {"source": universe.source.model_dump(mode="json"), "interval": fetched}
    )
    bars_version = code_version(
        "bars", universe.model_dump(mode="json", include={"cleaning", "venues"}) | {"interval": interval}, raw_version
    )

    @dg.asset(
        key=asset_key(raw_key),
        deps=[dg.AssetKey("exchange")],
        group_name=GROUP,
        partitions_def=partitions,
        backfill_policy=IN_ONE_RUN,
        io_manager_key="lake_io",
        code_version=raw_version,
        dagster_type=frame_type(RAW_BARS, raw_key),
        metadata=table_metadata(RAW_BARS),
        kinds={"parquet", "polars"},
        owners=[OWNER],
        tags={"layer": "market_data"},
    )
    def raw_bars(
        context: dg.AssetExecutionContext,
        config: FetchConfig,
        source: dg.ResourceParam[MarketDataSource],
        lake: dg.ResourceParam[Lake],
        clock: dg.ResourceParam[Callable[[], datetime]],
    ) -> Frames:
        """Bars as the source delivered them, repeats and all; a smaller fetch never loses stored rows."""
        span = (midnight(universe.start), universe.horizon(clock()))
        pieces = (
            _fetch(source, lake, raw_key, partition, fetched, span, force=config.force)
            for partition in selected_data(context, universe.grain)
        )
        return Frames(RAW_BARS, pieces, keep=True)

    before, after = margin(fetched, universe.cleaning), settling(fetched, universe.cleaning)

    @dg.asset(
        key=asset_key(bars_key),
        deps=[dg.AssetDep(raw_bars, partition_mapping=data_to_data(universe, before, after))],
        group_name=GROUP,
        partitions_def=partitions,
        backfill_policy=AFTER_ITS_PARENT,
        io_manager_key="lake_io",
        code_version=bars_version,
        dagster_type=frame_type(BARS, bars_key),
        metadata=table_metadata(BARS),
        kinds={"parquet", "polars"},
        owners=[OWNER],
        tags={"layer": "market_data"},
    )
    def bars(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        clock: dg.ResourceParam[Callable[[], datetime]],
    ) -> Frames:
        """Clean bars on the time grid; every repair is flagged in its row."""
        end = universe.horizon(clock())
        partitions = selected_data(context, universe.grain)
        return Frames(BARS, _clean(lake, raw_key, partitions, universe, interval, end))

    return MarketData(raw_bars, bars, bars_version)


def _fetch(
    source: MarketDataSource,
    lake: Lake,
    key: str,
    partition: DataPartition,
    interval: Interval,
    span: tuple[datetime, datetime],
    *,
    force: bool,
) -> Piece:
    """Fetch one partition within the universe's span, from its last stored bar on; refuse an answer with nothing."""
    symbol, window = partition.symbol, partition.window
    start, end = max(window.start, span[0]), min(window.end, span[1])
    last = None if force else _stored_until(lake, key, symbol, start, end)
    try:
        frame = source.fetch(symbol, interval, last or start, end)
    except SourceError as error:
        raise type(error)(f"`{key}` of {symbol} {window.key} from `{source.slug}`: {error}") from error
    if frame.is_empty() and last is None and _should_have_bars(source, symbol, interval, start, end):
        raise SourceError(
            f"`{source.slug}` delivered no {interval} bars of {symbol} from {start:%Y-%m-%d} to {end:%Y-%m-%d}; "
            "check the symbol's spelling and listing date, or let `start` be later."
        )
    metadata = {
        "source": source.slug,
        "fetched": frame.height,
        "fetched_to": dg.MetadataValue.text(span[1].isoformat(timespec="seconds")),
        "preview": dg.MetadataValue.md(preview(frame)),
    }
    return Piece(symbol, window, frame, metadata)


def _stored_until(lake: Lake, key: str, symbol: str, start: datetime, end: datetime) -> datetime | None:
    """Open time of the last stored bar; None where there is none, or where the first days of the range are absent.

    They are absent where the universe has been given an earlier start since; where the source itself begins later, its
    first partition is fetched anew each time.
    """
    stored = lake.read(key, [symbol], start, end, ["open_time"])
    if stored is None or stored.is_empty():
        return None
    times = stored["open_time"].sort()
    last: datetime = times[-1]
    return last if times[0] - start < _LATE_START else None


def _should_have_bars(
    source: MarketDataSource, symbol: str, interval: Interval, start: datetime, end: datetime
) -> bool:
    if start + duration(interval) > end:
        return False
    covered = source.coverage(symbol, interval)
    return covered is None or (start < covered[1] and covered[0] < end)


def _clean(
    lake: Lake,
    raw_key: str,
    partitions: Iterator[DataPartition],
    universe: Universe,
    interval: Interval,
    horizon: datetime,
) -> Iterator[Piece]:
    fetched = universe.source_interval or interval
    before, after = margin(fetched, universe.cleaning), settling(fetched, universe.cleaning)
    for partition in partitions:
        window = partition.window
        raw = lake.require(raw_key, [partition.symbol], window.start - before, window.end + after)
        end = min(window.end, horizon)
        bars = clean_bars(raw, fetched, window.start, end, universe.cleaning, universe.venues, now=horizon)
        report = asdict(cleaning_report(bars, fetched, universe.cleaning))
        if fetched != interval:
            whole = window.end if window.end <= horizon else None
            bars = resample_bars(bars, fetched, interval, window.start, whole)
        repairs = {f"repairs/{name}": count for name, count in report.items() if name != "rows"}
        yield Piece(partition.symbol, window, bars, {**repairs, "preview": dg.MetadataValue.md(preview(bars))})
