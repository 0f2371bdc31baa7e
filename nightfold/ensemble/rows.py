"""What weights are fitted on and ensembles judged by: forecasts of rows that no member had learnt from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from nightfold.errors import SchemaError
from nightfold.models.contract import Prediction
from nightfold.models.objective import Objective
from nightfold.models.score import row_losses
from nightfold.splits.as_of import EPOCH, MILLISECOND
from nightfold.splits.overlap import independent_rows, span_lengths
from nightfold.splits.purge import NEVER, NOT_KNOWN, Rows, bar_length, cut, spans

Array = NDArray[np.float64]
Moment = ArrayLike | pl.Series | datetime


@dataclass(frozen=True, slots=True, eq=False)
class OutOfSample:
    """Forecasts of several members, and what came; made by `of`, which checks them.

    Parameters
    ----------
    members
        One forecast by name, all of the same rows and task.
    label, weight
        What came, and how much each row counts.
    start, end
        Label span of each row, both ends inside: milliseconds, or bar positions. Rows of several symbols at one moment
        share their start.
    untouched_from
        First start of rows that neither stopped fits nor chose settings, as a number; none: all of them are such.
    bar
        Length of one, in the unit of the spans.
    """

    objective: Objective
    members: Mapping[str, Prediction]
    label: NDArray[Any]
    start: Rows
    end: Rows
    weight: Array
    untouched_from: int | None = None
    bar: int = 1

    @classmethod
    def of(
        cls,
        objective: Objective,
        members: Mapping[str, Prediction],
        label: ArrayLike,
        start: ArrayLike | pl.Series,
        end: ArrayLike | pl.Series,
        weight: ArrayLike | None = None,
        *,
        learnt_until: Moment | None,
        untouched_from: Moment | None = None,
    ) -> Self:
        """Check forecasts and gather them.

        Parameters
        ----------
        objective, members, label, start, end, weight
            As above, rows in any order; without weights each row counts 1. Times come as a column of times.
        learnt_until
            Latest label end among the rows that the members were trained, stopped and tuned on: one moment, or one per
            row where models of several blocks forecast them. None says that members learnt from rows on both sides, as
            purged folds do, and that the plan of folds vouches for them.
        untouched_from
            As above, in the unit of the spans.

        Raises
        ------
        SchemaError
            If there is no member, forecasts differ in shape or do not fit the task, a value is NaN, a label or its
            end is unknown, no row has weight, or a row's label begins before all labels behind its forecast had ended.
        """
        begins, ends, are_times = spans(start, end)
        shares = np.ones(len(begins)) if weight is None else np.asarray(weight, np.float64)
        labels = np.asarray(label)
        faults = []
        if not len(labels) == len(begins) == len(shares):
            faults.append(f"{len(labels)} labels, {len(begins)} spans and {len(shares)} weights")
        elif (shares < 0).any() or not shares.sum() > 0 or not np.isfinite(shares).all():
            faults.append("weights that are negative, unknown or all 0")
        elif (ends == NOT_KNOWN).any():
            faults.append(f"{(ends == NOT_KNOWN).sum()} labels whose end is unknown")
        elif not (np.isin(labels, objective.classes) if objective.classes else np.isfinite(labels)).all():
            faults.append(f"labels that the task {objective.task} does not have")
        elif learnt_until is not None:
            seen = int((begins <= _read(learnt_until, len(begins), are_times)).sum())
            if seen:
                faults.append(
                    f"{seen} rows whose labels begin before the last label that the members learnt from had ended; "
                    "leave them out, or forecast them with a model trained on earlier rows"
                )
        if faults:
            raise SchemaError(f"Rows to fit an ensemble on have {'; '.join(faults)}.")
        gathered(objective, members, len(labels))
        untouched = None if untouched_from is None else int(_read(untouched_from, 1, are_times)[0])
        bar = bar_length(np.unique(begins), None) if are_times else 1
        return cls(objective, dict(members), labels, begins, ends, shares, untouched, bar)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.label)

    @property
    def names(self) -> tuple[str, ...]:
        """Members in order."""
        return tuple(self.members)

    @property
    def codes(self) -> Rows:
        """Column of the class that came."""
        return np.asarray(self.label.astype(np.int64) - self.objective.classes[0])

    @property
    def losses(self) -> dict[str, Array]:
        """Loss of each row by member."""
        return {name: row_losses(self.objective, forecast, self.label) for name, forecast in self.members.items()}

    @property
    def shares(self) -> Array:
        """Weights that sum to 1."""
        return np.asarray(self.weight / self.weight.sum())

    @property
    def span_lengths(self) -> Rows:
        """How many of the moments that have rows each label covers, its own among them."""
        return span_lengths(self.start, self.end)

    @property
    def independent(self) -> float:
        """How many rows without overlap these are worth, as of `nightfold.splits.overlap`."""
        return independent_rows(self.start, self.end, self.bar)

    def take(self, rows: NDArray[Any]) -> "OutOfSample":
        """Return some of the rows, by number or mask."""
        members = {name: forecast[rows] for name, forecast in self.members.items()}
        label, start, end, weight = (each[rows] for each in (self.label, self.start, self.end, self.weight))
        return replace(self, members=members, label=label, start=start, end=end, weight=weight)

    def without(self, member: str) -> "OutOfSample":
        """Return the same rows with one member less."""
        return replace(self, members={name: each for name, each in self.members.items() if name != member})

    def halves(self) -> tuple["OutOfSample", "OutOfSample"]:
        """Cut in the middle of the time; earlier rows whose labels reach into the later half are in neither.

        The later half holds untouched rows only: where these begin after the middle, it begins with them.

        Raises
        ------
        ConfigError
            If a half is left without rows.
        """
        middle = (int(self.start.min()) + int(self.start.max()) + 1) // 2
        border = middle if self.untouched_from is None else max(middle, self.untouched_from)
        parts = cut(self.start, self.end, border, NEVER, 0, 0).require("train", "validation")
        return self.take(parts.train), self.take(parts.validation)


def gathered(objective: Objective, members: Mapping[str, Prediction], rows: int | None = None) -> Array:
    """Check the members' forecasts and stack them: members x rows x columns.

    Raises
    ------
    SchemaError
        If there is none, or they differ in rows or task, or hold NaN, infinity or probabilities that do not sum to 1.
    """
    if not members:
        raise SchemaError("There is no forecast to blend; an ensemble needs at least one member.")
    arrays = {name: np.asarray(forecast, np.float64) for name, forecast in members.items()}
    rows = len(next(iter(arrays.values()))) if rows is None else rows
    wanted = (rows, len(objective.columns))
    wrong = [f"`{name}` {array.shape}" for name, array in arrays.items() if array.shape != wanted]
    if wrong:
        raise SchemaError(
            f"Forecasts of the task {objective.task} on these rows have the shape {wanted}, but {', '.join(wrong)}; "
            "all members forecast the same rows and task."
        )
    unknown = [f"`{name}`" for name, array in arrays.items() if not np.isfinite(array).all()]
    if unknown:
        raise SchemaError(
            f"Forecasts of {', '.join(unknown)} hold NaN or infinity; blend only rows that every member forecast."
        )
    stacked = np.stack(list(arrays.values()))
    if objective.classes and not ((stacked >= 0).all() and (np.abs(stacked.sum(axis=2) - 1) < 1e-6).all()):
        raise SchemaError("Forecasts of classes hold rows that are no probabilities: negative, or not summing to 1.")
    return stacked


def _read(moment: Moment, rows: int, are_times: bool) -> Rows:
    if isinstance(moment, datetime):
        moment = np.datetime64((moment - EPOCH) // MILLISECOND, "ms")
    column = np.broadcast_to(np.asarray(moment), rows)
    begins, _, found = spans(column, column)
    if found != are_times:
        raise SchemaError("`learnt_until` and label spans must be both times or both bar positions.")
    return begins
