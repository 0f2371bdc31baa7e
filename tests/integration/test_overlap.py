"""Two backfills of overlapping ranges at once, from processes of their own."""

import shutil

import pytest

pytestmark = pytest.mark.xdist_group("line")


def test_two_backfills_that_meet_in_an_empty_folder_lose_nothing(deploy, finished, site):
    shared, undisturbed = site(deploy().folder), site(finished.folder)
    ranges = [["--to", "2024-02-20"], ["--from", "2024-01-10", "--symbols", "BBBUSDT"], ["--symbols", "AAAUSDT"]]
    with shared.read_meanwhile() as reader:
        processes = [shared.start("backfill", "--layer", "ingest", "--force", *range_) for range_ in ranges]
        for process in processes:
            shared.end(process)
    assert reader["faults"] == []
    bars = {name: digest for name, digest in undisturbed.lake_files().items() if "bars/" in name}
    assert bars == {name: digest for name, digest in shared.lake_files().items() if "bars/" in name}
    assert shared.run_states() == {"SUCCESS": len(ranges)}
    assert shared.recorded("bars") == undisturbed.recorded("bars")


def test_two_backfills_that_train_overlapping_as_ofs_make_each_model_once(deploy, finished, site, tmp_path):
    undisturbed, shared = site(finished.folder), site(finished.copy(tmp_path).folder)
    for experiment in ("pooled_one", "single"):
        shutil.rmtree(shared.place / "lake" / experiment)
    for file in shared.place.glob("mlflow*.*"):
        file.unlink()
    with shared.read_meanwhile() as reader:
        processes = [
            shared.start("backfill", "--layer", "train", *range_)
            for range_ in (["--to", "2024-02-20"], ["--from", "2024-02-18", "--force"])
        ]
        for process in processes:
            shared.end(process)
    assert reader["faults"] == []
    trained = {name: digest for name, digest in undisturbed.lake_files().items() if "universe=" in name}
    assert trained == {name: digest for name, digest in shared.lake_files().items() if "universe=" in name}
    assert shared.tracked() == undisturbed.tracked()
    assert {state for _, state in shared.tracked()} == {"FINISHED"}
