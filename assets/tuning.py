"""The searches of an experiment: settings of its models, found on rows known before an as-of, with every trial kept."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import polars as pl

from assets.experiment import Plan, lake_partition
from assets.frame_type import table_metadata
from assets.heard import heard, warned
from assets.keys import asset_key, code_version
from assets.markdown import markdown_table, plotted
from assets.partitions import AsOfPartition, data_to_as_of, tuning_partitions, tuning_to_as_of
from assets.pictures import show_picture
from nightfold.errors import LakeError
from nightfold.experiment import ModelChoice
from nightfold.features.select import row_lookback
from nightfold.models.catalog import find_model
from nightfold.models.contract import ModelSpec
from nightfold.models.dataset import Dataset
from nightfold.spec import fingerprint
from nightfold.training import Sample
from nightfold.tuning.fold import TuningRows
from nightfold.tuning.ledger import LEDGER, configuration, configurations, ledger_rows, merged, sharpe_variance
from nightfold.tuning.luck import winner_luck
from nightfold.tuning.picture import tuning_picture
from nightfold.tuning.search import Search, tune
from nightfold.tuning.selection import BEST_CONFIG, as_text, best_config
from nightfold.window import parse_moment
from resources.lake import Lake

STAGE = "tuning"
_CODE = "models tuning splits training row_weight target"
TRIALS = "trials.parquet"

_WORKERS = 2
_SHOWN = 12


class TuneConfig(dg.Config):
    """How searches are made."""

    force: bool = False
    """Search again although the same rows and settings were searched."""


def tuning(plan: Plan) -> tuple[dg.AssetsDefinition, str]:
    """Make `e/tuning`, and return it with its code version."""
    experiment = plan.experiment
    settings = experiment.model_dump(mode="json", include={"models", "seed", "retune"})
    settings["models"] = {member: settings["models"][member] for member in experiment.tuned}
    settings |= {**plan.sampling, "symbols": plan.symbols, "horizon": experiment.strategy.horizon}
    own_version = code_version(_CODE, settings)
    version = plan.version(_CODE, settings, *plan.input_versions)
    length = experiment.retrain if experiment.retune == "once" else experiment.retune
    mapping = data_to_as_of(plan.universe, experiment, plan.reach, length)
    upstream = [*plan.inputs, *plan.relabels_from]

    @dg.asset(
        **plan.common(STAGE, "tune"),
        partitions_def=tuning_partitions(plan.universe, experiment),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[dg.AssetDep(asset_key(plan.data(name)), partition_mapping=mapping) for name in upstream],
        code_version=version,
        kinds={"optuna"},
        metadata=table_metadata(LEDGER),
        description="Settings of models, searched on inner folds of what was known before; every trial is kept, since "
        "each makes the best look better by luck.",
    )
    def asset(
        context: dg.AssetExecutionContext,
        config: TuneConfig,
        lake: dg.ResourceParam[Lake],
        reports: dg.ResourceParam[Path],
        scratch: dg.ResourceParam[Path],
    ) -> dg.MaterializeResult[None]:
        def make(partition: AsOfPartition, folder: Path) -> tuple[str, dict[str, Any]]:
            rows = _rows(plan, lake, partition)
            place = lake_partition(partition)
            wanted = fingerprint({"code": own_version, "rows": {name: each.fingerprint for name, each in rows.items()}})
            stored = stored_ledger(plan, lake, place)
            if not config.force and lake.version(plan.key(STAGE), place) == wanted:
                known = _luck(plan, partition, stored, _stored_winners(plan, lake, place, rows))
                known |= _stored_warning(plan, lake, place)
                return wanted, _counts(stored) | known | {"progress": "already searched"}
            journal = scratch / "studies" / plan.name / own_version  # other code, other scores
            if config.force:
                _forget(journal)
            with heard(context, folder):
                searches = {member: _search(plan, member, rows[member], journal) for member in rows}
            ledger = merged(stored, _ledger(plan, partition, searches))
            LEDGER.validate(ledger).write_parquet(folder / TRIALS)
            for member, search in searches.items():
                (folder / member).mkdir()
                (folder / member / BEST_CONFIG).write_text(_best(plan, member, partition, search))
            winners = {member: search.best.spec for member, search in searches.items()}
            told = _counts(ledger) | _luck(plan, partition, ledger, winners) | warned(folder)
            return wanted, told | _found(searches) | _picture(plan, partition, searches, reports)

        return plan.store(context, lake, STAGE, make)

    return asset, version


def search_deps(plan: Plan, choice: ModelChoice) -> list[dg.AssetDep]:
    """Return the edge from the search to a model whose settings come from it; none for others."""
    if choice.tuning is None:
        return []
    return [dg.AssetDep(asset_key(plan.key(STAGE)), partition_mapping=tuning_to_as_of(plan.experiment))]


def tuned_choice(plan: Plan, lake: Lake, member: str, choice: ModelChoice, partition: AsOfPartition) -> ModelChoice:
    """Put the configuration in force at an as-of into a member's settings; as they stand where none is searched.

    Raises
    ------
    LakeError
        If the search was not made, or looked at rows that were not known yet.
    """
    if choice.tuning is None:
        return choice
    window = plan.experiment.tuning_window(partition.as_of)
    place = f"universe={partition.universe}/{window.key}"
    if lake.version(plan.key(STAGE), place) is None:
        raise LakeError(
            f"`{plan.key(STAGE)}` of {partition.universe} was not made as of {window.key}, and the models as of "
            f"{partition.window.key} need its settings; `nightfold backfill --layer tune --experiment {plan.name}` "
            "makes it."
        )
    with TemporaryDirectory() as scratch:
        stored = lake.fetch_folder(plan.key(STAGE), place, Path(scratch))
        found = json.loads((stored / member / BEST_CONFIG).read_text())
    if parse_moment(found["date"], "date") > partition.as_of:
        raise LakeError(
            f"the settings of `{plan.key(member)}` were found on rows before {found['date']}, which is after the as-of "
            f"{partition.window.key}; make `{plan.key(STAGE)}` again."
        )
    return choice.model_copy(update={"spec": type(choice.spec).model_validate(found["config"])})


def stored_ledger(plan: Plan, lake: Lake, place: str) -> pl.DataFrame:
    """Read the trials of one partition; none where there is none."""
    if lake.version(plan.key(STAGE), place) is None:
        return LEDGER.empty()
    with TemporaryDirectory() as scratch:
        return pl.read_parquet(lake.fetch_folder(plan.key(STAGE), place, Path(scratch)) / TRIALS)


def whole_ledger(plan: Plan, lake: Lake) -> pl.DataFrame:
    """Read the trials of all searches of an experiment."""
    ledger = LEDGER.empty()
    for universe in plan.experiment.universe_keys(plan.universe.symbols):
        for as_of in lake.as_ofs(plan.key(STAGE), universe):
            ledger = merged(ledger, stored_ledger(plan, lake, f"universe={universe}/{as_of}"))
    return ledger


def _rows(plan: Plan, lake: Lake, partition: AsOfPartition) -> dict[str, TuningRows]:
    """Rows that each search may look at: what models train on and stop by, at the traded horizon.

    Those that score and calibrate a model are left out, so that these never saw a search.
    """
    horizon = plan.experiment.strategy.horizon
    sample = plan.samples(lake, partition)[horizon]
    keys = pl.concat([sample.keys[part] for part in ("train", "stopping")])
    returns = plan.label_returns(lake, partition, horizon)
    known = (
        None if returns is None else keys.join(returns, on=["symbol", "open_time"], how="left", maintain_order="left")
    )
    symbols = len(plan.experiment.members(partition.universe, plan.universe.symbols))
    return {
        member: TuningRows(
            rows=_dataset(sample, keys, choice),
            open_time=keys["open_time"],
            label_end=keys["label_end"],
            log_return=None if known is None else known["log_return"].to_numpy(),
            horizon=horizon,
            interval=plan.interval,
            symbols=symbols,
            lookback=row_lookback(plan.features, choice.longest_window),
        )
        for member, choice in plan.experiment.models.items()
        if choice.tuning is not None
    }


def _dataset(sample: Sample, keys: pl.DataFrame, choice: ModelChoice) -> Dataset:
    parts = sample.windowed(choice.longest_window)
    joined = reduce(Dataset.join, (parts[name] for name in ("train", "stopping")))
    return replace(joined, weight=keys["weight"].to_numpy())


def _search(plan: Plan, member: str, rows: TuningRows, journal: Path) -> Search:
    chosen, split = plan.experiment.tuned[member], plan.experiment.split
    return tune(
        find_model(chosen.model),
        chosen.spec,
        chosen.tuning,
        rows,
        purge=split.purge,
        embargo=split.embargo,
        seed=plan.experiment.seed,
        workers=_WORKERS,
        journal=journal,
    )


def _forget(journal: Path) -> None:
    for file in journal.glob("*.journal"):
        file.unlink()


def _ledger(plan: Plan, partition: AsOfPartition, searches: Mapping[str, Search]) -> pl.DataFrame:
    metric = plan.experiment.target.objective.metric
    return pl.concat(
        ledger_rows(
            search,
            _subject(plan, partition, member),
            plan.experiment.models[member].model,
            partition.as_of,
            metric,
        )
        for member, search in searches.items()
    )


def _best(plan: Plan, member: str, partition: AsOfPartition, search: Search) -> str:
    return as_text(
        best_config(
            search.best,
            model=plan.experiment.models[member].model,
            address=f"{plan.key(member)}/{lake_partition(partition)}",
            as_of=partition.as_of,
            search=search.id,
            trials=len(search.trials),
        )
    )


def _counts(ledger: pl.DataFrame) -> dict[str, Any]:
    variance = sharpe_variance(ledger)
    return {
        "dagster/row_count": ledger.height,
        "configurations": configurations(ledger),
        "pruned": ledger.filter(state="pruned").height,
        **plotted({"sharpe_variance": variance}),
    }


def _luck(
    plan: Plan, partition: AsOfPartition, ledger: pl.DataFrame, winners: Mapping[str, ModelSpec]
) -> dict[str, Any]:
    """Tell how much of each winner may be luck: plotted, and with what deflates it in a table."""
    found = {}
    for member, spec in winners.items():
        subject = _subject(plan, partition, member)
        winner = configuration(subject, plan.experiment.models[member].model, spec)
        found[member] = winner_luck(ledger.filter(subject=subject), winner)
    rows = [{"member": member, **asdict(each)} for member, each in found.items()]
    figures = {f"{member}_deflated_sharpe": each.deflated_sharpe for member, each in found.items()}
    return {**plotted(figures), "luck": dg.MetadataValue.md(markdown_table(pl.DataFrame(rows)))}


def _stored_winners(plan: Plan, lake: Lake, place: str, members: Iterable[str]) -> dict[str, ModelSpec]:
    with TemporaryDirectory() as scratch:
        stored = lake.fetch_folder(plan.key(STAGE), place, Path(scratch))
        configs = {member: json.loads((stored / member / BEST_CONFIG).read_text())["config"] for member in members}
    return {member: type(plan.experiment.models[member].spec).model_validate(each) for member, each in configs.items()}


def _stored_warning(plan: Plan, lake: Lake, place: str) -> dict[str, str]:
    with TemporaryDirectory() as scratch:
        return warned(lake.fetch_folder(plan.key(STAGE), place, Path(scratch)))


def _subject(plan: Plan, partition: AsOfPartition, member: str) -> str:
    """Name what is searched, as the ledger does."""
    return f"{plan.key(member)}/{partition.universe}"


def _found(searches: Mapping[str, Search]) -> dict[str, Any]:
    """Show the best trials of each search, the chosen one first."""
    tables = {
        f"{member}_trials": dg.MetadataValue.md(markdown_table(_table(each))) for member, each in searches.items()
    }
    scores = {f"{member}_best": search.best.outcome.score for member, search in searches.items()}
    said = ", ".join(f"{name} {score:.4g}" for name, score in scores.items())
    return {**plotted(scores), **tables, "progress": said}


def _table(search: Search) -> pl.DataFrame:
    """Put the best trials into a table, with what differs between them."""
    trials = sorted(search.trials, key=lambda t: (t is not search.best, t.state == "pruned", t.outcome.score))
    settings = [trial.spec.model_dump(mode="json") for trial in trials]
    varied = [name for name in settings[0] if len({json.dumps(each[name]) for each in settings}) > 1]
    rows = [
        {"trial": trial.number, "state": trial.state, "score": trial.outcome.score}
        | {name: each[name] if isinstance(each[name], int | float | None) else str(each[name]) for name in varied}
        for trial, each in zip(trials, settings, strict=True)
    ]
    return pl.DataFrame(rows, infer_schema_length=None).head(_SHOWN)


def _picture(plan: Plan, partition: AsOfPartition, searches: Mapping[str, Search], reports: Path) -> dict[str, Any]:
    horizon = plan.experiment.strategy.horizon
    title = f"{plan.name}: searches before {partition.window.key}, {horizon} bars ahead"
    drawn = tuning_picture(searches, title, is_simulated=plan.universe.is_simulated)
    name = f"{plan.key(STAGE)}/{partition.universe}/{partition.window.key}"
    return {"searches": show_picture(reports, name, "Score by trial", drawn)}
