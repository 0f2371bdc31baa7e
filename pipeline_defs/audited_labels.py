"""Labels that splits are audited on: the lake's, each with the end of the target that an experiment learns."""

import polars as pl

from assets.keys import data_key
from nightfold.errors import ConfigError
from nightfold.experiment import Experiment
from nightfold.schema import KEY
from resources.environments import Environment


def audited_horizons(
    environment: Environment, experiment: Experiment, horizon: int | None, *, is_named: bool
) -> list[int]:
    """Horizons to audit: the one asked for, else all that an experiment named learns, else its strategy's.

    Raises
    ------
    ConfigError
        If a named experiment does not learn the horizon, or the label set does not have it.
    """
    target = experiment.target
    if horizon is None:
        return target.horizons if is_named else [experiment.strategy.horizon]
    if is_named or target.kind == "next_bar":
        offered, whose = target.horizons, f"the target {target.kind} of experiment `{experiment.name}`"
    else:
        offered, whose = environment.label_sets[target.label_set].horizons, f"label set `{target.label_set}`"
    if horizon not in offered:
        raise ConfigError(f"`horizon` is {horizon}; {whose} has {', '.join(map(str, offered))}.")
    return [horizon]


def audited_labels(environment: Environment, experiment: Experiment, horizon: int) -> pl.DataFrame:
    """Read an experiment's stored rows that have a label.

    Returns
    -------
    DataFrame
        ``symbol``, ``open_time``, ``label`` and ``label_end``, when the target became known: in time order, symbols of
        one moment together.

    Raises
    ------
    ConfigError
        If the lake has no labels yet.
    """
    universe, lake, target = environment.universe, environment.lake, experiment.target
    key, symbols = data_key(universe, target.label_set, experiment.interval), experiment.traded(universe.symbols)
    windows = lake.partitions(key, symbols)
    if not windows:
        raise ConfigError(f"the lake has no `{key}` yet; `nightfold backfill --layer research` makes them.")
    learnt = target.labelled(horizon)
    known = [learnt[name].alias(name) for name in ("label", "label_end")]
    return (
        lake.require(key, symbols, windows[0].start, windows[-1].end, [*KEY, *target.columns(horizon)])
        .select(*KEY, *known)
        .drop_nulls(["label", "label_end"])
        .sort("open_time", "symbol")
    )


def audited_groups(labels: pl.DataFrame) -> pl.Series:
    """Name a group for each row: its symbol, or its UTC day where there is one symbol."""
    if labels["symbol"].n_unique() > 1:
        return labels["symbol"]
    return labels["open_time"].dt.strftime("%Y-%m-%d")
