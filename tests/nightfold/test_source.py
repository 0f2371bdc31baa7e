"""Where bars come from, as it is written in a file."""

import pytest
from pydantic import ValidationError

from nightfold.errors import ConfigError
from nightfold.source import (
    ArchiveSource,
    ExchangeSource,
    FolderSource,
    SimulatedSource,
    Source,
    market_note,
    parse_source,
)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("simulated", SimulatedSource()),
        ("folder:bars/binance_spot_*", FolderSource(path="bars/binance_spot_*")),
        ("folder:C:/bars", FolderSource(path="C:/bars")),
        ("binance_archive", ArchiveSource()),
        ("binance_archive:http://127.0.0.1:80", ArchiveSource(url="http://127.0.0.1:80")),
        ("exchange:kraken", ExchangeSource(exchange="kraken")),
        ("exchange", ExchangeSource(exchange="binance")),
    ],
)
def test_the_short_form_is_read(text: str, source: Source) -> None:
    assert parse_source(text) == source


@pytest.mark.parametrize(
    "text", ["", "folder", "folder:", "simulate", "simulated:7", "kraken", "binance_archive:ftp://x", "Simulated"]
)
def test_what_is_no_source_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_source(text)
    assert str(caught.value) == (
        f"`source` is {text!r}; it must be `simulated`, `folder:PATH`, `binance_archive` or `exchange:NAME`."
    )


@pytest.mark.parametrize(
    "pattern", ["{symbol}_{interval}", "{venue}_{market}_{symbol}_{interval}", "{any}-{symbol}-{any}-{interval}"]
)
def test_a_name_pattern_needs_symbol_and_interval(pattern: str) -> None:
    assert FolderSource(path="bars", name_pattern=pattern).name_pattern == pattern


@pytest.mark.parametrize(
    "pattern", ["", "{symbol}", "{interval}", "{symbol}_{symbol}_{interval}", "{symbol}_{interval}_{year}"]
)
def test_other_name_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ValidationError, match=r"it must hold \{symbol\} and \{interval\}"):
        FolderSource(path="bars", name_pattern=pattern)


@pytest.mark.parametrize(
    "settings", [{"seed": -1}, {"annual_volatility": 0}, {"annual_volatility": 3.1}, {"trend_strength": 1.01}]
)
def test_a_simulated_market_keeps_within_its_bounds(settings: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        SimulatedSource.model_validate(settings)


def test_every_source_says_in_a_sentence_where_prices_come_from() -> None:
    assert market_note(SimulatedSource(seed=3)).startswith("Simulated market, seed 3: prices are a martingale")
    assert "planted trend of 0.2 bar volatilities" in market_note(SimulatedSource(trend_strength=0.2))
    assert market_note(parse_source("folder:bars")) == "Recorded bars from bars."
    assert market_note(parse_source("binance_archive")) == "Bars of Binance's public archive."
    assert market_note(parse_source("exchange:kraken")) == "Bars of kraken."
