"""What the UI shows of a fit: scores, how they came about, what the model looks at, and what it took."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets.experiment import Plan
from assets.heard import WARNINGS
from assets.markdown import markdown_table, plotted, upright_table
from assets.partitions import AsOfPartition
from assets.pictures import show_picture
from assets.tuning import TRIALS, stored_ledger
from nightfold.models.bundle import Bundle
from nightfold.models.score import CONSTANT
from nightfold.models.train import Trained
from nightfold.record.picture import curve_picture
from nightfold.record.table import curve_table, fold_table, importance_table, top_features
from nightfold.training import Sample
from resources.lake import Lake

CURVES, _IMPORTANCE, _FOLDS = "curves.parquet", "importance.parquet", "folds.parquet"
COST = "cpu_seconds.json"
"""What the fits took: beside the bundle and outside its version, since no two runs take the same."""
_FEATURES_SHOWN = 10


def write_record(folder: Path, trained: Mapping[int, Trained], samples: Mapping[int, Sample]) -> None:
    """Put curves, importance and folds beside the bundle, where they have no part in its version."""
    curve_table(trained).write_parquet(folder / CURVES)
    importance_table(trained).write_parquet(folder / _IMPORTANCE)
    fold_table(samples).write_parquet(folder / _FOLDS)


def write_trials(plan: Plan, lake: Lake, member: str, partition: AsOfPartition, folder: Path) -> None:
    """Put the trials of the search behind a member's settings beside its bundle."""
    searched = plan.experiment.tuning_window(partition.as_of)
    ledger = stored_ledger(plan, lake, f"universe={partition.universe}/{searched.key}")
    ledger.filter(subject=f"{plan.key(member)}/{partition.universe}").write_parquet(folder / TRIALS)


def copy_record(stored: Path, folder: Path) -> None:
    """Let a model that goes on take its record along; one of an older version may have none."""
    for name in (CURVES, _IMPORTANCE, _FOLDS, TRIALS, WARNINGS):
        if (stored / name).exists():
            shutil.copy(stored / name, folder / name)


def fit_metadata(
    plan: Plan, member: str, partition: AsOfPartition, bundle: Bundle, folder: Path, reports: Path
) -> dict[str, Any]:
    """Gather the scores of a bundle and, from its folder, what the fit left beside it."""
    features, curves = (
        pl.read_parquet(folder / name) if (folder / name).exists() else None for name in (_IMPORTANCE, CURVES)
    )
    shown: dict[str, Any] = {}
    if features is not None and features.height:
        top = top_features(features, _FEATURES_SHOWN).rename(lambda name: name if name == "feature" else f"{name} %")
        shown["top_features"] = dg.MetadataValue.md(markdown_table(top, digits=1))
    if curves is not None and curves.height:
        title = f"{plan.key(member)}, fitted as of {partition.window.key}"
        manifest, simulated = bundle.manifest, plan.universe.is_simulated
        drawn = curve_picture(curves, manifest.rounds, manifest.objective.metric, title, is_simulated=simulated)
        name = f"{plan.key(member)}/{partition.universe}/{partition.window.key}"
        shown["curves"] = show_picture(reports, name, "Score by round", drawn)
    return _scores(bundle) | shown


def taken_by(folder: Path) -> dict[str, Any]:
    """Tell what a fit took, whenever it was; a model that goes on took nothing."""
    cost = folder / COST
    return {"cpu_seconds": round(sum(json.loads(cost.read_text()).values()), 2)} if cost.exists() else {}


def _scores(bundle: Bundle) -> dict[str, Any]:
    """Numbers to plot of the longest horizon, and the scores of all."""
    metrics = bundle.manifest.metrics
    table = pl.DataFrame([{"horizon": horizon, **scores} for horizon, scores in metrics.items()])
    table = table.with_columns(pl.col("rows").cast(pl.Int64))
    last, metric = metrics[max(metrics)], bundle.manifest.objective.metric
    constant = CONSTANT[metric]
    more = {name: value for name, value in last.items() if name in {"direction_gain", "r2", "train_r2"}}
    return {
        "dagster/row_count": table["rows"].sum(),
        **plotted({metric: last[metric], constant: last[constant], **more}),
        "digest": bundle.digest[:16],
        "validation": dg.MetadataValue.md(upright_table(table, "horizon")),
        "progress": f"{spoken(metric)} {last[metric]:.4g} ({spoken(constant[len(metric) :])} {last[constant]:.4g})",
    }


def spoken(name: str) -> str:
    """Turn a measure's name into words."""
    return name.replace("_", " ").strip()
