"""Foreign column names."""

import pytest

from nightfold.errors import SourceError
from resources.sources.columns import BINANCE_COLUMNS, match_columns


@pytest.mark.parametrize(
    "found",
    [
        ["open_time", "open", "high", "low", "close", "volume"],
        ["Volume", "Close", "Low", "High", "Open", "Timestamp"],
        ["t", "c", "l", "h", "o", "v", "date"],
        ["openTime", "openPrice", "highPrice", "lowPrice", "closePrice", "baseVolume"],
        [" Open Time ", "OPEN", "HIGH", "LOW", "CLOSE", "Base-Volume"],
    ],
)
def test_usual_names_in_any_order_are_understood(found: list[str]) -> None:
    assert set(match_columns(found, "a file")) == {"open_time", "open", "high", "low", "close", "volume"}


@pytest.mark.parametrize(
    ("base", "quote", "count"),
    [
        ("taker_buy_volume", "taker_buy_quote_volume", "count"),
        ("Taker buy base asset volume", "Taker buy quote asset volume", "Number of trades"),
        ("taker_buy_base", "taker_buy_quote", "trades"),
    ],
)
def test_flow_columns_are_found_under_their_usual_names(base: str, quote: str, count: str) -> None:
    columns = match_columns([*"ohlcv", "time", base, quote, count, "quote asset volume"], "a file")
    assert columns["taker_buy_base"] == base
    assert columns["taker_buy_quote"] == quote
    assert columns["trades"] == count
    assert columns["quote_volume"] == "quote asset volume"


def test_our_own_name_wins_over_another() -> None:
    columns = match_columns(["unix", "date", "open_time", *"ohlcv", "volume"], "a file")
    assert columns["open_time"] == "open_time"
    assert columns["volume"] == "volume"
    assert match_columns(["date", "unix", *"ohlcv"], "a file")["open_time"] == "unix"


def test_the_archive_names_itself() -> None:
    assert len(match_columns(BINANCE_COLUMNS, "a file")) == 10
    assert len(BINANCE_COLUMNS) == 12


def test_missing_columns_are_all_named() -> None:
    with pytest.raises(SourceError, match=r"a\.csv: no column for `open_time`, `close`, `volume` among o, h, l"):
        match_columns(["o", "h", "l"], "a.csv")
