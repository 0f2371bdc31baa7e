"""The two partition schemes: data by time window and symbol, models by as-of and universe."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

import dagster as dg

from nightfold.experiment import Experiment
from nightfold.universe import Universe
from nightfold.window import Length, Window, midnight, parse_moment, window_of

POOLED = "pooled"

IN_ONE_RUN = dg.BackfillPolicy.single_run()
AFTER_ITS_PARENT = dg.BackfillPolicy.multi_run(100_000)
"""Policy of `bars`, and in effect one run as well. Dagster puts parent and child into the same runs where both are to
be made in one, and then cuts a block of windows and symbols into several runs: a window would be cleaned before its
neighbours are fetched, and features made before the bars that they look back on. Policies that differ keep them in
runs of their own, one after the other."""

_DAYS = {"day": 1, "week": 7, "month": 28}


@dataclass(frozen=True, slots=True)
class DataPartition:
    """One window of one symbol."""

    window: Window
    symbol: str


@dataclass(frozen=True, slots=True)
class AsOfPartition:
    """One as-of of one universe key; the window is the period its model is in force."""

    window: Window
    universe: str

    @property
    def as_of(self) -> datetime:
        """The moment the model comes into force."""
        return self.window.start


def data_partitions(universe: Universe) -> dg.MultiPartitionsDefinition:
    """Partitions of bars, features, labels and predictions."""
    time = _time_partitions(universe.grain, midnight(universe.start), _end(universe))
    return dg.MultiPartitionsDefinition(
        {universe.grain: time, "symbol": dg.StaticPartitionsDefinition(universe.symbols)}
    )


def as_of_partitions(universe: Universe, experiment: Experiment) -> dg.MultiPartitionsDefinition:
    """Partitions of everything trained."""
    time = _time_partitions(experiment.retrain, midnight(experiment.first_as_of), _end(universe))
    keys = experiment.universe_keys(universe.symbols)
    return dg.MultiPartitionsDefinition({"as_of": time, "universe": dg.StaticPartitionsDefinition(keys)})


def tuning_partitions(universe: Universe, experiment: Experiment) -> dg.MultiPartitionsDefinition:
    """Partitions of the searches behind models: the first as-of alone, or one each `retune`."""
    first = experiment.tuning_window(midnight(experiment.first_as_of))
    if experiment.retune == "once":
        time = _time_partitions(experiment.retrain, first.start, first.end)
    else:
        time = _time_partitions(experiment.retune, first.start, _end(universe))
    keys = experiment.universe_keys(universe.symbols)
    return dg.MultiPartitionsDefinition({"as_of": time, "universe": dg.StaticPartitionsDefinition(keys)})


def selected_data(context: dg.AssetExecutionContext | dg.OpExecutionContext, grain: Length) -> Iterator[DataPartition]:
    """Partitions of this run, symbol by symbol in time order."""
    for symbol, window in sorted(key.split("|")[::-1] for key in context.partition_keys):
        yield DataPartition(window_of(parse_moment(window, grain), grain), symbol)


def selected_as_ofs(context: dg.AssetExecutionContext, experiment: Experiment) -> Iterator[AsOfPartition]:
    """Partitions of this run, universe by universe in time order."""
    for universe, as_of in sorted(key.split("|")[::-1] for key in context.partition_keys):
        yield AsOfPartition(window_of(parse_moment(as_of, "as_of"), experiment.retrain), universe)


def data_to_data(
    universe: Universe, before: timedelta, after: timedelta = timedelta(0), *, across: bool = False
) -> dg.MultiPartitionMapping:
    """Edge between data: a window reads its neighbours as far as its first row looks back and its last one ahead.

    With it a backfill of several layers makes the neighbours first, and a window shows as stale when one of them
    changed. With ``across`` it reads these windows of every symbol.
    """
    length = timedelta(days=_DAYS[universe.grain])
    return dg.MultiPartitionMapping(
        {
            universe.grain: dg.DimensionPartitionMapping(
                universe.grain,
                dg.TimeWindowPartitionMapping(
                    start_offset=-ceil(before / length),
                    end_offset=ceil(after / length),
                    allow_nonexistent_upstream_partitions=True,
                ),
            ),
            "symbol": dg.DimensionPartitionMapping(
                "symbol", dg.AllPartitionMapping() if across else dg.IdentityPartitionMapping()
            ),
        }
    )


def earlier_data(universe: Universe, before: timedelta) -> dg.MultiPartitionMapping:
    """Edge from data to what is known when a window's month begins: it reads windows before that, none of its own."""
    length = timedelta(days=_DAYS[universe.grain])
    into_month = timedelta(days=30 if universe.grain == "day" else 0)
    return dg.MultiPartitionMapping(
        {
            universe.grain: dg.DimensionPartitionMapping(
                universe.grain,
                dg.TimeWindowPartitionMapping(
                    start_offset=-ceil((before + into_month) / length),
                    end_offset=-1,
                    allow_nonexistent_upstream_partitions=True,
                ),
            ),
            "symbol": dg.DimensionPartitionMapping("symbol", dg.IdentityPartitionMapping()),
        }
    )


def tuning_to_as_of(experiment: Experiment) -> dg.MultiPartitionMapping:
    """Edge from searches to models: an as-of reads the search before it that is in force."""
    first = experiment.tuning_window(midnight(experiment.first_as_of))
    once = dg.SpecificPartitionsPartitionMapping([first.key])
    return dg.MultiPartitionMapping(
        {
            "as_of": dg.DimensionPartitionMapping(
                "as_of", once if experiment.retune == "once" else dg.TimeWindowPartitionMapping()
            ),
            "universe": dg.DimensionPartitionMapping("universe", dg.IdentityPartitionMapping()),
        }
    )


def data_to_as_of(
    universe: Universe, experiment: Experiment, reach: timedelta, length: Length | None = None
) -> dg.MultiPartitionMapping:
    """Edge from data to models: an as-of reads all windows that its training rows can reach back to.

    As-ofs are as long as `retrain`, or of the length given.
    """
    periods = ceil(reach / timedelta(days=_DAYS[length or experiment.retrain]))
    return dg.MultiPartitionMapping(
        {
            universe.grain: dg.DimensionPartitionMapping(
                "as_of",
                dg.TimeWindowPartitionMapping(
                    start_offset=-periods, end_offset=-1, allow_nonexistent_upstream_partitions=True
                ),
            ),
            "symbol": dg.DimensionPartitionMapping("universe", _symbols_to_universe(experiment)),
        }
    )


def as_of_to_data(universe: Universe, experiment: Experiment) -> dg.MultiPartitionMapping:
    """Edge from models to predictions: a window reads the as-ofs in force during it."""
    return dg.MultiPartitionMapping(
        {
            "as_of": dg.DimensionPartitionMapping(
                universe.grain, dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)
            ),
            "universe": dg.DimensionPartitionMapping("symbol", _symbols_to_universe(experiment)),
        }
    )


def _symbols_to_universe(experiment: Experiment) -> dg.PartitionMapping:
    return dg.AllPartitionMapping() if experiment.pooling == POOLED else dg.IdentityPartitionMapping()


def _end(universe: Universe) -> datetime | None:
    return None if universe.end is None else midnight(universe.end)


def _time_partitions(length: Length, start: datetime, end: datetime | None) -> dg.TimeWindowPartitionsDefinition:
    """Whole windows from the one that holds ``start``; the running one exists, and none begins at or after ``end``."""
    first = window_of(start, length).start
    last = None if end is None else window_of(end - timedelta(microseconds=1), length).end
    schedule = {"day": "0 0 * * *", "week": "0 0 * * 1", "month": "0 0 1 * *"}[length]
    return dg.TimeWindowPartitionsDefinition(
        start=first, end=last, fmt="%Y-%m-%d", cron_schedule=schedule, timezone="UTC", end_offset=1
    )
