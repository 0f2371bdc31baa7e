"""The days of a search, and the days held out from it: opened once, for one variant, and written down."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nightfold.errors import ConfigError
from nightfold.evaluation import BacktestRange
from nightfold.spec import Spec

LEAST_DAYS = 7
"""Days that a search must have before the held-out ones."""

_FORMAT = "%Y-%m-%d"


class HoldoutError(ConfigError):
    """Held-out days would be looked at before their time, or again."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time in two parts, UTC midnights: ``start <= t < until`` is searched on, ``until <= t < end`` held out."""

    start: datetime
    until: datetime
    end: datetime

    @property
    def searched(self) -> BacktestRange:
        """Run choices of every round: nothing from ``until`` on."""
        return searched_until(self.until)

    @property
    def held_out(self) -> BacktestRange:
        """Run choices of the opening."""
        return BacktestRange(start=f"{self.until:{_FORMAT}}", end=f"{self.end:{_FORMAT}}")


class Opening(Spec):
    """One look at held-out days."""

    experiment: str
    """The experiment that was searched from."""
    opened_at: datetime
    variant: str
    """Name of the variant they were opened for."""
    overrides: dict[str, Any]
    search: str
    """The search it won."""
    start: datetime
    end: datetime
    look: int
    """1 for the first time that any of these days were looked at in this way."""
    measures: dict[str, float | None] | None = None
    """What was found; none: the look was announced, and not finished."""
    deflated_sharpe: float | None = None
    n_trials: int | None = None
    """Variants with a result on these days, further looks of the same one counted."""


def split_range(start: datetime, end: datetime, holdout_days: int) -> Stretch:
    """Hold out the last days of a range.

    Parameters
    ----------
    start, end
        First as-of, and the moment after the last bar; a day that has only begun is left out.
    holdout_days
        Days held out, 1 or more.

    Raises
    ------
    ConfigError
        If fewer than seven days are left to search on.
    """
    last = end.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (last - start).days
    if holdout_days < 1 or days - holdout_days < LEAST_DAYS:
        raise ConfigError(
            f"`holdout_days` is {holdout_days}; {start:{_FORMAT}} to {last:{_FORMAT}} has {days} days, of which 1 or "
            f"more can be held out and {LEAST_DAYS} or more must be left: at most {max(days - LEAST_DAYS, 0)}."
        )
    return Stretch(start, last - timedelta(days=holdout_days), last)


def searched_until(moment: datetime) -> BacktestRange:
    """Return the run choices of a result that ends at a moment; those of a day are spelled in one way only."""
    is_midnight = moment == moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return BacktestRange(end=f"{moment:{_FORMAT}}" if is_midnight else f"{moment:%Y-%m-%dT%H:%M}")


def check_opening(stretch: Stretch, openings: Sequence[Opening], search: str, variant: str, *, again: bool) -> int:
    """Say which look at the held-out days this would be.

    A look that was announced for the same variant and never finished is no further one.

    Raises
    ------
    HoldoutError
        If any of the days was opened before, and ``again`` is not set.
    """
    before = [each for each in openings if each.start < stretch.end and stretch.until < each.end]
    if before and (before[-1].search, before[-1].variant, before[-1].measures) == (search, variant, None):
        return before[-1].look
    if before and not again:
        last, days = before[-1], f"{stretch.until:{_FORMAT}} to {stretch.end - timedelta(days=1):{_FORMAT}}"
        raise HoldoutError(
            f"the held-out days {days} were opened on {last.opened_at:%Y-%m-%d %H:%M} for {last.variant}. A result on "
            "days that were seen before says little: whatever is chosen now may have been chosen because of them. Wait "
            "for days that nobody has seen, or look once more with `--again`: it is logged, and counted as a further "
            "look."
        )
    return 1 + len(before)


def sealed_from(stretches: Iterable[Stretch], openings: Sequence[Opening]) -> datetime | None:
    """Find the first moment that is held out by a search and was never opened; None where nothing is."""
    sealed = [
        stretch.until
        for stretch in stretches
        if not any(each.start < stretch.end and stretch.until < each.end for each in openings)
    ]
    return min(sealed, default=None)
