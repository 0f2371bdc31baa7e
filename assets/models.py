"""One asset per member model: fitted per as-of on what was known before it, and scored on purged validation rows."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import polars as pl

from assets.experiment import Plan, lake_partition
from assets.frame_type import table_metadata
from assets.keys import asset_key, code_version
from assets.markdown import plotted, upright_table
from assets.partitions import AsOfPartition
from assets.splits import stored_split
from nightfold.errors import LakeError
from nightfold.experiment import ModelChoice
from nightfold.forecast import CLASSES, MEANING
from nightfold.models.bundle import Bundle, load_bundle, save_bundle
from nightfold.models.catalog import MODELS
from nightfold.models.train import Trained, train_model
from nightfold.schema import TIME, Column, Table
from nightfold.spec import fingerprint
from nightfold.training import Sample
from resources.lake import Lake
from resources.tracking import Tracking

_FIT_THREADS = 2
VALIDATION = "validation.parquet"
VALIDATION_ROWS = Table(
    "validation",
    {
        "symbol": Column(pl.String, "Spot BTCUSDT, perpetual BTCUSDT.P."),
        "open_time": Column(TIME, "Start of the bar whose close the forecast was made at, UTC."),
        "label_end": Column(TIME, "When its label became known, UTC."),
        "label": Column(pl.Int8, "What came: 1 up, 0 flat, -1 down.", minimum=-1, maximum=1),
        "weight": Column(pl.Float64, "What the row would count in training.", minimum=0),
        "horizon": Column(pl.Int32, "Bars ahead.", minimum=1),
        **{
            name: Column(pl.Float64, f"Probability that {MEANING[name]}.", minimum=0, maximum=1 + 1e-9)
            for name in CLASSES
        },
    },
    key=(),
    unique=False,
)


class TrainConfig(dg.Config):
    """How models are fitted."""

    force: bool = False
    """Fit again although the same rows and settings are already fitted."""


def model(plan: Plan, member: str, choice: ModelChoice, splits_version: str) -> tuple[dg.AssetsDefinition, str]:
    """Make `e/<member>`, and return it with its code version."""
    settings = {"model": choice.model_dump(mode="json"), "seed": plan.experiment.seed}
    settings |= {"refit": plan.experiment.split.refit}
    own_version = code_version("models", settings)
    version = plan.version("models", settings, splits_version)

    @dg.asset(
        **plan.as_of_asset(member),
        deps=[asset_key(plan.key("splits"))],
        code_version=version,
        kinds={choice.model, MODELS[choice.model].family, "mlflow"},
        metadata={**table_metadata(VALIDATION_ROWS), **choice.spec.model_dump(mode="json")},
        description=f"`{choice.model}` fitted on what was known before each as-of, one model per horizon; the "
        "columns are those of its forecasts of the validation rows.",
    )
    def asset(
        context: dg.AssetExecutionContext,
        config: TrainConfig,
        lake: dg.ResourceParam[Lake],
        tracking: dg.ResourceParam[Tracking],
    ) -> dg.MaterializeResult[None]:
        def make(partition: AsOfPartition, folder: Path) -> tuple[str, dict[str, Any]]:
            samples = plan.samples(lake, partition)
            datasets = _promised(plan, lake, partition, samples)
            wanted = fingerprint({"code": own_version, "datasets": datasets})
            if not config.force and lake.version(plan.key(member), lake_partition(partition)) == wanted:
                with TemporaryDirectory() as scratch:
                    stored = lake.fetch_folder(plan.key(member), lake_partition(partition), Path(scratch))
                    return wanted, _metadata(load_bundle(stored / "bundle")) | {"progress": "already fitted"}
            trained = _fit(plan, choice, samples)
            bundle = save_bundle(folder / "bundle", trained)
            VALIDATION_ROWS.validate(_validation_frame(trained, samples)).write_parquet(folder / VALIDATION)
            run = tracking.log(plan.name, member, partition.window.key, partition.universe, wanted, bundle, folder)
            fitted = {"cpu_seconds": round(sum(item.seconds for item in trained.values()), 2)}
            return wanted, _metadata(bundle) | fitted | ({"mlflow_run": run} if run else {})

        return plan.store(context, lake, member, make)

    return asset, version


def _promised(plan: Plan, lake: Lake, partition: AsOfPartition, samples: Mapping[int, Sample]) -> list[str]:
    """Dataset fingerprints, refused where the lake changed since the split was made."""
    datasets = {horizon: sample.fingerprint for horizon, sample in samples.items()}
    with TemporaryDirectory() as scratch:
        promised = stored_split(plan, lake, lake_partition(partition), Path(scratch))
    if datasets != {horizon: split["fingerprint"] for horizon, split in promised.items()}:
        raise LakeError(
            f"the rows before {partition.window.key} changed since `{plan.key('splits')}` was made; "
            "materialize it again for this as-of, then the models."
        )
    return list(datasets.values())


def _fit(plan: Plan, choice: ModelChoice, samples: Mapping[int, Sample]) -> dict[int, Trained]:
    refit = plan.experiment.split.refit == "full"

    def fit(sample: Sample) -> Trained:
        entry = MODELS[choice.model]
        return train_model(
            entry,
            choice.spec,
            sample.train,
            sample.validation,
            stopping=sample.stopping,
            refit=refit,
            seed=plan.experiment.seed,
        )

    with ThreadPoolExecutor(_FIT_THREADS) as pool:
        return dict(zip(samples, pool.map(fit, samples.values()), strict=True))


def _validation_frame(trained: Mapping[int, Trained], samples: Mapping[int, Sample]) -> pl.DataFrame:
    """Out-of-sample forecasts of the validation rows, by the models that had not seen them."""
    return pl.concat(
        samples[horizon].validation_rows.with_columns(
            pl.lit(horizon, pl.Int32).alias("horizon"),
            *(pl.Series(name, item.validation_probabilities[:, column]) for column, name in enumerate(CLASSES)),
        )
        for horizon, item in trained.items()
    )


def _metadata(bundle: Bundle) -> dict[str, Any]:
    """Numbers to plot of the longest horizon, and the scores of all."""
    metrics = bundle.manifest.metrics
    table = pl.DataFrame([{"horizon": horizon, **scores} for horizon, scores in metrics.items()])
    table = table.with_columns(pl.col("rows").cast(pl.Int64))
    last = metrics[max(metrics)]
    return {
        "dagster/row_count": table["rows"].sum(),
        **plotted({name: last[name] for name in ("log_loss", "log_loss_class_frequencies", "direction_gain")}),
        "digest": bundle.digest[:16],
        "validation": dg.MetadataValue.md(upright_table(table, "horizon")),
        "progress": f"log loss {last['log_loss']:.4f} (class frequencies {last['log_loss_class_frequencies']:.4f})",
    }
