"""Results of variants, each made by the assets of any experiment, or found where it was made before."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from assets.experiment import Plan
from assets.keys import asset_key
from assets.leaderboard import stored_runs
from nightfold.evaluation import BacktestRange
from nightfold.experiment import Experiment
from nightfold.improve.variant import Overrides, spell, spell_value
from nightfold.leaderboard import Run, variant_of
from nightfold.spec import fingerprint
from nightfold.window import parse_moment
from pipeline_defs.runs import RunFailedError
from pipeline_defs.variant_ledger import Made, made_by, store_made
from pipeline_defs.workshop import Workshop
from resources.lake import Lake
from resources.tracking import Tracking


@dataclass(frozen=True, slots=True)
class Variant:
    """One point of a grid, or one round of a search."""

    overrides: Overrides
    experiment: Experiment


def check_of(workshop: Workshop, experiment: Experiment) -> None:
    """See that an experiment can run in a deployment, as for one that a file has."""
    experiment.check_against(workshop.environment.universe, workshop.environment.label_sets)


def result_of(workshop: Workshop, base: str, variant: Variant, choices: BacktestRange, until: datetime) -> Run:
    """Return the result of a variant: the stored one, unless code, settings or days were others.

    Parameters
    ----------
    workshop
        One that knows the variant.
    base
        Name of the experiment that was varied.
    variant, choices
        What is traded, and on which days.
    until
        No model comes into force from then on.

    Raises
    ------
    RunFailedError
        Naming what the variant sets; what was made before stays.
    """
    found = current_result(workshop, base, variant, choices, until)
    if found is not None:
        workshop.tell(f"  {variant.experiment.name} is there already")
        return found
    lake, name = workshop.environment.lake, variant.experiment.name
    lend_fits(workshop, base, name, until)
    try:
        workshop.result(name, choices, until)
    except RunFailedError as error:
        raise RunFailedError(f"the variant with {spell(variant.overrides)}: {error}") from error
    made = _variant_of(workshop, variant, choices)
    run = _stored_result(lake, made)
    if run is None:
        raise RunFailedError(f"{name} left no result; see its runs in the UI.")
    _track(workshop, base, variant, run)
    code = backtest_code(workshop, name, choices, until)
    store_made(lake, base, made, Made(experiment=name, overrides=dict(variant.overrides), made_by=code))
    return run


def current_result(
    workshop: Workshop, base: str, variant: Variant, choices: BacktestRange, until: datetime
) -> Run | None:
    """Find the stored result of a variant; None where there is none, or code, settings or days were others."""
    lake, made = workshop.environment.lake, _variant_of(workshop, variant, choices)
    if made_by(lake, base, made) != backtest_code(workshop, variant.experiment.name, choices, until):
        return None
    return _stored_result(lake, made)


def backtest_code(workshop: Workshop, experiment: str, choices: BacktestRange, until: datetime) -> str:
    """Hash what decides a result: code and settings of all layers, run choices, and the day up to which it goes."""
    key = asset_key(f"{experiment}/backtest")
    versions = next(asset.code_versions_by_key for asset in workshop.line.assets if key in asset.keys)
    return fingerprint({"code": versions[key], "choices": choices.model_dump(), "until": f"{until:%Y-%m-%d}"})


def lend_fits(workshop: Workshop, base: str, experiment: str, until: datetime) -> None:
    """Give a variant the models of others that learnt from the same rows with the same settings.

    Its own training looks at each by fingerprint, and fits again what is not exactly the same.
    """
    lake, plan = workshop.environment.lake, workshop.plan(experiment)
    donors = [
        other
        for other in workshop.line.plans.values()
        if other.name != experiment and (other.name == base or other.name.startswith(f"{base}_s"))
    ]
    for donor in donors:
        if donor.sampling == plan.sampling and donor.experiment.seed == plan.experiment.seed:
            _lend(lake, donor, plan, until)


def _lend(lake: Lake, donor: Plan, plan: Plan, until: datetime) -> None:
    for member, choice in plan.experiment.models.items():
        if choice.tuning is not None or donor.experiment.models.get(member) != choice:
            continue
        for universe in plan.experiment.universe_keys(plan.universe.symbols):
            owned = lake.as_ofs(plan.key(member), universe)
            for as_of in lake.as_ofs(donor.key(member), universe):
                if as_of in owned or parse_moment(as_of, "as_of") >= until:
                    continue
                place = f"universe={universe}/{as_of}"
                with TemporaryDirectory() as scratch:
                    folder = lake.fetch_folder(donor.key(member), place, Path(scratch))
                    lake.write_folder(plan.key(member), place, str(lake.version(donor.key(member), place)), folder)


def _track(workshop: Workshop, base: str, variant: Variant, found: Run) -> None:
    """Record a result with MLflow, under the experiment that was varied."""
    params = {field: spell_value(value) for field, value in variant.overrides.items()}
    params |= {"last_day": str(found.card.last_day), "choices": found.card.choices}
    Tracking(workshop.environment.tracking_address).log_result(
        f"{base}_variants", f"{variant.experiment.name} {found.card.id}", params, found.card.measures
    )


def _stored_result(lake: Lake, variant: str) -> Run | None:
    """Find the newest result of a variant."""
    return next((run for run in stored_runs(lake, newest=True) if run.card.variant == variant), None)


def _variant_of(workshop: Workshop, variant: Variant, choices: BacktestRange) -> str:
    """Name the result of a variant as its card does."""
    market = workshop.plan(variant.experiment.name).market
    return variant_of(variant.experiment, choices.model_dump(), market)
