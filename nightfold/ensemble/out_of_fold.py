"""Which rows a member is trained on, and which it then forecasts, so that an ensemble can learn from forecasts.

The as-of's own validation part is the last such block already: members were trained on earlier rows and forecast it
without further cost. That is the plan of one expanding block. More blocks look further back, and cost a fit each.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.errors import ConfigError
from nightfold.splits.fold import PurgedKFold, Splitter, WalkForward
from nightfold.splits.gap import Gap
from nightfold.splits.purge import NOT_KNOWN, Rows
from nightfold.splits.span import LabelSpans


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rows that one fit of every member forecasts, and those it learns from."""

    train: Rows
    predicted: Rows
    learnt_until: int | None
    """Latest label end of the training rows, in the unit of the spans; none where some lie after the block."""


def out_of_fold(
    start: ArrayLike | pl.Series,
    end: ArrayLike | pl.Series,
    spec: EnsembleSpec,
    *,
    purge: Gap = 0,
    embargo: Gap = 0,
    interval: str | None = None,
    lookback: int = 0,
) -> tuple[Block, ...]:
    """Plan the fits that give every member out-of-sample forecasts.

    No training row's label span meets that of a row predicted by the same fit.

    Parameters
    ----------
    start, end, interval
        Label spans of the rows an as-of may learn from, its train and validation rows, in any order: as of
        `LabelSpans.of`.
    spec
        ``oof``, ``oof_blocks``, ``oof_share``. `expanding` lays that many blocks of equal time end to end, finishing at
        the last row, over that share of the moments. `purged_kfold` covers all rows with that many folds, two at least.
    purge, embargo
        Kept free between training rows and the block, as of the splits.
    lookback
        Bars that a row's features and window read before its own: folds warn of an embargo that is shorter.

    Returns
    -------
    tuple of Block
        In time order.

    Raises
    ------
    ConfigError
        If rows are too few.
    """
    read = LabelSpans.of(start, end, interval)
    splitter = _splitter(read, spec, purge, embargo, lookback)
    ends = np.full(read.size, NOT_KNOWN)
    ends[read.rows] = read.ends
    return tuple(
        Block(
            train.astype(np.int64),
            predicted.astype(np.int64),
            int(ends[train].max()) if isinstance(splitter, WalkForward) else None,
        )
        for train, predicted in splitter.plan(read).pairs
    )


def _splitter(read: LabelSpans, spec: EnsembleSpec, purge: Gap, embargo: Gap, lookback: int) -> Splitter:
    if spec.oof == "purged_kfold":
        return PurgedKFold(max(spec.oof_blocks, 2), purge=purge, embargo=embargo, lookback=lookback)
    test = round(read.moments * spec.oof_share / spec.oof_blocks)
    if test < 1:
        raise ConfigError(
            f"`oof_blocks` is {spec.oof_blocks} over {spec.oof_share:g} of {read.moments} moments, which leaves blocks "
            "empty; ask for fewer blocks, or a longer history."
        )
    train = read.moments - test * spec.oof_blocks
    return WalkForward(train, test, expanding=True, purge=purge, embargo=embargo)
