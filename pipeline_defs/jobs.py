"""Jobs: one per layer, because a job holds one partition scheme."""

from collections.abc import Mapping, Sequence

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assets.keys import asset_key


def layer_jobs(layers: Mapping[str, Sequence[str]]) -> dict[str, UnresolvedAssetJobDefinition]:
    """Make a job of each layer: `ingest`, `research`, and per experiment `_train`, `_predict`, `_evaluate`, ..."""
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
