"""Strategies that anyone could have run instead: each decides at the close of a bar, from it and earlier ones."""

import polars as pl

from nightfold.errors import ConfigError
from nightfold.features import lazy
from nightfold.features.feature import Feature
from nightfold.features.segment import Array, Segment
from nightfold.schema import KEY


def buy_and_hold(bars: pl.DataFrame, exposure: float = 1.0) -> pl.DataFrame:
    """Targets that buy every symbol at its first bar, in equal parts, and keep it.

    Parameters
    ----------
    bars
        ``symbol`` and ``open_time``, any order.
    exposure
        Fraction of equity bought in all; a strategy's own mean exposure makes the two comparable.

    Returns
    -------
    DataFrame
        ``symbol``, ``open_time``, ``target``: one row a symbol. A symbol that starts later is bought later, with
        its part of the equity then, as far as cash goes.
    """
    first = bars.group_by("symbol").agg(pl.col("open_time").min()).sort("symbol")
    return first.with_columns(target=exposure / pl.len())


def rsi_reversal(
    bars: pl.DataFrame,
    exposure: float = 1.0,
    *,
    shorts: bool = False,
    window: int = 14,
    low: float = 30.0,
    high: float = 70.0,
) -> pl.DataFrame:
    """Targets that buy what has fallen and sell what has risen: long under ``low``, out (or short) above ``high``.

    Parameters
    ----------
    bars
        ``symbol``, ``open_time``, prices and ``volume``; any order.
    exposure
        Fraction of equity over all symbols, in equal parts.
    shorts
        Whether a symbol is sold short above ``high``; a spot account cannot.
    window
        Bars of the relative strength index, one of the feature catalog.
    low, high
        Levels of the index, 0 to 100.

    Returns
    -------
    DataFrame
        ``symbol``, ``open_time``, ``target``, one row a bar, sorted; null before the first signal. Between the levels,
        and where the index is unknown, the last decision stays.

    Raises
    ------
    ConfigError
        If the levels are not in order.

    References
    ----------
    Wilder (1978), *New Concepts in Technical Trading Systems*.
    """
    from nightfold.features.compute import compute_features  # loads numba, which specs must not

    if not 0.0 < low < high < 100.0:
        raise ConfigError(f"`low` is {low} and `high` {high}; they must ascend between 0 and 100.")
    name = f"rsi_{window}"
    index = pl.col(name)
    side = pl.when(index < low).then(1.0).when(index > high).then(-1.0 if shorts else 0.0)
    return _held(compute_features(bars, [name]), side, exposure)


def moving_average_cross(
    bars: pl.DataFrame, exposure: float = 1.0, *, shorts: bool = False, fast: int = 50, slow: int = 200
) -> pl.DataFrame:
    """Targets that follow the trend: long while the fast average of the close is above the slow one, else out or short.

    Parameters
    ----------
    bars, exposure, shorts
        As in `rsi_reversal`.
    fast, slow
        Bars of the averages.

    Returns
    -------
    DataFrame
        ``symbol``, ``open_time``, ``target``, one row a bar, sorted; null until both averages are known. Where they are
        equal or not known, as after a hole, the last decision stays.

    Raises
    ------
    ConfigError
        If ``fast`` is not shorter than ``slow``, or under 1.

    References
    ----------
    Brock, Lakonishok and LeBaron (1992), Simple Technical Trading Rules and the Stochastic Properties of Stock Returns,
    *Journal of Finance* 47.
    """
    from nightfold.features.compute import compute_features  # loads numba, which specs must not

    if not 1 <= fast < slow:
        raise ConfigError(f"`fast` is {fast} and `slow` {slow}; they must ascend from 1 or more.")
    cross = Feature(
        name="cross",
        group="trend",
        formula="Fast over slow average of the close, less one.",
        lookback=slow - 1,
        reference="",
        nulls="",
        function=_cross,
        parameters=(fast, slow),
    )
    ahead = pl.col("cross")
    side = pl.when(ahead > 0).then(1.0).when(ahead < 0).then(-1.0 if shorts else 0.0)
    return _held(compute_features(bars, [cross]), side, exposure)


def _cross(bars: Segment, fast: int, slow: int) -> Array:
    """Fast over slow average, exactly 0 where the slow one is flat."""
    closes = lazy.rolling.Windows(bars.close)
    return closes.centre(fast) / closes.centre(slow) - 1.0


def _held(rows: pl.DataFrame, side: pl.Expr, exposure: float) -> pl.DataFrame:
    """Keep each side until another is named, in equal parts of the exposure."""
    part = exposure / rows["symbol"].n_unique() if rows.height else exposure
    return rows.sort(KEY).select(*KEY, target=side.forward_fill().over("symbol") * part)
