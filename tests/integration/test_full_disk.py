"""A disk that runs full: a clear error, nothing stored is harmed, and with room again the same command goes on."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("line")

SMALL = "5m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(disk)]
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
            name = os.readlink(f"/proc/self/fd/{handle}")
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


def test_a_full_disk_is_told_and_with_room_the_same_command_goes_on(deploy, finished, site, small_disk):
    full, undisturbed = site(deploy(experiments={"pooled_one": {}}).folder), site(finished.folder)
    (full.folder / "data").symlink_to(small_disk)
    said = []
    for layer in ("ingest", "research", "train"):
        process = full.start("backfill", "--layer", layer)
        said.append(process.communicate()[0])
        if process.returncode:
            break
    assert process.returncode == 1, said
    assert "error:" in said[-1]
    assert "Traceback" not in said[-1]
    assert "full" in said[-1] or "No space left" in said[-1]
    stored, made = full.lake_files(), undisturbed.lake_files()
    assert stored
    assert stored.items() <= made.items()
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    for layer in ("ingest", "research", "train"):
        full.command("backfill", "--layer", layer)
    others = ("single/", "pooled_one/predictions", "pooled_one/backtest")
    assert full.lake_files() == {name: digest for name, digest in made.items() if not name.startswith(others)}
    assert set(full.run_states()) == {"SUCCESS", "FAILURE"}
