"""The archive against a local server that serves recorded files, and serves them badly."""

import csv
import hashlib
import io
import threading
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nightfold.errors import SourceError, SourceUnavailableError
from nightfold.schema import RAW_BARS
from nightfold.source import ArchiveSource
from resources.sources.binance_archive import BinanceArchive
from resources.sources.retry import Patience

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
MONTH = "/data/spot/monthly/klines/BTCUSDT/5m/BTCUSDT-5m-2025-01.zip"
DAILY = "/data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-{}.zip"


def day(year: int, month: int = 1, date: int = 1) -> datetime:
    return datetime(year, month, date, tzinfo=UTC)


def zipped(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


def small_month(first_day: int = 1) -> bytes:
    """Two bars of January 2025, without a header, in microseconds."""
    stamp = int(day(2025, 1, first_day).timestamp()) * 1_000_000
    rows = [f"{stamp + at * 300_000_000},10,12,9,11,{at + 1},0,22,3,1,11,0" for at in range(2)]
    return zipped("BTCUSDT-5m-2025-01.csv", "\n".join(rows).encode())


def checksum(content: bytes, name: str = "BTCUSDT-5m-2025-01.zip") -> bytes:
    return f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def archive(server: Any, tmp_path: Path, waits: list[float]) -> BinanceArchive:
    return BinanceArchive(ArchiveSource(url=server.address), lambda: NOW, tmp_path, Patience(sleep=waits.append))


def january(archive: BinanceArchive) -> pl.DataFrame:
    return archive.fetch("BTCUSDT", "5m", day(2025), day(2025, 2))


def written(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("symbol", "folder", "market", "per_ms"),
    [("BTCUSDT", "spot", "spot", 1000), ("BTCUSDT.P", "futures_um", "futures/um", 1)],
    ids=["microseconds without a header", "milliseconds with a header"],
)
def test_a_recorded_month_arrives_row_by_row_as_it_was_written(
    server: Any, archive: BinanceArchive, market_data: Path, symbol: str, folder: str, market: str, per_ms: int
) -> None:
    recorded = market_data / "raw_samples/binance_vision" / folder / "monthly/BTCUSDT-5m-2025-01.csv"
    packed = zipped(recorded.name, recorded.read_bytes())
    path = MONTH.replace("/spot/", f"/{market}/")
    server.files |= {path: packed, f"{path}.CHECKSUM": checksum(packed)}
    bars = archive.fetch(symbol, "5m", day(2025), day(2025, 2))
    rows = [row for row in csv.reader(recorded.read_text().splitlines()) if row[0].isdecimal()]
    assert len(rows) == 31 * 288
    assert bars.schema == RAW_BARS.dtypes
    assert bars["symbol"].unique().to_list() == [symbol]
    assert bars["venue"].unique().to_list() == ["binance"]
    assert bars["open_time"].dt.epoch("ms").to_list() == [int(row[0]) // per_ms for row in rows]
    places = {"open": 1, "high": 2, "low": 3, "close": 4, "volume": 5, "quote_volume": 7, "trades": 8}
    for name, place in (places | {"taker_buy_base": 9, "taker_buy_quote": 10}).items():
        assert bars[name].to_list() == [float(row[place]) for row in rows]


def test_recorded_days_stand_in_where_a_month_is_missing(
    server: Any, archive: BinanceArchive, market_data: Path
) -> None:
    recorded = market_data / "raw_samples/binance_vision/spot/daily"
    for date in ("2022-11-08", "2022-11-09", "2022-11-10"):
        server.files[DAILY.format(date)] = (recorded / f"BTCUSDT-1m-{date}.zip").read_bytes()
    start, end = datetime(2022, 11, 8, 6, tzinfo=UTC), datetime(2022, 11, 11, 3, tzinfo=UTC)
    bars = archive.fetch("BTCUSDT", "1m", start, end)
    ours = pl.read_parquet(market_data / "bars_1m/binance_spot_BTCUSDT_1m_2022-11.parquet").filter(
        pl.col("open_time").is_between(start, day(2022, 11, 11), closed="left")
    )
    assert bars.select(ours.columns).equals(ours)
    assert len(bars) == 3 * 1440 - 360
    assert server.paths()[0] == "/data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2022-11.zip"
    assert DAILY.format("2022-11-11") in server.paths()
    assert DAILY.format("2022-11-07") not in server.paths()


def test_the_month_under_way_comes_by_days_that_are_over(server: Any, archive: BinanceArchive) -> None:
    assert archive.fetch("BTCUSDT", "1m", day(2025, 6, 12), day(2025, 7)).is_empty()
    assert server.paths() == [DAILY.format(f"2025-06-{date}") for date in (12, 13, 14)]


def test_what_does_not_exist_is_an_empty_frame_and_is_asked_for_once(
    server: Any, archive: BinanceArchive, tmp_path: Path, waits: list[float]
) -> None:
    bars = archive.fetch("NEWUSDT", "1m", day(2025, 2), day(2025, 3))
    assert bars.is_empty()
    assert bars.schema == RAW_BARS.dtypes
    assert len(server.requests) == 1 + 28
    assert waits == []
    assert written(tmp_path) == []


def test_a_kept_file_is_not_fetched_again(server: Any, archive: BinanceArchive, tmp_path: Path) -> None:
    server.files[MONTH] = small_month()
    first = january(archive)
    server.requests.clear()
    server.files.clear()
    assert january(archive).equals(first)
    assert server.requests == []
    assert written(tmp_path) == ["BTCUSDT-5m-2025-01.zip"]


def test_rows_of_one_time_keep_their_order(server: Any, archive: BinanceArchive) -> None:
    stamp = int(day(2025).timestamp()) * 1000
    rows = "\n".join(f"{stamp - at % 2 * 300_000},1,1,1,1,{at},0,0,0,0,0,0" for at in range(6))
    server.files[MONTH] = zipped("rows.csv", rows.encode())
    assert january(archive)["volume"].to_list() == [0.0, 2.0, 4.0]


def test_another_checksum_than_published_is_an_error_that_names_both(
    server: Any, archive: BinanceArchive, tmp_path: Path
) -> None:
    content, other = small_month(), small_month(2)
    server.files |= {MONTH: content, f"{MONTH}.CHECKSUM": checksum(other)}
    with pytest.raises(SourceError) as caught:
        january(archive)
    for part in (MONTH, hashlib.sha256(content).hexdigest(), hashlib.sha256(other).hexdigest()):
        assert part in str(caught.value)
    assert written(tmp_path) == []
    server.files[f"{MONTH}.CHECKSUM"] = checksum(content)
    assert len(january(archive)) == 2


def test_a_checksum_file_of_garbage_is_an_error(server: Any, archive: BinanceArchive) -> None:
    server.files |= {MONTH: small_month(), f"{MONTH}.CHECKSUM": b"<html>sorry</html>"}
    with pytest.raises(SourceError, match="CHECKSUM holds '<html>sorry"):
        january(archive)


@pytest.mark.parametrize("published", [True, False], ids=["with checksum", "without checksum"])
def test_a_broken_download_goes_on_where_it_stopped(
    server: Any, archive: BinanceArchive, waits: list[float], published: bool
) -> None:
    content = small_month()
    server.files[MONTH] = content
    if published:
        server.files[f"{MONTH}.CHECKSUM"] = checksum(content)
    server.plan(MONTH, server.answer(sent=60), server.answer(sent=40))
    assert len(january(archive)) == 2
    ranges = [headers.get("Range") for path, headers in server.requests if path == MONTH]
    assert ranges == [None, "bytes=60-", "bytes=100-"]
    assert waits == [0.5, 1.0]


def test_a_server_without_ranges_sends_all_of_it_again(server: Any, archive: BinanceArchive) -> None:
    content = small_month()
    server.files |= {MONTH: content, f"{MONTH}.CHECKSUM": checksum(content)}
    server.serves_ranges = False
    server.plan(MONTH, server.answer(sent=60))
    assert len(january(archive)) == 2
    assert server.paths().count(MONTH) == 2


@pytest.mark.parametrize("left", ["beginning", "all", "something else", "more than all"])
def test_what_an_ended_process_left_is_taken_up_or_replaced(
    server: Any, archive: BinanceArchive, tmp_path: Path, left: str
) -> None:
    content = small_month()
    server.files |= {MONTH: content, f"{MONTH}.CHECKSUM": checksum(content)}
    part = tmp_path / "binance_archive" / f"{MONTH[1:]}.part"
    part.parent.mkdir(parents=True)
    lying = {"beginning": content[:50], "all": content, "something else": b"x" * 50, "more than all": content * 2}[left]
    part.write_bytes(lying)
    assert len(january(archive)) == 2
    assert server.requests[0][1]["Range"] == f"bytes={len(lying)}-"
    assert written(tmp_path) == ["BTCUSDT-5m-2025-01.zip"]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_in_trouble_is_asked_again_more_and_more_slowly(
    server: Any, archive: BinanceArchive, waits: list[float], status: int
) -> None:
    server.files[MONTH] = small_month()
    server.plan(MONTH, *[server.answer(status, b"oh no")] * 3)
    assert len(january(archive)) == 2
    assert waits == [0.5, 1.0, 2.0]


def test_the_wait_a_server_asks_for_is_kept(server: Any, archive: BinanceArchive, waits: list[float]) -> None:
    server.files[MONTH] = small_month()
    in_a_minute = "Sun, 15 Jun 2025 12:01:00 GMT"
    server.plan(MONTH, *(server.answer(429, headers={"Retry-After": text}) for text in ("7", in_a_minute, "soon")))
    assert len(january(archive)) == 2
    assert waits == [7.0, 60.0, 2.0]


def test_too_long_a_wait_ends_the_attempts(server: Any, archive: BinanceArchive, waits: list[float]) -> None:
    server.plan(MONTH, server.answer(429, headers={"Retry-After": "3600"}))
    with pytest.raises(SourceUnavailableError, match=r"429 .* Gave up after 1 attempts \(next wait 3600 s\)"):
        january(archive)
    assert waits == []


@pytest.mark.parametrize(("status", "words"), [(500, "500"), (0, "connection failed")])
def test_a_server_that_stays_down_is_given_up(
    server: Any, archive: BinanceArchive, waits: list[float], status: int, words: str
) -> None:
    server.plan(MONTH, *[server.answer(status)] * 9)
    with pytest.raises(SourceUnavailableError, match=rf"2025-01\.zip.*{words}.*Gave up after 5 attempts"):
        january(archive)
    assert len(server.requests) == 5
    assert waits == [0.5, 1.0, 2.0, 4.0]


def test_a_server_that_is_not_there_is_given_up(tmp_path: Path, waits: list[float]) -> None:
    source = ArchiveSource(url="http://user:secret@127.0.0.1:9")
    with pytest.raises(SourceUnavailableError, match=r"127\.0\.0\.1:9/data/spot") as caught:
        january(BinanceArchive(source, lambda: NOW, tmp_path, Patience(sleep=waits.append)))
    assert "secret" not in str(caught.value)


def test_a_refusal_is_an_error_at_once(server: Any, archive: BinanceArchive, waits: list[float]) -> None:
    server.plan(MONTH, server.answer(403))
    with pytest.raises(SourceError, match="answered 403 Forbidden; check `url`"):
        january(archive)
    assert waits == []


@pytest.mark.parametrize("garbage", [b"<html>blocked</html>", b"", small_month()[:-30]], ids=["page", "nothing", "cut"])
def test_garbage_is_named_and_not_kept(server: Any, archive: BinanceArchive, tmp_path: Path, garbage: bytes) -> None:
    server.files[MONTH] = garbage
    with pytest.raises(SourceError, match=r"BTCUSDT-5m-2025-01\.zip is no zip file"):
        january(archive)
    assert written(tmp_path) == []
    server.files[MONTH] = small_month()
    assert len(january(archive)) == 2


def test_a_zip_file_with_a_flipped_bit_is_found_without_a_checksum(server: Any, archive: BinanceArchive) -> None:
    content = bytearray(small_month())
    content[70] ^= 1
    server.files[MONTH] = bytes(content)
    with pytest.raises(SourceError, match=r"BTCUSDT-5m-2025-01\.zip (is no zip file that can be read|is broken)"):
        january(archive)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"1,2,3\n", "3 columns and no header"), (b"open_time,open\n1,2\n", "no column for `high`"), (b"", "is empty")],
)
def test_a_table_of_another_shape_is_named(server: Any, archive: BinanceArchive, content: bytes, words: str) -> None:
    server.files[MONTH] = zipped("rows.csv", content)
    with pytest.raises(SourceError, match=rf"BTCUSDT-5m-2025-01\.zip.*{words}"):
        january(archive)


def test_a_folder_that_cannot_be_written_is_named(server: Any, archive: BinanceArchive, tmp_path: Path) -> None:
    server.files[MONTH] = small_month()
    (tmp_path / "binance_archive").write_text("a file where the folder should be")
    with pytest.raises(SourceError, match=r"BTCUSDT-5m-2025-01\.zip cannot be written"):
        january(archive)


def test_two_at_once_fetch_a_file_once(server: Any, tmp_path: Path) -> None:
    server.files[MONTH] = small_month()
    frames: list[pl.DataFrame] = []

    def fetch() -> None:
        frames.append(january(BinanceArchive(ArchiveSource(url=server.address), lambda: NOW, tmp_path)))

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(frame) for frame in frames] == [2, 2, 2, 2]
    assert server.paths().count(MONTH) == 1
    assert written(tmp_path) == ["BTCUSDT-5m-2025-01.zip"]


def test_one_that_waits_for_another_that_fails_starts_anew(server: Any, tmp_path: Path) -> None:
    replies = [b"garbage", b"garbage", small_month()]

    def slow_page(_: dict[str, str]) -> Any:
        time.sleep(0.1)
        return server.answer(200, replies.pop(0))

    server.pages[MONTH] = slow_page
    outcomes: list[int | str] = []

    def fetch() -> None:
        try:
            outcomes.append(len(january(BinanceArchive(ArchiveSource(url=server.address), lambda: NOW, tmp_path))))
        except OSError as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == ["SourceError", 2]
    assert written(tmp_path) == ["BTCUSDT-5m-2025-01.zip"]


def test_the_archive_knows_no_coverage_and_no_list(archive: BinanceArchive) -> None:
    assert archive.slug == "binance_archive"
    assert archive.coverage("BTCUSDT", "5m") is None
    assert archive.symbols("5m") is None
