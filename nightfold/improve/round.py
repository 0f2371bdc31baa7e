"""Rounds of a search over variants: which one leads, and when the search ends."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from nightfold.experiment import Experiment
from nightfold.improve.space import Space, space_settings
from nightfold.improve.stretch import Stretch
from nightfold.leaderboard import variant_of
from nightfold.spec import Spec, fingerprint


class Round(Spec):
    """One variant that a search looked at."""

    search: str
    """Id of the search."""
    number: int
    """From 0, which is the experiment as its file stands."""
    overrides: dict[str, Any]
    experiment: str
    """Name of the variant."""
    variant: str
    """Hash of the result on the leaderboard."""
    until: datetime
    """Start of the held-out days: nothing from here on was looked at."""
    end: datetime
    """End of the held-out days."""
    score: float | None
    """Sharpe ratio a year before the held-out days; None where the account was ruined."""
    days: int
    trades: int
    total_return: float | None
    max_drawdown: float | None


def search_id(experiment: Experiment, space: Space, stretch: Stretch, seed: int, code: str) -> str:
    """Name a search by all that decides its rounds; budget and patience only decide how many there are."""
    return fingerprint(
        {
            "experiment": variant_of(experiment, {}, {}),
            "space": space_settings(space),
            "stretch": [moment.isoformat() for moment in (stretch.start, stretch.until, stretch.end)],
            "seed": seed,
            "code": code,
        }
    )


def best(rounds: Sequence[Round]) -> Round:
    """Return the round of the highest score, of equals the earlier; a ruined account is worse than any other."""
    return max(rounds, key=lambda each: (each.score is not None, each.score or 0.0, -each.number))


def end_of(rounds: Sequence[Round], trials: int, patience: int) -> str | None:
    """Say why a search is over; None where it goes on."""
    if not rounds:
        return None
    if len(rounds) >= trials:
        return f"the budget of {trials} rounds is spent"
    if len(rounds) - 1 - best(rounds).number >= patience:
        return f"{patience} rounds in a row brought nothing better"
    return None
