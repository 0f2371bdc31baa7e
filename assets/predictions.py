"""Out-of-sample predictions: each bar by the model in force as it opened, none by a later one."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import polars as pl

from assets.ensemble import InForce, load_ensemble
from assets.experiment import Plan, in_force
from assets.frame_type import frame_type, table_metadata
from assets.keys import asset_key
from assets.markdown import preview
from assets.partitions import IN_ONE_RUN, DataPartition, as_of_to_data, data_partitions, data_to_data, selected_data
from nightfold.forecast import forecast, predictions_table
from nightfold.interval import duration
from nightfold.schema import KEY, Table
from nightfold.window import midnight
from resources.io_manager import Frames, Piece
from resources.lake import Lake


def predictions(plan: Plan, ensemble_version: str) -> tuple[dg.AssetsDefinition, str]:
    """Make `e/predictions`, and return it with its code version."""
    experiment = plan.experiment
    target, members = experiment.target, experiment.ensemble.chosen(experiment.models)
    table = predictions_table(plan.key("predictions"), target.objective, target.horizons, members)
    version = plan.version("forecast", {"max_model_age": experiment.max_model_age}, ensemble_version)

    lead = _lead(plan)
    reading = data_to_data(plan.universe, lead) if lead else None

    @dg.asset(
        **plan.common("predictions", "predict"),
        deps=[
            dg.AssetDep(asset_key(plan.key("ensemble")), partition_mapping=as_of_to_data(plan.universe, experiment)),
            *(dg.AssetDep(asset_key(plan.data(name)), partition_mapping=reading) for name in plan.inputs),
        ],
        partitions_def=data_partitions(plan.universe),
        backfill_policy=IN_ONE_RUN,
        io_manager_key="lake_io",
        code_version=version,
        dagster_type=frame_type(table, table.name),
        metadata=table_metadata(table),
        kinds={"parquet", "polars"},
        description="Forecasts per horizon, with the as-of and version of the model that made them.",
    )
    def asset(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> Frames:
        return Frames(table, _pieces(plan, table, lake, selected_data(context, plan.universe.grain)))

    return asset, version


def _lead(plan: Plan) -> timedelta:
    """How far before a bar the window of its forecast begins."""
    return (plan.window - 1) * duration(plan.interval)


def _pieces(plan: Plan, table: Table, lake: Lake, partitions: Iterator[DataPartition]) -> Iterator[Piece]:
    target = plan.experiment.target
    with TemporaryDirectory() as scratch:

        @cache
        def ensemble(universe: str, as_of: str) -> InForce:
            return load_ensemble(plan, lake, universe, as_of, Path(scratch))

        for partition in partitions:
            symbol, window = partition.symbol, partition.window
            universe = plan.universe_key(symbol)
            models = [
                (ensemble(universe, as_of), first, last)
                for as_of, first, last in in_force(
                    lake, plan.key("ensemble"), universe, window.start, window.end, plan.experiment.model_lifetime
                )
                if symbol in plan.symbols
            ]
            span = ([symbol], max(window.start - _lead(plan), midnight(plan.universe.start)), window.end)
            features = plan.read_features(lake, *span)
            volatility = lake.require(plan.data(plan.label_set.name), *span, [*KEY, "volatility"])
            rows = features.join(volatility, on=KEY, how="left", maintain_order="left")
            spoken = forecast(
                rows, models, target.objective, target.horizons, plan.features, plan.interval, plan.window
            )
            frame = table.conform(spoken.filter(pl.col("open_time") >= window.start))
            predicted = frame.height - frame["as_of"].null_count()
            metadata = {"predicted_rows": predicted, "preview": dg.MetadataValue.md(preview(frame))}
            yield Piece(symbol, window, frame, metadata)
