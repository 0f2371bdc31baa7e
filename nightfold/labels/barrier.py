"""Triple-barrier labels: which of two prices is met first, or neither within the horizon."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
import polars as pl
from pydantic import PositiveFloat, PositiveInt

from nightfold.labels.panel import Flags, Floats, Panel, Rows, Sides, nullable, read_panel
from nightfold.spec import Spec

TOUCH = pl.Enum(["lower", "vertical", "upper"])
_TOUCHES = pl.Series(TOUCH.categories, dtype=TOUCH)
STRIP = 32_768
"""Rows taken together, for all barriers, so that their bars stay in the processor's cache."""
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
    """How each row of a panel ends; ``decided`` is negative, and numbers are NaN, where that is not known."""

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
        If columns are absent or bars are repeated or hold impossible prices, such as a high under the low; all faults
        are listed.

    References
    ----------
    López de Prado (2018), *Advances in Financial Machine Learning*, ch. 3.
    """
    panel = read_panel(bars, interval)
    (ended,) = outcomes(panel, panel_volatility(panel, barrier), [barrier], prices=True)
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
    panel: Panel,
    sigma: Floats,
    barriers: Sequence[TripleBarrier],
    side: Literal[1, -1] = 1,
    *,
    extremes: bool = True,
    prices: bool = False,
) -> list[Outcomes]:
    """Follow each row of a panel to its first barrier, once for each pair of barriers.

    Parameters
    ----------
    panel, sigma, barriers
        Bars, their volatility, barriers and rules.
    side
        For a short the barriers are mirrored, and a tie counts for the upper one, which is the worse for it.
    extremes
        Whether ``mfe`` and ``mae`` are wanted; without, they are empty.
    prices
        Whether ``upper`` and ``lower`` are wanted; likewise.
    """
    found = [_empty_outcomes(panel.size, extremes=extremes, prices=prices) for _ in barriers]
    entries = {barrier.entry: entry_price(panel, barrier) for barrier in barriers}
    walls = np.empty((2, min(STRIP, panel.size)))
    for begin in range(0, panel.size, STRIP):
        for barrier, ended in zip(barriers, found, strict=True):
            _follow(panel, entries[barrier.entry], sigma, begin, barrier, side, walls, ended)
    return found


def _empty_outcomes(rows: int, *, extremes: bool, prices: bool) -> Outcomes:
    upper, lower = np.empty((2, rows * prices))
    mfe, mae = np.empty((2, rows * extremes))
    met, decided, tie = np.empty(rows, np.int8), np.empty(rows, np.int64), np.empty(rows, np.bool_)
    return Outcomes(upper, lower, met, decided, tie, np.empty(rows), mfe, mae)


def _follow(
    panel: Panel,
    entries: Floats,
    sigma: Floats,
    begin: int,
    barrier: TripleBarrier,
    side: Literal[1, -1],
    walls: Floats,
    ended: Outcomes,
) -> None:
    """Write the outcomes of the strip that starts at row ``begin``."""
    from nightfold.labels.kernel import UNBOUND
    from nightfold.labels.touch import TIE_NEARER, Bars, Found, Walls, first_touch

    strip = slice(begin, begin + STRIP)
    entry = entries[strip]
    above, below = (barrier.upper, barrier.lower)[::side]
    upper, lower = walls[:, : entry.size]
    _place(sigma[strip], above * barrier.width, entry, upper)
    _place(sigma[strip], -below * barrier.width, entry, lower)
    found = Found(
        ended.side[strip],
        ended.decided[strip],
        ended.tie[strip],
        ended.log_return[strip],
        ended.mfe[strip],
        ended.mae[strip],
    )
    bars = Bars(panel.open, panel.high, panel.low, panel.close, panel.last)
    tie_rule, extremes = TIE_NEARER if barrier.tie == "nearer_open" else -side, bool(ended.mfe.size)
    first_touch(bars, Walls(entry, upper, lower), begin, barrier.horizon, tie_rule, extremes, found)
    leave = found.leave
    if extremes:
        np.maximum(found.best, leave, out=found.best)
        np.minimum(found.worst, leave, out=found.worst)
    for price in (leave, found.best, found.worst)[: 3 if extremes else 1]:
        np.divide(price, entry, out=price)
        np.log(price, out=price)
    if ended.upper.size:
        unbound = found.decided == UNBOUND
        ended.upper[strip], ended.lower[strip] = np.where(unbound, np.nan, (upper, lower))


def _place(sigma: Floats, multiplier: float, entry: Floats, into: Floats) -> None:
    """Write prices of a barrier."""
    with np.errstate(over="ignore"):
        np.multiply(sigma, multiplier, out=into)
        np.exp(into, out=into)
        np.multiply(into, entry, out=into)


def outcome_columns(panel: Panel, ended: Outcomes, barrier: TripleBarrier, names: Iterable[str]) -> list[pl.Series]:
    """Bring outcomes into columns of the given names, with nulls for the unknown."""
    known = ended.decided >= 0
    columns = {
        "label": lambda: nullable(_label(ended, barrier), known),
        "label_end": lambda: panel.close_time(ended.decided),
        "touch": lambda: _masked(_TOUCHES.gather(pl.Series((ended.side + 1).view(np.uint8))), known),
        "tie": lambda: _masked(pl.Series(ended.tie), known),
        "log_return": lambda: nullable(ended.log_return, known),
        "mfe": lambda: nullable(ended.mfe, known),
        "mae": lambda: nullable(ended.mae, known),
        "upper_barrier": lambda: pl.Series(ended.upper, nan_to_null=True),
        "lower_barrier": lambda: pl.Series(ended.lower, nan_to_null=True),
    }
    return [columns[name]().alias(name) for name in names]


def _masked(column: pl.Series, known: Flags) -> pl.Series:
    return pl.select(pl.when(pl.Series(known)).then(column)).to_series()


def _label(ended: Outcomes, barrier: TripleBarrier) -> Sides:
    if barrier.vertical == "zero":
        return ended.side
    rises, falls = (ended.log_return > 0).view(np.int8), (ended.log_return < 0).view(np.int8)
    return np.where(ended.side == 0, rises - falls, ended.side)
