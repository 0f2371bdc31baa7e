"""Meta-labels: whether a side that something else has chosen was worth taking."""

from math import isfinite
from typing import Literal

import polars as pl

from nightfold.errors import ConfigError, SchemaError
from nightfold.labels.barrier import TripleBarrier, outcome_columns, outcomes, panel_volatility
from nightfold.labels.panel import read_panel
from nightfold.schema import KEY, TIME

_FOUND = ("label_end", "touch", "log_return")
_WAYS: tuple[Literal[1, -1], ...] = (1, -1)


def meta_labels(
    bars: pl.DataFrame, sides: pl.DataFrame, barrier: TripleBarrier, cost: float = 0.0, interval: str | None = None
) -> pl.DataFrame:
    """Label each bar by whether its side, entered there and left at the barriers, pays more than it costs.

    For a long the barriers are those of `barrier_labels`. For a short they are mirrored: it takes its profit
    ``barrier.upper`` widths below the entry and its loss ``barrier.lower`` widths above. A bar that meets both counts
    as the worse for the side.

    Parameters
    ----------
    bars, barrier, interval
        As in `barrier_labels`.
    sides
        ``symbol``, ``open_time`` and ``side``: 1 long, -1 short, 0 or null neither; at most one row per bar, any order.
        A bar without a row has no side.
    cost
        Of the round trip, as a log return; 0 or more.

    Returns
    -------
    DataFrame
        One row per bar, sorted by ``symbol``, ``open_time``: ``side``, ``meta_label`` (1 where ``net_log_return`` is
        above 0, else 0), ``label_end`` (close of the deciding bar), ``touch`` (by price: ``upper``, ``lower``,
        ``vertical``), ``log_return`` (of the price, entry to exit), ``net_log_return`` (side x that, less cost). Null
        but for the side where there is none, or where its label is not known.

    Raises
    ------
    BarsError
        As in `barrier_labels`.
    SchemaError
        If sides lack a column, are repeated, are not of these bars, or are none of -1, 0, 1.
    ConfigError
        If ``cost`` is negative or not finite.

    References
    ----------
    López de Prado (2018), *Advances in Financial Machine Learning*, ch. 3.6.
    """
    if not (isfinite(cost) and cost >= 0):
        raise ConfigError(f"`cost` is {cost}; it must be a log return of 0 or more, such as 0.002.")
    panel = read_panel(bars, interval)
    placed = _placed(panel.key, sides)
    sigma = panel_volatility(panel, barrier)
    long, short = (
        outcome_columns(panel, outcomes(panel, sigma, [barrier], way, extremes=False)[0], barrier, _FOUND)
        for way in _WAYS
    )
    side = pl.col("side")
    chosen = [
        pl.when(side == 1).then(up).when(side == -1).then(down).alias(up.name)
        for up, down in zip(long, short, strict=True)
    ]
    net = side * pl.col("log_return") - cost
    worth = (net > 0).cast(pl.Int8).alias("meta_label")
    return placed.with_columns(chosen).select(*KEY, "side", worth, *_FOUND, net.alias("net_log_return"))


def _placed(key: pl.DataFrame, sides: pl.DataFrame) -> pl.DataFrame:
    """Put sides beside the bars they belong to; null where none is given."""
    if absent := [name for name in (*KEY, "side") if name not in sides.columns]:
        raise SchemaError(f"`sides` lacks the columns {', '.join(absent)}; it has {', '.join(sides.columns)}.")
    if not (sides.schema["side"].is_numeric() and isinstance(sides.schema["open_time"], pl.Datetime)):
        raise SchemaError(
            f"`sides` has side as {sides.schema['side']} and open_time as {sides.schema['open_time']}; cast them to "
            f"Int8 and {TIME}."
        )
    given = sides.select(pl.col("symbol").cast(key.schema["symbol"]), pl.col("open_time").cast(TIME), "side")
    faults = {
        "are none of -1, 0, 1 or null": given.filter(~pl.col("side").cast(pl.Float64).is_in([-1.0, 0.0, 1.0])).height,
        "are repeated": given.height - given.unique(KEY).height,
        "are of no bar": given.join(key, on=KEY, how="anti").height,
    }
    if found := [f"{count} rows {fault}" for fault, count in faults.items() if count]:
        raise SchemaError(f"`sides` cannot be used: {', '.join(found)}.")
    return key.join(given.with_columns(pl.col("side").cast(pl.Int8)), on=KEY, how="left", maintain_order="left")
