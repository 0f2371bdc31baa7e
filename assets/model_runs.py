"""The MLflow run of a stored model: written once the lake has the model, found again by its digest."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import polars as pl

from assets.experiment import Plan, lake_partition
from assets.fits import CURVES
from assets.partitions import AsOfPartition
from assets.reuse import fit_card
from nightfold.models.bundle import read_manifest
from nightfold.record.table import thinned
from resources.lake import Lake
from resources.tracking import Series, Tracking

_POINTS_TRACKED = 50


def record_run(
    plan: Plan, lake: Lake, tracking: Tracking, member: str, partition: AsOfPartition, version: str
) -> dict[str, Any]:
    """Record the run of a model as it lies in the lake, and lead to it.

    A run that is there is left as it is, so that what a fit was cut off from is made up for by the next
    materialization. A model that goes on leads to the run of its fit.
    """
    with TemporaryDirectory() as scratch:
        folder = lake.fetch_folder(plan.key(member), lake_partition(partition), Path(scratch))
        manifest, fitted = read_manifest(folder / "bundle"), fit_card(folder).get("as_of", partition.window.key)
        place = (plan.name, member, fitted, partition.universe)
        if fitted == partition.window.key:
            run = tracking.log(*place, version, manifest, folder, _series(folder))
        else:
            run = tracking.find(*place, manifest.digest)
    return {} if run is None else {"mlflow_run": _link(tracking, run)}


def _series(folder: Path) -> Series:
    """Return the curves of a folder, by horizon and part, thinned; none where an older version left none."""
    if not (folder / CURVES).exists():
        return {}
    parts = thinned(pl.read_parquet(folder / CURVES), _POINTS_TRACKED).partition_by("horizon", "part", as_dict=True)
    return {f"h{horizon:02d}/{part}": rows.select("round", "score").rows() for (horizon, part), rows in parts.items()}


def _link(tracking: Tracking, run: str) -> dg.MetadataValue[Any]:
    """Lead from a model to its run, and say what serves it where no server does."""
    page = tracking.page(run)
    if tracking.command is None:
        return dg.MetadataValue.url(page)
    return dg.MetadataValue.md(f"[{run}]({page}), while `{tracking.command}` runs")
