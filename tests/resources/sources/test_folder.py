"""Files on disk as a source: what names say, what is offered, and what comes back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from nightfold.errors import SourceError
from nightfold.schema import RAW_BARS
from nightfold.source import FolderSource
from resources.sources.folder import BarFolder

START = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2024, 1, 2, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)
Write = Callable[..., Path]


def bars(volumes: list[float], first: datetime = START) -> pl.DataFrame:
    times = [first + at * FIVE_MINUTES for at in range(len(volumes))]
    return pl.DataFrame({"open_time": times, "open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": volumes})


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(*names: str, rows: pl.DataFrame | None = None) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (bars([1.0, 2.0]) if rows is None else rows).write_parquet(tmp_path / name)
        return tmp_path

    return write


def folder(path: Path | str, pattern: str = "{venue}_{market}_{symbol}_{interval}") -> BarFolder:
    return BarFolder(FolderSource(path=str(path), name_pattern=pattern))


def test_recorded_bars_come_back_as_they_lie_there(market_data: Path) -> None:
    source = folder(market_data / "bars_5m/binance_spot_*")
    start, end = datetime(2023, 3, 24, tzinfo=UTC), datetime(2023, 3, 25, tzinfo=UTC)
    found = source.fetch("ETHUSDT", "5m", start, end)
    path = market_data / "bars_5m/binance_spot_ETHUSDT_5m.parquet"
    query = f"select * from '{path}' where open_time >= ? and open_time < ? order by open_time"
    assert found.select(pl.exclude("symbol", "venue", "open_time")).rows() == [
        row[1:] for row in duckdb.execute(query, [start, end]).fetchall()
    ]
    assert len(found) == 288 - 16
    assert found.schema == RAW_BARS.dtypes
    assert found["venue"].unique().to_list() == ["binance"]
    assert source.coverage("ETHUSDT", "5m") == (datetime(2022, 1, 1, tzinfo=UTC), datetime(2024, 6, 26, tzinfo=UTC))
    assert source.symbols("5m") == [f"{coin}USDT" for coin in ("ADA", "BNB", "BTC", "DOGE", "ETH", "SOL", "XRP")]


def test_a_folder_of_spot_and_perpetuals_keeps_them_apart(market_data: Path) -> None:
    source = folder(market_data / "bars_5m")
    start, end = datetime(2022, 12, 1, tzinfo=UTC), datetime(2022, 12, 2, tzinfo=UTC)
    spot, perpetual = source.fetch("BTCUSDT", "5m", start, end), source.fetch("BTCUSDT.P", "5m", start, end)
    assert spot["venue"].unique().to_list() == ["binance"]
    assert perpetual["venue"].unique().to_list() == ["okx"]
    assert len(spot) == len(perpetual) == 288


def test_several_venues_of_a_symbol_come_together_in_order_of_time(market_data: Path) -> None:
    source = folder(market_data / "bars_1m", "{venue}_{market}_{symbol}_{interval}_{any}")
    start = datetime(2023, 3, 11, tzinfo=UTC)
    found = source.fetch("BTCUSDT", "1m", start, start + timedelta(hours=1))
    assert found["venue"].to_list() == ["binance", "binanceus"] * 60
    assert found["open_time"].is_sorted()


def test_repeated_rows_of_the_recorded_crash_are_kept(market_data: Path) -> None:
    source = folder(market_data / "stress", "{venue}_{market}_{symbol}_{interval}_{any}")
    repeated = datetime(2020, 3, 8, 10, 40, tzinfo=UTC)
    assert len(source.fetch("BTCUSDT", "5m", repeated, repeated + FIVE_MINUTES)) == 2


@pytest.mark.parametrize(
    ("name", "symbol", "venue"),
    [
        ("okx_perp_BTCUSDT_5m.parquet", "BTCUSDT.P", "okx"),
        ("okx_swap_BTC-USDT_5m.parquet", "BTCUSDT.P", "okx"),
        ("binance_futures_BTCUSDT.P_5m.parquet", "BTCUSDT.P", "binance"),
        ("binance_us_spot_btc_usdt_5m.parquet", "BTCUSDT", "binance_us"),
        ("coinbase_spot_BTC-USD_5m.parquet", "BTCUSD", "coinbase"),
    ],
)
def test_a_name_tells_venue_market_symbol_and_interval(write: Write, name: str, symbol: str, venue: str) -> None:
    source = folder(write(name))
    assert source.symbols("5m") == [symbol]
    assert source.symbols("1h") == []
    found = source.fetch(symbol, "5m", START, END)
    assert found["symbol"].to_list() == [symbol] * 2
    assert found["venue"].to_list() == [venue] * 2


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{symbol}-{interval}-{any}", "BTCUSDT-5m-2024-01.parquet"),
        ("{symbol}.{interval}", "BTCUSDT.5m.parquet"),
        ("{any}_{interval}_{any}_{symbol}", "x_5m_y_BTCUSDT.parquet"),
    ],
)
def test_the_pattern_is_a_setting_and_a_venue_need_not_be_in_it(write: Write, pattern: str, name: str) -> None:
    assert folder(write(name), pattern).fetch("BTCUSDT", "5m", START, END)["venue"].to_list() == ["folder"] * 2


def test_files_of_one_symbol_are_joined_by_time_and_repeats_by_name(write: Write) -> None:
    pattern = "{symbol}_{interval}_{any}"
    write("BTCUSDT_5m_2.parquet", rows=bars([10.0, 11.0], START))
    path = write("BTCUSDT_5m_1.parquet", rows=bars([20.0, 21.0], START + FIVE_MINUTES))
    source = folder(path, pattern)
    assert source.fetch("BTCUSDT", "5m", START, END)["volume"].to_list() == [10.0, 20.0, 11.0, 21.0]
    assert source.coverage("BTCUSDT", "5m") == (START, START + 3 * FIVE_MINUTES)


def test_rows_that_are_newest_first_are_put_in_order(write: Write) -> None:
    path = write("binance_spot_BTCUSDT_5m.parquet", rows=bars([1.0, 2.0, 3.0]).reverse())
    assert folder(path).fetch("BTCUSDT", "5m", START, END)["volume"].to_list() == [1.0, 2.0, 3.0]


def test_a_file_without_rows_covers_nothing(write: Write) -> None:
    source = folder(write("binance_spot_BTCUSDT_5m.parquet", rows=bars([1.0]).clear()))
    assert source.coverage("BTCUSDT", "5m") is None
    assert source.fetch("BTCUSDT", "5m", START, END).schema == RAW_BARS.dtypes


def test_other_files_are_passed_over(write: Write) -> None:
    path = write("binance_spot_BTCUSDT_5m.parquet", "notes_5m.parquet", "binance_spot_NOPAIR_5m.parquet")
    (path / "README.md").write_text("about")
    (path / "binance_spot_ETHUSDT_5m.txt").write_text("not bars")
    (path / "binance_spot_ETHUSDT_5m").mkdir()
    assert folder(path).symbols("5m") == ["BTCUSDT"]


def test_files_that_come_later_are_seen(write: Write) -> None:
    source = folder(write("binance_spot_BTCUSDT_5m.parquet"))
    assert source.symbols("5m") == ["BTCUSDT"]
    write("binance_spot_ETHUSDT_5m.parquet")
    assert source.symbols("5m") == ["BTCUSDT", "ETHUSDT"]


def test_a_folder_without_matching_files_says_what_it_found(write: Write) -> None:
    path = write("BTCUSDT-5m.parquet")
    with pytest.raises(SourceError, match=r"no file named \{venue\}.*found are BTCUSDT-5m.parquet. Change `path`"):
        folder(path).symbols("5m")
    with pytest.raises(SourceError, match="nothing is there"):
        folder(path / "absent").fetch("BTCUSDT", "5m", START, END)


def test_a_symbol_or_interval_that_is_not_there_is_an_error_with_what_is(write: Write) -> None:
    source = folder(write("binance_spot_BTCUSDT_5m.parquet", "binance_spot_ETHUSDT_1h.parquet"))
    with pytest.raises(SourceError, match=r"has no BTCUSDT at 1h. Of BTCUSDT it has 5m; at 1h it has ETHUSDT"):
        source.fetch("BTCUSDT", "1h", START, END)
    with pytest.raises(SourceError, match=r"has no SOLUSDT at 5m. Of SOLUSDT it has nothing.*`source_interval`"):
        source.coverage("SOLUSDT", "5m")


def test_the_slug_is_safe_and_tells_settings_apart() -> None:
    slugs = [folder(path).slug for path in ("a/binance_spot_*", "b/binance_spot_*", "../x y/", "/", "ü*")]
    slugs.append(folder("a/binance_spot_*", "{symbol}_{interval}").slug)
    assert slugs[0].startswith("folder-binance_spot-")
    assert len(set(slugs)) == len(slugs)
    assert all(slug.replace("-", "").replace("_", "").isalnum() and slug.isascii() for slug in slugs)


@pytest.mark.parametrize(
    "pattern", ["{symbol}", "{interval}", "{symbol}_{interval}_{year}", "{symbol}{symbol}{interval}"]
)
def test_a_pattern_that_tells_too_little_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="`name_pattern` is"):
        FolderSource(path="bars", name_pattern=pattern)


def test_a_relative_folder_is_the_project_s_wherever_one_stands(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("bars/venue_spot_BTCUSDT_5m.parquet")
    monkeypatch.setattr("resources.project.PROJECT", tmp_path)
    monkeypatch.chdir("/")
    assert folder("bars").symbols("5m") == ["BTCUSDT"]
    assert folder("bars/*_BTC*").symbols("5m") == ["BTCUSDT"]
