"""From features and labels to the rows one model learns from, with an account of every row that was lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.errors import ConfigError, LakeError
from nightfold.interval import milliseconds
from nightfold.labels.account import account, data_losses
from nightfold.models.dataset import Dataset
from nightfold.models.rows import FeatureRows
from nightfold.models.score import constant_forecast
from nightfold.row_weight import decay, even_share
from nightfold.schema import KEY
from nightfold.spec import fingerprint
from nightfold.splits.as_of import SplitSpec, as_of_parts, known_before
from nightfold.splits.overlap import independent_rows
from nightfold.splits.purge import NEVER, Parts, cut, spans
from nightfold.target import Target

_CONTEXT = ("symbol", "open_time", "label_end", "label", "weight")


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What a model of one as-of and horizon may learn from.

    Parameters
    ----------
    train, stopping, validation
        Rows in time order, symbols of one moment together; weights, of labels and by age, are scaled alike, so that
        those of the training rows have mean 1; classes are balanced by each fit, among its own rows. `stopping` is the
        earlier half of the split's validation part and ends fits early, `validation` the later half and scores and
        calibrates, with the purge between them.
    places
        By part, the position of each of its rows among those of `rows`.
    rows
        Features of every bar of the window, for windows that end at a row of a part.
    keys
        By part, ``symbol``, ``open_time``, ``label_end``, ``label``, ``weight`` of its rows, in their order.
    span
        First and last bar of each part, and the last label a model may know.
    accounts
        ``symbol``, ``reason``, ``rows``: what became of every bar of the window.
    effective_rows
        How many independent rows the training rows are worth: overlapping labels and symbols of one moment count once,
        as of `nightfold.splits.overlap`, and what a half-life takes away is gone.
    window
        Most bars that a member looks at.
    """

    train: Dataset
    stopping: Dataset
    validation: Dataset
    keys: dict[str, pl.DataFrame]
    span: dict[str, datetime]
    accounts: pl.DataFrame
    places: dict[str, NDArray[np.int64]]
    rows: FeatureRows
    effective_rows: float
    window: int = 1

    @property
    def parts(self) -> dict[str, Dataset]:
        """The three parts by name."""
        return {"train": self.train, "stopping": self.stopping, "validation": self.validation}

    @property
    def learnt_until(self) -> datetime:
        """Latest end of a label among the training and stopping rows: what a model that is scored has learnt from."""
        learnt: list[datetime] = pl.concat(self.keys[name]["label_end"] for name in ("train", "stopping")).to_list()
        return max(learnt)

    def windowed(self, length: int | None) -> dict[str, Dataset]:
        """Return the parts with the window of each row instead of the row; without a length, as they are."""
        if length is None:
            return self.parts
        return {
            name: replace(part, features=self.rows.take(self.places[name]).features(part.names, length))
            for name, part in self.parts.items()
        }

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits of all rows of all parts, and of the bars in their windows."""
        parts = self.windowed(self.window if self.window > 1 else None)
        return fingerprint([part.fingerprint for part in parts.values()])

    @property
    def scaler(self) -> dict[str, list[float]]:
        """Mean and standard deviation of each feature over the training rows only."""
        values = self.train.table
        return {
            "mean": values.mean(axis=0, dtype=np.float64).tolist(),
            "standard_deviation": values.std(axis=0, dtype=np.float64).tolist(),
        }

    def plan(self) -> dict[str, Any]:
        """Return what the split asset stores of it, as plain JSON data."""
        return {
            "fingerprint": self.fingerprint,
            "rows": {name: len(part) for name, part in self.parts.items()},
            "effective_rows": round(self.effective_rows, 1),
            "span": {name: moment.isoformat() for name, moment in self.span.items()},
            "constant": constant_forecast(self.train).tolist(),
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
        _check_complete(f"`{name}`", table, f"`{first}`", rows)
        _check_complete(f"`{first}`", rows, f"`{name}`", table)
    columns = {name: table[name] for table in tables.values() for name in table.columns}
    return rows.select(KEY).with_columns(columns[name] for name in names)


def _check_complete(name: str, table: pl.DataFrame, other_name: str, other: pl.DataFrame) -> None:
    missing = other.select(KEY).join(table, on=KEY, how="anti")
    if missing.height:
        symbol, moment = missing.row(0)
        raise LakeError(
            f"the lake has {other_name} of {missing.height} bars without {name}, the first {symbol} "
            f"{moment:%Y-%m-%d %H:%M}; materialize {name} for these partitions."
        )


def join_rows(features: pl.DataFrame, labels: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Put features and labels of the same bars side by side, by symbol and time.

    Parameters
    ----------
    features, labels
        Lake tables over the same window, a row a bar each.
    names
        Features kept.

    Raises
    ------
    LakeError
        If one has bars that the other lacks: rows would be lost without being counted.
    """
    _check_complete("labels", labels, "features", features)
    _check_complete("features", features, "labels", labels)
    wanted = features.select("symbol", "open_time", *names)
    return wanted.join(labels, on=["symbol", "open_time"], how="inner", validate="1:1").sort("symbol", "open_time")


def sample(
    rows: pl.DataFrame,
    names: Sequence[str],
    target: Target,
    horizon: int,
    as_of: datetime,
    spec: SplitSpec,
    interval: str,
    lookback: int,
    window: int = 1,
) -> Sample:
    """Choose train and validation rows of one as-of and horizon.

    Parameters
    ----------
    rows
        `join_rows` of the window before the as-of, with the columns that `Target.columns` names.
    names
        Feature columns, in the order a model sees them.
    target, horizon
        What is learnt, and over how many bars.
    as_of
        The moment the model comes into force; no label that ended after ``as_of - in_force_delay`` is used.
    spec, interval
        Window, shares and gaps; length of a bar.
    lookback
        Most bars a feature reads before its own, to tell warm-up from missing features.
    window
        Most bars that a member looks at; rows whose windows are not whole are left out for all members.

    Raises
    ------
    ConfigError
        If no row is left for training or validation; the message counts where they went.
    """
    rows = rows.with_columns(**target.labelled(horizon))
    lost = data_losses(rows, [*names, "volatility"], "label", lookback, horizon, interval)
    features = FeatureRows.from_frame(rows, names, interval)
    if window > 1:
        lost["warm-up"] |= pl.Series(features.complete & ~features.usable(window))
    if target.stride > 1:
        lost["filter"] = rows.select(pl.col("open_time").dt.epoch("ms") // milliseconds(interval) % target.stride != 0)[
            "open_time"
        ]
    usable = ~np.logical_or.reduce([mask.fill_null(False).to_numpy() for mask in lost.values()])
    table = (
        rows.with_columns(pl.Series("usable", usable), pl.int_range(pl.len()).alias("row"))
        .filter("usable")
        .select("row", *_CONTEXT, *names)
        .sort("open_time", "symbol")
    )
    parts = as_of_parts(table["open_time"], table["label_end"], as_of, spec, interval).require("train", "validation")
    later = _halve(table, parts, spec, interval)
    chosen = {
        "train": parts.train,
        "stopping": parts.validation[later.train],
        "validation": parts.validation[later.validation],
    }
    table = table.with_columns(weight=pl.col("weight") * decay(table["open_time"], as_of, spec.half_life_days))
    place = table["row"].to_numpy()
    made = {name: _dataset(table[part], names, target) for name, part in chosen.items()}
    keys = {name: table[part].select(_CONTEXT) for name, part in chosen.items()}
    train = made["train"]
    return Sample(
        **{name: replace(part, weight=part.weight / train.weight.mean()) for name, part in made.items()},
        keys=keys,
        span=_span(table, chosen) | {"known_until": known_before(spec, as_of)},
        accounts=account(rows, _with_split_losses(lost, place, parts, parts.validation[later.purged])),
        places={name: place[part].astype(np.int64) for name, part in chosen.items()},
        rows=features,
        effective_rows=_effective(keys["train"], spec, as_of, interval),
        window=window,
    )


def _effective(train: pl.DataFrame, spec: SplitSpec, as_of: datetime, interval: str) -> float:
    """Independent rows, fewer where old ones hardly count."""
    worth = independent_rows(train["open_time"], train["label_end"], milliseconds(interval))
    return worth * even_share(decay(train["open_time"], as_of, spec.half_life_days))


def _dataset(table: pl.DataFrame, names: Sequence[str], target: Target) -> Dataset:
    made = Dataset.from_frame(table, names, "label", "weight", target.objective)
    return replace(made, balanced=target.class_weight == "balanced")


def _halve(table: pl.DataFrame, parts: Parts, spec: SplitSpec, interval: str) -> Parts:
    """Cut the validation part in the middle of its time, purged at the border."""
    rows = table[parts.validation]
    begins, ends, _ = spans(rows["open_time"], rows["label_end"])
    middle = int(begins[0] + begins[-1]) // 2
    halves = cut(begins, ends, middle, NEVER, spec.purge * milliseconds(interval), 0)
    if not (len(halves.train) and len(halves.validation)):
        raise ConfigError(
            f"the split leaves {rows.height} rows for validation, {len(halves.train)} to stop fits by and "
            f"{len(halves.validation)} to score them; give it a longer history, a larger share of `validation`, or a "
            "shorter `purge`."
        )
    return halves


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
