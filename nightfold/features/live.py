"""Features of the bar that has just closed, from the bars before it that are kept in memory."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import nan
from typing import Any, Self

import numpy as np
import polars as pl

from nightfold.errors import BarsError, ConfigError, UnknownNameError
from nightfold.features.checked import NUMBERS, checked, in_order, smallest_step, stretches
from nightfold.features.closed_bar import ClosedBar, moment, read_bar, refuse_the_past
from nightfold.features.compute import chosen, extra_columns
from nightfold.features.feature import Feature
from nightfold.features.market import MARKET, market_columns
from nightfold.features.newest_bars import NewestBars
from nightfold.interval import INTERVALS, Interval, milliseconds


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
    leader
        Symbol that cross-asset features compare with, as in `Universe`.

    Raises
    ------
    ConfigError
        If a feature compares with the leader and none is named.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> live = LiveFeatures(["price_in_range", "log_return_1"], interval="5m")
    >>> bar = {"symbol": "BTCUSDT", "open_time": datetime(2024, 1, 1, tzinfo=UTC), "open": 1.0, "high": 2.0,
    ...        "low": 1.0, "close": 1.5, "volume": 5.0}
    >>> row = live.update(bar)
    >>> row["price_in_range"], row["log_return_1"]
    (0.5, None)
    """

    def __init__(
        self, names: Iterable[str | Feature] | None = None, *, interval: Interval, leader: str | None = None
    ) -> None:
        self._features = chosen(names)
        self._own, self._market = extra_columns(self._features)
        if "leader_close" in self._market and leader is None:
            raise ConfigError(
                f"`leader` is None; name the symbol that {', '.join(self._across())} compare others with."
            )
        self._leader = leader
        self._columns = (*NUMBERS, *self._own, *self._market)
        self._step = milliseconds(interval)
        self._rows = 1 + max((feature.lookback for feature in self._features), default=0)
        self._windows: dict[str, NewestBars] = {}

    @classmethod
    def warm(
        cls,
        bars: pl.DataFrame,
        names: Iterable[str | Feature] | None = None,
        *,
        interval: Interval | None = None,
        leader: str | None = None,
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
        leader
            As for the class.

        Raises
        ------
        SchemaError
            If the bars cannot be used, as in `compute_features`.
        ConfigError
            If no interval is given and the bars do not tell it, or as in the class.
        """
        features = chosen(names)
        own, market = extra_columns(features)
        ordered, _ = in_order(checked(bars, own))
        interval = _interval_of(ordered) if interval is None else interval
        live = cls(features, interval=interval, leader=leader)
        live._take(ordered.with_columns(**market_columns(ordered, leader, market)), interval)
        live._rehearse()
        return live

    def _across(self) -> list[str]:
        """Names of the features that look at other symbols."""
        return [feature.name for feature in self._features if not set(MARKET).isdisjoint(feature.needs)]

    def _take(self, ordered: pl.DataFrame, interval: Interval) -> None:
        """Keep the end of each symbol's last stretch."""
        last = {ordered["symbol"][start]: (start, stop) for start, stop in stretches(ordered, interval)}
        for symbol, (start, stop) in last.items():
            kept = ordered[max(start, stop - self._rows) : stop]
            window = self._windows[symbol] = NewestBars(self._columns, self._rows)
            for time, *numbers in zip(
                kept["open_time"].dt.epoch("ms"), *(kept[name].fill_null(np.nan) for name in self._columns), strict=True
            ):
                window.append(time, numbers)

    def _rehearse(self) -> None:
        """Run every kernel once, for the first bar must not wait for a compiler."""
        window = NewestBars(self._columns, self._rows)
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
        ConfigError
            If a feature looks at other symbols: a bar alone cannot tell it.
        """
        if self._market:
            raise ConfigError(
                f"`names` has {', '.join(self._across())}, which look at other symbols; a bar alone cannot tell them: "
                "hand the bars of all symbols at one time to `update_all`."
            )
        return self.update_all([bar])[0]

    def update_all(self, bars: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Take the closed bars of one open time, and compute their features.

        What is not among them is missing: a symbol without a bar begins anew with its next one, and features that
        compare with a leader that has none are None, as in a batch.

        Parameters
        ----------
        bars
            As `update` takes them: one for each symbol that has a bar at this time, in any order.

        Returns
        -------
        list of dict
            As `update` gives, one for each bar, in their order.

        Raises
        ------
        BarsError
            As `update`; or if the bars are of several times, two of one symbol, or, where features look at other
            symbols, of a time that has come already. None of them is then taken.
        """
        read = [read_bar(bar, (*NUMBERS, *self._own)) for bar in bars]
        self._refuse(read)
        market = self._market_of(read)
        rows = []
        for symbol, time, numbers in read:
            window = self._windows.get(symbol) or NewestBars(self._columns, self._rows)
            if window.filled and time != window.newest + self._step:
                window.clear()
            window.append(time, [*numbers, *market])
            self._windows[symbol] = window
            rows.append(self.newest(symbol))
        return rows

    def newest(self, symbol: str) -> dict[str, Any]:
        """Compute the features of a symbol's newest bar, as `update` gave them when it came.

        Raises
        ------
        UnknownNameError
            If the symbol has no bars here.
        """
        if symbol not in self._windows:
            raise UnknownNameError("symbol", symbol, self._windows)
        window = self._windows[symbol]
        return {"symbol": symbol, "open_time": moment(window.newest), **self._values(window)}

    def _refuse(self, read: Sequence[ClosedBar]) -> None:
        """Refuse bars that do not belong together, or come too late."""
        for one, other in pairwise(sorted(read, key=lambda bar: bar.symbol)):
            if one.time != other.time:
                raise BarsError(
                    f"`bars` are of {moment(one.time):%Y-%m-%d %H:%M} and {moment(other.time):%Y-%m-%d %H:%M}; hand "
                    "over those of one time."
                )
            if one.symbol == other.symbol:
                raise BarsError(f"`bars` has two of {one.symbol}; each symbol has one bar at a time.")
        for symbol, time, _ in read:
            alike = self._windows if self._market else {symbol} & self._windows.keys()  # a time comes once for all
            if alike:
                refuse_the_past(symbol, time, max(self._windows[each].newest for each in alike))

    def _market_of(self, read: Sequence[ClosedBar]) -> list[float]:
        """Tell what all symbols did together, in the order of the columns."""
        values: dict[str, float] = dict.fromkeys(self._market, nan)
        if "leader_close" in values:
            values["leader_close"] = next((bar.numbers[3] for bar in read if bar.symbol == self._leader), nan)
        if "market_value" in values:
            traded = ((high + low + close) / 3 * volume for _, _, (_, high, low, close, volume, *_) in sorted(read))
            values["market_value"] = sum(traded)
        return list(values.values())

    def _values(self, window: NewestBars) -> dict[str, float | None]:
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


def _interval_of(ordered: pl.DataFrame) -> Interval:
    step = smallest_step(ordered)
    for interval in INTERVALS:
        if milliseconds(interval) == step:
            return interval
    raise ConfigError(
        f"`interval` is None, and the smallest step in `bars`, {step} ms, is none of {', '.join(INTERVALS)}; give it."
    )
