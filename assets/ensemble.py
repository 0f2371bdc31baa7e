"""The ensemble of each as-of: members blended on rows none of them had seen, direction calibrated."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from assets.experiment import Plan, lake_partition
from assets.keys import asset_key
from assets.markdown import markdown_table, plotted
from assets.models import VALIDATION
from assets.partitions import AsOfPartition
from nightfold.ensemble.blend import blend
from nightfold.ensemble.calibrate import DirectionCalibrator
from nightfold.errors import LakeError
from nightfold.forecast import CLASSES
from nightfold.models.bundle import Bundle, load_bundle
from nightfold.models.contract import Probabilities
from nightfold.models.metrics import score
from nightfold.spec import fingerprint
from resources.lake import Lake

_SHOWN = ("horizon", "member", "log_loss", "macro_f1", "direction_gain")


def ensemble(plan: Plan, model_versions: dict[str, str]) -> tuple[dg.AssetsDefinition, str]:
    """Make `e/ensemble`, and return it with its code version."""
    spec = plan.experiment.ensemble
    members = spec.chosen(plan.experiment.models)
    version = plan.version("ensemble", spec.model_dump(mode="json"), *(model_versions[member] for member in members))

    @dg.asset(
        **plan.as_of_asset("ensemble"),
        deps=[asset_key(plan.key(member)) for member in members],
        code_version=version,
        kinds={"json"},
        description="Members blended; direction calibrated on validation rows, so that no skill means no direction.",
    )
    def asset(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult[None]:
        def make(partition: AsOfPartition, folder: Path) -> tuple[str, dict[str, Any]]:
            place = lake_partition(partition)
            with TemporaryDirectory() as scratch:
                stored = {m: lake.fetch_folder(plan.key(m), place, Path(scratch)) for m in members}
                versions = {m: str(lake.version(plan.key(m), place)) for m in members}
                _check_rows(plan, partition, stored)
                frames = {member: pl.read_parquet(path / VALIDATION) for member, path in stored.items()}
            calibrators, scores = _calibrate(frames, plan.experiment.target.horizons)
            document = {"members": versions, "calibrators": {h: c.model_dump() for h, c in calibrators.items()}}
            (folder / "ensemble.json").write_text(json.dumps(document, indent=1, sort_keys=True))
            chosen = scores.filter(pl.col("horizon") == plan.experiment.strategy.horizon)
            blended = chosen.filter(pl.col("member") == "ensemble")
            return fingerprint({"code": version, **document}), {
                **plotted(
                    {
                        "log_loss": blended["log_loss"].item(),
                        "direction_slope": calibrators[plan.experiment.strategy.horizon].slope,
                    }
                ),
                "scores": dg.MetadataValue.md(markdown_table(scores.select(_SHOWN))),
                "progress": f"log loss {blended['log_loss'].item():.4f}",
            }

        return plan.store(context, lake, "ensemble", make)

    return asset, version


def _check_rows(plan: Plan, partition: AsOfPartition, stored: dict[str, Path]) -> None:
    """Refuse members that were fitted on different rows: one was fitted again after the data changed, another not."""
    datasets = [load_bundle(path / "bundle").manifest.datasets for path in stored.values()]
    if any(each != datasets[0] for each in datasets):
        raise LakeError(
            f"{', '.join(stored)} as of {partition.window.key} were fitted on different rows; materialize all of them "
            f"again for this as-of, after `{plan.key('splits')}`."
        )


def _calibrate(
    frames: dict[str, pl.DataFrame], horizons: list[int]
) -> tuple[dict[int, DirectionCalibrator], pl.DataFrame]:
    calibrators, scores = {}, []
    for horizon in horizons:
        rows = {member: frame.filter(pl.col("horizon") == horizon) for member, frame in frames.items()}
        forecasts = {member: frame.select(CLASSES).to_numpy() for member, frame in rows.items()}
        blended = blend(list(forecasts.values()))
        first = next(iter(rows.values()))
        label = first["label"].to_numpy()
        calibrators[horizon] = DirectionCalibrator.fit(blended, label)
        for member, forecast in {**forecasts, "ensemble": blended}.items():
            scores.append({"horizon": horizon, "member": member, **score(forecast, label)})
    return calibrators, pl.DataFrame(scores)


@dataclass(frozen=True, slots=True)
class InForce:
    """An ensemble ready to forecast, and the names of what it is made of."""

    as_of: datetime
    version: str
    bundles: dict[str, Bundle]
    calibrators: dict[int, DirectionCalibrator]

    def predict(self, features: pl.DataFrame, horizon: int) -> tuple[Probabilities, dict[str, Probabilities]]:
        """Forecast complete feature rows: the calibrated blend, and each member by itself."""
        members = {
            name: bundle.predict(features.select(bundle.names), horizon) for name, bundle in self.bundles.items()
        }
        return self.calibrators[horizon].apply(np.asarray(blend(list(members.values())))), members


def load_ensemble(plan: Plan, lake: Lake, universe: str, as_of: str, scratch: Path) -> InForce:
    """Read a stored ensemble with its members."""
    place = f"universe={universe}/{as_of}"
    folder = lake.fetch_folder(plan.key("ensemble"), place, scratch)
    document = json.loads((folder / "ensemble.json").read_text())
    changed = [m for m, version in document["members"].items() if lake.version(plan.key(m), place) != version]
    if changed:
        raise LakeError(
            f"{', '.join(changed)} was fitted again after `{plan.key('ensemble')}` as of {as_of} was made; "
            "materialize the ensemble again for this as-of."
        )
    bundles = {m: load_bundle(lake.fetch_folder(plan.key(m), place, scratch) / "bundle") for m in document["members"]}
    calibrators = {
        int(horizon): DirectionCalibrator.model_validate(values) for horizon, values in document["calibrators"].items()
    }
    asked = plan.experiment.target.horizons
    if not (set(asked) <= set(calibrators) and all(set(each.names) <= set(plan.features) for each in bundles.values())):
        raise LakeError(
            f"`{plan.key('ensemble')}` as of {as_of} was made with other horizons or features than the experiment has "
            f"now; `nightfold backfill --layer train --experiment {plan.name}` makes it again."
        )
    version = str(lake.version(plan.key("ensemble"), place))
    return InForce(datetime.fromisoformat(f"{as_of}T00:00:00+00:00"), version, bundles, calibrators)
