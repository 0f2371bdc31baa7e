"""Several processes on one lake: none reads half a file, none loses another's rows, a killed one leaves no lock."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from resources.lake import Lake

PROJECT = Path(__file__).parents[2]
START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)
HEIGHTS = (40, 8_000)

# A frame whose values all say how many rows it has: half of one and half of another cannot look whole.
WRITER = """
import itertools, sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
import polars as pl
from resources.lake import Lake

lake = Lake(sys.argv[1], "month", Path(sys.argv[2]))
start = datetime(2024, 1, 1, tzinfo=timezone.utc)

def frame(height):
    times = pl.datetime_range(start, start + timedelta(minutes=5 * (height - 1)), "5m", time_unit="ms", eager=True)
    noise = pl.Series("noise", [hash((height, n)) / 2**61 for n in range(height)])
    values = {f"value_{n}": [float(height)] * height for n in range(8)}
    return pl.DataFrame({"symbol": ["A"] * height, "open_time": times, "noise": noise, **values})
"""
REWRITE = (
    WRITER
    + """
frames = [frame(height) for height in (40, 8_000)]
for number in itertools.count():
    lake.write("bars", "A", "2024-01-01", frames[number % 2])
    if number == 1:
        print("writing", flush=True)
"""
)
APPEND = (
    WRITER
    + """
print("writing", flush=True)
for number in range(20):
    row = frame(1).with_columns(value_0=pl.lit(float(sys.argv[3]) * 1000 + number))
    lake.merge("raw_bars", "A", "2024-01-01", row, lambda stored, new: pl.concat([stored, new]))
"""
)
DIE = (
    WRITER
    + """
import os, signal

def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

class DyingFile:
    def __init__(self, file):
        self.file = file
    def __enter__(self):
        return self
    def __exit__(self, *error):
        self.file.close()
    def write(self, content):
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        die()

moment, opened = sys.argv[3], Path.open
if moment == "half of the bytes":
    Path.open = lambda path, mode="r": DyingFile(opened(path, mode)) if path.suffix == ".part" else opened(path, mode)
elif moment == "before the sync":
    os.fsync = die
elif moment == "before the rename":
    Path.replace = die
elif moment == "after the rename":
    import resources.commit
    resources.commit._sync_folder = die
lake.write("bars", "A", "2024-01-01", frame(8_000))
"""
)


def start(code: str, lake: Lake, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, lake.url, str(lake.locks), *arguments]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)


def wait_for_the_first_write(writer: subprocess.Popen[str]) -> None:
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"


def kill(writer: subprocess.Popen[str]) -> None:
    writer.kill()
    writer.communicate(timeout=20)


def whole(frame: pl.DataFrame | None) -> bool:
    assert frame is not None
    values = frame.select(pl.col("^value_.*$")).unique()
    return values.height == 1 and set(values.row(0)) == {float(frame.height)}


def test_a_reader_sees_the_old_rows_or_the_new_ones_while_a_writer_rewrites(local_lake: Lake) -> None:
    writer = start(REWRITE, local_lake)
    try:
        wait_for_the_first_write(writer)
        seen, until = [], time.monotonic() + 2.5
        while time.monotonic() < until or len(set(seen)) < 2:
            frame = local_lake.require("bars", ["A"], START, END)
            assert whole(frame)
            seen.append(frame.height)
    finally:
        kill(writer)
    assert set(seen) == set(HEIGHTS)
    assert len(seen) > 20


@pytest.mark.parametrize(
    ("moment", "kept"),
    [
        ("half of the bytes", 1),
        ("before the sync", 1),
        ("before the rename", 1),
        ("after the rename", 8_000),
    ],
)
def test_a_writer_killed_at_a_chosen_moment_leaves_old_or_new(
    local_lake: Lake, rows: Callable[..., pl.DataFrame], moment: str, kept: int
) -> None:
    local_lake.write("bars", "A", "2024-01-01", rows("A", count=1))
    writer = start(DIE, local_lake, moment)
    writer.communicate(timeout=30)
    assert writer.returncode == -signal.SIGKILL
    assert local_lake.require("bars", ["A"], START, END).height == kept
    folder = Path(local_lake.file("bars", "A", "2024-01-01")).parent
    assert len(list(folder.glob("*.part"))) == (kept == 1)
    local_lake.write("bars", "A", "2024-01-01", rows("A", count=5))  # no lock is left
    assert [path.name for path in folder.iterdir()] == ["2024-01-01.parquet"]
    assert local_lake.require("bars", ["A"], START, END).height == 5


@pytest.mark.slow
def test_writers_killed_at_random_moments_leave_old_or_new(local_lake: Lake, rows: Callable[..., pl.DataFrame]) -> None:
    chance = random.Random(7)
    for _ in range(30):
        writer = start(REWRITE, local_lake)
        wait_for_the_first_write(writer)
        time.sleep(chance.uniform(0, 0.05))
        kill(writer)
        assert whole(local_lake.require("bars", ["A"], START, END))
        assert whole(local_lake.require("bars", ["A"], START, END, ["symbol", "open_time", "value_0"]))
    local_lake.write("bars", "A", "2024-01-01", rows("A"))
    assert not list(Path(local_lake.url).rglob("*.part"))


def test_processes_that_read_modify_and_write_lose_nothing(local_lake: Lake) -> None:
    writers = [start(APPEND, local_lake, str(number)) for number in range(3)]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    stored = local_lake.require("raw_bars", ["A"], START, END)
    expected = {number * 1000.0 + step for number in range(3) for step in range(20)}
    assert sorted(stored["value_0"]) == sorted(expected)
