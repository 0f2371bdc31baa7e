"""What a search tries next: a pure function of its seed and of the rounds before, so that a killed one goes on."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nightfold.errors import ConfigError
from nightfold.experiment import Experiment
from nightfold.improve.space import Space
from nightfold.improve.variant import Overrides
from nightfold.tuning.spec import Range

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

Told = Sequence[tuple[Overrides, float | None]]
"""What was tried, each with its score; None where it was ruined."""

_DRAWN_FIRST = 5
"""Rounds drawn at random before earlier scores lead."""
_ATTEMPTS, _LED_ATTEMPTS = 60, 15
"""Draws until a space counts as used up, and how many of them earlier scores may lead."""


def propose(
    space: Space, told: Told, seed: int, made: Callable[[Overrides], Experiment], tried: Sequence[str]
) -> tuple[dict[str, Any], Experiment] | None:
    """Choose the next variant: by Optuna's tree-structured Parzen estimator, the first ones at random.

    Parameters
    ----------
    space
        Fields with their values.
    told
        Earlier proposals in order, with their scores, higher better.
    seed
        Behind every random choice, with the number of the round.
    made
        Makes a variant of settings, or raises `ConfigError` where they do not go together.
    tried
        Names of variants that need no second look.

    Returns
    -------
    tuple or None
        Settings and variant; None where nothing new was found in sixty draws.
    """
    study = _study(space, told)
    for attempt in range(_ATTEMPTS):
        study.sampler = _sampler(seed, len(told), attempt)
        asked = study.ask(_distributions(space))
        overrides = {field: _value(values, asked.params[field]) for field, values in space.items()}
        study.tell(asked, state=_failed())
        try:
            variant = made(overrides)
        except ConfigError:
            continue
        if variant.name not in tried:
            return overrides, variant
    return None


def _study(space: Space, told: Told) -> "Study":
    """Make a study that knows the rounds before."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize")
    distributions = _distributions(space)
    for overrides, score in told:
        state = _failed() if score is None else optuna.trial.TrialState.COMPLETE
        params = {field: _param(values, overrides[field]) for field, values in space.items()}
        study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=score, state=state))
    return study


def _sampler(seed: int, number: int, attempt: int) -> Any:
    from optuna.samplers import RandomSampler, TPESampler

    drawn = int(np.random.SeedSequence([seed, number, attempt]).generate_state(1)[0])
    if attempt >= _LED_ATTEMPTS:  # they lead back to what was tried
        return RandomSampler(seed=drawn)
    return TPESampler(seed=drawn, n_startup_trials=_DRAWN_FIRST)


def _failed() -> Any:
    from optuna.trial import TrialState

    return TrialState.FAIL


def _distributions(space: Space) -> "dict[str, BaseDistribution]":
    """Describe each field to Optuna, by name, so that the order in a file changes nothing.

    Of a list it is the place in it, since a value may be a list itself.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for field, values in sorted(space.items()):
        if not isinstance(values, Range):
            found[field] = CategoricalDistribution(range(len(values)))
        elif isinstance(values.low, int) and isinstance(values.high, int):
            found[field] = IntDistribution(values.low, values.high, log=values.log)
        else:
            found[field] = FloatDistribution(values.low, values.high, log=values.log)
    return found


def _value(values: Range | list[Any], param: Any) -> Any:
    return param if isinstance(values, Range) else values[param]


def _param(values: Range | list[Any], value: Any) -> Any:
    return value if isinstance(values, Range) else values.index(value)
