"""From features and labels to the rows one model learns from, with an account of every row that was lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.errors import LakeError
from nightfold.interval import milliseconds
from nightfold.labels.account import account, data_losses
from nightfold.models.contract import class_shares
from nightfold.models.dataset import Dataset
from nightfold.schema import KEY
from nightfold.spec import fingerprint
from nightfold.splits.as_of import SplitSpec, as_of_parts, known_before
from nightfold.splits.purge import NEVER, Parts, cut, spans

Weighting = Literal["uniqueness", "attribution", "equal"]

WEIGHT_COLUMNS = {"uniqueness": "uniqueness", "attribution": "weight"}
"""Column of the label table behind a weighting, without its horizon."""

_CONTEXT = ("symbol", "open_time", "label_end", "label", "weight")


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What a model of one as-of and horizon may learn from.

    Parameters
    ----------
    train, stopping, validation
        Rows in time order, symbols of one moment together; training weights have mean 1. `stopping` is the earlier
        half of the split's validation part and ends fits early, `validation` the later half and scores and
        calibrates, with the purge between them.
    validation_rows
        ``symbol``, ``open_time``, ``label_end``, ``label``, ``weight`` of the validation rows, in their order.
    span
        First and last bar of each part, and the last label a model may know.
    accounts
        ``symbol``, ``reason``, ``rows``: what became of every bar of the window.
    """

    train: Dataset
    stopping: Dataset
    validation: Dataset
    validation_rows: pl.DataFrame
    span: dict[str, datetime]
    accounts: pl.DataFrame

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits of all rows of all parts."""
        return fingerprint([part.fingerprint for part in (self.train, self.stopping, self.validation)])

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
            "rows": {"train": len(self.train), "stopping": len(self.stopping), "validation": len(self.validation)},
            "span": {name: moment.isoformat() for name, moment in self.span.items()},
            "class_shares": class_shares(self.train).tolist(),
            "features": list(self.train.names),
            "scaler": self.scaler,
            "account": self.accounts.to_dicts(),
        }


def join_features(tables: Mapping[str, pl.DataFrame], names: Sequence[str]) -> pl.DataFrame:
    """Put the columns of several feature tables side by side.

    Parameters
    ----------
    tables
        By name, over the same window and in the same order, a row a bar each.
    names
        Features kept, in the order wanted.

    Raises
    ------
    LakeError
        If one table has bars that another lacks: rows would be lost in silence.
    """
    (first, rows), *others = tables.items()
    for name, table in others:
        _check_complete(name, table, first, rows)
        _check_complete(first, rows, name, table)
    columns = {name: table[name] for table in tables.values() for name in table.columns}
    return rows.select(KEY).with_columns(columns[name] for name in names)


def _check_complete(name: str, table: pl.DataFrame, other_name: str, other: pl.DataFrame) -> None:
    missing = other.select(KEY).join(table, on=KEY, how="anti")
    if missing.height:
        symbol, moment = missing.row(0)
        raise LakeError(
            f"the lake has `{other_name}` of {missing.height} bars that `{name}` lacks, the first {symbol} "
            f"{moment:%Y-%m-%d %H:%M}; materialize `{name}` for these partitions."
        )


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
    weighting: Weighting = "uniqueness",
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
    weighting
        What rows count: average `uniqueness`; that times the return attributed (`attribution`); all `equal`.

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
            *("row", "symbol", "open_time"),
            *(pl.col(f"{name}_{horizon}").alias(name) for name in ("label_end", "label")),
            (pl.lit(1.0) if weighting == "equal" else pl.col(f"{WEIGHT_COLUMNS[weighting]}_{horizon}")).alias("weight"),
            *names,
        )
        .sort("open_time", "symbol")
    )
    parts = as_of_parts(table["open_time"], table["label_end"], as_of, spec, interval).require("train", "validation")
    later = _halve(table, parts, spec, interval).require("train", "validation")
    halves = {"stopping": parts.validation[later.train], "validation": parts.validation[later.validation]}
    train = _dataset(table[parts.train], names)
    return Sample(
        train=Dataset(train.features, train.names, train.label, train.weight / train.weight.mean()),
        stopping=_dataset(table[halves["stopping"]], names),
        validation=_dataset(table[halves["validation"]], names),
        validation_rows=table[halves["validation"]].select(_CONTEXT),
        span=_span(table, {"train": parts.train, **halves}) | {"known_until": known_before(spec, as_of)},
        accounts=account(
            rows, _with_split_losses(lost, table["row"].to_numpy(), parts, parts.validation[later.purged])
        ),
    )


def _dataset(table: pl.DataFrame, names: Sequence[str]) -> Dataset:
    return Dataset.from_frame(table, names, "label", "weight")


def _halve(table: pl.DataFrame, parts: Parts, spec: SplitSpec, interval: str) -> Parts:
    """Cut the validation part in the middle of its time, purged at the border."""
    rows = table[parts.validation]
    begins, ends, _ = spans(rows["open_time"], rows["label_end"])
    middle = int(begins[0] + begins[-1]) // 2
    return cut(begins, ends, middle, NEVER, spec.purge * milliseconds(interval), 0)


def _span(table: pl.DataFrame, parts: dict[str, NDArray[np.int64]]) -> dict[str, datetime]:
    times = table["open_time"]
    return {
        f"{name}_{edge}": times[int(rows[position])]
        for name, rows in parts.items()
        for edge, position in (("from", 0), ("to", -1))
    }


def _with_split_losses(
    lost: dict[str, pl.Series], rows: NDArray[np.int64], parts: Parts, purged_within: NDArray[np.int64]
) -> dict[str, pl.Series]:
    """Add the rows that the split takes to those that the data takes."""
    taken = {
        "unknown future": parts.unknown,
        "purge": np.concatenate([parts.purged, purged_within]),
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
