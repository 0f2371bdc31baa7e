"""Everything Dagster loads: assets, checks, jobs, schedule, sensors and resources of the chosen environment."""

import warnings
from functools import partial

import dagster as dg

from assets.line import Line, build_line
from pipeline_defs.automation import failure_sensor, next_layer_sensor, nightly_schedule
from pipeline_defs.jobs import layer_jobs
from pipeline_defs.nightly import Night
from pipeline_defs.runs import dead_run_sensor
from resources.alerts import Alerts
from resources.environments import Environment, load_environment
from resources.io_manager import LakeIOManager
from resources.tracking import Tracking

for _category in (dg.BetaWarning, dg.PreviewWarning, dg.SupersessionWarning):
    warnings.filterwarnings("ignore", category=_category)
warnings.filterwarnings("ignore", message="Asset job ingest materializes assets with varying BackfillPolicies")


def build(environment: Environment) -> tuple[dg.Definitions, Line]:
    """Assemble the definitions of one environment, and the line they were made from."""
    universe, lake = environment.universe, environment.lake
    lake.claim(environment.lake_identity)
    line = build_line(universe, environment.label_sets, environment.experiments)
    jobs = layer_jobs(line.layers)
    alerts = Alerts(environment.settings.webhook)
    night_at = partial(Night, line, universe, lake)
    definitions = dg.Definitions(
        assets=line.assets,
        asset_checks=line.checks,
        jobs=list(jobs.values()),
        schedules=[nightly_schedule(night_at, environment.now, alerts, jobs, on=environment.settings.nightly)],
        sensors=[next_layer_sensor(night_at, alerts, jobs), failure_sensor(alerts, jobs), dead_run_sensor()],
        executor=dg.in_process_executor,
        resources={
            "lake": lake,
            "lake_io": LakeIOManager(lake),
            "source": environment.source,
            "clock": dg.ResourceDefinition.hardcoded_resource(environment.now),
            "tracking": Tracking(environment.tracking_address),
            "alerts": alerts,
            "reports": environment.reports,
            "scratch": environment.scratch,
        },
    )
    return definitions, line


@dg.definitions
def definitions() -> dg.Definitions:
    """Load the environment and define everything in it."""
    return build(load_environment())[0]
