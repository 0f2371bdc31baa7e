"""`nightfold audit splits` on a small lake: ours are cleared, and a leaking splitter fails the command."""

import re


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
    assert re.search(r"│ +0 │ ", said)


def test_a_splitter_that_shuffles_fails_the_command(finished, tmp_path, nightfold):
    mine = tmp_path / "mine.py"
    mine.write_text("from sklearn.model_selection import KFold\n\ndef folds():\n    return KFold(4)\n")
    code, said = nightfold(finished, "audit", "splits", "--own", f"{mine}:folds", "--experiment", "single")
    assert code == 1
    assert re.search(r"4 splits: \d+ training labels overlap a test\.", said)


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
