"""From outlooks and thresholds to wanted positions."""

from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from nightfold.backtest.signal import Strategy, brackets_at, held_targets
from nightfold.policy.spec import PolicySpec, Thresholds
from nightfold.schema import KEY

NAMES = tuple(Thresholds.model_fields)


def thresholds_columns(thresholds: Thresholds) -> dict[str, pl.Expr]:
    """One policy for every row."""
    return {name: pl.lit(getattr(thresholds, name)) for name in NAMES}


def in_force(rows: pl.DataFrame, policies: pl.DataFrame, lifetime: timedelta) -> pl.DataFrame:
    """Give each row the policy in force as its bar opens; nulls where there is none, or it says to stay flat.

    Parameters
    ----------
    rows
        ``symbol`` and ``open_time``.
    policies
        ``symbol``, ``as_of`` and the thresholds, null for a flat period.
    lifetime
        How long a policy that was not replaced stays in force, as models do.
    """
    ordered = rows.sort("open_time", "symbol")
    joined = ordered.join_asof(
        policies.sort("as_of"),
        left_on="open_time",
        right_on="as_of",
        by="symbol",
        tolerance=lifetime,
        check_sortedness=False,
    )
    return joined.sort(KEY)


def judged(outlooks: pl.DataFrame, spec: PolicySpec) -> pl.DataFrame:
    """Say of each forecast whether it passes its thresholds.

    Parameters
    ----------
    outlooks
        `nightfold.policy.outlook.OUTLOOK` and the thresholds as columns; null thresholds let nothing pass.
    spec
        Units of the thresholds.

    Returns
    -------
    DataFrame
        The same with ``is_sure``, ``is_worth`` and ``side``: 1 or -1 where both hold, else 0.
    """
    move, least = pl.col("move"), pl.col("min_edge") * (pl.col("cost") if spec.edge_unit == "cost" else 1.0)
    edge = move.abs() - (pl.col("cost") if spec.edge == "net" else 0.0)
    sure = (pl.col("confidence") >= pl.col("min_confidence")).fill_null(value=False)
    worth = ((edge >= least) & (edge > 0)).fill_null(value=False)
    side = pl.when(sure & worth).then(move.sign()).otherwise(0).cast(pl.Int8)
    return outlooks.with_columns(is_sure=sure, is_worth=worth, side=side)


def risk_fraction() -> pl.Expr:
    """Share of equity at risk: from base at the least confidence to the maximum at certainty.

    Examples
    --------
    >>> row = pl.DataFrame(
    ...     {"confidence": 0.7, "min_confidence": 0.4, "base_risk_fraction": 0.01, "max_risk_fraction": 0.05}
    ... )
    >>> round(row.select(risk_fraction()).item(), 4)
    0.03
    """
    least, base = pl.col("min_confidence"), pl.col("base_risk_fraction")
    beyond = pl.when(least < 1).then((pl.col("confidence") - least) / (1 - least)).otherwise(0.0)
    return base + (pl.col("max_risk_fraction") - base) * beyond.clip(0, 1)


def position_size(spec: PolicySpec, cap: float) -> pl.Expr:
    """Size of a position on ``side`` as a fraction of equity, at most the cap.

    Under `sizing: risk` a stop-out loses the risk fraction: .02 with a stop 1 % away is a position of 2.0.
    """
    stop = pl.when(pl.col("side") > 0).then("stop_long").otherwise("stop_short")
    size = risk_fraction() / stop if spec.sizing == "risk" else risk_fraction()
    return size.clip(0, cap)


def policy_targets(
    outlooks: pl.DataFrame, thresholds: Mapping[str, pl.Expr], strategy: Strategy, spec: PolicySpec, cap: float
) -> pl.DataFrame:
    """Turn outlooks into wanted positions, entered where a forecast passes and held as `Strategy` says.

    Parameters
    ----------
    outlooks
        `nightfold.policy.outlook.OUTLOOK`, sorted by symbol and time.
    thresholds
        The policy as expressions: `thresholds_columns` of one, or columns where each row has its own.
    strategy
        When a position ends: by time, by the other side's signal, at the barriers.
    spec
        Units and sizing.
    cap
        Largest position in one symbol, as a fraction of equity.

    Returns
    -------
    DataFrame
        ``symbol``, ``open_time``, ``target`` and, where a position is entered under ``exit: barrier``, the prices
        ``stop`` and ``take_profit``. The size of a position is fixed as it is entered.
    """
    rows = judged(outlooks.with_columns(**thresholds), spec)
    held = held_targets(rows, strategy, pl.col("side"), position_size(spec, cap))
    if strategy.exit == "time":
        return held.select(*KEY, "target")
    long, short = pl.col("stop_long"), pl.col("stop_short")
    return held.select(*KEY, "target", **brackets_at(above=short, below=-long))
