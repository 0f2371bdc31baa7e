"""What pretrained members may have seen before: tests that lie within the data they came with are marked."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from nightfold.models.catalog import find_model

if TYPE_CHECKING:
    from nightfold.experiment import ModelChoice


def last_known_day(choice: "ModelChoice") -> date | None:
    """Last day that may be in what a member came with.

    None where it came with nothing; the last day there is where nobody declared one.
    """
    if not find_model(choice.model).capabilities.pretrained:
        return None
    declared: date | None = getattr(choice.spec, "knowledge_until", None)
    return declared or date.max


def possibly_seen(members: Mapping[str, "ModelChoice"], first: date) -> dict[str, str]:
    """Say for each pretrained member until when it may have seen a test.

    Parameters
    ----------
    members
        By name.
    first
        First day of the test, UTC.

    Returns
    -------
    dict
        A sentence per member that may have seen some of the test; nothing of the others.
    """
    days = {name: last_known_day(choice) for name, choice in members.items()}
    return {name: _sentence(name, day) for name, day in days.items() if day is not None and first <= day}


def _sentence(name: str, day: date) -> str:
    blends = "its forecasts and blends with it may know the outcome by heart"
    if day == date.max:
        return f"Possibly seen: nobody declared `knowledge_until` of {name}, which is pretrained; {blends} at any bar."
    return f"Possibly seen: {name} is pretrained on data up to {day}; until the end of that day {blends}."
