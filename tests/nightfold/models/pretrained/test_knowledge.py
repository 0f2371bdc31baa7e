"""Tests within the knowledge of a pretrained member are marked."""

from datetime import date
from typing import Any

import pytest

from nightfold.experiment import ModelChoice
from nightfold.models.pretrained.knowledge import last_known_day, possibly_seen


def member(model: str, **settings: Any) -> ModelChoice:
    return ModelChoice.model_validate({"model": model, **settings})


def test_only_pretrained_members_bring_knowledge() -> None:
    assert last_known_day(member("lightgbm")) is None
    assert last_known_day(member("fracast", knowledge_until="2024-03-31")) == date(2024, 3, 31)
    assert last_known_day(member("fracast")) == date.max


@pytest.mark.parametrize(("first", "marked"), [("2024-03-30", True), ("2024-03-31", True), ("2024-04-01", False)])
def test_a_test_is_marked_that_begins_on_a_declared_day_or_before(first: str, marked: bool) -> None:
    members = {"own": member("fracast", knowledge_until="2024-03-31"), "trees": member("lightgbm")}
    said = possibly_seen(members, date.fromisoformat(first))
    assert list(said) == (["own"] if marked else [])
    assert not marked or "own is pretrained on data up to 2024-03-31" in said["own"]


def test_where_nobody_declared_a_day_every_test_is_marked() -> None:
    said = possibly_seen({"own": member("fracast")}, date(2999, 1, 1))
    assert "nobody declared `knowledge_until` of own" in said["own"]
