"""What a lake promises, wherever it lies: the same tests on a folder and on an object store."""

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from nightfold.errors import LakeError
from resources.lake import Lake

Rows = Callable[..., pl.DataFrame]
IDENTITY = {"format": 1, "grain": "month", "interval": "5m", "source": "simulated-7"}


def day(number: int, month: int = 1) -> datetime:
    return datetime(2024, month, number, tzinfo=UTC)


def content(lake: Lake) -> dict[str, bytes]:
    return {path.removeprefix(lake.root): lake.file_system.cat_file(path) for path in lake.file_system.find(lake.root)}


# ---------------------------------------------------------------------- frames


def test_what_was_written_is_read_back(lake: Lake, rows: Rows) -> None:
    frame = rows(count=5)
    lake.write("bars", "BTCUSDT", "2024-01-01", frame)
    assert lake.require("bars", ["BTCUSDT"], day(1), day(31)).equals(frame)


def test_a_partition_lies_where_the_design_says(lake: Lake, rows: Rows) -> None:
    written = lake.write("baseline/predictions", "BTCUSDT", "2024-01-01", rows())
    assert list(content(lake)) == ["/baseline/predictions/symbol=BTCUSDT/2024-01-01.parquet"]
    assert written.path == lake.file("baseline/predictions", "BTCUSDT", "2024-01-01")


def test_a_write_replaces_the_whole_partition(lake: Lake, rows: Rows) -> None:
    lake.write("bars", "BTCUSDT", "2024-01-01", rows(count=5, value=1.0))
    lake.write("bars", "BTCUSDT", "2024-01-01", rows(count=2, value=2.0))
    assert lake.require("bars", ["BTCUSDT"], day(1), day(31))["value"].to_list() == [2.0, 2.0]


def test_a_write_reports_rows_and_the_hash_of_the_stored_bytes(lake: Lake, rows: Rows) -> None:
    written = lake.write("bars", "BTCUSDT", "2024-01-01", rows(count=4))
    assert written.rows == 4
    assert written.digest == hashlib.sha256(next(iter(content(lake).values()))).hexdigest()[:16]


def test_equal_rows_give_equal_bytes_however_they_were_put_together(lake: Lake, rows: Rows) -> None:
    whole = rows(count=1000)
    pieces = pl.concat([whole[:1], whole[1:700], whole[700:]], rechunk=False)
    assert pieces.n_chunks() == 3
    assert lake.write("bars", "A", "2024-01-01", whole).digest == lake.write("bars", "B", "2024-01-01", pieces).digest


def test_a_range_is_clipped_to_the_row_and_excludes_its_end(lake: Lake, rows: Rows) -> None:
    for month in (1, 2, 3):
        lake.write("bars", "BTCUSDT", f"2024-0{month}-01", rows(start=day(1, month), count=3))
    found = lake.require("bars", ["BTCUSDT"], day(1) + timedelta(minutes=5), day(1, 2) + timedelta(minutes=5))
    assert found["open_time"].to_list() == [
        day(1) + timedelta(minutes=5),
        day(1) + timedelta(minutes=10),
        day(1, 2),
    ]


def test_rows_come_by_symbol_as_asked_and_then_by_time(lake: Lake, rows: Rows) -> None:
    for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
        for month in (2, 1):
            lake.write("bars", symbol, f"2024-0{month}-01", rows(symbol, day(1, month), 1))
    found = lake.require("bars", ["ETHUSDT", "BTCUSDT"], day(1), day(1, 3))
    assert found.select("symbol", pl.col("open_time").dt.month()).rows() == [
        ("ETHUSDT", 1),
        ("ETHUSDT", 2),
        ("BTCUSDT", 1),
        ("BTCUSDT", 2),
    ]


def test_a_symbol_whose_name_begins_like_another_is_another(lake: Lake, rows: Rows) -> None:
    lake.write("bars", "BTCUSDT", "2024-01-01", rows("BTCUSDT", value=1.0))
    lake.write("bars", "BTCUSDT.P", "2024-01-01", rows("BTCUSDT.P", value=2.0))
    lake.write("bars_of_old", "BTCUSDT", "2024-01-01", rows("BTCUSDT", value=3.0))
    assert lake.require("bars", ["BTCUSDT"], day(1), day(2))["value"].unique().to_list() == [1.0]
    assert lake.frame_keys() == ["bars", "bars_of_old"]


def test_only_the_asked_columns_come(lake: Lake, rows: Rows) -> None:
    lake.write("bars", "BTCUSDT", "2024-01-01", rows())
    assert lake.require("bars", ["BTCUSDT"], day(1), day(2), ["value"]).columns == ["value"]


def test_a_stored_partition_without_rows_is_not_a_missing_one(lake: Lake, rows: Rows) -> None:
    assert lake.read("bars", ["BTCUSDT"], day(1), day(31)) is None
    lake.write("bars", "BTCUSDT", "2024-01-01", rows(count=0))
    found = lake.read("bars", ["BTCUSDT"], day(1), day(31))
    assert found is not None
    assert found.is_empty()


def test_what_is_not_stored_is_refused_with_the_way_out(lake: Lake, rows: Rows) -> None:
    lake.write("bars", "BTCUSDT", "2024-01-01", rows())
    with pytest.raises(LakeError, match=r"no `bars` of ETHUSDT from 2024-01-01 to 2024-02-01; materialize `bars`"):
        lake.require("bars", ["ETHUSDT"], day(1), day(1, 2))


def test_more_files_than_are_opened_at_once_are_read_whole(
    lake: Lake, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.lake._FILES_OPEN_AT_ONCE", 2)
    daily = Lake(lake.url, "day", lake.locks)
    for number in range(5):
        start = day(1 + number)
        daily.write("bars", "BTCUSDT", f"{start:%Y-%m-%d}", rows(start=start, count=1, value=float(number)))
    found = daily.require("bars", ["BTCUSDT"], day(1), day(6))
    assert found["value"].to_list() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_lazy_scan_keeps_the_rows_it_was_made_of(lake: Lake, rows: Rows) -> None:
    lake.write("bars", "BTCUSDT", "2024-01-01", rows(value=1.0))
    lake.write("bars", "ETHUSDT", "2024-01-01", rows("ETHUSDT", value=1.0))
    pairs = [("BTCUSDT", "2024-01-01"), ("BTCUSDT", "2024-02-01"), ("ETHUSDT", "2024-01-01")]
    scanned = lake.scan_partitions("bars", pairs)
    lake.write("bars", "BTCUSDT", "2024-01-01", rows(count=100, value=2.0))
    assert scanned.collect()["value"].to_list() == [1.0] * 6


def test_a_scan_of_nothing_is_refused(lake: Lake) -> None:
    with pytest.raises(LakeError, match="none of the asked partitions of `bars`; materialize it first"):
        lake.scan_partitions("bars", [("BTCUSDT", "2024-01-01")])


# ---------------------------------------------------------------------- merging


def test_a_merge_into_nothing_stores_what_came(lake: Lake, rows: Rows) -> None:
    lake.merge("raw_bars", "BTCUSDT", "2024-01-01", rows(count=2), lambda stored, new: pl.concat([stored, new]))
    assert lake.require("raw_bars", ["BTCUSDT"], day(1), day(2)).height == 2


def test_a_merge_is_given_what_is_stored_and_what_came(lake: Lake, rows: Rows) -> None:
    lake.write("raw_bars", "BTCUSDT", "2024-01-01", rows(count=3, value=1.0))
    written = lake.merge(
        "raw_bars",
        "BTCUSDT",
        "2024-01-01",
        rows(count=1, start=day(2), value=2.0),
        lambda stored, new: pl.concat([stored, new]),
    )
    assert written.rows == 4
    assert lake.require("raw_bars", ["BTCUSDT"], day(1), day(31))["value"].to_list() == [1.0, 1.0, 1.0, 2.0]


def test_a_join_that_fails_leaves_what_was_stored(lake: Lake, rows: Rows) -> None:
    lake.write("raw_bars", "BTCUSDT", "2024-01-01", rows())
    before = content(lake)

    def fail(stored: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lake.merge("raw_bars", "BTCUSDT", "2024-01-01", rows(), fail)
    assert content(lake) == before
    lake.write("raw_bars", "BTCUSDT", "2024-01-01", rows())  # the lock is free again


# ---------------------------------------------------------------------- listings


def test_an_empty_lake_has_nothing_and_says_so(lake: Lake) -> None:
    assert lake.frame_keys() == []
    assert lake.partitions("bars", ["BTCUSDT"]) == []
    assert lake.all_files("bars") == []
    assert lake.as_ofs("baseline/lightgbm", "pooled") == []
    assert lake.version("baseline/lightgbm", "universe=pooled/2024-01-01") is None
    assert lake.read("bars", ["BTCUSDT"], day(1), day(2)) is None


def test_listings_see_frames_and_folders_apart(lake: Lake, rows: Rows, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.json").write_text("1")
    for key in ("bars", "1h/bars", "baseline/predictions"):
        lake.write(key, "BTCUSDT", "2024-01-01", rows())
    for as_of in ("2024-03-11", "2024-03-04"):
        lake.write_folder("baseline/lightgbm", f"universe=pooled/{as_of}", "v1", tmp_path / "model")
    lake.write_folder("baseline/lightgbm", "universe=BTCUSDT/2024-03-18", "v1", tmp_path / "model")
    lake.claim(IDENTITY)
    assert lake.frame_keys() == ["1h/bars", "bars", "baseline/predictions"]
    assert lake.as_ofs("baseline/lightgbm", "pooled") == ["2024-03-04", "2024-03-11"]
    assert lake.as_ofs("baseline/lightgbm", "BTCUSDT") == ["2024-03-18"]


def test_partitions_are_those_of_any_symbol_each_once_in_order(lake: Lake, rows: Rows) -> None:
    for symbol, month in (("ETHUSDT", 3), ("BTCUSDT", 1), ("ETHUSDT", 1), ("SOLUSDT", 2)):
        lake.write("bars", symbol, f"2024-0{month}-01", rows(symbol, day(1, month)))
    found = lake.partitions("bars", ["BTCUSDT", "ETHUSDT"])
    assert [(window.start, window.end) for window in found] == [(day(1), day(1, 2)), (day(1, 3), day(1, 4))]
    assert [path.rsplit("/", 2)[1:] for path in lake.all_files("bars")] == [
        ["symbol=BTCUSDT", "2024-01-01.parquet"],
        ["symbol=ETHUSDT", "2024-01-01.parquet"],
        ["symbol=ETHUSDT", "2024-03-01.parquet"],
        ["symbol=SOLUSDT", "2024-02-01.parquet"],
    ]


def test_what_a_killed_writer_left_is_seen_by_no_reader(lake: Lake, rows: Rows) -> None:
    lake.write("bars", "BTCUSDT", "2024-01-01", rows())
    for place in ("bars/symbol=BTCUSDT/2024-02-01.parquet.part", "labels/symbol=BTCUSDT/2024-01-01.parquet.part"):
        path = f"{lake.root}/{place}"
        lake.file_system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        lake.file_system.pipe_file(path, b"half of a fi")
    assert lake.frame_keys() == ["bars"]
    assert [window.key for window in lake.partitions("bars", ["BTCUSDT"])] == ["2024-01-01"]
    assert lake.require("bars", ["BTCUSDT"], day(1), day(1, 3)).height == 3


def test_a_root_with_signs_of_patterns_is_taken_literally(tmp_path: Path, rows: Rows) -> None:
    lake = Lake(str(tmp_path / "a[bc]* it's ?{x}"), "month", tmp_path / "locks")
    lake.write("bars", "BTCUSDT", "2024-01-01", rows())
    lake.write_folder("e/m", "universe=pooled/2024-01-01", "v1", tmp_path / "locks")
    assert lake.frame_keys() == ["bars"]
    assert lake.as_ofs("e/m", "pooled") == ["2024-01-01"]
    assert lake.require("bars", ["BTCUSDT"], day(1), day(2)).height == 3


# ---------------------------------------------------------------------- folders


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Path]:
    """Make a folder of files."""

    def make(**files: str) -> Path:
        folder = tmp_path / "made"
        for name, text in files.items():
            path = folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder

    return make


PLACE = "universe=pooled/2024-03-04"


def test_a_folder_comes_back_with_all_its_files(lake: Lake, model: Callable[..., Path], tmp_path: Path) -> None:
    lake.write_folder("baseline/lightgbm", PLACE, "v1", model(weights="1", bundle__manifest="2"))
    fetched = lake.fetch_folder("baseline/lightgbm", PLACE, tmp_path / "scratch")
    assert {p.relative_to(fetched).as_posix(): p.read_text() for p in fetched.rglob("*") if p.is_file()} == {
        "weights": "1",
        "bundle/manifest": "2",
    }
    assert lake.version("baseline/lightgbm", PLACE) == "v1"


def test_a_new_version_takes_over_and_leaves_readers_of_the_old_one_alone(
    lake: Lake, model: Callable[..., Path], tmp_path: Path
) -> None:
    lake.write_folder("baseline/lightgbm", PLACE, "v1", model(weights="old"))
    old = lake.fetch_folder("baseline/lightgbm", PLACE, tmp_path / "scratch")
    lake.write_folder("baseline/lightgbm", PLACE, "v2", model(weights="new"))
    assert lake.version("baseline/lightgbm", PLACE) == "v2"
    assert (lake.fetch_folder("baseline/lightgbm", PLACE, tmp_path / "scratch") / "weights").read_text() == "new"
    assert (old / "weights").read_text() == "old"


def test_a_half_written_version_is_ignored(lake: Lake, model: Callable[..., Path], tmp_path: Path) -> None:
    half = f"{lake.folder('baseline/lightgbm', PLACE)}/v2/weights"
    lake.file_system.makedirs(half.rsplit("/", 1)[0], exist_ok=True)
    lake.file_system.pipe_file(half, b"half")
    assert lake.version("baseline/lightgbm", PLACE) is None
    assert lake.as_ofs("baseline/lightgbm", "pooled") == []
    lake.write_folder("baseline/lightgbm", PLACE, "v1", model(weights="whole"))
    assert lake.version("baseline/lightgbm", PLACE) == "v1"
    fetched = lake.fetch_folder("baseline/lightgbm", PLACE, tmp_path / "scratch")
    assert (fetched / "weights").read_text() == "whole"


def test_a_folder_that_is_not_stored_is_refused_with_the_way_out(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=f"no `baseline/lightgbm` for {PLACE}; materialize it first"):
        lake.fetch_folder("baseline/lightgbm", PLACE, tmp_path)


# ---------------------------------------------------------------------- identity


def test_a_lake_remembers_what_it_holds(lake: Lake) -> None:
    lake.claim(IDENTITY)
    before = content(lake)
    lake.claim(dict(reversed(IDENTITY.items())))
    assert content(lake) == before


@pytest.mark.parametrize(
    ("name", "other"), [("grain", "day"), ("interval", "1h"), ("source", "folder-okx"), ("format", 2)]
)
def test_another_identity_is_refused_with_both_values_and_the_way_out(lake: Lake, name: str, other: object) -> None:
    lake.claim(IDENTITY)
    before = content(lake)
    with pytest.raises(LakeError) as caught:
        lake.claim({**IDENTITY, name: other})
    assert f"`{name}` is {other!r} here and {IDENTITY[name]!r} there" in str(caught.value)
    assert "NIGHTFOLD_DATA=another/folder" in str(caught.value)
    assert content(lake) == before


# ---------------------------------------------------------------------- what is broken


@pytest.mark.parametrize(
    "damage", [b"", b"no parquet at all", lambda whole: whole[: len(whole) // 2], lambda whole: whole[:-4] + b"XXXX"]
)
def test_a_broken_file_is_named_and_no_other(lake: Lake, rows: Rows, damage: object) -> None:
    for month in (1, 2, 3):
        lake.write("bars", "BTCUSDT", f"2024-0{month}-01", rows(start=day(1, month)))
    path = lake.file("bars", "BTCUSDT", "2024-02-01")
    whole = lake.file_system.cat_file(path)
    lake.file_system.pipe_file(path, damage(whole) if callable(damage) else damage)
    with pytest.raises(LakeError, match=r"2024-02-01.parquet cannot be read: .*materialize its partition again"):
        lake.require("bars", ["BTCUSDT"], day(1), day(1, 4))
    assert lake.require("bars", ["BTCUSDT"], day(1), day(1, 2)).height == 3
    with pytest.raises(LakeError, match=r"2024-02-01.parquet cannot be read"):
        lake.merge("bars", "BTCUSDT", "2024-02-01", rows(), lambda _, new: new)


def test_a_column_that_was_not_stored_is_refused(lake: Lake, rows: Rows) -> None:
    lake.write("features", "BTCUSDT", "2024-01-01", rows())
    with pytest.raises(LakeError, match=r'was stored with other settings: .*"rsi_14".*Materialize these'):
        lake.require("features", ["BTCUSDT"], day(1), day(2), ["symbol", "rsi_14"])


def test_partitions_stored_with_other_columns_are_refused_together(lake: Lake, rows: Rows) -> None:
    lake.write("features", "BTCUSDT", "2024-01-01", rows())
    lake.write("features", "BTCUSDT", "2024-02-01", rows(start=day(1, 2)).drop("value"))
    with pytest.raises(LakeError, match=r"cannot be read together: .*materialize these partitions again"):
        lake.require("features", ["BTCUSDT"], day(1), day(1, 3))


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]"])
def test_a_broken_pointer_is_an_error_and_not_an_empty_lake(lake: Lake, damage: bytes, tmp_path: Path) -> None:
    path = f"{lake.folder('baseline/lightgbm', PLACE)}/current.json"
    lake.file_system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    lake.file_system.pipe_file(path, damage)
    with pytest.raises(LakeError, match=r"current.json is not what was written there"):
        lake.version("baseline/lightgbm", PLACE)


# ---------------------------------------------------------------------- what is refused by the disk or the store


def test_a_full_disk_is_one_clear_error_and_loses_nothing(
    local_lake: Lake, rows: Rows, full_disk: Callable[[int], None]
) -> None:
    local_lake.write("bars", "BTCUSDT", "2024-01-01", rows(value=1.0))
    before = content(local_lake)
    full_disk(0)
    for write in (
        lambda: local_lake.write("bars", "BTCUSDT", "2024-01-01", rows(value=2.0)),
        lambda: local_lake.write("bars", "BTCUSDT", "2024-02-01", rows(value=2.0)),
        lambda: local_lake.merge("bars", "BTCUSDT", "2024-01-01", rows(value=2.0), lambda _, new: new),
        lambda: local_lake.claim(IDENTITY),
    ):
        with pytest.raises(LakeError, match=r"No space left on device.*untouched; make room"):
            write()
    assert content(local_lake) == before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_really_is_full_is_one_clear_error_and_loses_nothing(small_disk: Path, rows: Rows) -> None:
    lake = Lake(str(small_disk / "lake"), "day", small_disk / "locks")
    noisy = rows(count=10_000).with_columns(value=pl.Series([hash((n, 1)) / 2**61 for n in range(10_000)]))
    for number in range(3):
        lake.write("bars", "BTCUSDT", f"2024-01-0{number + 1}", noisy)
    stored = content(lake)
    room = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(room.f_bavail * room.f_bsize - 40_000))  # less than a partition is left
    for partition in ("2024-01-01", "2024-01-04"):
        with pytest.raises(LakeError, match=r"No space left on device.*untouched; make room"):
            lake.write("bars", "BTCUSDT", partition, noisy)
    assert content(lake) == stored
    (small_disk / "filler").unlink()
    lake.write("bars", "BTCUSDT", "2024-01-04", noisy)
    assert len(content(lake)) == 4


def test_a_disk_that_fills_up_within_a_folder_leaves_the_version_before(
    local_lake: Lake, model: Callable[..., Path], full_disk: Callable[[int], None]
) -> None:
    local_lake.write_folder("baseline/lightgbm", PLACE, "v1", model(weights="1"))
    for syncs in range(5):  # two a file: the file and its folder
        full_disk(syncs)
        with pytest.raises(LakeError, match="No space left"):
            local_lake.write_folder("baseline/lightgbm", PLACE, "v2", model(weights="1", manifest="2"))
        assert local_lake.version("baseline/lightgbm", PLACE) == "v1"
    assert not [path for path in content(local_lake) if path.endswith(".part")]


def test_a_place_that_cannot_hold_folders_is_refused(tmp_path: Path, rows: Rows) -> None:
    (tmp_path / "file").write_text("in the way")
    lake = Lake(str(tmp_path / "file" / "lake"), "month", tmp_path / "locks")
    with pytest.raises(LakeError, match="could not be written"):
        lake.write("bars", "BTCUSDT", "2024-01-01", rows())
    with pytest.raises(LakeError, match="cannot hold lock files"):
        Lake(str(tmp_path / "lake"), "month", tmp_path / "file").write("bars", "BTCUSDT", "2024-01-01", rows())


def test_a_bucket_that_is_not_there_is_refused_at_the_door(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="could not be written"):
        Lake(f"{bucket}-of-nobody/lake", "month", tmp_path).claim(IDENTITY)


def test_locks_do_not_pile_up(local_lake: Lake) -> None:
    for number in range(2_000):
        with local_lake._lock(f"bars/BTCUSDT/{number}"):
            pass
    assert len(list(local_lake.locks.iterdir())) <= 256
