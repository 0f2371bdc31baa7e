"""`nightfold audit splits` on a small lake: ours are cleared, and a leaking splitter fails the command."""

import re
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from nightfold.schema import TIME
from pipeline_defs.audited_labels import audited_groups

OWN = """
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

plain, stratified, grouped = KFold(4), StratifiedKFold(4), GroupKFold(2)

class Late:
    def split(self, X):
        raise RuntimeError("no rows today")
"""
TARGETS = {
    "barriers": {"target": {"horizons": [5, 24]}},
    "returns": {
        "target": {"kind": "return", "horizons": [24]},
        "strategy": {"horizon": 24},
        "models": {"ridge": None},
    },
    "next_one": {
        "target": {"kind": "next_bar", "task": "regression", "horizons": [1]},
        "strategy": {"horizon": 1},
        "models": {"ridge": None},
    },
}


@pytest.fixture(scope="module")
def labelled(deploy):
    """A deployment with labels, whose experiments learn barriers, returns and the next bar."""
    made = deploy(labels={"labels": {"horizons": [5, 24]}}, experiments=TARGETS)
    with made.workshop() as workshop:
        for layer in ("ingest", "research"):
            workshop.backfill(layer)
    (made.folder / "own.py").write_text(OWN)
    return made


def leaks_of_four_folds(ours, end):
    """Training labels that meet a test label, counted by comparing each row with the borders of each fold."""
    rows = pl.read_parquet(list((ours.lake / "labels").rglob("*.parquet")))
    rows = rows.drop_nulls(end).sort("open_time", "symbol")
    start, ends = rows["open_time"].to_numpy(), rows[end].to_numpy()
    leaks = 0
    for test in np.array_split(np.arange(rows.height), 4):
        train = np.setdiff1d(np.arange(rows.height), test)
        meets = (start[train][:, None] <= ends[test]) & (ends[train][:, None] >= start[test])
        leaks += int(meets.any(axis=1).sum())
    return leaks


def test_our_splits_are_cleared_and_drawn(finished, tmp_path, nightfold):
    drawn = tmp_path / "splits.svg"
    kinds = (["kfold"], ["combinatorial", "--folds", "6"], ["walk_forward", "--train-days", "20", "--embargo", "6h"])
    for kind, *choices in kinds:
        code, said = nightfold(finished, "audit", "splits", "--kind", kind, *choices, "--picture", str(drawn))
        assert code == 0, said
        assert "no training labels overlap a test." in said
        assert "simulated market" in drawn.read_text()
        assert ("shorter than `lookback`" in said) == (kind != "walk_forward")
    assert "2,676 rows with a known label of 5 bars are tested: 996 never, 1,680 once." in said
    assert re.search(r"^ +0 2024-01-25 2024-02-01 +\d+ +336 +0 ", said, re.MULTILINE)
    assert max(map(len, said.partition("rows with a known label")[0].splitlines())) <= 80


def test_a_splitter_that_shuffles_fails_the_command(finished, tmp_path, nightfold):
    mine = tmp_path / "mine.py"
    mine.write_text("from sklearn.model_selection import KFold\n\ndef folds():\n    return KFold(4)\n")
    code, said = nightfold(finished, "audit", "splits", "--own", f"{mine}:folds", "--experiment", "single")
    assert code == 1
    assert re.search(r"4 splits: \d+ training labels overlap a test\.", said)


@pytest.mark.parametrize(
    ("experiment", "kind", "end"), [("returns", "return", "forward_end_24"), ("next_one", "next_bar", "next_end")]
)
def test_a_label_ends_where_the_target_of_the_experiment_does(labelled, nightfold, experiment, kind, end):
    code, said = nightfold(labelled, "audit", "splits", experiment, "--own", f"{labelled.folder / 'own.py'}:plain")
    assert f"{experiment}: target {kind}, known at `{end}`." in said
    assert f"4 splits: {leaks_of_four_folds(labelled, end)} training labels overlap a test." in said
    assert code == 1
    code, said = nightfold(labelled, "audit", "splits", "--experiment", experiment)
    assert (code, "5 splits: no training labels overlap a test." in said) == (0, True)


def test_every_horizon_of_an_experiment_named_is_audited(labelled, nightfold, tmp_path):
    own = ("--own", f"{labelled.folder / 'own.py'}:plain")
    drawn = tmp_path / "splits.svg"
    leaks = {end: leaks_of_four_folds(labelled, end) for end in ("label_end_5", "label_end_24")}
    code, said = nightfold(labelled, "audit", "splits", "barriers", *own, "--picture", str(drawn))
    assert (code, re.findall(r"known at `(\w+)`", said)) == (1, list(leaks))
    assert re.findall(r"4 splits: (\d+)", said) == [str(count) for count in leaks.values()]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["splits_24.svg", "splits_5.svg"]
    _, said = nightfold(labelled, "audit", "splits", "barriers", *own, "--horizon", "24")
    assert re.findall(r"4 splits: (\d+)", said) == [str(leaks["label_end_24"])]
    _, said = nightfold(labelled, "audit", "splits", *own)
    assert re.findall(r"known at `(\w+)`", said) == ["label_end_5"]


def test_splitters_of_scikit_learn_get_labels_and_groups(labelled, nightfold):
    for name, splits in (("stratified", 4), ("grouped", 2)):
        code, said = nightfold(labelled, "audit", "splits", "--own", f"{labelled.folder / 'own.py'}:{name}")
        assert (code, bool(re.search(rf"{splits} splits: \d+ training labels", said))) == (1, True)
        assert "ignored" not in said


def test_groups_are_symbols_or_the_days_of_a_single_one():
    noons = pl.Series([datetime(2024, 1, day, 12, tzinfo=UTC) for day in (1, 1, 2)], dtype=TIME)
    rows = pl.DataFrame({"symbol": ["A", "B", "A"], "open_time": noons})
    assert audited_groups(rows).to_list() == ["A", "B", "A"]
    assert audited_groups(rows.filter(symbol="A")).to_list() == ["2024-01-01", "2024-01-02"]


def test_faults_of_a_splitter_and_horizons_that_are_not_learnt_are_told(labelled, nightfold):
    own = str(labelled.folder / "own.py")
    for choices, message in (
        (["--own", f"{own}:Late"], "own.py, line 8, raised RuntimeError: no rows today. It must give pairs"),
        (["returns", "--own", f"{own}:stratified"], "raised ValueError: Supported target types are"),
        (["returns", "--horizon", "5"], "`horizon` is 5; the target return of experiment `returns` has 24."),
        (["next_one", "--horizon", "5"], "`horizon` is 5; the target next_bar of experiment `next_one` has 1."),
        (["returns", "--experiment", "barriers"], "`experiment` is barriers, and returns is named as well"),
        (["retruns"], "experiment `retruns` is unknown; did you mean returns?"),
    ):
        code, said = nightfold(labelled, "audit", "splits", *choices)
        assert (code, message in said) == (1, True), said


def test_what_cannot_be_audited_is_told(finished, deploy, nightfold):
    for choices, message in (
        (["--kind", "kfolds"], "kind of splits `kfolds` is unknown; did you mean kfold?"),
        (["--picture", "splits.png"], "it must end in .svg"),
        (["--horizon", "7"], "`horizon` is 7; label set `labels` has 5."),
        (["--embargo", "long"], "`embargo` is 'long'; it must be 0 or more bars, or a length of time"),
    ):
        code, said = nightfold(finished, "audit", "splits", *choices)
        assert code == 1
        assert message in said
    code, said = nightfold(deploy(), "audit", "splits")
    assert code == 1
    assert "the lake has no `labels` yet" in said
