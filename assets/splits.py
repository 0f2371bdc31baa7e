"""The purged split of each as-of: which rows train, which validate, and where the others went."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets.experiment import Plan
from assets.keys import asset_key
from assets.markdown import markdown_table
from assets.partitions import AsOfPartition, data_to_as_of
from nightfold.spec import fingerprint
from nightfold.training import Sample
from resources.lake import Lake


def splits(plan: Plan) -> tuple[dg.AssetsDefinition, str]:
    """Make `e/splits`, and return it with its code version."""
    experiment = plan.experiment
    settings = experiment.model_dump(mode="json", include={"split", "features", "target", "symbols", "pooling"})
    version = plan.version(1, settings, plan.data_versions["features"], plan.data_versions["labels"])
    mapping = data_to_as_of(plan.universe, experiment, plan.reach)
    upstream = [asset_key(plan.data(name)) for name in ("features", plan.label_set.name)]

    @dg.asset(
        **plan.as_of_asset("splits"),
        deps=[dg.AssetDep(key, partition_mapping=mapping) for key in upstream],
        code_version=version,
        kinds={"json"},
        description="Train and validation rows of each as-of, purged and embargoed, with an account of lost bars.",
    )
    def asset(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult[None]:
        def make(partition: AsOfPartition, folder: Path) -> tuple[str, dict[str, Any]]:
            return _write(plan, plan.samples(lake, partition), folder)

        return plan.store(context, lake, "splits", make)

    return asset, version


def _write(plan: Plan, samples: dict[int, Sample], folder: Path) -> tuple[str, dict[str, Any]]:
    document = {str(horizon): sample.plan() for horizon, sample in samples.items()}
    (folder / "split.json").write_text(json.dumps(document, indent=1, sort_keys=True))
    last = samples[plan.experiment.strategy.horizon]
    lost = last.accounts.group_by("reason", maintain_order=True).agg(pl.col("rows").sum())
    metadata = {
        "train_rows": len(last.train),
        "validation_rows": len(last.validation),
        "where_bars_went": dg.MetadataValue.md(markdown_table(lost)),
        **{name: dg.MetadataValue.text(moment.isoformat()) for name, moment in last.span.items()},
        "progress": f"{len(last.train)} train, {len(last.validation)} validation rows",
    }
    return fingerprint(document), metadata


def stored_split(plan: Plan, lake: Lake, place: str, scratch: Path) -> dict[int, dict[str, Any]]:
    """Read the stored split of an as-of, by horizon."""
    folder = lake.fetch_folder(plan.key("splits"), place, scratch)
    document = json.loads((folder / "split.json").read_text())
    return {int(horizon): split for horizon, split in document.items()}
