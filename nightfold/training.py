"""From features and labels to the rows one model learns from, with an account of every row that was lost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.labels.account import account, data_losses
from nightfold.models.contract import class_prior
from nightfold.models.dataset import Dataset
from nightfold.spec import fingerprint
from nightfold.splits.as_of import SplitSpec, as_of_parts, known_before
from nightfold.splits.purge import Parts

_CONTEXT = ("symbol", "open_time", "label_end", "label", "weight")


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What a model of one as-of and horizon may learn from.

    Parameters
    ----------
    train, validation
        Rows in time order, symbols of one moment together; training weights have mean 1.
    validation_rows
        ``symbol``, ``open_time``, ``label_end``, ``label``, ``weight`` of the validation rows, in their order.
    span
        First and last bar of each part, and the last label a model may know.
    accounts
        ``symbol``, ``reason``, ``rows``: what became of every bar of the window.
    """

    train: Dataset
    validation: Dataset
    validation_rows: pl.DataFrame
    span: dict[str, datetime]
    accounts: pl.DataFrame

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits of all rows of both parts."""
        return fingerprint([self.train.fingerprint, self.validation.fingerprint])

    @property
    def scaler(self) -> dict[str, list[float]]:
        """Mean and standard deviation of each feature over the training rows only."""
        values = self.train.features
        return {
            "mean": values.mean(axis=0, dtype=np.float64).tolist(),
            "standard_deviation": values.std(axis=0, dtype=np.float64).tolist(),
        }

    def plan(self) -> dict[str, Any]:
        """Return what the split asset stores of it, as plain JSON data."""
        return {
            "fingerprint": self.fingerprint,
            "rows": {"train": len(self.train), "validation": len(self.validation)},
            "span": {name: moment.isoformat() for name, moment in self.span.items()},
            "class_shares": class_prior(self.train).tolist(),
            "features": list(self.train.names),
            "scaler": self.scaler,
            "account": self.accounts.to_dicts(),
        }


def join_rows(features: pl.DataFrame, labels: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Put features and labels of the same bars side by side, by symbol and time.

    Parameters
    ----------
    features, labels
        Lake tables over the same window.
    names
        Features kept.
    """
    wanted = features.select("symbol", "open_time", *names)
    return wanted.join(labels, on=["symbol", "open_time"], how="inner", validate="1:1").sort("symbol", "open_time")


def sample(
    rows: pl.DataFrame,
    names: Sequence[str],
    horizon: int,
    as_of: datetime,
    spec: SplitSpec,
    interval: str,
    lookback: int,
) -> Sample:
    """Choose train and validation rows of one as-of and horizon.

    Parameters
    ----------
    rows
        `join_rows` of the window before the as-of.
    names
        Feature columns, in the order a model sees them.
    horizon
        Whose labels are learnt.
    as_of
        The moment the model comes into force; no label that ended after ``as_of - in_force_delay`` is used.
    spec, interval
        Window, shares and gaps; length of a bar.
    lookback
        Most bars a feature reads before its own, to tell warm-up from missing features.

    Raises
    ------
    ConfigError
        If no row is left for training or validation; the message counts where they went.
    """
    target = f"label_{horizon}"
    lost = data_losses(rows, [*names, "volatility"], target, lookback, horizon, interval)
    usable = ~np.logical_or.reduce([mask.fill_null(False).to_numpy() for mask in lost.values()])
    table = (
        rows.with_columns(pl.Series("usable", usable), pl.int_range(pl.len()).alias("row"))
        .filter("usable")
        .select(
            "row", "symbol", "open_time", *(pl.col(f"{n}_{horizon}").alias(n) for n in _CONTEXT[2:]), *names
        )
        .sort("open_time", "symbol")
    )
    parts = as_of_parts(table["open_time"], table["label_end"], as_of, spec, interval).require("train", "validation")
    train = _dataset(table[parts.train], names)
    return Sample(
        train=Dataset(train.features, train.names, train.label, train.weight / train.weight.mean()),
        validation=_dataset(table[parts.validation], names),
        validation_rows=table[parts.validation].select(_CONTEXT),
        span=_span(table, parts) | {"known_until": known_before(spec, as_of)},
        accounts=account(rows, _with_split_losses(lost, table["row"].to_numpy(), parts)),
    )


def _dataset(table: pl.DataFrame, names: Sequence[str]) -> Dataset:
    return Dataset.from_frame(table, names, "label", "weight")


def _span(table: pl.DataFrame, parts: Parts) -> dict[str, datetime]:
    times = table["open_time"]
    return {
        f"{name}_{edge}": times[int(rows[position])]
        for name, rows in (("train", parts.train), ("validation", parts.validation))
        for edge, position in (("from", 0), ("to", -1))
    }


def _with_split_losses(lost: dict[str, pl.Series], rows: NDArray[np.int64], parts: Parts) -> dict[str, pl.Series]:
    """Add the rows that the split takes to those that the data takes."""
    taken = {
        "unknown future": parts.unknown,
        "purge": parts.purged,
        "embargo": parts.embargoed,
        "other part": np.concatenate([parts.validation, parts.outside]),
    }
    masks = dict(lost)
    for reason, positions in taken.items():
        mask = np.zeros(len(lost["gap"]), dtype=bool)
        mask[rows[positions]] = True
        series = pl.Series(reason, mask)
        masks[reason] = masks[reason] | series if reason in masks else series
    return masks
