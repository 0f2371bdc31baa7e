"""Parquet and CSV files in all the shapes that bars come in."""

import gzip
import io
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from nightfold.errors import SourceError
from resources.sources.table import read_bars, time_range

START = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2024, 1, 2, tzinfo=UTC)
STAMP = int(START.timestamp()) * 1000
BINANCE_ROWS = [f"{STAMP + at * 300_000},10,12,9,11,{at}.5,0,20,{at},1,2,0" for at in range(3)]
HEADER = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,x"
EXPECTED = {
    "open_time": [START + at * timedelta(minutes=5) for at in range(3)],
    "open": [10.0] * 3,
    "high": [12.0] * 3,
    "low": [9.0] * 3,
    "close": [11.0] * 3,
    "volume": [0.5, 1.5, 2.5],
    "quote_volume": [20.0] * 3,
    "trades": [0.0, 1.0, 2.0],
    "taker_buy_base": [1.0] * 3,
    "taker_buy_quote": [2.0] * 3,
}


def read(path: Path) -> dict[str, list[object]]:
    return read_bars(path, START, END).to_dict(as_series=False)


def zipped(text: str, *names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, text)
    return packed.getvalue()


@pytest.mark.parametrize("header", [[HEADER], []], ids=["header", "no header"])
@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".zip"])
def test_csv_is_read_with_and_without_header_packed_or_not(tmp_path: Path, header: list[str], ending: str) -> None:
    text = "\n".join([*header, *BINANCE_ROWS])
    path = tmp_path / f"bars{ending}"
    content = {".csv": text.encode(), ".csv.gz": gzip.compress(text.encode()), ".zip": zipped(text, "bars.csv")}
    path.write_bytes(content[ending])
    assert read(path) == EXPECTED


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_other_separators_line_ends_quotes_and_a_byte_order_mark_are_read(
    tmp_path: Path, separator: str, line_end: str
) -> None:
    path = tmp_path / "bars.csv"
    lines = [f"\ufeff{HEADER}", *(",".join(f'"{cell}"' for cell in row.split(",")) for row in BINANCE_ROWS), ""]
    path.write_bytes(line_end.join(lines).replace(",", separator).encode())
    assert read(path) == EXPECTED


def test_six_columns_without_a_header_are_time_prices_and_volume(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("\n".join(",".join(row.split(",")[:6]) for row in BINANCE_ROWS))
    assert read(path) == {name: EXPECTED[name] for name in ("open_time", "open", "high", "low", "close", "volume")}


def test_iso_times_without_a_header_are_no_header(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("2024-01-01T00:00:00Z,10,12,9,11,0.5\n2024-01-01T00:05:00Z,10,12,9,11,1.5\n")
    assert read(path)["volume"] == [0.5, 1.5]


def test_columns_of_parquet_may_stand_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    frame = pl.DataFrame(EXPECTED).rename({"open_time": "timestamp", "taker_buy_base": "taker_buy_volume"})
    frame.select(pl.lit("BTC").alias("pair"), *reversed(frame.columns)).with_columns(
        pl.col("timestamp").dt.epoch("s")
    ).write_parquet(path)
    assert read(path) == EXPECTED


def test_only_rows_of_the_range_come_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    order = [2, 0, 1, 1]
    pl.DataFrame(EXPECTED)[order].write_parquet(path)
    assert read_bars(path, START, END)["trades"].to_list() == [2, 0, 1, 1]
    middle = START + timedelta(minutes=5)
    assert read_bars(path, middle, middle + timedelta(minutes=5))["trades"].to_list() == [1, 1]
    assert read_bars(path, END, END + timedelta(days=1)).is_empty()
    assert time_range(path) == (START, START + timedelta(minutes=10))


def test_what_is_no_number_is_null(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    cells = ["", "NaN", "null", "inf", "1e3"]
    path.write_text("\n".join([HEADER, *(f"{STAMP},1,1,1,{cell},1,0,1,1,1,1,0" for cell in cells)]))
    assert read(path)["close"] == [None, None, None, None, 1000.0]
    binary = tmp_path / "bars.parquet"
    pl.DataFrame(EXPECTED).with_columns(close=pl.Series([float("nan"), float("inf"), 1.0])).write_parquet(binary)
    assert read(binary)["close"] == [None, None, 1.0]


def test_a_header_without_rows_is_no_bars(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(HEADER)
    assert read(path)["open_time"] == []
    assert time_range(path) is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"1,2,3\n", "has 3 columns and no header .*Add a header"),
        ("a.csv", b"time,o,h,l,c\n1,2,3,4,5\n", "no column for `volume`"),
        ("a.csv", f"{HEADER}\n{STAMP},1,1,1,abc,1,0,1,1,1,1,0".encode(), "cannot be read as bars: .*'?close"),
        ("a.csv", f"{HEADER}\n{STAMP},1,1,1,1,1,0,1,1,1,1,0,9,9".encode(), "cannot be read as bars"),
        ("a.csv", b"\xff\xfe\x00binary", "cannot be read as bars"),
        ("a.parquet", b"PAR1 but not really", "cannot be read as bars"),
        ("a.csv.gz", b"not gzip", "cannot be read as bars"),
        ("a.zip", b"not zip", "cannot be read as bars"),
        ("a.zip", zipped("x", "one.csv", "two.csv"), r"holds 2 files \(one.csv, two.csv\)"),
    ],
)
def test_a_file_that_is_no_table_of_bars_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=rf"{path}.*{words}"):
        read(path)


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bars.parquet"
    pl.DataFrame(EXPECTED).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError, match=f"{path} cannot be read as bars"):
        read(path)
