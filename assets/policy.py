"""The policy of each as-of: which forecasts are traded and how large, found on the predictions of the window before."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import polars as pl

from assets.experiment import Plan
from assets.frame_type import table_metadata
from assets.keys import asset_key
from assets.markdown import markdown_table, plotted
from assets.partitions import AsOfPartition, data_to_as_of
from assets.pictures import show_picture
from assets.timeouts import read_predictions
from assets.tuning import TRIALS
from nightfold.decision import position_cap
from nightfold.errors import LakeError
from nightfold.interval import duration
from nightfold.policy.choice import Flat, PolicySearch
from nightfold.policy.filter import MetaFilter, fit_filter
from nightfold.policy.log import outcome_columns
from nightfold.policy.picture import policy_picture
from nightfold.policy.reading import Forecasts
from nightfold.policy.record import PolicyCard, passing, policy_trials, trial_table
from nightfold.policy.search import Market, search_policy, sweep
from nightfold.policy.spec import PolicySpec, Thresholds
from nightfold.schema import KEY
from nightfold.spec import fingerprint
from nightfold.splits.as_of import MILLISECOND, known_before
from nightfold.tuning.ledger import LEDGER
from resources.lake import Lake

STAGE = "policy"

_CODE = "policy timeout backtest tearsheet.measures"
_CARD, _SWEEP = "policy.json", "sweep.parquet"
_SHOWN = 8


def policy(plan: Plan, spec: PolicySpec, predictions_version: str) -> tuple[dg.AssetsDefinition, str]:
    """Make `e/policy`, and return it with its code version."""
    experiment = plan.experiment
    window = timedelta(days=spec.window_days)
    settings = experiment.model_dump(
        mode="json", include={"policy", "strategy", "costs", "limits", "capital", "seed", "first_as_of"}
    )
    version = plan.version(
        _CODE, {**settings, "symbols": plan.symbols, "funding": plan.universe.funding}, predictions_version
    )
    mapping = data_to_as_of(plan.universe, experiment, window)
    upstream = [plan.key("predictions"), *(plan.data(name) for name in _read(plan))]

    @dg.asset(
        **{**plan.as_of_asset(STAGE), "tags": {"experiment": plan.name, "layer": STAGE}},
        deps=[dg.AssetDep(asset_key(key), partition_mapping=mapping) for key in upstream],
        code_version=version,
        kinds={"optuna"},
        metadata=table_metadata(LEDGER),
        description="Thresholds and sizes found on predictions made before the as-of, for the period after it; flat "
        "unless the best of all trials is more than luck.",
    )
    def asset(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], reports: dg.ResourceParam[Path]
    ) -> dg.MaterializeResult[None]:
        def make(partition: AsOfPartition, folder: Path) -> tuple[str, dict[str, Any]]:
            begins, made_by = partition.as_of - window, policy_settings(plan)
            since = _forecast_since(plan, lake, partition, begins)
            if since is None or since > begins + duration(plan.interval):
                days = 0 if since is None else (partition.as_of - since).days
                why = Flat("few_days", f"{days} of {spec.window_days} days of predictions lie before it")
                card = PolicyCard.flat(partition.as_of, why, made_by)
                return _written(folder, card, LEDGER.empty()), _said(card)
            market, second = _market(plan, lake, partition, begins), None
            if spec.filter:
                market, second = _with_filter(plan, lake, partition, market)
                if second is None:
                    why = Flat("no_filter", "too few of its forecasts paid, or did not, to learn a filter")
                    card = PolicyCard.flat(partition.as_of, why, made_by)
                    return _written(folder, card, LEDGER.empty()), _said(card)
            search = search_policy(market, spec, experiment.seed)
            card = PolicyCard.of(search, partition.as_of, made_by, second)
            subject = f"{plan.key(STAGE)}/{partition.universe}"
            trials = policy_trials(search, subject, partition.as_of, market.outlooks["move"].count(), spec.objective)
            tried = search.best or search.trials[0]
            swept = sweep(market, spec, tried.thresholds)
            swept.write_parquet(folder / _SWEEP)
            shown = _metadata(search, market, spec, tried.thresholds, swept)
            title = f"{plan.name}: policy as of {partition.window.key}, on the {spec.window_days} days before"
            drawn = policy_picture(search, swept, spec, title, is_simulated=plan.universe.is_simulated)
            name = f"{plan.key(STAGE)}/{partition.universe}/{partition.window.key}"
            shown |= {"search": show_picture(reports, name, "Policies tried", drawn)}
            return _written(folder, card, trials), _said(card) | shown

        return plan.store(context, lake, STAGE, make)

    return asset, version


def stored_policies(plan: Plan, lake: Lake) -> pl.DataFrame | None:
    """Read the policies of all as-ofs; None where the experiment searches none.

    Raises
    ------
    LakeError
        If there are none, or some were found under other settings than the experiment has now.
    """
    if plan.experiment.policy is None:
        return None
    cards = stored_cards(plan, lake)
    stale = [f"{card.as_of:%Y-%m-%d}" for _, card in cards if card.made_by != policy_settings(plan)]
    if stale or not cards:
        found = f"those of {', '.join(stale)} were found under other settings" if stale else "there are none"
        raise LakeError(
            f"`{plan.key(STAGE)}`: {found}; `nightfold backfill --layer policy --experiment {plan.name}` makes them."
        )
    return pl.concat(card.rows(plan.experiment.members(key, plan.universe.symbols)) for key, card in cards)


def policy_settings(plan: Plan) -> str:
    """Fingerprint of all settings that a policy was found under."""
    chosen = {"policy", "strategy", "costs", "limits", "capital", "seed", "target", "pooling"}
    settings = plan.experiment.model_dump(mode="json", include=chosen)
    return fingerprint({**settings, "symbols": plan.symbols, "labels": plan.label_set.settings})


def fresh_policies(plan: Plan, lake: Lake) -> set[tuple[str, str]]:
    """Universe keys and as-ofs whose policy was found under the settings the experiment has now."""
    made_by = policy_settings(plan)
    return {(key, f"{card.as_of:%Y-%m-%d}") for key, card in stored_cards(plan, lake) if card.made_by == made_by}


def stored_cards(plan: Plan, lake: Lake) -> list[tuple[str, PolicyCard]]:
    """Read the policy of each as-of, with its universe key, in time order."""
    cards = []
    for universe in plan.experiment.universe_keys(plan.universe.symbols):
        for as_of in lake.as_ofs(plan.key(STAGE), universe):
            with TemporaryDirectory() as scratch:
                folder = lake.fetch_folder(plan.key(STAGE), f"universe={universe}/{as_of}", Path(scratch))
                cards.append((universe, PolicyCard.model_validate_json((folder / _CARD).read_text())))
    return cards


def _forecast_since(plan: Plan, lake: Lake, partition: AsOfPartition, begins: datetime) -> datetime | None:
    """First bar of the window from which on every symbol has forecasts; None where one has none."""
    symbols = plan.experiment.members(partition.universe, plan.universe.symbols)
    said = lake.read(plan.key("predictions"), symbols, begins, partition.as_of, [*KEY, "as_of"])
    if said is None:
        return None
    first = said.drop_nulls("as_of").group_by("symbol").agg(pl.col("open_time").min())["open_time"]
    latest = first.max()
    return latest if len(first) == len(symbols) and isinstance(latest, datetime) else None


def _market(plan: Plan, lake: Lake, partition: AsOfPartition, begins: datetime) -> Market:
    """Read what was known at the as-of: bars that closed, and forecasts made, in time for a policy to be found."""
    experiment = plan.experiment
    symbols = experiment.members(partition.universe, plan.universe.symbols)
    last = known_before(experiment.split, partition.as_of) - duration(plan.interval)
    span = (symbols, begins, last + MILLISECOND)
    bars = lake.require(plan.data("bars"), *span)
    said = read_predictions(plan, lake, *span)
    own = plan.label_set.own_barriers([experiment.strategy.horizon]) if experiment.target.has_barriers else []
    labels = lake.require(plan.data(plan.label_set.name), *span, [*KEY, *own]) if own else said
    seen = Forecasts(experiment, plan.label_set, said, bars, labels).outlooks(experiment.costs)
    return Market(
        seen,
        bars,
        experiment.strategy,
        experiment.costs,
        experiment.limits,
        experiment.capital,
        plan.funding,
        cap=position_cap(experiment, len(plan.symbols)),
    )


def _with_filter(plan: Plan, lake: Lake, partition: AsOfPartition, market: Market) -> tuple[Market, MetaFilter | None]:
    """Learn a filter on the older half of a window, and apply it to the newer one."""
    times = market.bars["open_time"]
    first, last = times.min(), times.max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        raise LakeError(f"`{plan.data('bars')}` has no rows before {partition.window.key}; materialize it first.")
    middle = first + (last - first) / 2
    target, horizon = plan.experiment.target, plan.experiment.strategy.horizon
    columns = outcome_columns(target, horizon)
    symbols = plan.experiment.members(partition.universe, plan.universe.symbols)
    labels = lake.require(plan.data(plan.label_set.name), symbols, first, middle, [*KEY, *columns])
    ended = target.labelled(horizon)["label_end"] <= middle
    known = labels.select(*KEY, actual_move=pl.when(ended).then(columns[-1]))
    older = market.outlooks.filter(pl.col("open_time") < middle)
    outcomes = older.select(*KEY).join(known, on=KEY, how="left", maintain_order="left")
    found = fit_filter(older, outcomes, horizon)
    if found is None:
        return market, None
    newer = pl.col("open_time") >= middle
    return replace(market, outlooks=found.apply(market.outlooks.filter(newer)), bars=market.bars.filter(newer)), found


def _read(plan: Plan) -> list[str]:
    """Name the data assets it reads beside the predictions."""
    looks = plan.label_set.is_searched or (plan.experiment.policy is not None and plan.experiment.policy.filter)
    return ["bars", plan.label_set.name] if looks else ["bars"]


def _written(folder: Path, card: PolicyCard, trials: pl.DataFrame) -> str:
    text = card.model_dump_json(indent=1)
    (folder / _CARD).write_text(text)
    LEDGER.validate(trials).write_parquet(folder / TRIALS)
    return fingerprint([text, *trials["configuration"]])


def _said(card: PolicyCard) -> dict[str, Any]:
    figures: Mapping[str, float | None] = {
        "trials": card.trials,
        "effective_trials": card.effective_trials,
        "sharpe": card.sharpe,
        "deflated_sharpe": card.deflated_sharpe,
        "trades": card.trades,
        "is_flat": float(card.thresholds is None),
        **({} if card.thresholds is None else card.thresholds.model_dump()),
    }
    said = f"flat: {card.reason}" if card.thresholds is None else f"trades, deflated Sharpe {card.deflated_sharpe:.2f}"
    return {**plotted(figures), "verdict": said, "progress": said}


def _metadata(
    search: PolicySearch, market: Market, spec: PolicySpec, thresholds: Thresholds, swept: pl.DataFrame
) -> dict[str, Any]:
    counts = passing(market.outlooks, spec, thresholds)
    return {
        "best_trials": dg.MetadataValue.md(markdown_table(trial_table(search).head(_SHOWN))),
        "forecasts_that_pass": dg.MetadataValue.md(markdown_table(counts)),
        "sweep": dg.MetadataValue.md(markdown_table(swept)),
    }
