"""A split rehearsed before there are rows: whether searches and ensembles find the folds they ask for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

import numpy as np
import polars as pl

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.out_of_fold import out_of_fold
from nightfold.errors import ConfigError
from nightfold.interval import milliseconds
from nightfold.models.dataset import Dataset
from nightfold.schema import TIME
from nightfold.splits.as_of import EPOCH, MILLISECOND, SplitSpec, as_of_parts, known_before
from nightfold.splits.purge import NEVER, Rows, cut
from nightfold.tuning.fold import TuningRows, fold_rows, inner_folds
from nightfold.tuning.spec import TuningSpec


@dataclass(frozen=True, slots=True, eq=False)
class Rehearsal:
    """Label spans of the rows that an as-of has where no bar is missing: holes only take rows away.

    Parameters
    ----------
    split, as_of, interval
        How rows become parts, the moment that they are known before, and the length of a bar.
    begins, ends
        By part, ``train``, ``stopping`` and ``validation``: start and end of each label in milliseconds, ascending.
    """

    split: SplitSpec
    as_of: datetime
    interval: str
    begins: dict[str, Rows]
    ends: dict[str, Rows]

    @classmethod
    def of(cls, split: SplitSpec, first: datetime, as_of: datetime, interval: str, span: int, stride: int) -> Self:
        """Lay out the rows of one symbol: those of others are at the same moments.

        Parameters
        ----------
        split, as_of, interval
            As above.
        first
            Earliest bar that may be a row.
        span
            Bars that each label covers: barriers may be met in the next one.
        stride
            Only every so many bars are rows.

        Raises
        ------
        ConfigError
            If a part has none.
        """
        bar, until = milliseconds(interval), _number(known_before(split, as_of))
        begins = np.arange(_number(first), until, bar)
        begins = begins[begins // bar % stride == 0]
        ends = begins + (span + 1) * bar - 1
        parts = as_of_parts(_times(begins), _times(ends), as_of, split, interval).require("train", "validation")
        later = parts.validation
        middle = int(begins[later[0]] + begins[later[-1]]) // 2
        halves = cut(begins[later], ends[later], middle, NEVER, split.purge * bar, 0).require("train", "validation")
        chosen = {"train": parts.train, "stopping": later[halves.train], "validation": later[halves.validation]}
        return cls(
            split,
            as_of,
            interval,
            {name: begins[rows] for name, rows in chosen.items()},
            {name: ends[rows] for name, rows in chosen.items()},
        )

    def check_search(self, member: str, tuning: TuningSpec, *, stops: bool) -> None:
        """Refuse a search whose inner folds these rows cannot fill.

        Parameters
        ----------
        member
            Name of the model in the experiment.
        tuning
            Its search.
        stops
            Whether its fits are ended early, by rows of their own.

        Raises
        ------
        ConfigError
            With what was asked for, how many folds there can be, and why.
        """
        begins, ends = self._known("train", "stopping")
        blank = np.zeros((len(begins), 1), np.float32)
        rows = Dataset(blank, ("",), np.zeros(len(begins), np.int8), np.ones(len(begins)))
        table = TuningRows(rows, _times(begins), _times(ends), None, 0, self.interval)
        try:
            for fold in inner_folds(table, tuning, self.split.purge, self.split.embargo, stops=stops):
                fold_rows(table, fold, max(tuning.every))
        except ConfigError as error:
            most = int(len(begins) * tuning.tested) if tuning.scheme == "expanding" else len(begins)
            setting = f"`tuning.folds` of model `{member}`"
            raise self._refused(setting, tuning.folds, most, len(begins), error) from error

    def check_blocks(self, ensemble: EnsembleSpec) -> None:
        """Refuse an ensemble whose out-of-fold blocks these rows cannot fill.

        Raises
        ------
        ConfigError
            With what was asked for, how many blocks there can be, and why.
        """
        begins, ends = self._known("train", "stopping", "validation")
        try:
            out_of_fold(
                _times(begins),
                _times(ends),
                ensemble,
                purge=self.split.purge,
                embargo=self.split.embargo,
                interval=self.interval,
            )
        except ConfigError as error:
            half_empty = 2 * len(begins) * ensemble.oof_share  # blocks are of whole moments, to the nearest
            most = len(begins) if ensemble.oof == "purged_kfold" else int(np.ceil(half_empty)) - 1
            raise self._refused("`ensemble.oof_blocks`", ensemble.oof_blocks, most, len(begins), error) from error

    def _known(self, *parts: str) -> tuple[Rows, Rows]:
        return np.concatenate([self.begins[part] for part in parts]), np.concatenate(
            [self.ends[part] for part in parts]
        )

    def _refused(self, setting: str, asked: int, most: int, moments: int, error: ConfigError) -> ConfigError:
        allowed = f"fill {most} at most" if asked > most else "cannot fill them"
        return ConfigError(
            f"{setting} is {asked}, and the {moments} moments whose labels are known before {self.as_of:%Y-%m-%d} "
            f"{allowed}: {error}"
        )


def _number(moment: datetime) -> int:
    return (moment - EPOCH) // MILLISECOND


def _times(numbers: Rows) -> pl.Series:
    return pl.Series(numbers).cast(TIME)
