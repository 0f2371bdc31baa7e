"""Searched barriers: every trial of the genetic search, and what it put in force, per month and symbol."""

from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import dagster as dg
import polars as pl

from assets.frame_type import frame_type, table_metadata
from assets.keys import OWNER, asset_key, code_version, data_key
from assets.markdown import plotted, upright_table
from assets.partitions import IN_ONE_RUN, DataPartition, data_partitions, earlier_data, selected_data
from assets.pictures import show_picture
from nightfold.errors import LakeError
from nightfold.features.catalog import FEATURES
from nightfold.interval import Interval
from nightfold.labels.choice import BarrierSearch
from nightfold.labels.search_picture import search_picture
from nightfold.labels.searched import (
    PARAMS,
    TRIALS,
    param_rows,
    search_id,
    search_moment,
    search_names,
    search_reach,
    settled,
    trial_rows,
)
from nightfold.labels.table import LabelSet
from nightfold.schema import BARS, TIME
from nightfold.universe import Universe
from nightfold.window import midnight
from resources.io_manager import Frames, Piece
from resources.lake import Lake

GROUP = "labels"
SEARCH_CODE = (
    "labels.search labels.search_spec labels.choice labels.searched labels.follower labels.judge labels.barrier "
    "labels.kernel labels.panel features"
)
"""What a search runs through; with all of `labels`, a change to a picture would search every month again."""


@dataclass(frozen=True, slots=True)
class BarrierParams:
    """The two assets of one label set and interval, with the code version that its labels carry on."""

    trials: dg.AssetsDefinition
    params: dg.AssetsDefinition
    version: str

    @property
    def assets(self) -> tuple[dg.AssetsDefinition, ...]:
        """Both, in the order they are made."""
        return self.trials, self.params


def barrier_params(universe: Universe, interval: Interval, label_set: LabelSet, bars_version: str) -> BarrierParams:
    """Make `barrier_trials` and `barrier_params` of one label set with searched barriers."""
    trials_key, params_key = (data_key(universe, name, interval) for name in search_names(label_set))
    bars_key = data_key(universe, "bars", interval)
    follower = [FEATURES[name] for name in label_set.search.follower.features]
    formulas = {each.name: [each.formula, each.lookback, *each.parameters] for each in follower}
    trials_version = code_version(SEARCH_CODE, {**label_set.settings, "follower": formulas}, bars_version)
    params_version = code_version("labels.choice labels.searched", {"name": params_key}, trials_version)
    common: dict[str, Any] = {
        "group_name": GROUP,
        "partitions_def": data_partitions(universe),
        "backfill_policy": IN_ONE_RUN,
        "io_manager_key": "lake_io",
        "kinds": {"parquet", "optuna"},
        "owners": [OWNER],
        "tags": {"layer": "labels"},
    }

    @dg.asset(
        key=asset_key(trials_key),
        deps=[
            dg.AssetDep(
                asset_key(bars_key), partition_mapping=earlier_data(universe, search_reach(label_set, interval))
            )
        ],
        code_version=trials_version,
        dagster_type=frame_type(TRIALS, trials_key),
        metadata={**table_metadata(TRIALS), **label_set.search.model_dump(mode="json")},
        description="Ledger of the genetic search: every pair of barriers tried on labels that ended before the month.",
        **common,
    )
    def trials(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> Frames:
        partitions = selected_data(context, universe.grain)
        pieces = (
            _search(lake, trials_key, bars_key, partition, universe, interval, label_set, trials_version)
            for partition in partitions
        )
        return Frames(TRIALS, pieces)

    @dg.asset(
        key=asset_key(params_key),
        deps=[asset_key(trials_key)],
        code_version=params_version,
        dagster_type=frame_type(PARAMS, params_key),
        metadata=table_metadata(PARAMS),
        description="Barriers in force each month, chosen among those tried on the labels before it.",
        **common,
    )
    def params(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], reports: dg.ResourceParam[Path]
    ) -> Frames:
        partitions = selected_data(context, universe.grain)
        pieces = (_settle(lake, reports, (trials_key, params_key), each, universe, label_set) for each in partitions)
        return Frames(PARAMS, pieces)

    return BarrierParams(trials, params, params_version)


def _search(
    lake: Lake,
    key: str,
    bars_key: str,
    partition: DataPartition,
    universe: Universe,
    interval: Interval,
    label_set: LabelSet,
    version: str,
) -> Piece:
    """Search one partition; one that was searched before, on the same bars by the same rules, is not searched again."""
    symbol, window = partition.symbol, partition.window
    moment = search_moment(window)
    start = max(moment - search_reach(label_set, interval), midnight(universe.start))
    bars = lake.require(bars_key, [symbol], start, moment) if start < moment else BARS.empty()
    search = search_id(bars, version)
    began = process_time()
    frame = _searched_before(lake, key, partition, search)
    is_new = frame is None
    if frame is None:
        frame = trial_rows(bars, label_set, window, interval, search)
    counted = frame.filter(pl.col("trial") >= 0)
    metadata = {
        "trials": counted.height,
        "feasible": int(counted["feasible"].sum()),
        "offered": int(counted["offered"].sum()),
        "searched": is_new,
        "cpu_seconds": round(process_time() - began, 3),
    }
    return Piece(symbol, window, frame, metadata)


def _searched_before(lake: Lake, key: str, partition: DataPartition, search: str) -> pl.DataFrame | None:
    """Trials of the same search that are stored: of this partition, or of an earlier day of its month."""
    symbol, window = partition.symbol, partition.window
    try:
        stored = lake.read(key, [symbol], search_moment(window), window.end)
    except LakeError:  # written by other code, or broken: both are mended by searching again
        return None
    if stored is None or dict(stored.schema) != TRIALS.dtypes:
        return None
    same = stored.filter(pl.col("search") == search)
    last = same.filter(pl.col("open_time") == pl.col("open_time").max())
    return None if last.is_empty() else last.with_columns(pl.lit(window.start, TIME).alias("open_time"))


def _settle(
    lake: Lake,
    reports: Path,
    keys: tuple[str, str],
    partition: DataPartition,
    universe: Universe,
    label_set: LabelSet,
) -> Piece:
    symbol, window = partition.symbol, partition.window
    trials_key, params_key = keys
    trials = lake.require(trials_key, [symbol], window.start, window.end)
    searches = settled(trials, label_set, window)
    search = trials["search"].to_list()
    frame = param_rows(searches, label_set, symbol, window, search[0] if search else None)
    title = f"Barriers for {symbol} from {window.key}, searched on the {label_set.search.window_days} days before"
    drawn = search_picture(searches, label_set.search.least_entropy, title, is_simulated=universe.is_simulated)
    shown = frame.select(
        *("horizon", "upper", "lower", "holding", "fallback", "offered", "entropy", "timeouts"),
        (pl.col("log_return_per_bar") * 1e4).alias("bps_per_bar"),
    )
    metadata = {
        "barriers": dg.MetadataValue.md(upright_table(shown, "horizon", ".2f")),
        "search": show_picture(reports, f"{params_key}/{symbol}/{window.key}", "How the search went", drawn),
        "fallbacks": int(frame["fallback"].sum()),
        "trials": int(frame["trials"].sum()),
        **_plotted(searches),
    }
    return Piece(symbol, window, frame, metadata)


def _plotted(searches: dict[int, BarrierSearch]) -> dict[str, float]:
    """Figures of the barriers in force that the UI plots over partitions."""
    figures: dict[str, float | None] = {}
    for horizon, search in searches.items():
        measured = search.in_force or {}
        figures |= {
            f"upper/{horizon}": search.barrier.upper,
            f"lower/{horizon}": search.barrier.lower,
            f"holding_bars/{horizon}": search.barrier.horizon,
            f"log_return_per_bar/{horizon}": measured.get("log_return_per_bar"),
            f"entropy/{horizon}": measured.get("entropy"),
        }
    return plotted(figures)


def params_key(universe: Universe, interval: Interval, label_set: LabelSet) -> str:
    """Lake and asset key of the barriers in force of a label set."""
    return data_key(universe, search_names(label_set)[1], interval)


def in_force(
    lake: Lake, universe: Universe, interval: Interval, label_set: LabelSet, partition: DataPartition
) -> pl.DataFrame:
    """Barriers of one partition, as stored.

    Raises
    ------
    LakeError
        If its search is not stored.
    """
    key = params_key(universe, interval, label_set)
    return lake.require(key, [partition.symbol], partition.window.start, partition.window.end)
