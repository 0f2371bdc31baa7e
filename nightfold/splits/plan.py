"""A plan of splits: stretches of places and the few labels kept near each border; rows come when asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nightfold.errors import ConfigError
from nightfold.splits.purge import EMBARGOED, OUTSIDE, PURGED, TEST, TRAIN, UNKNOWN, Parts, Rows
from nightfold.splits.span import LabelSpans, RowNumbers
from nightfold.splits.zone import Zone, stretches


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One training and test set."""

    spans: LabelSpans
    zones: tuple[Zone, ...]
    """What is tested, in time order."""
    window: tuple[int, int]
    """Places that training rows are taken from, the second not among them."""

    @property
    def train(self) -> RowNumbers:
        """Rows to train on, ascending."""
        whole = self.whole
        near = np.split(self.near, np.searchsorted(self.near, [first for first, _ in whole]))
        pieces = [self.spans.rows[near[0]]]
        for (first, stop), behind in zip(whole, near[1:], strict=True):
            pieces += [self.spans.rows[first:stop], self.spans.rows[behind]]
        return self._rows(pieces)

    @property
    def test(self) -> RowNumbers:
        """Rows to test on, ascending."""
        blocks = stretches(((zone.first, zone.stop) for zone in self.zones), 0, self.spans.begins.size)
        return self._rows([self.spans.rows[first:stop] for first, stop in blocks])

    @property
    def train_size(self) -> int:
        """Number of training rows, without making them."""
        return sum(stop - first for first, stop in self.whole) + self.near.size

    @property
    def test_size(self) -> int:
        """Number of test rows, without making them."""
        return sum(zone.stop - zone.first for zone in self.zones)

    @property
    def whole(self) -> list[tuple[int, int]]:
        """Stretches of places all of which are trained on, as first and behind the last."""
        taken = stretches(((zone.since, zone.until) for zone in self.zones), *self.window)
        edges = [self.window[0], *(edge for stretch in taken for edge in stretch), self.window[1]]
        return [(first, stop) for first, stop in zip(edges[::2], edges[1::2], strict=True) if first < stop]

    @property
    def near(self) -> Rows:
        """Places near a border whose labels end before it: trained on, one by one."""
        borders = stretches(((zone.since, zone.embargo_from) for zone in self.zones), *self.window)
        if not borders:
            return np.empty(0, np.int64)
        places = np.concatenate([np.arange(first, stop) for first, stop in borders])
        ends = self.spans.ends[places]
        return places[np.logical_and.reduce([zone.spares(places, ends) for zone in self.zones])]

    def parts(self) -> Parts:
        """Give a reason for every row that is in neither set.

        Returns
        -------
        Parts
            ``validation`` is empty; ``outside`` is what lies before a rolling window, or after the test of a walk
            forward.
        """
        by_row = np.full(self.spans.size, UNKNOWN, np.int8)
        by_row[self.spans.rows] = self.code()
        return Parts.of(by_row)

    def code(self) -> NDArray[np.int8]:
        """Part of the label at each place, as a position in `PARTS`."""
        inside = slice(*self.window)
        places, ends = np.arange(*self.window), self.spans.ends[inside]
        is_spared = np.logical_and.reduce([zone.spares(places, ends) for zone in self.zones])
        is_purged = np.logical_or.reduce([zone.purges(places, ends) for zone in self.zones])
        code = np.full(self.spans.begins.size, OUTSIDE, np.int8)
        code[inside] = np.where(is_spared, TRAIN, np.where(is_purged, PURGED, EMBARGOED))
        for zone in self.zones:
            code[zone.first : zone.stop] = TEST
        return code

    def _rows(self, pieces: Sequence[RowNumbers]) -> RowNumbers:
        rows = np.concatenate(pieces)
        if not self.spans.is_in_order:
            rows.sort()
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class SplitPlan:
    """Splits in order, made as they are asked for; and the paths that their tests add up to."""

    spans: LabelSpans
    folds: tuple[Zone, ...]
    """Test blocks in time order."""
    tested: Sequence[tuple[int, ...]]
    """Folds that each split tests."""
    windows: Sequence[tuple[int, int]]
    """Places that training rows of each split are taken from."""

    def __len__(self) -> int:
        """Count the splits."""
        return len(self.tested)

    def __iter__(self) -> Iterator[Split]:
        """Make one split after another."""
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Split:
        """Return one split."""
        zones = tuple(self.folds[fold] for fold in self.tested[number])
        return Split(self.spans, zones, self.windows[number])

    @property
    def pairs(self) -> Iterator[tuple[RowNumbers, RowNumbers]]:
        """Train and test rows of each split, made one after another."""
        return ((split.train, split.test) for split in self)

    @property
    def paths(self) -> NDArray[np.int64]:
        """Split that tests each fold (column) of each path (row); every split's test folds are used once.

        Examples
        --------
        >>> from nightfold.splits.fold import CombinatorialPurged
        >>> rows = np.arange(8)
        >>> plan = CombinatorialPurged(4, 2).plan(rows, rows)
        >>> plan.tested
        ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
        >>> plan.paths
        array([[0, 0, 1, 2],
               [1, 3, 3, 4],
               [2, 4, 5, 5]])
        """
        testing: list[list[int]] = [[] for _ in self.folds]
        for number, folds in enumerate(self.tested):
            for fold in folds:
                testing[fold].append(number)
        return np.array(testing, np.int64).T

    def join(self, predictions: Sequence[ArrayLike]) -> NDArray[np.float64]:
        """Put the predictions of all splits together to full out-of-sample paths.

        Parameters
        ----------
        predictions
            One array a split: a number, or several, for each of its test rows, in their order.

        Returns
        -------
        ndarray
            Paths x rows (x numbers). NaN for rows that no split tests: those without a known label, and those before
            the first test of a walk forward.

        Raises
        ------
        ConfigError
            If there is not one array a split, or not one prediction a test row.
        """
        made = [np.asarray(each, np.float64) for each in predictions]
        tests = [split.test for split in self]
        if [len(each) for each in made] != [test.size for test in tests]:
            raise ConfigError(
                f"`predictions` has arrays of {[len(each) for each in made]} rows; there must be one a split, of "
                f"{[test.size for test in tests]} rows: predict the test rows of each split, in order."
            )
        paths = self.paths
        joined = np.full((len(paths), self.spans.size, *made[0].shape[1:]), np.nan)
        for fold, zone in enumerate(self.folds):
            rows = self.spans.rows[zone.first : zone.stop]
            for path, number in enumerate(paths[:, fold]):
                joined[path, rows] = made[number][np.searchsorted(tests[number], rows)]
        return joined
