"""Members that retrain less often than their experiment: the model goes on, its forecasts of new rows join the old."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from assets.experiment import Plan
from assets.fits import copy_record
from assets.partitions import AsOfPartition
from nightfold.experiment import ModelChoice
from nightfold.models.bundle import Bundle, load_bundle
from nightfold.schema import KEY, TIME, Table
from nightfold.splits.as_of import known_before
from nightfold.training import Sample
from nightfold.window import parse_moment, window_of
from resources.lake import Lake

FITTED = "fitted.json"
VALIDATION = "validation.parquet"


@dataclass(frozen=True, slots=True)
class EarlierFit:
    """A stored model that goes on."""

    stored: str
    """The as-of under which it was stored last."""
    as_of: str
    """The as-of at which it was fitted."""
    version: str


def earlier_fit(
    plan: Plan, lake: Lake, member: str, choice: ModelChoice, partition: AsOfPartition, code: str
) -> EarlierFit | None:
    """Find the model that goes on at an as-of; none where the member is due, or was fitted by other code."""
    if choice.retrain is None:
        return None
    period = window_of(partition.as_of, choice.retrain)
    for as_of in reversed(lake.as_ofs(plan.key(member), partition.universe)):
        if not period.start <= parse_moment(as_of, "as_of") < partition.as_of:
            continue
        place = f"universe={partition.universe}/{as_of}"
        with TemporaryDirectory() as scratch:
            card = fit_card(lake.fetch_folder(plan.key(member), place, Path(scratch)))
        if card.get("code") == code:
            return EarlierFit(as_of, card["as_of"], str(lake.version(plan.key(member), place)))
    return None


def fit_card(folder: Path) -> dict[str, str]:
    """Read when and by which ``code`` and ``settings`` a stored model was fitted; one of an older version says less."""
    card = folder / FITTED
    return dict(json.loads(card.read_text())) if card.exists() else {}


def go_on(
    plan: Plan,
    lake: Lake,
    member: str,
    partition: AsOfPartition,
    earlier: EarlierFit,
    samples: Mapping[int, Sample],
    table: Table,
    folder: Path,
) -> Bundle:
    """Store the model of an earlier as-of under this one.

    Its forecasts of this as-of's validation rows are those it made before, and new ones of the bars since it came into
    force: both out of sample. Validation rows that it had learnt from have none.
    """
    with TemporaryDirectory() as scratch:
        stored = lake.fetch_folder(plan.key(member), f"universe={partition.universe}/{earlier.stored}", Path(scratch))
        shutil.copytree(stored / "bundle", folder / "bundle")
        shutil.copy(stored / FITTED, folder / FITTED)
        copy_record(stored, folder)
        before = pl.read_parquet(stored / VALIDATION)
    bundle, came = load_bundle(folder / "bundle"), parse_moment(earlier.as_of, "as_of")
    frames = [_forecast(plan, bundle, sample, horizon, before, came) for horizon, sample in samples.items()]
    table.validate(table.conform(pl.concat(frames))).write_parquet(folder / VALIDATION)
    return bundle


def _forecast(
    plan: Plan, bundle: Bundle, sample: Sample, horizon: int, before: pl.DataFrame, came: datetime
) -> pl.DataFrame:
    keys = sample.keys["validation"].with_row_index("place")
    columns = list(sample.train.objective.columns)
    old = before.filter(pl.col("horizon") == horizon).select(*KEY, "learnt_until", *columns)
    new = keys.filter(pl.col("open_time") >= came).join(old, on=KEY, how="anti", maintain_order="left")
    rows = sample.rows.take(sample.places["validation"][new["place"].to_numpy()])
    said = bundle.predict_features(rows.features(bundle.names, bundle.window), horizon)
    until = known_before(plan.experiment.split, came)
    fresh = new.select(KEY).with_columns(
        pl.lit(until, TIME).alias("learnt_until"),
        *(pl.Series(name, values) for name, values in zip(columns, said.T, strict=True)),
    )
    joined = keys.drop("place").join(pl.concat([old, fresh]), on=KEY, maintain_order="left")
    ordered = [*sample.keys["validation"].columns, "horizon", "learnt_until", *columns]
    return joined.with_columns(pl.lit(horizon, pl.Int32).alias("horizon")).select(ordered)
