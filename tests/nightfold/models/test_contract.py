"""What every entry of the catalog keeps to, for every task it has; a new entry is under these tests without a line."""

from importlib.util import find_spec

import pytest

from nightfold.models.catalog import MODELS, ModelEntry
from nightfold.models.checks import CHECKS, Check
from nightfold.models.objective import Task

KINDS = [
    pytest.param(entry, task, marks=pytest.mark.xdist_group(entry.name))  # what its checks share is fitted once
    for entry in MODELS.values()
    for task in entry.capabilities.tasks
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize(("entry", "task"), KINDS, ids=lambda part: getattr(part, "name", part))
def test_entry(entry: ModelEntry, task: Task, check: Check) -> None:
    if entry.capabilities.extra and find_spec("torch") is None:
        pytest.skip(f"{entry.name} comes with the extra `{entry.capabilities.extra}`")
    if entry.capabilities.pretrained and find_spec(entry.name) is None:
        pytest.skip(
            f"{entry.name} comes with the package of that name; tests/nightfold/models/pretrained has a stand-in"
        )
    check.run(entry, task)
