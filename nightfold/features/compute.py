"""From bars to features: the one code path for three years, a night, and the bar that just closed."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.errors import ConfigError, SchemaError, UnknownNameError
from nightfold.features.catalog import FEATURES
from nightfold.features.feature import Feature
from nightfold.features.segment import Array, Segment
from nightfold.interval import Interval, milliseconds
from nightfold.schema import KEY, PRICES, TIME

_NUMBERS = (*PRICES, "volume")


@overload
def compute_features(
    bars: pl.DataFrame, names: Iterable[str | Feature] | None = None, *, interval: Interval | None = None
) -> pl.DataFrame: ...
@overload
def compute_features(
    bars: pl.LazyFrame, names: Iterable[str | Feature] | None = None, *, interval: Interval | None = None
) -> pl.LazyFrame: ...
def compute_features(
    bars: pl.DataFrame | pl.LazyFrame,
    names: Iterable[str | Feature] | None = None,
    *,
    interval: Interval | None = None,
) -> pl.DataFrame | pl.LazyFrame:
    """Compute features for each bar from it and from bars before it.

    Windows start anew at each symbol and after each hole; bars flagged as gap-filled count like others.

    Parameters
    ----------
    bars
        ``symbol``, ``open_time``, open, high, low, close and volume; any order, any number of symbols; further columns
        are ignored.
    names
        Names from the catalog, or features of your own; all of the default set where none are given.
    interval
        Step between neighbouring bars; the smallest step in ``bars`` where none is given.

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
        If a feature of your own does not give one value a bar.
    SchemaError
        If columns are missing, of the wrong type, null, not finite, prices not positive, or a bar comes twice; all
        faults in one message.

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
    features = [_feature(name) for name in (FEATURES if names is None else names)]
    if isinstance(bars, pl.DataFrame):
        return _compute(bars, features, interval)
    schema = {"symbol": pl.String(), "open_time": TIME, **{feature.name: pl.Float32() for feature in features}}
    return bars.map_batches(
        lambda frame: _compute(frame, features, interval),
        predicate_pushdown=False,
        projection_pushdown=False,
        slice_pushdown=False,
        schema=schema,
    )


def _feature(name: str | Feature) -> Feature:
    if isinstance(name, Feature):
        return name
    if name not in FEATURES:
        raise UnknownNameError("feature", name, FEATURES)
    return FEATURES[name]


def _compute(bars: pl.DataFrame, features: Sequence[Feature], interval: Interval | None) -> pl.DataFrame:
    bars = _checked(bars)
    order = None if _is_sorted(bars) else bars.select(pl.arg_sort_by(*KEY)).to_series()
    ordered = bars if order is None else _without_repeats(bars[order])
    numbers = [ordered[name].to_numpy(writable=True) for name in _NUMBERS]
    time = ordered["open_time"].dt.epoch("ms").to_numpy()
    columns = [np.full(bars.height, np.nan, dtype=np.float32) for _ in features]
    with np.errstate(all="ignore"):  # divisions by zero and overflows become null below
        for start, stop in _segments(ordered, interval):
            segment = Segment(time[start:stop], *(number[start:stop] for number in numbers))
            for feature, column in zip(features, columns, strict=True):
                if start + feature.lookback < stop:
                    column[start + feature.lookback : stop] = _values(feature, segment)[feature.lookback :]
    if order is not None:
        columns = [_unsorted(column, order.to_numpy()) for column in columns]
    return bars.select(KEY).with_columns(
        _series(feature.name, column) for feature, column in zip(features, columns, strict=True)
    )


def _values(feature: Feature, segment: Segment) -> Array:
    values = feature.values(segment)
    if values.shape != segment.close.shape:
        raise ConfigError(
            f"feature `{feature.name}` gave values of shape {values.shape} for {segment.close.size} bars; "
            "its function must return one value a bar, NaN where there is none."
        )
    return values


def _series(name: str, values: NDArray[np.float32]) -> pl.Series:
    values[np.isinf(values)] = np.nan
    return pl.Series(name, values, nan_to_null=True)


def _unsorted(values: NDArray[np.float32], order: NDArray[np.uint32]) -> NDArray[np.float32]:
    result = np.empty_like(values)
    result[order] = values
    return result


def _is_sorted(bars: pl.DataFrame) -> bool:
    symbol, time = pl.col("symbol"), pl.col("open_time")
    before = (symbol.shift(1) < symbol) | ((symbol.shift(1) == symbol) & (time.shift(1) < time))
    return bool(bars.select(before.all()).item())


def _without_repeats(ordered: pl.DataFrame) -> pl.DataFrame:
    repeats = ordered.select((pl.struct(KEY) == pl.struct(KEY).shift(1)).sum()).item()
    if repeats:
        raise SchemaError(f"`bars` cannot be used: {repeats} of them come twice, same symbol and open_time; keep one.")
    return ordered


def _segments(bars: pl.DataFrame, interval: Interval | None) -> list[tuple[int, int]]:
    """First and past-the-last row of each stretch of one symbol whose bars are one interval apart."""
    same_symbol = pl.col("symbol") == pl.col("symbol").shift(1)
    step = pl.when(same_symbol).then(pl.col("open_time").diff().dt.total_milliseconds())
    neighbours = step == (step.min() if interval is None else milliseconds(interval))
    starts = bars.select((~neighbours.fill_null(False)).arg_true()).to_series()
    return list(pairwise([*starts.to_list(), bars.height]))


def _checked(bars: pl.DataFrame) -> pl.DataFrame:
    """Refuse bars that no feature can be computed from."""
    absent = [name for name in (*KEY, *_NUMBERS) if name not in bars.columns]
    if absent:
        raise SchemaError(f"`bars` lack the columns {', '.join(absent)}; they have {', '.join(bars.columns)}.")
    if bars.schema["open_time"] != TIME:
        raise SchemaError(f"`open_time` is {bars.schema['open_time']}; it must be {TIME}: cast it before.")
    wrong = [f"{name} is {bars.schema[name]}" for name in _NUMBERS if not bars.schema[name].is_numeric()]
    if wrong:
        raise SchemaError(f"`bars` have columns that hold no numbers: {', '.join(wrong)}; cast them to Float64.")
    bars = bars.select(pl.col("symbol").cast(pl.String), "open_time", pl.col(_NUMBERS).cast(pl.Float64))
    faults = {
        **{f"{name} null": pl.col(name).is_null() for name in (*KEY, *_NUMBERS)},
        **{f"{name} not finite": ~pl.col(name).is_finite() for name in _NUMBERS},
        **{f"{name} not above 0": pl.col(name) <= 0 for name in PRICES},
        "volume negative": pl.col("volume") < 0,
    }
    counts = bars.select(fault.sum().alias(name) for name, fault in faults.items()).row(0, named=True)
    found = [f"{name} in {count} rows" for name, count in counts.items() if count]
    if found:
        raise SchemaError(f"`bars` cannot be used: {', '.join(found)}; repair or drop those rows.")
    return bars
