"""Triple-barrier labels: which of two prices is met first, or neither within the horizon."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
import polars as pl
from pydantic import PositiveFloat, PositiveInt

from nightfold.labels.panel import Flags, Floats, Panel, Rows, Sides, read_panel
from nightfold.spec import Spec

TOUCH = pl.Enum(["lower", "vertical", "upper"])
_TOUCHES = pl.Series(TOUCH.categories, dtype=TOUCH)
OUTCOME = ("label", "label_end", "touch", "log_return", "mfe", "mae", "upper_barrier", "lower_barrier", "tie")


class BarrierRule(Spec):
    """Where barriers stand, and how a label is read from the path between them."""

    upper: PositiveFloat = 0.8
    """Distance of the upper barrier, in widths."""
    lower: PositiveFloat = 0.8
    """Distance of the lower barrier, in widths."""
    scale: Literal["horizon", "bar"] = "horizon"
    """One width is volatility times the square root of the horizon, or the volatility of a single bar."""
    tie: Literal["worse", "nearer_open"] = "worse"
    """A bar that meets both barriers counts as the lower one (worse for a long), or as the one nearer to its open."""
    vertical: Literal["zero", "sign"] = "zero"
    """Label where neither is met in time: 0, or the sign of the return."""
    entry: Literal["close", "next_open"] = "close"
    """Price that barriers and returns start from: the close of the labelled bar, or the open after it."""
    volatility_bars: PositiveInt = 100
    """One-bar returns behind the volatility."""


class TripleBarrier(BarrierRule):
    """Two prices and a deadline."""

    horizon: PositiveInt = 20
    """Bars to the vertical barrier."""

    @property
    def width(self) -> float:
        """One width, as a multiple of volatility."""
        return sqrt(self.horizon) if self.scale == "horizon" else 1.0


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How each row of a panel ends; ``decided`` is -1, and numbers are NaN, where that is not known."""

    upper: Floats
    lower: Floats
    side: Sides
    decided: Rows
    tie: Flags
    log_return: Floats
    mfe: Floats
    mae: Floats


def barrier_labels(bars: pl.DataFrame, barrier: TripleBarrier, interval: str | None = None) -> pl.DataFrame:
    """Label each bar by the barrier that the bars after it meet first.

    The barriers stand at ``entry * exp(upper * width)`` and ``entry * exp(-lower * width)``; a high or low at a barrier
    meets it, on bars t+1 to t+horizon. The exit is the barrier, the open of a bar that opens beyond it, or the close
    at the vertical barrier.

    Parameters
    ----------
    bars
        ``symbol``, ``open_time`` and the four prices; any order, any number of symbols.
    barrier
        Barriers and rules.
    interval
        Length of a bar such as ``5m``; none: the shortest step found in ``open_time``. A longer step is a hole.

    Returns
    -------
    DataFrame
        One row per bar, sorted by ``symbol``, ``open_time``: ``label`` (-1, 0, 1), ``label_end`` (close of the
        deciding bar), ``touch`` (``upper``, ``lower``, ``vertical``), ``log_return`` from entry to exit, ``mfe`` >= 0
        and ``mae`` <= 0 (log; the deciding bar counts with its exit only), ``upper_barrier`` and ``lower_barrier``
        (prices), ``tie`` (the deciding bar met both). Barriers are null without volatility; all else also where the
        bars end, or a hole comes, before the decision.

    Raises
    ------
    BarsError
        If columns are absent or bars are repeated or hold impossible prices; all faults are listed.

    References
    ----------
    López de Prado (2018), *Advances in Financial Machine Learning*, ch. 3.
    """
    panel = read_panel(bars, interval)
    ended = outcomes(panel, panel_volatility(panel, barrier), barrier)
    return panel.key.hstack(outcome_columns(panel, ended, barrier, OUTCOME))


def volatility(bars: pl.DataFrame, volatility_bars: int = 100, interval: str | None = None) -> pl.DataFrame:
    """Measure trailing volatility: the root mean square of one-bar log returns.

    Parameters
    ----------
    bars, interval
        As in `barrier_labels`.
    volatility_bars
        Returns taken together, the row's own the last.

    Returns
    -------
    DataFrame
        ``symbol``, ``open_time``, ``volatility`` per bar; null until complete after the start or a hole, and where
        nothing moved.
    """
    panel = read_panel(bars, interval)
    sigma = panel_volatility(panel, BarrierRule(volatility_bars=volatility_bars))
    return panel.key.with_columns(pl.Series("volatility", sigma, nan_to_null=True))


def panel_volatility(panel: Panel, rule: BarrierRule) -> Floats:
    """Measure the volatility that barriers are scaled by; NaN where there is none."""
    from nightfold.labels import kernel

    return kernel.root_mean_square(panel.moves, panel.first, rule.volatility_bars)


def entry_price(panel: Panel, rule: BarrierRule) -> Floats:
    """Price at which each row enters; NaN where that bar is not known."""
    if rule.entry == "close":
        return panel.close
    following = np.minimum(np.arange(panel.size) + 1, panel.last)
    return np.where(following > np.arange(panel.size), panel.open[following], np.nan)


def outcomes(
    panel: Panel, sigma: Floats, barrier: TripleBarrier, side: Literal[1, -1] = 1, *, extremes: bool = True
) -> Outcomes:
    """Follow each row of a panel to its first barrier.

    Parameters
    ----------
    panel, sigma, barrier
        Bars, their volatility, barriers and rules.
    side
        For a short the barriers are mirrored, and a tie counts for the upper one, which is the worse for it.
    extremes
        Whether ``mfe`` and ``mae`` are wanted; without, they are empty.
    """
    from nightfold.labels.touch import TIE_NEARER, Bars, Found, Walls, first_touch

    entry, rows = entry_price(panel, barrier), panel.size
    above, below = (barrier.upper, barrier.lower)[::side]
    upper = _barrier_price(entry, sigma, above * barrier.width)
    lower = _barrier_price(entry, sigma, -below * barrier.width)
    met, decided, tie = np.empty(rows, np.int8), np.empty(rows, np.int64), np.empty(rows, np.bool_)
    found = Found(met, decided, tie, np.empty(rows), *np.empty((2, rows * extremes)))
    bars = Bars(panel.open, panel.high, panel.low, panel.close, panel.last)
    tie_rule = TIE_NEARER if barrier.tie == "nearer_open" else -side
    first_touch(bars, Walls(entry, upper, lower), barrier.horizon, tie_rule, extremes, found)
    for ratio in (found.gain, found.best, found.worst):
        np.log(ratio, out=ratio)
    return Outcomes(upper, lower, *found)


def _barrier_price(entry: Floats, sigma: Floats, multiplier: float) -> Floats:
    price = sigma * multiplier
    with np.errstate(over="ignore"):
        np.exp(price, out=price)
        price *= entry
    return price


def outcome_columns(panel: Panel, ended: Outcomes, barrier: TripleBarrier, names: Iterable[str]) -> list[pl.Series]:
    """Bring outcomes into columns of the given names, with nulls for the unknown."""
    known = pl.Series(ended.decided >= 0)
    columns = {
        "label": lambda: _masked(pl.Series(_label(ended, barrier)), known),
        "label_end": lambda: panel.close_time(ended.decided),
        "touch": lambda: _masked(_TOUCHES.gather(pl.Series((ended.side + 1).view(np.uint8))), known),
        "tie": lambda: _masked(pl.Series(ended.tie), known),
        "log_return": lambda: pl.Series(ended.log_return, nan_to_null=True),
        "mfe": lambda: pl.Series(ended.mfe, nan_to_null=True),
        "mae": lambda: pl.Series(ended.mae, nan_to_null=True),
        "upper_barrier": lambda: pl.Series(ended.upper, nan_to_null=True),
        "lower_barrier": lambda: pl.Series(ended.lower, nan_to_null=True),
    }
    return [columns[name]().alias(name) for name in names]


def _masked(column: pl.Series, known: pl.Series) -> pl.Series:
    return pl.select(pl.when(known).then(column)).to_series()


def _label(ended: Outcomes, barrier: TripleBarrier) -> Sides:
    if barrier.vertical == "zero":
        return ended.side
    rises, falls = (ended.log_return > 0).view(np.int8), (ended.log_return < 0).view(np.int8)
    return np.where(ended.side == 0, rises - falls, ended.side)
