"""Train, validation and test in time order, with nothing shared across the borders."""

from dataclasses import dataclass
from math import isclose
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from pydantic import NonNegativeInt, PositiveFloat, model_validator

from nightfold.errors import ConfigError, SchemaError
from nightfold.interval import milliseconds
from nightfold.spec import Spec

Rows = NDArray[np.int64]

PARTS = ("train", "validation", "test", "purged", "embargoed", "unknown", "outside")
TRAIN, VALIDATION, TEST, PURGED, EMBARGOED, UNKNOWN, OUTSIDE = range(len(PARTS))
NEVER = np.iinfo(np.int64).max
NOT_KNOWN = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Row numbers of each part, ascending; every row that came in is in exactly one."""

    train: Rows
    validation: Rows
    test: Rows
    purged: Rows
    """Too close to a later part: the label reaches into it, or fewer than `purge` bars lie between."""
    embargoed: Rows
    """In the further gap before a later part."""
    unknown: Rows
    """The label has not ended, or not early enough."""
    outside: Rows
    """Older than the window."""

    @classmethod
    def of(cls, part: NDArray[np.int8]) -> Self:
        """Gather row numbers from one code per row, a position in `PARTS`."""
        return cls(*(np.flatnonzero(part == code) for code in range(len(PARTS))))

    @property
    def counts(self) -> dict[str, int]:
        """Rows in each part."""
        return {name: len(getattr(self, name)) for name in PARTS}

    @property
    def part(self) -> pl.Series:
        """Name of the part of each row, in row order."""
        names = np.zeros(sum(self.counts.values()), np.uint8)
        for code, name in enumerate(PARTS):
            names[getattr(self, name)] = code
        return pl.Series("part", names).cat.to(pl.Enum(PARTS))

    def require(self, *names: str) -> Self:
        """Return the parts if none of those named is empty.

        Raises
        ------
        ConfigError
            With the rows of every part, if one of those named has none.
        """
        empty = [name for name in names if not len(getattr(self, name))]
        if empty:
            found = ", ".join(f"{name} {count}" for name, count in self.counts.items())
            raise ConfigError(
                f"the split leaves no rows for {' and '.join(empty)} ({found}); give it a longer history, or a shorter "
                "`purge` and `embargo`."
            )
        return self


class PurgedSplit(Spec):
    """One train, validation and test part in time order, with gaps between them."""

    train: PositiveFloat = 0.70
    """Share of the range."""
    validation: PositiveFloat = 0.15
    """Share of the range."""
    test: PositiveFloat = 0.15
    """Share of the range, its last part."""
    purge: NonNegativeInt = 60
    """Bars left out before a border in any case; labels that reach over it are left out anyway."""
    embargo: NonNegativeInt = 288
    """Bars left out before those."""

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        if not isclose(self.train + self.validation + self.test, 1.0, abs_tol=1e-9):
            raise ConfigError(
                f"`train`, `validation` and `test` are {self.train}, {self.validation} and {self.test}; "
                "they must sum to 1."
            )
        return self

    def split(self, start: ArrayLike | pl.Series, end: ArrayLike | pl.Series, interval: str | None = None) -> Parts:
        """Cut labelled rows into parts.

        Parameters
        ----------
        start, end
            Label span of each row, both ends inside, in any order of rows: bar positions of one symbol, or times of a
            panel, whose symbols are then cut at the same moments. A null end is a label that is not known.
        interval
            Length of a bar where spans are times; none: the shortest step between starts.

        Returns
        -------
        Parts
            Row numbers. A row before a border is purged if its label ends at or after it, or if it starts within
            ``purge`` bars of it, and embargoed if it starts within a further ``embargo`` bars.

        Raises
        ------
        SchemaError
            If spans are neither whole numbers nor times, differ in kind or count, or end before they start.
        ConfigError
            If train, validation or test is left without a row.

        Examples
        --------
        >>> bars = np.arange(40)
        >>> parts = PurgedSplit(purge=2, embargo=1).split(bars, bars + 1)
        >>> len(parts.train), parts.validation.tolist(), parts.test.tolist()
        (25, [28, 29, 30], [34, 35, 36, 37, 38, 39])
        >>> parts.purged.tolist(), parts.embargoed.tolist()
        ([26, 27, 32, 33], [25, 31])
        """
        begins, ends, are_times = spans(start, end)
        moments = _distinct(begins)
        bar = bar_length(moments, interval) if are_times else 1
        counts = np.round(np.array([self.train, self.train + self.validation]) * moments.size).astype(np.int64)
        borders = [int(moments[count]) if count < moments.size else NEVER for count in counts]
        return cut(begins, ends, borders[0], borders[1], self.purge * bar, self.embargo * bar).require(*PARTS[:3])


def cut(
    begins: Rows,
    ends: Rows,
    validation_from: int,
    test_from: int,
    purge: int,
    embargo: int,
    window_from: int = NOT_KNOWN,
    known_until: int = NEVER,
) -> Parts:
    """Cut rows at two borders; all positions, times and lengths in one unit.

    Parameters
    ----------
    begins, ends
        Label spans, both ends inside; `NOT_KNOWN` as the end of a label without one.
    validation_from, test_from
        First start of each part.
    purge, embargo
        Lengths of the gaps before each of these.
    window_from, known_until
        Rows that start before the one are ``outside``, labels that end after the other ``unknown``.
    """
    part = np.full(begins.size, TRAIN, np.int8)
    part[begins >= validation_from] = VALIDATION
    for side, border in ((part == TRAIN, validation_from), (part == VALIDATION, test_from)):
        part[side & (begins >= border - purge - embargo)] = EMBARGOED
        part[side & ((begins >= border - purge) | (ends >= border))] = PURGED
    part[begins >= test_from] = TEST
    part[begins < window_from] = OUTSIDE
    part[(ends == NOT_KNOWN) | (ends > known_until)] = UNKNOWN
    return Parts.of(part)


def spans(start: ArrayLike | pl.Series, end: ArrayLike | pl.Series) -> tuple[Rows, Rows, bool]:
    """Read label spans as whole numbers, times as milliseconds; tell whether they are times.

    Raises
    ------
    SchemaError
        As in `PurgedSplit.split`.
    """
    begins, ends = np.asarray(start), np.asarray(end)
    kinds = begins.dtype.kind + ends.dtype.kind
    if begins.shape != ends.shape or begins.ndim != 1 or not (kinds == "MM" or set(kinds) <= {"i", "u"}):
        raise SchemaError(
            f"`start` and `end` are {begins.dtype} {begins.shape} and {ends.dtype} {ends.shape}; they must be both "
            "whole bar positions or both times, one of each per row."
        )
    if kinds == "MM":
        begins, ends = begins.astype("datetime64[ms]"), ends.astype("datetime64[ms]")
    begins, ends = begins.astype(np.int64), ends.astype(np.int64)
    wrong = int(((ends < begins) & (ends != NOT_KNOWN) | (begins == NOT_KNOWN)).sum())
    if wrong:
        raise SchemaError(
            f"`end` lies before `start`, or `start` is null, in {wrong} rows; drop them before the split."
        )
    return begins, ends, kinds == "MM"


def _distinct(values: Rows) -> Rows:
    """Sort and drop repeats; on sorted input far faster than `np.unique`, which hashes."""
    ordered = np.sort(values)
    distinct: Rows = ordered[np.diff(ordered, prepend=NOT_KNOWN) != 0]
    return distinct


def bar_length(moments: Rows, interval: str | None) -> int:
    """Milliseconds of a bar: ``interval``, or the shortest step between ascending moments."""
    if interval:
        return milliseconds(interval)
    return int(np.diff(moments).min()) if moments.size > 1 else 1
