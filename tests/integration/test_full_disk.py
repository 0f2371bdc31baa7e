"""A disk that runs full: a clear error, nothing stored is harmed, and with room again the same command goes on."""

import errno
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("line")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of two megabytes: enough for bars and their records, too little for features."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("fits", [0, 1, 3])
def test_a_write_without_room_names_its_file_and_harms_nothing(deploy, finished, monkeypatch, fits):
    deployment = deploy(experiments={})
    with deployment.workshop() as workshop:
        sync, synced = os.fsync, []

        def fsync(handle: int) -> None:
            name = str(Path(f"/proc/self/fd/{handle}").readlink())
            if name.endswith(".parquet.part"):
                synced.append(name.removesuffix(".part"))
                if len(synced) > fits:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sync(handle)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            with pytest.raises(
                RuntimeError, match=r"could not be written: .*No space left on device.* make room"
            ) as told:
                workshop.backfill("ingest")
        assert synced[fits] in str(told.value)
        assert sorted(map(str, deployment.lake.rglob("*.parquet*"))) == sorted(synced[:fits])
        workshop.backfill("ingest")
    bars = {name: content for name, content in finished.files().items() if "bars/" in name}
    assert deployment.files() == {**bars, "lake.json": deployment.files()["lake.json"]}


def test_a_full_disk_is_told_and_with_room_the_same_command_goes_on(deploy, finished, site, nightfold, small_disk):
    deployment, made = deploy(experiments={}), site(finished.folder).lake_files()
    full = site(deployment.folder)
    (full.folder / "data").symlink_to(small_disk)
    assert nightfold(deployment, "backfill", "--layer", "ingest")[0] == 0
    process = full.start("backfill", "--layer", "research")
    said, _ = process.communicate()
    assert process.returncode == 1
    message = r"error: .*(cannot be kept|could not be written): .*; ?make room or mend access.*"
    assert re.fullmatch(message, said.splitlines()[-1]), said
    assert "Traceback" not in said
    assert "SQL:" not in said
    stored = full.lake_files()
    assert {name for name in made if "bars/" in name} <= set(stored)
    assert stored.items() <= made.items()
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    assert nightfold(deployment, "backfill", "--layer", "research")[0] == 0
    data = re.compile(r"(raw_bars|bars|features|labels)/|lake.json")
    assert full.lake_files() == {name: digest for name, digest in made.items() if data.match(name)}
    assert full.run_states() == {"SUCCESS": 2, "FAILURE": 1}
