"""Why a trade was left where all that a simulation knows is that an order did it: time, the other side, a rule."""

from datetime import timedelta

import polars as pl

from nightfold.backtest.cost import Costs
from nightfold.schema import KEY

TIME, SIGNAL, RULE = "time", "signal", "rule"


def with_reasons(trades: pl.DataFrame, targets: pl.DataFrame, costs: Costs, interval: timedelta) -> pl.DataFrame:
    """Replace ``order`` as the reason of an exit by what the strategy wanted when that order was decided.

    Parameters
    ----------
    trades
        As in `nightfold.backtest.result.Backtest`.
    targets
        What was simulated: ``symbol``, ``open_time``, ``target``, one row a bar, in any order. Null or NaN: no
        decision, the last one stays.
    costs
        Latency between a decision and its fill.
    interval
        Length of a bar.

    Returns
    -------
    DataFrame
        The trades in their order, with ``exit_reason`` ``time`` where nothing was wanted any more, ``signal`` where the
        other side was, and ``rule`` where the side was still wanted: a breaker or a limit on the day's loss ended it.
    """
    ended = trades.with_row_index().filter(exit_reason="order").select("index", "symbol", "side", "exit_time")
    told = ended.sort("exit_time").join_asof(
        _decided(targets, costs, interval),
        left_on="exit_time",
        right_on="due",
        by="symbol",
        check_sortedness=False,
    )
    agrees = pl.col("target").fill_null(0.0) * pl.col("side")
    why = pl.when(agrees > 0).then(pl.lit(RULE)).when(agrees < 0).then(pl.lit(SIGNAL)).otherwise(pl.lit(TIME))
    found = told.select("index", why=why)
    return (
        trades.with_row_index()
        .join(found, on="index", how="left", maintain_order="left")
        .with_columns(exit_reason=pl.coalesce("why", "exit_reason"))
        .drop("index", "why")
    )


def _decided(targets: pl.DataFrame, costs: Costs, interval: timedelta) -> pl.DataFrame:
    """Lay out what was wanted from when on: ``symbol``, ``due`` some rows or time after the decision, ``target``."""
    late = pl.col("open_time").shift(-1 - costs.latency_bars).over("symbol")
    if costs.latency_ms:
        late = pl.col("open_time") + interval + timedelta(milliseconds=costs.latency_ms)
    return (
        targets.sort(KEY)
        .select("symbol", due=late, target=pl.col("target").fill_nan(None).forward_fill().over("symbol"))
        .drop_nulls("due")
    )
