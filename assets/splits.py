"""The purged split of each as-of: which rows train, which validate, and where the others went."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import polars as pl

from assets.experiment import Plan
from assets.keys import asset_key
from assets.markdown import markdown_table, plotted
from assets.partitions import AsOfPartition, data_to_as_of
from assets.pictures import show_picture
from nightfold.errors import ConfigError
from nightfold.labels.account import account_table
from nightfold.labels.waterfall import waterfall_svg
from nightfold.parts import scaled_parts, scaled_rows
from nightfold.spec import fingerprint
from nightfold.splits.overlap import FEWEST_BEYOND, thin_levels
from nightfold.timeout import TimeoutReturns
from nightfold.training import Sample
from nightfold.window import parse_moment, window_of
from resources.lake import Lake

_CODE = (
    "splits training row_weight target timeout parts labels.account "
    "models.rows models.window models.dataset models.score"
)
"""What decides which rows there are, and what is told of them."""


class SplitConfig(dg.Config):
    """What is stored of a split."""

    parts: bool = False
    """Also store its rows, as Parquet files with scaled features, labels and weights."""


def splits(plan: Plan) -> tuple[dg.AssetsDefinition, str]:
    """Make `e/splits`, and return it with its code version."""
    experiment = plan.experiment
    version = plan.version(_CODE, plan.sampling, *plan.input_versions)
    mapping = data_to_as_of(plan.universe, experiment, plan.reach)
    upstream = [asset_key(plan.data(name)) for name in (*plan.inputs, *plan.relabels_from)]

    @dg.asset(
        **plan.as_of_asset("splits"),
        deps=[dg.AssetDep(key, partition_mapping=mapping) for key in upstream],
        code_version=version,
        kinds={"json"},
        description="Train and validation rows of each as-of, purged and embargoed, with an account of lost bars.",
    )
    def asset(
        context: dg.AssetExecutionContext,
        config: SplitConfig,
        lake: dg.ResourceParam[Lake],
        reports: dg.ResourceParam[Path],
    ) -> dg.MaterializeResult[None]:
        def make(partition: AsOfPartition, folder: Path) -> tuple[str, dict[str, Any]]:
            samples = plan.samples(lake, partition)
            version, metadata = _write(plan, samples, plan.timeouts(lake, partition, samples), folder)
            if config.parts:
                for horizon, sample in samples.items():
                    save_parts(sample, folder / f"h{horizon:02d}")
            return version, metadata | _picture(plan, partition, samples[plan.experiment.strategy.horizon], reports)

        return plan.store(context, lake, "splits", make)

    return asset, version


def _write(
    plan: Plan, samples: dict[int, Sample], timeouts: dict[int, TimeoutReturns], folder: Path
) -> tuple[str, dict[str, Any]]:
    document = {str(horizon): sample.plan() for horizon, sample in samples.items()}
    for horizon, returns in timeouts.items():
        document[str(horizon)]["timeouts"] = returns.model_dump()
    (folder / "split.json").write_text(json.dumps(document, indent=1, sort_keys=True))
    last = samples[plan.experiment.strategy.horizon]
    metadata = {
        "train_rows": len(last.train),
        "validation_rows": len(last.validation),
        **plotted({"effective_rows": last.effective_rows}),
        **_thin(plan, last),
        "where_bars_went": dg.MetadataValue.md(markdown_table(account_table(last.accounts))),
        **{name: dg.MetadataValue.text(moment.isoformat()) for name, moment in last.span.items()},
        "progress": f"{len(last.train)} train rows worth {last.effective_rows:.0f} independent ones, "
        f"{len(last.validation)} validation rows",
    }
    return fingerprint(document), metadata


def _thin(plan: Plan, sample: Sample) -> dict[str, Any]:
    """Flag quantiles that so few independent rows can hardly tell."""
    objective = plan.experiment.target.objective
    levels = thin_levels(objective.quantiles, sample.effective_rows) if objective.task == "quantile" else []
    if not levels:
        return {}
    named = ", ".join(f"{level:g}" for level in levels)
    few = f"under {FEWEST_BEYOND} of {sample.effective_rows:.0f} independent rows lie beyond it"
    return {"thin_quantiles": f"{named}: {few}; take a longer window"}


def save_parts(sample: Sample, folder: Path) -> None:
    """Write train, stopping and validation rows, scaled by the training rows."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in scaled_parts(sample):
        frame.write_parquet(folder / f"{name}_scaled.parquet")


def save_samples(plan: Plan, lake: Lake, as_of: str | None, folder: Path) -> Iterator[tuple[Path, int]]:
    """Write the parts of an as-of, the test rows among them, and yield each file with its rows.

    Test rows are those of the period in which the models of that as-of are in force, as far as their labels are known.
    """
    target = plan.experiment.target
    for universe in plan.experiment.universe_keys(plan.symbols):
        partition = stored_as_of(plan, lake, universe, as_of)
        test = plan.rows(lake, partition.universe, partition.window.start, partition.window.end)
        for horizon, sample in plan.samples(lake, partition).items():
            place = folder / f"{plan.name}_{partition.window.key}_{universe}_h{horizon:02d}"
            save_parts(sample, place)
            scaled_rows(sample, test, target, horizon).write_parquet(place / "test_scaled.parquet")
            for path in sorted(place.iterdir()):
                yield path, pl.read_parquet(path, columns=["label"]).height


def _picture(plan: Plan, partition: AsOfPartition, sample: Sample, reports: Path) -> dict[str, Any]:
    title = f"{plan.name} as of {partition.window.key}, {plan.experiment.strategy.horizon} bars ahead"
    drawn = waterfall_svg(sample.accounts, title, is_simulated=plan.universe.is_simulated)
    name = f"{plan.key('splits')}/{partition.universe}/{partition.window.key}"
    return {"samples": show_picture(reports, name, "Where the bars went", drawn)}


def stored_split(plan: Plan, lake: Lake, place: str, scratch: Path) -> dict[int, dict[str, Any]]:
    """Read the stored split of an as-of, by horizon."""
    folder = lake.fetch_folder(plan.key("splits"), place, scratch)
    document = json.loads((folder / "split.json").read_text())
    return {int(horizon): split for horizon, split in document.items()}


def stored_account(
    plan: Plan, lake: Lake, as_of: str | None = None, horizon: int | None = None
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield a title and the `account_table` of each universe key's stored split: of one as-of, or the newest.

    Raises
    ------
    ConfigError
        If no split is stored, or none for this as-of or horizon.
    """
    wanted = plan.experiment.strategy.horizon if horizon is None else horizon
    for universe in plan.experiment.universe_keys(plan.symbols):
        day = stored_as_of(plan, lake, universe, as_of).window.key
        with TemporaryDirectory() as scratch:
            splits = stored_split(plan, lake, f"universe={universe}/{day}", Path(scratch))
        if wanted not in splits:
            raise ConfigError(f"`horizon` is {wanted}; {plan.name} learns {', '.join(map(str, splits))}.")
        title = f"{plan.name} as of {day}, {universe}, {wanted} bars ahead"
        yield title, account_table(pl.DataFrame(splits[wanted]["account"]))


def stored_as_of(plan: Plan, lake: Lake, universe: str, as_of: str | None) -> AsOfPartition:
    """Find a stored split: of one as-of, or the newest.

    Raises
    ------
    ConfigError
        If none is stored, or none for this as-of.
    """
    stored = lake.as_ofs(plan.key("splits"), universe)
    day = as_of or (stored[-1] if stored else None)
    if day is None or day not in stored:
        what = f"as of {as_of}" if as_of else "yet"
        known = f"stored: {', '.join(stored[-5:])}" if stored else f"`nightfold run --experiment {plan.name}` makes it"
        raise ConfigError(f"{plan.name} has no split of {universe} {what}; {known}.")
    return AsOfPartition(window_of(parse_moment(day, "as_of"), plan.experiment.retrain), universe)
