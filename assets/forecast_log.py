"""The forecast log in the lake, filled in as outcomes become known, and a check on how the forecasts turned out."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import dagster as dg

from assets.experiment import Plan
from assets.frame_type import frame_type, table_metadata
from assets.keys import asset_key
from assets.markdown import markdown_table, plotted, preview
from assets.partitions import IN_ONE_RUN, DataPartition, data_partitions, selected_data
from assets.timeouts import read_predictions
from nightfold.policy.log import forecast_log, log_table, outcome_columns, reliability
from nightfold.policy.reading import Forecasts
from nightfold.schema import KEY, Table
from nightfold.window import parse_moment
from resources.io_manager import Frames, Piece
from resources.lake import Lake

STAGE = "forecast_log"

_RECENT = timedelta(days=90)
"""Time before the last stored window's end that the check looks at."""


class ForecastLogConfig(dg.Config):
    """What one run may fill in."""

    until: str | None = None
    """What was known later than this time, UTC, stays open; none: all that came is filled in."""


def forecast_log_asset(plan: Plan, predictions_version: str) -> dg.AssetsDefinition:
    """Make `e/forecast_log`."""
    experiment = plan.experiment
    table = log_table(plan.key(STAGE), experiment.target.objective)
    settings = experiment.model_dump(
        mode="json", include={"strategy", *(["costs"] if "strength" in table.columns else [])}
    )
    code = "policy timeout backtest.expected_move backtest.signal"
    version = plan.version(code, settings, predictions_version, *plan.input_versions)
    read = [plan.key("predictions"), plan.data("bars"), plan.data(plan.label_set.name)]

    @dg.asset(
        **plan.common(STAGE, "predict"),
        deps=[asset_key(key) for key in read],
        partitions_def=data_partitions(plan.universe),
        backfill_policy=IN_ONE_RUN,
        io_manager_key="lake_io",
        code_version=version,
        dagster_type=frame_type(table, table.name),
        metadata=table_metadata(table),
        kinds={"parquet", "polars"},
        description="What was forecast for the traded horizon, how surely, by which model, and what came of it as soon "
        "as that is known.",
    )
    def asset(context: dg.AssetExecutionContext, config: ForecastLogConfig, lake: dg.ResourceParam[Lake]) -> Frames:
        until = None if config.until is None else parse_moment(config.until, "until")
        return Frames(table, _pieces(plan, table, lake, selected_data(context, plan.universe.grain), until))

    return asset


def reliability_check(plan: Plan) -> dg.AssetChecksDefinition:
    """Hold the confidence of recent forecasts against their outcomes."""
    key = plan.key(STAGE)

    @dg.asset_check(
        asset=asset_key(key),
        name="reliability",
        description=f"Sides forecast in the last {_RECENT.days} days were right about as often as was said, not less.",
    )
    def check(lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        last = max(lake.partitions(key, plan.symbols)).end
        found = reliability(lake.require(key, plan.symbols, last - _RECENT, last))
        figures = {"hit_rate": found.hit_rate, "confidence": found.confidence}
        if found.gap is not None:
            figures |= {"gap": found.gap.mean, "gap_low": found.gap.low, "gap_high": found.gap.high}
        return dg.AssetCheckResult(
            passed=not found.is_overconfident,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={
                "forecasts_known": found.rows,
                **plotted(figures),
                "calibration": dg.MetadataValue.md(markdown_table(found.curve)),
            },
        )

    return check


def _pieces(
    plan: Plan, table: Table, lake: Lake, partitions: Iterator[DataPartition], until: datetime | None
) -> Iterator[Piece]:
    experiment = plan.experiment
    own = plan.label_set.own_barriers([experiment.strategy.horizon]) if experiment.target.has_barriers else []
    horizon = experiment.strategy.horizon
    wanted = [*outcome_columns(experiment.target, horizon), *experiment.target.columns(horizon)]
    columns = [*KEY, *dict.fromkeys([*wanted, *own])]
    for partition in partitions:
        symbol, window = partition.symbol, partition.window
        span = ([symbol], window.start, window.end)
        bars, said = lake.require(plan.data("bars"), *span), read_predictions(plan, lake, *span)
        labels = lake.require(plan.data(plan.label_set.name), *span, columns)
        seen = Forecasts(experiment, plan.label_set, said, bars, labels).outlooks(experiment.costs)
        frame = table.conform(forecast_log(seen, said, labels, experiment, until))
        found = reliability(frame)
        metadata = {
            "outcomes_known": frame.height - frame["actual_move"].null_count(),
            **plotted({"hit_rate": found.hit_rate, "confidence": found.confidence}),
            "preview": dg.MetadataValue.md(preview(frame)),
        }
        yield Piece(symbol, window, frame, metadata)
