"""Features from the newest bars of the lake on: what a bot starts with before its first bar comes."""

from collections.abc import Iterable, Sequence

from assets.keys import data_key
from assets.stored import newest_bars
from nightfold.errors import ConfigError, UnknownNameError
from nightfold.features.compute import chosen, extra_columns
from nightfold.features.feature import Feature
from nightfold.features.live import LiveFeatures
from nightfold.interval import Interval
from nightfold.universe import Universe
from resources.lake import Lake


def warm_features(
    lake: Lake,
    universe: Universe,
    names: Iterable[str | Feature] | None = None,
    *,
    symbols: Sequence[str] | None = None,
    interval: str | None = None,
) -> LiveFeatures:
    """Start live features with the newest stored bars, so that the next bar has its whole history.

    Parameters
    ----------
    lake, universe
        Of the deployment; the universe names the leader that cross-asset features compare with.
    names
        Names from the catalog, or features of your own; all of the default set where none are given.
    symbols
        Symbols to start with; all where none are given, or where a feature looks at the others.
    interval
        Length of a bar; that of the universe where none is given.

    Raises
    ------
    LakeError
        If the lake has no bars of a symbol.
    UnknownNameError
        If a symbol is not of the universe, or a name not in the catalog.
    ConfigError
        If the universe has no such interval, or a feature compares with the leader and it names none.
    """
    length = _interval(universe, interval)
    features = chosen(names)
    for symbol in symbols or []:
        if symbol not in universe.symbols:
            raise UnknownNameError("symbol", symbol, universe.symbols)
    looks_across = bool(extra_columns(features)[1])
    wanted = universe.symbols if looks_across or symbols is None else symbols
    count = 1 + max((feature.lookback for feature in features), default=0)
    bars = newest_bars(lake, data_key(universe, "bars", length), wanted, count, length)
    return LiveFeatures.warm(bars, features, interval=length, leader=universe.leader)


def _interval(universe: Universe, wanted: str | None) -> Interval:
    for interval in universe.intervals:
        if wanted in {None, interval}:
            return interval
    raise ConfigError(f"`interval` is {wanted!r}; the universe has {', '.join(universe.intervals)}.")
