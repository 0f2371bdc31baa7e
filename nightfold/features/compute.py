"""From bars to features: the one code path for three years, a night, and the bar that just closed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple, overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.errors import ConfigError, UnknownNameError
from nightfold.features import lazy
from nightfold.features.catalog import CATALOG, FEATURES
from nightfold.features.checked import NUMBERS, checked, in_order, stretches
from nightfold.features.feature import Feature
from nightfold.features.market import MARKET, market_columns
from nightfold.features.segment import Array, Segment
from nightfold.interval import Interval
from nightfold.memory import keep_freed_memory
from nightfold.schema import KEY, TIME

PIECE = 65_536
"""Rows computed at a time, about."""


@overload
def compute_features(
    bars: pl.DataFrame,
    names: Iterable[str | Feature] | None = None,
    *,
    interval: Interval | None = None,
    threads: int = 1,
    leader: str | None = None,
) -> pl.DataFrame: ...
@overload
def compute_features(
    bars: pl.LazyFrame,
    names: Iterable[str | Feature] | None = None,
    *,
    interval: Interval | None = None,
    threads: int = 1,
    leader: str | None = None,
) -> pl.LazyFrame: ...
def compute_features(
    bars: pl.DataFrame | pl.LazyFrame,
    names: Iterable[str | Feature] | None = None,
    *,
    interval: Interval | None = None,
    threads: int = 1,
    leader: str | None = None,
) -> pl.DataFrame | pl.LazyFrame:
    """Compute features for each bar from it and from bars before it.

    Windows start anew at each symbol and after each hole; bars flagged as gap-filled count like others.

    Parameters
    ----------
    bars
        ``symbol``, ``open_time``, open, high, low, close and volume; any order, any number of symbols. Features of the
        set `order_flow` need more columns, those of `cross_asset` the bars of several symbols.
    names
        Names from the catalog, or features of your own; all of the default set where none are given.
    interval
        Step between neighbouring bars; the smallest step in ``bars`` where none is given.
    threads
        Threads that share the work, 1 or more; the values do not depend on it.
    leader
        Symbol that cross-asset features compare with; null where it has no bar.

    Returns
    -------
    DataFrame or LazyFrame
        ``symbol``, ``open_time`` and a Float32 column a feature, one row a bar, in the order of ``bars``; null where
        the lookback is not there or the feature's own rule says so; no NaN and no infinity.

    Raises
    ------
    UnknownNameError
        If a name is not in the catalog.
    ConfigError
        If a feature of your own does not give one value a bar, no leader is named where one is needed, or ``threads``
        is under 1.
    SchemaError
        If columns are missing or of the wrong type, values null or not finite, prices not above 0 or outside their
        bar's high and low, volumes negative, or a bar comes twice; all faults in one message.

    Examples
    --------
    >>> from datetime import datetime
    >>> times = pl.datetime_range(datetime(2024, 1, 1), datetime(2024, 1, 1, 0, 10), "5m", time_zone="UTC",
    ...                           time_unit="ms", eager=True)
    >>> bars = pl.DataFrame({"symbol": "BTCUSDT", "open_time": times, "open": [1.0, 1.0, 2.0], "high": [1.0, 2.0, 2.0],
    ...                      "low": [1.0, 1.0, 1.0], "close": [1.0, 2.0, 1.0], "volume": [5.0, 5.0, 5.0]})
    >>> compute_features(bars, ["price_in_range"])["price_in_range"].to_list()
    [None, 1.0, 0.0]
    """
    if threads < 1:
        raise ConfigError(f"`threads` is {threads}; it must be 1 or more.")
    features = chosen(names)
    if isinstance(bars, pl.DataFrame):
        return _compute(bars, features, interval, threads, leader)
    schema = {"symbol": pl.String(), "open_time": TIME, **{feature.name: pl.Float32() for feature in features}}
    return bars.map_batches(
        lambda frame: _compute(frame, features, interval, threads, leader),
        predicate_pushdown=False,
        projection_pushdown=False,
        slice_pushdown=False,
        schema=schema,
    )


def chosen(names: Iterable[str | Feature] | None) -> list[Feature]:
    """Look names up in the catalog; features pass as they are, and None is the default set.

    Raises
    ------
    UnknownNameError
        If a name is not in the catalog.
    """
    return [_feature(name) for name in (FEATURES if names is None else names)]


def _feature(name: str | Feature) -> Feature:
    if isinstance(name, Feature):
        return name
    if name not in CATALOG:
        raise UnknownNameError("feature", name, CATALOG)
    return CATALOG[name]


def extra_columns(features: Iterable[Feature]) -> tuple[list[str], list[str]]:
    """Tell what features need beside prices and volume: columns of the bars, columns of the market; each sorted."""
    needs = {name for feature in features for name in feature.needs}
    return sorted(needs.difference(MARKET)), sorted(needs.intersection(MARKET))


def _compute(
    bars: pl.DataFrame, features: Sequence[Feature], interval: Interval | None, threads: int, leader: str | None
) -> pl.DataFrame:
    own, market = extra_columns(features)
    bars = checked(bars, own)
    ordered, order = in_order(bars)
    time = ordered["open_time"].dt.epoch("ms").to_numpy()
    numbers = np.empty((len(NUMBERS) + len(own), bars.height))
    for line, name in zip(numbers, (*NUMBERS, *own), strict=True):
        line[:] = ordered[name].to_numpy()
    more = dict(zip(own, numbers[len(NUMBERS) :], strict=True))
    if market:
        more |= market_columns(ordered, leader, market)
    columns = np.empty((len(features), bars.height), dtype=np.float32)  # one block, since large pages are quick to get
    reach = max((feature.lookback for feature in features), default=0)
    doubtful: list[tuple[int, int, int]] = []  # feature and rows, first to before last, among which are NaN
    keep_freed_memory()

    def fill(piece: _Piece) -> None:
        seen = slice(max(piece.begin, piece.start - reach), piece.stop)
        segment = Segment(
            time[seen],
            *numbers[: len(NUMBERS), seen],
            more={name: values[seen] for name, values in more.items()},
        )
        with np.errstate(all="ignore"):  # divisions by zero and overflows become null
            for number, (feature, column) in enumerate(zip(features, columns, strict=True)):
                first = min(max(piece.start, piece.begin + feature.lookback), piece.stop)
                column[piece.start : first] = np.nan
                all_known = first == piece.stop or lazy.column.keep(
                    _values(feature, segment)[first - seen.start :], column[first : piece.stop]
                )
                doubtful.append((number, piece.start, first if all_known else piece.stop))

    _for_each(fill, _pieces(stretches(ordered, interval)), threads)
    if order is not None:
        columns[:, order] = columns.copy()
        doubtful = [(number, 0, bars.height) for number in range(len(features))]
    known = lazy.column.known_bits(columns, np.array(doubtful, dtype=np.int64).reshape(-1, 3))
    return bars.select(KEY).hstack(_frame([feature.name for feature in features], columns, known))


def _frame(names: Sequence[str], columns: NDArray[np.float32], known: NDArray[np.uint8]) -> pl.DataFrame:
    """Hand columns and what is known of them over as they lie in memory."""
    arrow = lazy.pyarrow
    numbers = (
        arrow.Array.from_buffers(arrow.float32(), len(column), [arrow.py_buffer(bits), arrow.py_buffer(column)])
        for column, bits in zip(columns, known, strict=True)
    )
    return pl.DataFrame(arrow.RecordBatch.from_arrays(list(numbers), names))


def _for_each(work: Callable[["_Piece"], None], pieces: Iterable["_Piece"], threads: int) -> None:
    if threads == 1:
        for piece in pieces:
            work(piece)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, pieces))


class _Piece(NamedTuple):
    """Rows ``start`` to before ``stop`` of a stretch that begins at ``begin``."""

    begin: int
    start: int
    stop: int


def _pieces(stretches: Iterable[tuple[int, int]]) -> Iterator[_Piece]:
    """Cut stretches into equal pieces whose arrays stay in the cache of a processor."""
    for begin, end in stretches:
        pieces = max(1, round((end - begin) / PIECE))
        borders = (begin + (end - begin) * piece // pieces for piece in range(pieces + 1))
        yield from (_Piece(begin, start, stop) for start, stop in pairwise(borders))


def _values(feature: Feature, segment: Segment) -> Array:
    values = np.ascontiguousarray(feature.values(segment), dtype=np.float64)
    if values.shape != segment.close.shape:
        raise ConfigError(
            f"feature `{feature.name}` gave values of shape {values.shape} for {segment.close.size} bars; "
            "its function must return one value a bar, NaN where there is none."
        )
    return values
