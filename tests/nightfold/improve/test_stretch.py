"""Held-out days: how many there can be, who may open them, and what stays sealed."""

from datetime import UTC, datetime, timedelta

import pytest

from nightfold.errors import ConfigError
from nightfold.improve.stretch import HoldoutError, Opening, Stretch, check_opening, sealed_from, split_range

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)


def stretch(until: int = 60, end: int = 90) -> Stretch:
    return Stretch(START, START + until * DAY, START + end * DAY)


def opening(until: int = 60, end: int = 90, **changed) -> Opening:
    settings = {
        "experiment": "e",
        "opened_at": datetime(2024, 5, 1, 12, tzinfo=UTC),
        "variant": "e_s1",
        "overrides": {},
        "search": "s",
        "start": START + until * DAY,
        "end": START + end * DAY,
        "look": 1,
        "measures": {"sharpe_ratio": 1.0},
    }
    return Opening.model_validate({**settings, **changed})


def test_the_last_whole_days_are_held_out() -> None:
    found = split_range(START, START + 91 * DAY - timedelta(minutes=5), 30)
    assert found == stretch(60, 90)
    assert found.searched.model_dump() == {"start": None, "end": "2024-03-01", "cost_scale": 1.0}
    assert found.held_out.model_dump() == {"start": "2024-03-01", "end": "2024-03-31", "cost_scale": 1.0}


@pytest.mark.parametrize("days", [-1, 0, 14, 90])
def test_days_must_be_left_on_both_sides(days) -> None:
    with pytest.raises(ConfigError, match=f"`holdout_days` is {days}; .* has 20 days.* at most 13"):
        split_range(START, START + 20 * DAY, days)
    assert split_range(START, START + 20 * DAY, 13).until == START + 7 * DAY


def test_the_first_look_is_free_and_others_are_refused() -> None:
    assert check_opening(stretch(), [], "s", "e_s1", again=False) == 1
    with pytest.raises(HoldoutError, match=r"2024-03-01 to 2024-03-30 were opened on 2024-05-01 12:00 for e_s1"):
        check_opening(stretch(), [opening()], "s", "e_s1", again=False)
    assert check_opening(stretch(), [opening()], "s", "e_s1", again=True) == 2
    assert check_opening(stretch(), [opening(), opening(look=2)], "s", "e_s9", again=True) == 3


@pytest.mark.parametrize(
    ("until", "end", "meets"), [(30, 60, False), (90, 120, False), (30, 61, True), (89, 120, True)]
)
def test_a_single_day_in_common_is_a_second_look(until, end, meets) -> None:
    if meets:
        with pytest.raises(HoldoutError):
            check_opening(stretch(until, end), [opening()], "s", "e_s1", again=False)
    else:
        assert check_opening(stretch(until, end), [opening()], "s", "e_s1", again=False) == 1


def test_a_look_that_was_cut_short_may_be_finished_by_its_own_variant_alone() -> None:
    announced = opening(measures=None)
    assert check_opening(stretch(), [announced], "s", "e_s1", again=False) == 1
    for search, variant in (("s", "e_s2"), ("other", "e_s1")):
        with pytest.raises(HoldoutError):
            check_opening(stretch(), [announced], search, variant, again=False)


def test_days_stay_sealed_until_they_are_opened() -> None:
    assert sealed_from([], []) is None
    assert sealed_from([stretch(60, 90), stretch(50, 80)], []) == START + 50 * DAY
    assert sealed_from([stretch(60, 90)], [opening()]) is None
    assert sealed_from([stretch(60, 90), stretch(100, 120)], [opening()]) == START + 100 * DAY
