"""What a forecast says of the next bars, whatever its task: an expected move, and how likely its side is right."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from nightfold.backtest.expected_move import expected_move
from nightfold.backtest.signal import Distance, expected_value
from nightfold.models.objective import Objective

Floats = npt.NDArray[np.float64]

OUTLOOK = (
    *("symbol", "open_time", "close", "width", "move", "confidence", "p_flat", "timeout_return", "cost"),
    *("stop_long", "stop_short"),
)


def outlook(
    rows: pl.DataFrame,
    objective: Objective,
    cost: pl.Expr,
    *,
    dead_zone: float = 0.0,
    weights: Sequence[float] | None = None,
    upper: Distance | None = None,
    lower: Distance | None = None,
) -> pl.DataFrame:
    """Bring the forecasts of any task to one form.

    Parameters
    ----------
    rows
        ``symbol``, ``open_time``, ``close``, ``width`` (volatility times the square root of the horizon) and the
        columns of the objective. Null: no forecast. With barriers optionally ``timeout_return``, the mean log return
        where none is touched; without it, 0.
    objective
        Task of the forecasts.
    cost
        Cost of a round trip, as a fraction.
    dead_zone
        Widths within which a move counts as none, for the three classes of a direction.
    weights
        Of quantiles in the expected move, as of `nightfold.backtest.expected_move.expected_move`.
    upper, lower
        Distances of the label's barriers in widths, as numbers or columns; none: the target has no barriers.

    Returns
    -------
    DataFrame
        `OUTLOOK`: ``move`` is the expected log return of a long before costs, ``confidence`` the probability that
        the side it favours is right where price moves at all (one half where it favours none), ``p_flat`` that neither
        barrier is touched (0 without barriers, as ``timeout_return`` is), ``stop_long`` and ``stop_short`` the log
        distance at which each side is wrong: the barrier, or a width where there is none. Null where there is no
        forecast.
    """
    width, timeout = pl.col("width"), pl.lit(0.0)
    if upper is None or lower is None:
        move, stops, flat = expected_move(objective, dead_zone, weights), (width, width), pl.lit(0.0)
    else:
        above, below = upper * width, lower * width
        stops, flat = (below, above), pl.col("p_flat")
        timeout = pl.col("timeout_return") if "timeout_return" in rows.columns else timeout
        move, _ = expected_value(pl.col("p_down"), flat, pl.col("p_up"), above, below, timeout, pl.lit(0.0))
    known = rows.with_columns(
        move=move, cost=cost, stop_long=stops[0], stop_short=stops[1], p_flat=flat, timeout_return=timeout
    )
    sure = pl.Series("confidence", _confidence(known, objective)).fill_nan(None)
    return known.with_columns(confidence=pl.when(pl.col("move").is_not_null()).then(sure)).select(OUTLOOK)


def _confidence(rows: pl.DataFrame, objective: Objective) -> Floats:
    """Probability that the side of the expected move is right."""
    move = _floats(rows, "move")
    if objective.task == "next_bar":
        return _floats(rows, "confidence")
    if objective.task == "regression":
        from scipy.special import ndtr  # takes a while, which definitions do not have

        # It says nothing of its spread, so that is taken to be as wide as volatility leads to expect.
        return np.asarray(ndtr(np.abs(move) / _floats(rows, "width")), dtype=np.float64)
    if objective.task == "quantile":
        rises = 1 - _share_below_zero(
            np.stack([_floats(rows, name) for name in objective.columns]), objective.quantiles
        )
    else:
        down, up = (_floats(rows, objective.columns[place]) for place in (0, -1))
        with np.errstate(invalid="ignore", divide="ignore"):
            rises = up / (up + down)
    return np.where(move > 0, rises, np.where(move < 0, 1 - rises, np.where(np.isnan(move), math.nan, 0.5)))


def _share_below_zero(quantiles: Floats, levels: list[float]) -> Floats:
    """Read the probability of a value below 0 from quantiles, linear between them, at most the outer level beyond."""
    share = np.where(quantiles[0] > 0, levels[0], levels[-1])
    for place in range(len(levels) - 1):
        low, high = quantiles[place], quantiles[place + 1]
        within = (low <= 0) & (high > 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            between = levels[place] + (levels[place + 1] - levels[place]) * -low / (high - low)
        share = np.where(within, between, share)
    return np.where(np.isnan(quantiles).any(axis=0), math.nan, share)


def _floats(rows: pl.DataFrame, name: str) -> Floats:
    return rows[name].cast(pl.Float64).fill_null(math.nan).to_numpy()
