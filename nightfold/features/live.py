"""Features of the bar that has just closed, from the bars before it that are kept in memory."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite, nan
from typing import Any, Self

import numpy as np
import polars as pl

from nightfold.errors import BarsError, ConfigError
from nightfold.features.checked import NUMBERS, checked, in_order, smallest_step, stretches
from nightfold.features.compute import chosen, extra_columns
from nightfold.features.feature import Feature
from nightfold.features.segment import Segment
from nightfold.interval import INTERVALS, Interval, milliseconds
from nightfold.schema import FLOW, KEY, PRICES

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROOM = 8
"""Times the kept bars that fit into a window before they are moved to its front."""


class LiveFeatures:
    """Takes one closed bar after the other and tells its features, as `compute_features` on all of the bars would.

    Each symbol has bars of its own; a bar more than one step after the one before it begins anew, with as much null as
    behind any hole. A value agrees with the batch to 1e-6 of itself plus 1e-6 of the feature's standard deviation.

    Parameters
    ----------
    names
        Names from the catalog, or features of your own; all of the default set where none are given.
    interval
        Step between neighbouring bars.

    Raises
    ------
    ConfigError
        If a feature looks at other symbols; these need the bars of all of them, and a batch.

    Examples
    --------
    >>> from datetime import datetime
    >>> live = LiveFeatures(["price_in_range", "log_return_1"], interval="5m")
    >>> bar = {"symbol": "BTCUSDT", "open_time": datetime(2024, 1, 1, tzinfo=UTC), "open": 1.0, "high": 2.0,
    ...        "low": 1.0, "close": 1.5, "volume": 5.0}
    >>> row = live.update(bar)
    >>> row["price_in_range"], row["log_return_1"]
    (0.5, None)
    """

    def __init__(self, names: Iterable[str | Feature] | None = None, *, interval: Interval) -> None:
        self._features = chosen(names)
        more, market = extra_columns(self._features)
        if market:
            looking = [feature.name for feature in self._features if not set(market).isdisjoint(feature.needs)]
            raise ConfigError(
                f"`names` has {', '.join(looking)}, which look at other symbols; a bar alone cannot tell them: call "
                "`compute_features` on the newest bars of all symbols."
            )
        self._columns = (*NUMBERS, *more)
        self._step = milliseconds(interval)
        self._rows = 1 + max((feature.lookback for feature in self._features), default=0)
        self._windows: dict[str, _Window] = {}

    @classmethod
    def warm(
        cls,
        bars: pl.DataFrame,
        names: Iterable[str | Feature] | None = None,
        *,
        interval: Interval | None = None,
    ) -> Self:
        """Begin with the newest bars, so that the next one has its whole history; kernels are compiled here, too.

        Parameters
        ----------
        bars
            As for `compute_features`; what lies further back than the longest lookback is not needed.
        names
            As for the class.
        interval
            Step between neighbouring bars; the smallest step in ``bars`` where none is given.

        Raises
        ------
        SchemaError
            If the bars cannot be used, as in `compute_features`.
        ConfigError
            If no interval is given and the bars do not tell it.
        """
        features = chosen(names)
        ordered, _ = in_order(checked(bars, extra_columns(features)[0]))
        interval = _interval_of(ordered) if interval is None else interval
        live = cls(features, interval=interval)
        live._take(ordered, interval)
        live._rehearse()
        return live

    def _take(self, ordered: pl.DataFrame, interval: Interval) -> None:
        """Keep the end of each symbol's last stretch."""
        last = {ordered["symbol"][start]: (start, stop) for start, stop in stretches(ordered, interval)}
        for symbol, (start, stop) in last.items():
            kept = ordered[max(start, stop - self._rows) : stop]
            window = self._windows[symbol] = _Window(self._columns, self._rows)
            for time, *numbers in zip(
                kept["open_time"].dt.epoch("ms"), *(kept[name].fill_null(np.nan) for name in self._columns), strict=True
            ):
                window.append(time, numbers)

    def _rehearse(self) -> None:
        """Run every kernel once, for the first bar must not wait for a compiler."""
        window = _Window(self._columns, self._rows)
        for row in range(self._rows):
            window.append(row * self._step, [1.0, 2.0, 0.5, 1.0 + row % 2 / 2, *[1.0] * (len(self._columns) - 4)])
        self._values(window)

    @property
    def symbols(self) -> list[str]:
        """Symbols that have bars here, sorted."""
        return sorted(self._windows)

    def update(self, bar: Mapping[str, Any]) -> dict[str, Any]:
        """Take a closed bar and compute its features.

        Parameters
        ----------
        bar
            ``symbol``, ``open_time`` (a datetime with its time zone), open, high, low, close and volume, such as
            `DataFrame.row(..., named=True)` gives; further entries are ignored. A symbol that is new begins without
            history.

        Returns
        -------
        dict
            ``symbol``, ``open_time`` and each feature by name, rounded to float32; None where a batch has null.

        Raises
        ------
        BarsError
            If the bar came already, is older than the newest, lacks something or holds what no price can be. It is
            then as if it had not come.
        """
        symbol, time, numbers = _read(bar, self._columns)
        window = self._windows.get(symbol) or _Window(self._columns, self._rows)
        if window.filled and time != window.newest + self._step:
            _refuse_the_past(symbol, time, window.newest)
            window.clear()
        window.append(time, numbers)
        self._windows[symbol] = window
        return {"symbol": symbol, "open_time": bar["open_time"], **self._values(window)}

    def _values(self, window: "_Window") -> dict[str, float | None]:
        segment = window.segment()
        values = np.full(len(self._features), np.nan, dtype=np.float32)
        with np.errstate(all="ignore"):  # divisions by zero and overflows become null below
            for i, feature in enumerate(self._features):
                if feature.lookback < window.filled:
                    values[i] = feature.values(segment)[-1]
        known = np.isfinite(values).tolist()
        return {
            feature.name: value if is_known else None
            for feature, value, is_known in zip(self._features, values.tolist(), known, strict=True)
        }


class _Window:
    """The newest bars of one symbol since its last hole, in arrays long enough to seldom move them."""

    def __init__(self, columns: Sequence[str], rows: int) -> None:
        self._rows, self._more = rows, columns[len(NUMBERS) :]
        self._time = np.empty(_ROOM * rows, dtype=np.int64)
        self._numbers = np.empty((len(columns), _ROOM * rows))
        self.clear()

    def clear(self) -> None:
        """Forget all bars."""
        self._first = self._end = 0

    @property
    def filled(self) -> int:
        """Bars that are here."""
        return self._end - self._first

    @property
    def newest(self) -> int:
        """Open time of the newest bar."""
        return int(self._time[self._end - 1])

    def append(self, time: int, numbers: Iterable[float]) -> None:
        """Put a bar behind the others; the oldest goes where there are more than fit."""
        if self._end == len(self._time):
            kept = slice(self._first, self._end)
            self._time[: self.filled] = self._time[kept]
            self._numbers[:, : self.filled] = self._numbers[:, kept]
            self._first, self._end = 0, self.filled
        self._time[self._end] = time
        self._numbers[:, self._end] = tuple(numbers)
        self._end += 1
        self._first = max(self._first, self._end - self._rows)

    def segment(self) -> Segment:
        """View the bars; good until the next one comes."""
        kept = slice(self._first, self._end)
        numbers = [row[kept] for row in self._numbers]
        more = dict(zip(self._more, numbers[len(NUMBERS) :], strict=True))
        return Segment(self._time[kept], *numbers[: len(NUMBERS)], more=more)


def _interval_of(ordered: pl.DataFrame) -> Interval:
    step = smallest_step(ordered)
    for interval in INTERVALS:
        if milliseconds(interval) == step:
            return interval
    raise ConfigError(
        f"`interval` is None, and the smallest step in `bars`, {step} ms, is none of {', '.join(INTERVALS)}; give it."
    )


def _read(bar: Mapping[str, Any], columns: Sequence[str]) -> tuple[str, int, list[float]]:
    """Check a bar and take it apart: symbol, milliseconds since 1970, numbers; NaN where one may be unknown and is."""
    absent = [name for name in (*KEY, *NUMBERS) if bar.get(name) is None]
    absent += [name for name in columns if name not in bar and name not in absent]
    if absent:
        raise BarsError(f"`bar` has no {', '.join(absent)}; it has {', '.join(bar)}.")
    time = bar["open_time"]
    if not isinstance(time, datetime) or time.tzinfo is None:
        raise BarsError(f"`open_time` is {time!r}; it must be a datetime with a time zone, such as UTC.")
    faults = [f"{name} is {bar[name]}" for name in columns if bar[name] is not None and not _is_fit(name, bar[name])]
    if faults:
        raise BarsError(
            f"`bar` of {bar['symbol']} at {time} cannot be used: {', '.join(faults)}; prices must be above 0, volumes "
            "0 or more, all finite."
        )
    numbers = [nan if bar[name] is None else float(bar[name]) for name in columns]
    return bar["symbol"], (time - _EPOCH) // timedelta(milliseconds=1), numbers


def _is_fit(name: str, value: float) -> bool:
    return isfinite(value) and (value > 0 if name in PRICES else value >= 0 or name not in ("volume", *FLOW))


def _refuse_the_past(symbol: str, time: int, newest: int) -> None:
    if time > newest:
        return
    opens, known = (_EPOCH + timedelta(milliseconds=value) for value in (time, newest))
    what = "has been taken already" if time == newest else "comes too late"
    raise BarsError(
        f"`bar` of {symbol} at {opens:%Y-%m-%d %H:%M:%S} UTC {what}: the newest is of {known:%Y-%m-%d %H:%M:%S}; "
        "bars must come once each and in order. Where history was mended, start again with `LiveFeatures.warm`."
    )
