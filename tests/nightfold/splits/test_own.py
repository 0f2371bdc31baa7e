"""Splitters of one's own get what they ask for, and what they raise is told."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, StratifiedKFold

from nightfold.errors import ConfigError
from nightfold.splits.audit import audit_splits
from nightfold.splits.own import load_splits, pairs_of

OWN = """
import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from nightfold.splits.fold import PurgedKFold

plain, stratified, grouped, too_many = KFold(2), StratifiedKFold(3), GroupKFold(2), GroupKFold(9)
ours = PurgedKFold(3)

class Late:
    def split(self, X):
        yield [0], [1]
        raise RuntimeError("out of rows")

class Spans:
    def split(self, start, end):
        return [(start["nosuch"], end)]

class Needy:
    def __init__(self, days):
        self.days = days

def made():
    return 1 / 0

class Three:
    def split(self, X):
        yield [0], [1], [2]

def numbers():
    return [1, 2]
"""
START = np.arange(12)
LABEL = np.array([0, 1, 2] * 4)
GROUP = np.array(["a", "b", "c"] * 4)

pytestmark = pytest.mark.filterwarnings("ignore:The groups parameter is ignored")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(OWN)
    return tmp_path / "mine.py"


@pytest.mark.parametrize(("name", "twin"), [("stratified", StratifiedKFold(3)), ("grouped", GroupKFold(2))])
def test_labels_and_groups_are_handed_to_a_split_that_takes_them(
    mine: Path, name: str, twin: StratifiedKFold | GroupKFold
) -> None:
    own = load_splits(f"{mine}:{name}", START, START, LABEL, GROUP)
    pairs = list(pairs_of(own, START, START))
    expected = list(twin.split(np.zeros((12, 1)), LABEL, GROUP))
    assert [(train.tolist(), test.tolist()) for train, test in pairs] == [
        (train.tolist(), test.tolist()) for train, test in expected
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Late", r"mine\.py, line 13, raised RuntimeError: out of rows\. It must give pairs"),
        ("Spans", r"mine\.py, line 17, raised IndexError: "),
        ("stratified", r"raised TypeError: .*missing 1 required positional argument: 'y'\. .* `y` the labels"),
        ("too_many", r"_split\.py, line \d+, raised ValueError: Cannot have number of splits n_splits=9 greater"),
        ("Three", r"split 0 is tuple of 3; it must be a pair of train and test rows"),
        ("numbers", r"split 0 is int; it must be a pair of train and test rows"),
    ],
)
def test_what_is_raised_while_splits_are_made_is_told(mine: Path, name: str, message: str) -> None:
    known = (None, GROUP) if name == "stratified" else (LABEL, GROUP)
    own = load_splits(f"{mine}:{name}", START, START, *known)
    with pytest.raises(ConfigError, match=message):
        list(pairs_of(own, START, START))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Needy", r"raised TypeError: .*missing 1 required positional argument: 'days'"),
        ("made", r"mine\.py, line 24, raised ZeroDivisionError: division by zero\."),
    ],
)
def test_what_is_raised_while_a_splitter_is_made_is_told(mine: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_splits(f"{mine}:{name}", START, START)


def test_splitters_of_ours_keep_their_reasons(mine: Path) -> None:
    audit = audit_splits(load_splits(f"{mine}:ours", START, START + 2, LABEL, GROUP), START, START + 2)
    assert (audit.leaks, audit.table["purged"].to_list()) == (0, [2, 4, 2])
