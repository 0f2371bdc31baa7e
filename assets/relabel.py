"""Labels of an as-of's rows by the barriers then in force, in place of those of each row's own month."""

from collections.abc import Collection, Sequence
from datetime import datetime

import polars as pl

from assets.barrier_params import in_force
from assets.keys import data_key
from assets.partitions import DataPartition
from nightfold.interval import Interval, duration
from nightfold.labels.table import TARGETS, LabelSet, label_table, margin
from nightfold.schema import KEY
from nightfold.universe import Universe
from nightfold.window import window_of
from resources.lake import Lake


def relabelled(
    lake: Lake,
    universe: Universe,
    interval: Interval,
    label_set: LabelSet,
    symbols: Sequence[str],
    span: tuple[datetime, datetime],
    known: datetime,
    columns: Collection[str],
) -> pl.DataFrame:
    """Label rows anew from clean bars, none of them later than the span.

    The barriers are those in force on the last bar that had closed by ``known``: their search saw labels that had
    ended before its month began, and later months are not looked at.

    Parameters
    ----------
    lake, universe, interval
        Of the deployment; length of a bar.
    label_set
        A set with searched barriers.
    symbols, span
        Rows wanted: ``start <= open_time < end``.
    known
        Latest end of a label that may be known.
    columns
        Columns of the label table beside its key, such as ``label_5``.

    Returns
    -------
    DataFrame
        Key and columns, by symbol as given and time; null where the label had not ended by the end of the span.

    Raises
    ------
    LakeError
        If the bars, or the search of the month, are not stored.
    """
    start, end = span
    window = window_of(known - duration(interval), universe.grain)
    targets = [target for target in TARGETS if target in columns or _at_some_horizon(target, columns, label_set)]
    before = start - margin(label_set)[0] * duration(interval)
    frames = []
    for symbol in symbols:
        params = in_force(lake, universe, interval, label_set, DataPartition(window, symbol))
        bars = lake.require(data_key(universe, "bars", interval), [symbol], before, end)
        frames.append(label_table(bars, label_set, interval, params, targets))
    return pl.concat(frames).filter(pl.col("open_time") >= start).select(*KEY, *columns)


def _at_some_horizon(target: str, columns: Collection[str], label_set: LabelSet) -> bool:
    return any(f"{target}_{horizon}" in columns for horizon in label_set.horizons)
