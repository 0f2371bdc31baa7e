"""Targets without barriers: what the price did over a fixed number of bars, each with the time it became known."""

from math import sqrt

import numpy as np
import polars as pl

from nightfold.labels.panel import Floats, Panel, nullable


def next_columns(panel: Panel) -> list[pl.Series]:
    """Log change of close to the next bar, and when that closed; null before a hole and at the end."""
    change = np.append(panel.moves[1:], np.full(min(panel.size, 1), np.nan))
    following = np.where(np.isnan(change), -1, np.arange(1, panel.size + 1))
    return [
        pl.Series("next_log_return", change, nan_to_null=True),
        panel.close_time(following).alias("next_end"),
    ]


def forward_columns(panel: Panel, entry: Floats, sigma: Floats, horizon: int, dead_zone: float) -> list[pl.Series]:
    """Log return from entry to the close ``horizon`` bars later, when that is, and the direction of the return.

    The direction is 0 where the return is at most ``dead_zone`` times what volatility leads to expect, and null where
    there is no volatility.
    """
    target = np.arange(horizon, panel.size + horizon)
    target[target > panel.last] = -1
    log_return = np.full(panel.size, np.nan)
    np.divide(panel.close[horizon:], entry[:-horizon], out=log_return[:-horizon])
    np.log(log_return, out=log_return)
    log_return[target < 0] = np.nan
    edge = sigma * (dead_zone * sqrt(horizon))
    direction = (log_return > edge).view(np.int8) - (log_return < -edge).view(np.int8)
    return [
        pl.Series("forward_log_return", log_return, nan_to_null=True),
        panel.close_time(target).alias("forward_end"),
        nullable(direction, ~(np.isnan(log_return) | np.isnan(edge))).alias("direction"),
    ]


def excursion_columns(panel: Panel, entry: Floats, horizon: int) -> list[pl.Series]:
    """Highest and lowest log return from entry within the next ``horizon`` bars; null where those are not all known."""
    known = np.arange(horizon, panel.size + horizon) <= panel.last
    columns = []
    for name, values, further in (("forward_mfe", panel.high, np.maximum), ("forward_mae", panel.low, np.minimum)):
        log_return = np.full(panel.size, np.nan)
        reached = _reached(values, horizon, further)
        log_return[: reached.size] = np.log(reached / entry[: reached.size])
        log_return = further(log_return, 0.0)
        log_return[~known] = np.nan
        columns.append(pl.Series(name, log_return, nan_to_null=True))
    return columns


def _reached(values: Floats, horizon: int, further: np.ufunc) -> Floats:
    """Furthest of the ``horizon`` values after each, for as many as have them: windows joined in doubling."""
    reached, width = values[1:], 1
    while width < horizon:
        step = min(width, horizon - width)
        reached = further(reached[:-step], reached[step:])
        width += step
    return np.asarray(reached)
