"""From bars to features: the one code path for three years, a night, and the bar that just closed."""

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.errors import ConfigError, UnknownNameError
from nightfold.features.catalog import FEATURES
from nightfold.features.checked import NUMBERS, checked, in_order, stretches
from nightfold.features.feature import Feature
from nightfold.features.segment import Array, Segment
from nightfold.interval import Interval
from nightfold.schema import KEY, TIME


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
    features = chosen(names)
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
    if name not in FEATURES:
        raise UnknownNameError("feature", name, FEATURES)
    return FEATURES[name]


def _compute(bars: pl.DataFrame, features: Sequence[Feature], interval: Interval | None) -> pl.DataFrame:
    bars = checked(bars)
    ordered, order = in_order(bars)
    numbers = [ordered[name].to_numpy(writable=True) for name in NUMBERS]
    time = ordered["open_time"].dt.epoch("ms").to_numpy()
    columns = [np.full(bars.height, np.nan, dtype=np.float32) for _ in features]
    with np.errstate(all="ignore"):  # divisions by zero and overflows become null below
        for start, stop in stretches(ordered, interval):
            segment = Segment(time[start:stop], *(number[start:stop] for number in numbers))
            for feature, column in zip(features, columns, strict=True):
                if start + feature.lookback < stop:
                    column[start + feature.lookback : stop] = _values(feature, segment)[feature.lookback :]
    if order is not None:
        columns = [_unsorted(column, order) for column in columns]
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
