"""How large the position at each forecast is, by a rule of `nightfold.backtest.sizing`."""

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from nightfold.backtest.signal import Strategy
from nightfold.backtest.sizing.bet import Bets
from nightfold.backtest.sizing.bound import shrunk
from nightfold.backtest.sizing.kelly import Kelly
from nightfold.models.calibration_curve import calibration_curve
from nightfold.policy.log import is_right
from nightfold.splits.as_of import SplitSpec, known_before

_YEAR = timedelta(days=365)


def position_sizes(
    outlooks: pl.DataFrame, outcomes: pl.DataFrame, strategy: Strategy, split: SplitSpec, interval: timedelta
) -> pl.Series:
    """Size the position at each row by the strategy's rule.

    Parameters
    ----------
    outlooks
        `nightfold.policy.outlook.OUTLOOK`, sorted by symbol and time.
    outcomes
        Of the same rows in the same order: ``as_of`` of the model, ``known_at`` and ``actual_move`` (null: not known).
        Kelly's rule shrinks the confidence by them; no other rule looks at them.
    strategy
        With a rule.
    split
        Its delay says until when an outcome must be known before an as-of to count there.
    interval
        Length of a bar.

    Returns
    -------
    Series
        Fraction of equity, 0 where the rule lacks what it needs.
    """
    if strategy.sizing is None:
        return pl.repeat(strategy.size, outlooks.height, eager=True)
    confidence = outlooks["confidence"].fill_null(np.nan).to_numpy()
    if isinstance(strategy.sizing, Kelly):
        confidence = vouched(outlooks, outcomes, strategy.horizon, split)
    sized = strategy.sizing.fraction(bets(outlooks.with_columns(confidence=confidence), strategy.horizon, interval))
    return pl.Series("size", sized).fill_nan(0.0)


def bets(outlooks: pl.DataFrame, horizon: int, interval: timedelta) -> Bets:
    """Look at each outlook as a bet on its side: won at the other side's stop, lost at its own."""
    moved = 1 - pl.col("p_flat")
    up = pl.when(pl.col("move") < 0).then(1 - pl.col("confidence")).otherwise("confidence")
    return Bets.of_sides(
        outlooks.select(
            side=pl.col("move").sign(),
            p_up=up * moved,
            p_down=(1 - up) * moved,
            p_flat="p_flat",
            upper="stop_short",
            lower="stop_long",
            timeout_return="timeout_return",
            cost="cost",
            volatility=pl.col("width") * np.sqrt(_YEAR / interval / horizon),
        ),
        classes=3 if (outlooks["p_flat"] > 0).any() else 2,
    )


def vouched(outlooks: pl.DataFrame, outcomes: pl.DataFrame, horizon: int, split: SplitSpec) -> npt.NDArray[np.float64]:
    """Shrink each confidence to what can be vouched for by outcomes that its model may know; NaN without any.

    Of rows whose labels overlap, one in ``horizon`` counts.
    """
    rows = outlooks.select("move", "confidence").hstack(outcomes.select("as_of", "known_at", "actual_move"))
    rows = rows.with_columns(right=is_right("move", "actual_move")).with_row_index()
    result = np.full(rows.height, np.nan)
    for (as_of,), own in rows.drop_nulls("as_of").partition_by("as_of", as_dict=True, maintain_order=True).items():
        before = rows.filter(pl.col("known_at") <= known_before(split, as_of)).drop_nulls(["right", "confidence"])
        if before.height >= horizon:
            curve = calibration_curve(before["confidence"].to_numpy(), before["right"].to_numpy())
            curve = curve.with_columns((pl.col("rows") / horizon).clip(lower_bound=1))
            said = own["confidence"].fill_null(np.nan).to_numpy()
            result[own["index"].to_numpy()] = shrunk(said, curve)
    return result
