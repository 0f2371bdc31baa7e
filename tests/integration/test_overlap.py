"""Two backfills of overlapping ranges at once, from processes of their own."""

import re
import shutil

import pytest

pytestmark = pytest.mark.xdist_group("line")


def test_two_backfills_that_meet_in_an_empty_folder_lose_nothing(deploy, finished, site):
    shared, undisturbed = site(deploy().folder), site(finished.folder)
    ranges = [["--from", "2024-01-10"], ["--to", "2024-02-20"]]
    with shared.read_meanwhile() as reader:
        processes = [shared.start("backfill", "--layer", "ingest", "--force", *range_) for range_ in ranges]
        for process in processes:
            shared.end(process)
    assert reader["faults"] == []
    bars = {name: digest for name, digest in undisturbed.lake_files().items() if "bars/" in name}
    assert bars == {name: digest for name, digest in shared.lake_files().items() if "bars/" in name}
    assert shared.run_states() == {"SUCCESS": len(ranges)}
    assert shared.recorded("bars") == undisturbed.recorded("bars")


@pytest.mark.slow
def test_two_backfills_that_train_overlapping_as_ofs_make_each_model_once(deploy, finished, site, tmp_path):
    undisturbed, shared = site(finished.folder), site(finished.copy(tmp_path).folder)
    shutil.rmtree(shared.place / "lake" / "pooled_one")
    for file in shared.place.glob("mlflow*.*"):
        file.unlink()
    with shared.read_meanwhile() as reader:
        processes = [
            shared.start("backfill", "--layer", "train", "--experiment", "pooled_one", *range_)
            for range_ in (["--to", "2024-02-20"], ["--from", "2024-02-18", "--force"])
        ]
        for process in processes:
            shared.end(process)
    assert reader["faults"] == []
    trained = {
        name: digest for name, digest in undisturbed.lake_files().items() if re.match("pooled_one/.*universe=", name)
    }
    assert trained == {name: digest for name, digest in shared.lake_files().items() if name.startswith("pooled_one/")}
    assert shared.tracked() == [run for run in undisturbed.tracked() if "/pooled/" in run[0]]
    assert {state for _, state in shared.tracked()} == {"FINISHED"}
