"""The whole line: every asset of a universe and its experiments, wired by code version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from assets.backtest import backtest
from assets.checks import data_checks
from assets.comparison import comparison
from assets.ensemble import ensemble
from assets.experiment import Plan
from assets.features import features, wanted_sets
from assets.forecast_log import STAGE as LOG
from assets.forecast_log import forecast_log_asset, reliability_check
from assets.keys import data_key
from assets.labels import labels
from assets.leaderboard import KEY as LEADERBOARD
from assets.leaderboard import leaderboard
from assets.market_data import exchange_asset, market_data
from assets.models import model
from assets.policy import STAGE as POLICY
from assets.policy import policy
from assets.predictions import predictions
from assets.splits import splits
from assets.tearsheet import tearsheet
from assets.tuning import STAGE, tuning
from nightfold.experiment import Experiment
from nightfold.features.table import table_name
from nightfold.labels.searched import data_names, search_names
from nightfold.labels.table import LabelSet
from nightfold.universe import Universe


@dataclass(frozen=True)
class Line:
    """Assets and checks, with the lake keys of each layer in the order they are made."""

    assets: Sequence[dg.AssetsDefinition]
    checks: Sequence[dg.AssetChecksDefinition]
    label_sets: Mapping[str, LabelSet]
    plans: Mapping[str, Plan]
    layers: Mapping[str, Sequence[str]]
    """Layer, or `experiment_layer`, to asset keys: `ingest`, `research`, `baseline_train`, ..."""
    searches: frozenset[str]
    """Keys of searches: they are made once a month, and not bar by bar."""


def build_line(universe: Universe, label_sets: Mapping[str, LabelSet], experiments: Mapping[str, Experiment]) -> Line:
    """Make every asset.

    Parameters
    ----------
    universe
        Symbols, intervals and source.
    label_sets, experiments
        By name.
    """
    assets: list[dg.AssetsDefinition] = [exchange_asset(universe)]
    checks: list[dg.AssetChecksDefinition] = []
    layers: dict[str, list[str]] = {"ingest": [], "research": []}
    versions: dict[str, dict[str, str]] = {}
    for interval in universe.intervals:
        market = market_data(universe, interval)
        sets = wanted_sets(universe, interval, experiments.values())
        made = {table_name(chosen): features(universe, interval, chosen, market.version) for chosen in sets}
        labelled = {name: labels(universe, interval, each, market.version) for name, each in label_sets.items()}
        assets += [market.raw_bars, market.bars, *(each.asset for each in made.values())]
        assets += [asset for each in labelled.values() for asset in each.assets]
        checks += data_checks(universe, interval, sets, list(label_sets.values()))
        layers["ingest"] += [data_key(universe, name, interval) for name in ("raw_bars", "bars")]
        layers["research"] += [data_key(universe, name, interval) for name in (*made, *data_names(label_sets))]
        versions[interval] = {
            "bars": market.version,
            **{name: each.version for name, each in made.items()},
            **{name: each.version for name, each in labelled.items()},
        }
    plans = {}
    for name, experiment in experiments.items():
        label_set = label_sets[experiment.target.label_set]
        known = versions[experiment.interval or universe.interval]
        plan = Plan(experiment, universe, label_set, {**known, "labels": known[label_set.name]})
        plans[name] = plan
        assets += _experiment_assets(plan, layers)
        checks += [reliability_check(plan)] if experiment.target.is_traded else []
    assets.append(leaderboard(universe, plans))
    searches = frozenset(
        data_key(universe, name, interval)
        for interval in universe.intervals
        for label_set in label_sets.values()
        if label_set.is_searched
        for name in search_names(label_set)
    )
    return Line(assets, checks, label_sets, plans, layers, searches)


def _experiment_assets(plan: Plan, layers: dict[str, list[str]]) -> list[dg.AssetsDefinition]:
    split, split_version = splits(plan)
    searched, search_version = tuning(plan) if plan.experiment.tuned else (None, "")
    members = {
        member: model(plan, member, choice, split_version, *([search_version] if choice.tuning else []))
        for member, choice in plan.experiment.models.items()
    }
    blended, blend_version = ensemble(plan, {member: version for member, (_, version) in members.items()})
    predicted, predictions_version = predictions(plan, blend_version)
    spec = plan.experiment.policy
    chosen, policy_version = policy(plan, spec, predictions_version) if spec else (None, predictions_version)
    traded, backtest_version = backtest(plan, policy_version)
    pages = [tearsheet(plan, backtest_version), comparison(plan, backtest_version)]
    if searched:
        layers[f"{plan.name}_tune"] = [plan.key(STAGE)]
    layers[f"{plan.name}_train"] = [plan.key(stage) for stage in ("splits", *members, "ensemble")]
    logged = [forecast_log_asset(plan, predictions_version)] if plan.experiment.target.is_traded else []
    layers[f"{plan.name}_predict"] = [plan.key("predictions"), *(plan.key(LOG) for _ in logged)]
    if chosen:
        layers[f"{plan.name}_policy"] = [plan.key(POLICY)]
    layers[f"{plan.name}_evaluate"] = [
        *(plan.key(stage) for stage in ("backtest", "tearsheet", "comparison")),
        LEADERBOARD,
    ]
    fitted = [asset for asset, _ in members.values()]
    searches = [asset for asset in (searched, chosen) if asset]
    return [split, *searches, *fitted, blended, predicted, *logged, traded, *pages]
