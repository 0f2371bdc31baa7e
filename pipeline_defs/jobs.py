"""Jobs: one per layer, because a job holds one partition scheme; and what their runs say on the console."""

from collections.abc import Mapping, Sequence

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assets.keys import asset_key

RUN_LOG = dg.LoggerDefinition(
    dg.colored_console_logger.logger_fn,
    {"log_level": dg.Field(str, default_value="ERROR"), "name": dg.Field(str, default_value="dagster")},
    "Errors of runs on the console; everything else is on the run's page.",
)
"""Replaces Dagster's own, which writes each event of each run into the log of `nightfold ui`."""


def layer_jobs(layers: Mapping[str, Sequence[str]]) -> dict[str, UnresolvedAssetJobDefinition]:
    """Make a job of each layer: `ingest`, `research`, and per experiment `_train`, `_predict`, `_evaluate`."""
    return {
        layer: dg.define_asset_job(
            layer,
            selection=dg.AssetSelection.assets(*(asset_key(key) for key in keys)),
            executor_def=dg.in_process_executor,
            description=f"Materializes {', '.join(keys)}.",
            tags={"nightfold/layer": layer},
        )
        for layer, keys in layers.items()
    }
