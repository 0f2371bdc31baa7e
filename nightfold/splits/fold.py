"""Cross-validation without leaks: folds in time order, purged by label span, with an embargo on top.

    spans = LabelSpans.of(start, end)                     # checked and sorted once
    plan = CombinatorialPurged(10, 2).plan(spans)         # ranges: well under a millisecond
    for train, test in plan.pairs: ...                    # rows, made one split after another

or at once: ``for train, test in PurgedKFold(5).split(start, end)``.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from nightfold.errors import ConfigError
from nightfold.splits.gap import Gap, check_gap, measured
from nightfold.splits.plan import SplitPlan
from nightfold.splits.purge import Rows
from nightfold.splits.span import Column, LabelSpans, RowNumbers
from nightfold.splits.zone import Gaps, zones


class LookbackWarning(UserWarning):
    """Training rows after a test see its prices: their features look back further than the embargo is long."""


class Splitter(ABC):
    """Makes splits of labelled rows: a plan, or the rows themselves."""

    @abstractmethod
    def plan(self, start: Column | LabelSpans, end: Column | None = None, interval: str | None = None) -> SplitPlan:
        """Lay out the splits without making their rows.

        Parameters
        ----------
        start, end
            Label span of each row, both ends inside, in any order of rows: bar positions of one symbol, or times of a
            panel, whose symbols are then cut at the same moments. A null end is a label that is not known: such a row
            is in no set. Or `LabelSpans` alone, checked and sorted before.
        interval
            Length of a bar where spans are times; none: the shortest step between starts.

        Returns
        -------
        SplitPlan
            A sequence of splits.

        Raises
        ------
        SchemaError
            If spans are neither whole numbers nor times, differ in kind or count, or end before they start.
        ConfigError
            If there are too few distinct starts, a length of time is asked of bar positions, or a training set would
            be empty.
        """

    def split(
        self, start: Column | LabelSpans, end: Column | None = None, interval: str | None = None
    ) -> Iterator[tuple[RowNumbers, RowNumbers]]:
        """Yield train rows and test rows of each split, ascending; arguments and errors as in `plan`."""
        return self.plan(start, end, interval).pairs


@dataclass(frozen=True)
class CombinatorialPurged(Splitter):
    """Every choice of some folds as test; their predictions add up to several full out-of-sample paths.

    References
    ----------
    López de Prado (2018), *Advances in Financial Machine Learning*, ch. 7 and 12.

    Examples
    --------
    Twelve bars, labels that end a bar or, one of them, four bars later. The first split tests folds 0 and 1, bars 0 to
    5: its latest label ends at 7, and the embargo takes 8. The last one tests folds 2 and 3, from bar 6 on: labels 3
    and 5 reach it; label 4, between them, does not and stays.

    >>> start = np.arange(12)
    >>> end = start + np.where(start == 3, 4, 1)
    >>> splits = list(CombinatorialPurged(4, 2, embargo=1).split(start, end))
    >>> len(splits), splits[0][0].tolist(), splits[-1][0].tolist()
    (6, [9, 10, 11], [0, 1, 2, 4])
    """

    n_folds: int
    """Blocks of as many distinct starts each, up to one; at least 2."""
    n_test_folds: int
    """Folds tested together, fewer than there are."""
    purge: Gap = 0
    """Least distance of training rows from a test block, on both sides; labels that meet a test label go anyway."""
    embargo: Gap = 0
    """Kept free after the last end of a test label, on top of the purge."""
    lookback: int = 0
    """Bars the longest feature needs: an embargo shorter than that warns."""

    def __post_init__(self) -> None:
        _check_count("n_folds", self.n_folds, 2)
        _check_count("n_test_folds", self.n_test_folds, 1)
        if self.n_test_folds >= self.n_folds:
            raise ConfigError(
                f"`n_test_folds` is {self.n_test_folds} of `n_folds` {self.n_folds}; it must be smaller, or no fold "
                "is left to train on: ask for more folds, or test fewer together."
            )
        _check_gaps(self.purge, self.embargo, self.lookback)

    @property
    def n_splits(self) -> int:
        """Number of training and test sets, C(N, k)."""
        return comb(self.n_folds, self.n_test_folds)

    @property
    def n_paths(self) -> int:
        """Number of full out-of-sample paths, C(N, k) k / N."""
        return comb(self.n_folds - 1, self.n_test_folds - 1)

    def plan(self, start: Column | LabelSpans, end: Column | None = None, interval: str | None = None) -> SplitPlan:
        """Lay out the splits, in lexical order of their test folds; see `Splitter.plan`."""
        return _folds(self, _read(start, end, interval), self.n_test_folds)


@dataclass(frozen=True)
class PurgedKFold(Splitter):
    """Each fold as test once, all others as train.

    References
    ----------
    López de Prado (2018), *Advances in Financial Machine Learning*, ch. 7.

    Examples
    --------
    >>> bars = np.arange(9)
    >>> for train, test in PurgedKFold(3, embargo=1).split(bars, bars + 1):
    ...     print(test, train)
    [0 1 2] [5 6 7 8]
    [3 4 5] [0 1 8]
    [6 7 8] [0 1 2 3 4]
    """

    n_folds: int
    """Blocks of as many distinct starts each, up to one; at least 2."""
    purge: Gap = 0
    """Least distance of training rows from a test block, on both sides; labels that meet a test label go anyway."""
    embargo: Gap = 0
    """Kept free after the last end of a test label, on top of the purge."""
    lookback: int = 0
    """Bars the longest feature needs: an embargo shorter than that warns."""

    def __post_init__(self) -> None:
        _check_count("n_folds", self.n_folds, 2)
        _check_gaps(self.purge, self.embargo, self.lookback)

    @property
    def n_splits(self) -> int:
        """Number of training and test sets."""
        return self.n_folds

    def plan(self, start: Column | LabelSpans, end: Column | None = None, interval: str | None = None) -> SplitPlan:
        """Lay out the splits, in time order of their tests; see `Splitter.plan`."""
        return _folds(self, _read(start, end, interval), 1)


@dataclass(frozen=True)
class WalkForward(Splitter):
    """Train on what came before, test on what comes next, go on by one test.

    Tests lie end to end and finish at the last start, so that each is complete and the newest rows are tested. What
    purge and embargo take comes out of the training window, as in the line's own as-of splits.

    Examples
    --------
    >>> bars = np.arange(11)
    >>> for train, test in WalkForward(train_size=5, test_size=2, purge=1).split(bars, bars):
    ...     print(train, test)
    [0 1 2 3] [5 6]
    [2 3 4 5] [7 8]
    [4 5 6 7] [ 9 10]
    """

    train_size: int
    """Distinct starts before a test that training looks at; the least number where it expands."""
    test_size: int
    """Distinct starts tested at a time."""
    expanding: bool = False
    """Train from the first row on."""
    purge: Gap = 0
    """Least distance of training rows from the test; labels that reach it go anyway."""
    embargo: Gap = 0
    """A further distance before that."""

    def __post_init__(self) -> None:
        _check_count("train_size", self.train_size, 1)
        _check_count("test_size", self.test_size, 1)
        _check_gaps(self.purge, self.embargo, 0)

    def plan(self, start: Column | LabelSpans, end: Column | None = None, interval: str | None = None) -> SplitPlan:
        """Lay out the splits, in time order; see `Splitter.plan`."""
        spans = _read(start, end, interval)
        count = (spans.moments - self.train_size) // self.test_size
        if count < 1:
            raise ConfigError(
                f"`train_size` {self.train_size} and `test_size` {self.test_size} need "
                f"{self.train_size + self.test_size} distinct starts, and there are {spans.moments} with a known "
                "label; make them smaller, or bring a longer history."
            )
        limits = spans.moments - self.test_size * np.arange(count, -1, -1)
        gaps = Gaps(measured("purge", self.purge, spans), measured("embargo", self.embargo, spans), 0)
        folds = zones(spans, limits, gaps)
        since = np.zeros(count, np.int64) if self.expanding else spans.places(limits[:-1] - self.train_size)
        windows = [(first, fold.first) for first, fold in zip(since.tolist(), folds, strict=True)]
        return _trainable(SplitPlan(spans, folds, tuple((number,) for number in range(count)), windows))


def _folds(splitter: "CombinatorialPurged | PurgedKFold", spans: LabelSpans, n_test_folds: int) -> SplitPlan:
    """Lay out splits of folds, in lexical order of those tested."""
    n_folds = splitter.n_folds
    if n_folds > spans.moments:
        raise ConfigError(
            f"`n_folds` is {n_folds}, and there are {spans.moments} distinct starts with a known label; it must be at "
            "most as many: ask for fewer folds, or bring a longer history."
        )
    embargo = measured("embargo", splitter.embargo, spans)
    if embargo < splitter.lookback * spans.bar:
        warnings.warn(
            f"`embargo` is {splitter.embargo!r}, shorter than `lookback`, {splitter.lookback} bars: training rows "
            "that follow a test see its prices in their features. Lengthen the embargo, or walk forward.",
            LookbackWarning,
            stacklevel=3,
        )
    folds = zones(spans, _limits(spans.moments, n_folds), Gaps(measured("purge", splitter.purge, spans), 0, embargo))
    tested = tuple(combinations(range(n_folds), n_test_folds))
    return _trainable(SplitPlan(spans, folds, tested, [(0, spans.begins.size)] * len(tested)))


def _limits(moments: int, n_folds: int) -> Rows:
    """Cut moments into folds; where they do not divide, the first folds get one more."""
    size, larger = divmod(moments, n_folds)
    folds = np.arange(n_folds + 1)
    return folds * size + np.minimum(folds, larger)


def _trainable(plan: SplitPlan) -> SplitPlan:
    empty = [number for number, split in enumerate(plan) if not split.whole and not split.near.size]
    if empty:
        raise ConfigError(
            f"{len(empty)} of {len(plan)} splits have no training rows, the first number {empty[0]}; labels, `purge` "
            "and `embargo` leave none beside the test: shorten them, or bring a longer history."
        )
    return plan


def _read(start: Column | LabelSpans, end: Column | None, interval: str | None) -> LabelSpans:
    if isinstance(start, LabelSpans):
        return start
    if end is None:
        raise ConfigError("`end` is None; give the end of each label beside its start, or `LabelSpans` alone.")
    return LabelSpans.of(start, end, interval)


def _check_count(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ConfigError(f"`{name}` is {value!r}; it must be a whole number of {least} or more.")


def _check_gaps(purge: Gap, embargo: Gap, lookback: int) -> None:
    check_gap("purge", purge)
    check_gap("embargo", embargo)
    _check_count("lookback", lookback, 0)
