"""Inner folds: purged parts of the rows known before an as-of, thinned in time for the early rungs of a search."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.errors import ConfigError, SchemaError
from nightfold.interval import milliseconds
from nightfold.models.dataset import Dataset
from nightfold.models.shared import Shared
from nightfold.splits.fold import PurgedKFold, Splitter, WalkForward
from nightfold.splits.purge import NEVER, Rows, cut
from nightfold.splits.span import LabelSpans
from nightfold.tuning.spec import TuningSpec


@dataclass(frozen=True, slots=True, eq=False)
class TuningRows:
    """Labelled rows that a search may look at.

    Parameters
    ----------
    rows
        Features, labels and weights, in time order; none is known later than the as-of allows.
    open_time, label_end
        Start of each row's bar, and when its label became known.
    log_return
        What holding a row's bar to the end of its label earned, for the reference policy; none: not known.
    horizon, interval
        Bars to the farthest label end; length of a bar such as ``5m``.
    symbols
        How many there are.
    lookback
        Bars that a row's features and window read before its own; folds whose training rows follow a test warn where
        the embargo is shorter.
    """

    rows: Dataset
    open_time: pl.Series
    label_end: pl.Series
    log_return: NDArray[np.float64] | None
    horizon: int
    interval: str
    symbols: int = 1
    lookback: int = 0

    def __post_init__(self) -> None:
        lengths = {len(self.rows), len(self.open_time), len(self.label_end)}
        lengths |= set() if self.log_return is None else {len(self.log_return)}
        if len(lengths) > 1:
            raise SchemaError(
                f"Rows to tune on, their times and returns have {sorted(lengths)} entries; one length is needed."
            )

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits of everything."""
        digest = hashlib.sha256(self.rows.fingerprint.encode())
        for times in (self.open_time, self.label_end):
            digest.update(np.ascontiguousarray(_milliseconds(times)).data)
        if self.log_return is not None:
            digest.update(np.ascontiguousarray(self.log_return).data)
        digest.update(f"{self.horizon} {self.interval} {self.symbols}".encode())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Row numbers of one inner fold, ascending: what fits learn from, what ends them, and what scores them."""

    train: Rows
    stopping: Rows
    """Empty where the model does not stop early."""
    test: Rows


@dataclass(frozen=True, slots=True, eq=False)
class FoldRows:
    """The rows of one fold, the same for every trial of a rung."""

    train: Dataset
    stopping: Dataset | None
    test: Dataset
    test_rows: Rows
    """Their numbers among the rows of the search."""
    shared: Shared = field(default_factory=Shared)
    """What fits on these very rows make once, such as bins."""


def inner_folds(table: TuningRows, tuning: TuningSpec, purge: int, embargo: int, *, stops: bool) -> list[Fold]:
    """Cut rows into inner folds.

    Parameters
    ----------
    table
        All rows the search may look at.
    tuning
        Scheme, number of folds and shares.
    purge, embargo
        Bars between training and test rows, and a further gap; between training and stopping rows lies the purge.
    stops
        Whether fits are ended early, by rows of their own.

    Raises
    ------
    ConfigError
        If there are too few rows.
    """
    spans = LabelSpans.of(table.open_time, table.label_end, table.interval)
    begins, ends = _milliseconds(table.open_time), _milliseconds(table.label_end)
    gap = purge * milliseconds(table.interval)
    folds = []
    for train, test in _splitter(tuning, spans.moments, purge, embargo, table.lookback).split(spans):
        rows = train.astype(np.int64)
        border = np.quantile(begins[rows], 1 - tuning.stopping, method="lower")
        parts = cut(begins[rows], ends[rows], int(border) if stops else NEVER, NEVER, gap, 0).require("train")
        if stops:
            parts.require("validation")
        folds.append(Fold(rows[parts.train], rows[parts.validation], test.astype(np.int64)))
    return folds


def fold_rows(table: TuningRows, fold: Fold, every: int) -> FoldRows:
    """Take the rows of a fold at one of ``every`` moments: neighbours share most of their labels.

    Raises
    ------
    ConfigError
        If a part is left without a row.
    """
    moment = np.unique(_milliseconds(table.open_time), return_inverse=True)[1]
    kept = moment % every == 0
    train, stopping, test = (part[kept[part]] for part in (fold.train, fold.stopping, fold.test))
    if not len(train) or not len(test) or len(fold.stopping) > 0 == len(stopping):
        raise ConfigError(
            f"`rungs` leave one of {every} moments and with them no rows of an inner fold with {len(fold.train)} "
            "training rows; write `rungs: 1`, or give the search a longer history."
        )
    early = table.rows.take(stopping) if len(stopping) else None
    return FoldRows(table.rows.take(train), early, table.rows.take(test), test)


def _splitter(tuning: TuningSpec, moments: int, purge: int, embargo: int, lookback: int) -> Splitter:
    if tuning.scheme == "purged_kfold":
        return PurgedKFold(tuning.folds, purge, embargo, lookback)
    size = int(moments * tuning.tested) // tuning.folds
    if size < 1:
        raise ConfigError(
            f"`folds` is {tuning.folds} and `tested` {tuning.tested} of {moments} moments, which leaves none to a "
            "fold; ask for fewer folds, or give the search a longer history."
        )
    return WalkForward(moments - size * tuning.folds, size, expanding=True, purge=purge, embargo=embargo)


def _milliseconds(times: pl.Series) -> Rows:
    return times.dt.epoch("ms").to_numpy()
