"""Triple-barrier labels: which of two prices is met first, or neither within the horizon."""

from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt

from nightfold.labels.panel import Floats, Panel, Rows, read_panel
from nightfold.spec import Spec

TOUCH = pl.Enum(["lower", "vertical", "upper"])


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
    side: NDArray[np.int8]
    decided: Rows
    tie: NDArray[np.bool_]
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
    return panel.key.hstack(outcome_columns(panel, outcomes(panel, panel_volatility(panel, barrier), barrier), barrier))


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

    return kernel.root_mean_square(kernel.log_returns(panel.close, panel.first), panel.first, rule.volatility_bars)


def entry_price(panel: Panel, rule: BarrierRule) -> Floats:
    """Price at which each row enters; NaN where that bar is not known."""
    if rule.entry == "close":
        return panel.close
    following = np.minimum(np.arange(panel.size) + 1, panel.last)
    return np.where(following > np.arange(panel.size), panel.open[following], np.nan)


def outcomes(panel: Panel, sigma: Floats, barrier: TripleBarrier) -> Outcomes:
    """Follow each row of a panel to its first barrier."""
    from nightfold.labels import kernel, ladder

    entry = entry_price(panel, barrier)
    upper = kernel.barrier_prices(entry, sigma, barrier.upper * barrier.width)
    lower = kernel.barrier_prices(entry, sigma, -barrier.lower * barrier.width)
    rows = panel.size
    side, decided, tie = np.zeros(rows, np.int8), np.full(rows, -1, np.int64), np.zeros(rows, np.bool_)
    log_return, mfe, mae = np.full(rows, np.nan), np.full(rows, np.nan), np.full(rows, np.nan)
    prices = (panel.open, panel.high, panel.low, panel.close)
    barriers = (entry, upper, lower)
    nearer_open, found = barrier.tie == "nearer_open", (log_return, mfe, mae)
    ladder.first_touch(*prices, panel.last, *barriers, barrier.horizon, nearer_open, side, decided, tie, *found)
    return Outcomes(upper, lower, side, decided, tie, log_return, mfe, mae)


def outcome_columns(panel: Panel, ended: Outcomes, barrier: TripleBarrier) -> pl.DataFrame:
    """Bring outcomes into columns, with nulls for the unknown."""
    known = ended.decided >= 0
    label = ended.side
    if barrier.vertical == "sign":
        label = np.where(label == 0, np.sign(ended.log_return, where=known, out=np.zeros(panel.size)), label)
    columns = {
        "label": pl.Series(label.astype(np.int8)),
        "label_end": panel.close_time(ended.decided),
        "touch": pl.Series((ended.side + 1).astype(np.uint8)).cat.to(TOUCH),
        "log_return": pl.Series(ended.log_return, nan_to_null=True),
        "mfe": pl.Series(ended.mfe, nan_to_null=True),
        "mae": pl.Series(ended.mae, nan_to_null=True),
        "upper_barrier": pl.Series(ended.upper, nan_to_null=True),
        "lower_barrier": pl.Series(ended.lower, nan_to_null=True),
        "tie": pl.Series(ended.tie),
    }
    return pl.DataFrame(columns).with_columns(pl.when(pl.Series(known)).then(pl.col("label", "touch", "tie")))
