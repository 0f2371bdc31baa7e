"""One asset per member model: fitted per as-of on what was known before it, and scored on purged validation rows."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import polars as pl

from assets.experiment import Plan, lake_partition
from assets.fits import COST, fit_metadata, taken_by, write_record, write_trials
from assets.frame_type import table_metadata
from assets.heard import heard, warned
from assets.keys import asset_key, code_version
from assets.model_runs import record_run
from assets.partitions import AsOfPartition
from assets.reuse import FITTED, VALIDATION, earlier_fit, go_on
from assets.splits import stored_split
from assets.tuning import search_deps, tuned_choice
from nightfold.ensemble.out_of_fold import out_of_fold
from nightfold.errors import LakeError
from nightfold.experiment import ModelChoice
from nightfold.features.select import row_lookback
from nightfold.forecast import forecast_columns
from nightfold.models.bundle import Bundle, load_bundle, save_bundle
from nightfold.models.catalog import find_model
from nightfold.models.dataset import Dataset
from nightfold.models.objective import Objective
from nightfold.models.pretrained.knowledge import possibly_seen
from nightfold.models.train import Trained, forecast_blocks, train_model
from nightfold.schema import TIME, Column, Table
from nightfold.spec import fingerprint
from nightfold.training import Sample
from resources.lake import Lake
from resources.tracking import Tracking

_FIT_THREADS = 2


def validation_table(objective: Objective) -> Table:
    """Describe the forecasts of validation rows that stand beside a model."""
    said = forecast_columns(objective)
    return Table(
        "validation",
        {
            "symbol": Column(pl.String, "Spot BTCUSDT, perpetual BTCUSDT.P."),
            "open_time": Column(TIME, "Start of the bar whose close the forecast was made at, UTC."),
            "label_end": Column(TIME, "When its label became known, UTC."),
            "label": Column(pl.Float64, "What came."),
            "weight": Column(pl.Float64, "What the row would count in training.", minimum=0),
            "horizon": Column(pl.Int32, "Bars ahead.", minimum=1),
            "learnt_until": Column(
                TIME,
                "Latest label end its model had learnt from, UTC; none: purged.",
                nullable=True,
            ),
            **said,
        },
        key=(),
        unique=False,
    )


class TrainConfig(dg.Config):
    """How models are fitted."""

    force: bool = False
    """Fit again although the same rows and settings are already fitted."""


def model(plan: Plan, member: str, choice: ModelChoice, *above: str) -> tuple[dg.AssetsDefinition, str]:
    """Make `e/<member>`, and return it with its code version; ``above`` are those of split and search."""
    settings = {"model": choice.model_dump(mode="json", exclude={"tuning"}), "seed": plan.experiment.seed}
    settings |= plan.sampling
    refits = plan.experiment.ensemble.refits and member in plan.experiment.ensemble.chosen(plan.experiment.models)
    if refits:
        settings |= plan.experiment.ensemble.model_dump(mode="json", include={"oof", "oof_blocks", "oof_share"})
    code = "models ensemble.out_of_fold splits" if refits else "models"
    own_version = code_version(code, settings)
    made_by = {"code": own_version, "settings": fingerprint(settings)}
    version = plan.version(code, settings, *above)
    table = validation_table(plan.experiment.target.objective)

    @dg.asset(
        **plan.as_of_asset(member),
        deps=[asset_key(plan.key("splits")), *search_deps(plan, choice)],
        code_version=version,
        kinds={choice.model, find_model(choice.model).family.replace(" ", "_"), "mlflow"},
        metadata={**table_metadata(table), **choice.spec.model_dump(mode="json")},
        description=f"`{choice.model}` fitted on what was known before each as-of, one model per horizon; the "
        "columns are those of its forecasts of the validation rows.",
    )
    def asset(
        context: dg.AssetExecutionContext,
        config: TrainConfig,
        lake: dg.ResourceParam[Lake],
        tracking: dg.ResourceParam[Tracking],
        reports: dg.ResourceParam[Path],
        scratch: dg.ResourceParam[Path],
    ) -> dg.MaterializeResult[None]:
        def shown(partition: AsOfPartition, bundle: Bundle, folder: Path) -> dict[str, Any]:
            seen = possibly_seen({member: choice}, partition.as_of.date())
            marked = {"possibly_seen": seen[member]} if seen else {}
            scores = fit_metadata(plan, member, partition, bundle, folder, reports)
            return scores | marked | warned(folder) | taken_by(folder)

        def make(partition: AsOfPartition, folder: Path) -> tuple[str, dict[str, Any]]:
            samples = plan.samples(lake, partition)
            datasets = _promised(plan, lake, partition, samples)
            chosen = tuned_choice(plan, lake, member, choice, partition)
            tuned = {"spec": chosen.spec.fingerprint} if choice.tuning else {}
            wanted = fingerprint({"code": own_version, "datasets": datasets, **tuned})
            if not config.force and lake.version(plan.key(member), lake_partition(partition)) == wanted:
                with TemporaryDirectory() as local:
                    stored = lake.fetch_folder(plan.key(member), lake_partition(partition), Path(local))
                    known = shown(partition, load_bundle(stored / "bundle"), stored)
                    return wanted, known | {"progress": "already fitted"}
            earlier = earlier_fit(plan, lake, member, choice, partition, own_version)
            if earlier is not None:
                bundle = go_on(plan, lake, member, partition, earlier, samples, table, folder)
                goes_on = {"fitted_as_of": earlier.as_of, "progress": f"as fitted {earlier.as_of}"}
                known = shown(partition, bundle, folder) | goes_on
                return fingerprint({"goes on": earlier.version, "datasets": datasets}), known
            trained = _fit(plan, chosen, samples, scratch / "fits")
            bundle = save_bundle(folder / "bundle", trained)
            forecasts = [_validation_frame(trained, samples)]
            if refits:
                with heard(context, folder):
                    forecasts = [_block_frame(plan, chosen, trained[h], sample, h) for h, sample in samples.items()]
            table.validate(table.conform(pl.concat(forecasts))).write_parquet(folder / VALIDATION)
            cost = {horizon: round(item.seconds, 3) for horizon, item in trained.items()}
            (folder / COST).write_text(json.dumps(cost))
            (folder / FITTED).write_text(json.dumps({"as_of": partition.window.key, **made_by}))
            write_record(folder, trained, samples)
            if choice.tuning:
                write_trials(plan, lake, member, partition, folder)
            return wanted, shown(partition, bundle, folder)

        def track(partition: AsOfPartition, version: str) -> dict[str, Any]:
            return record_run(plan, lake, tracking, member, partition, version)

        return plan.store(context, lake, member, make, track)

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


def _fit(plan: Plan, choice: ModelChoice, samples: Mapping[int, Sample], scratch: Path) -> dict[int, Trained]:
    refit = plan.experiment.split.refit == "full"

    def fit(sample: Sample) -> Trained:
        return train_model(
            find_model(choice.model),
            choice.spec,
            **sample.windowed(choice.window),
            refit=refit,
            seed=plan.experiment.seed,
            scratch=scratch,
        )

    with ThreadPoolExecutor(_FIT_THREADS) as pool:
        return dict(zip(samples, pool.map(fit, samples.values()), strict=True))


def _validation_frame(trained: Mapping[int, Trained], samples: Mapping[int, Sample]) -> pl.DataFrame:
    """Out-of-sample forecasts of the validation rows, by the models that had not seen them."""
    columns = next(iter(samples.values())).train.objective.columns
    return pl.concat(
        samples[horizon]
        .keys["validation"]
        .with_columns(
            pl.lit(horizon, pl.Int32).alias("horizon"),
            pl.lit(samples[horizon].learnt_until, TIME).alias("learnt_until"),
            *(pl.Series(name, values) for name, values in zip(columns, item.validation_prediction.T, strict=True)),
        )
        for horizon, item in trained.items()
    )


def _block_frame(plan: Plan, choice: ModelChoice, trained: Trained, sample: Sample, horizon: int) -> pl.DataFrame:
    """Out-of-sample forecasts of more rows than the validation part, each by a fit of its own."""
    parts, split = sample.windowed(choice.window), plan.experiment.split
    keys, rows = pl.concat(sample.keys[name] for name in parts), reduce(Dataset.join, parts.values())
    blocks = out_of_fold(
        keys["open_time"],
        keys["label_end"],
        plan.experiment.ensemble,
        purge=split.purge,
        embargo=split.embargo,
        interval=plan.interval,
        lookback=row_lookback(plan.features, choice.window),
    )
    pairs = [(block.train, block.predicted) for block in blocks]
    said = forecast_blocks(find_model(choice.model), trained.model.refit_spec, rows, pairs, plan.experiment.seed)
    columns = sample.train.objective.columns
    return pl.concat(
        keys[block.predicted].with_columns(
            pl.lit(horizon, pl.Int32).alias("horizon"),
            pl.lit(block.learnt_until, pl.Int64).cast(TIME).alias("learnt_until"),
            *(pl.Series(name, values) for name, values in zip(columns, forecast.T, strict=True)),
        )
        for block, forecast in zip(blocks, said, strict=True)
    )
