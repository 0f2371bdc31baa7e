"""Symbols: one spelling inside, many at the door."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightfold.bars.symbol import QUOTES, Instrument, normalize_symbol, parse_symbol
from nightfold.errors import ConfigError


@pytest.mark.parametrize(
    ("written", "inside"),
    [
        ("BTCUSDT", "BTCUSDT"),
        (" btcusdt ", "BTCUSDT"),
        ("BTC/USDT", "BTCUSDT"),
        ("BTC-USD", "BTCUSD"),
        ("btc_usdt", "BTCUSDT"),
        ("KRAKEN:BTC/USD", "BTCUSD"),
        ("BINANCE:BTCUSDT", "BTCUSDT"),
        ("BINANCE:BTCUSDT.P", "BTCUSDT.P"),
        ("BTC/USDT:USDT", "BTCUSDT.P"),
        ("BTC-USDT-SWAP", "BTCUSDT.P"),
        ("BTCUSDT-PERP", "BTCUSDT.P"),
        ("1000PEPEUSDT.P", "1000PEPEUSDT.P"),
        ("ETHBTC", "ETHBTC"),
    ],
)
def test_usual_spellings_become_the_one_used_inside(written: str, inside: str) -> None:
    assert normalize_symbol(written) == inside


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("BTC", "no known quote currency"),
        ("", "no pair"),
        ("BTC USDT", "no pair"),
        ("BTCUSDT1!", "no pair"),
        ("WBTC", "no known quote currency"),
        ("BTC/XYZ", "XYZ is no quote currency"),
        ("BTC/BTC", "no quote currency for BTC"),
        ("BTC/USDT:BTC", "settled in BTC"),
        ("BTCUSD_PERP", "inverse"),
        ("BTC-USD-SWAP", "inverse"),
        ("BTCUSDT_230630", "expiry date"),
        ("BTC/USDT:USDT-230630", "expiry date"),
        ("BTC-30JUN23", "expiry date"),
        ("XYZTUSD", "XYZ/TUSD or XYZT/USD"),
        ("XYZT/USD", "also reads as XYZ/TUSD"),
        ("W/BTC", "a single coin"),
    ],
)
def test_ambiguous_or_unknown_spellings_are_refused_with_the_way_out(written: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as refusal:
        normalize_symbol(written)
    assert "write spot as BTCUSDT" in str(refusal.value)


@pytest.mark.parametrize(
    ("written", "base", "quote"),
    [("DOTUSD", "DOT", "USD"), ("BNBUSD", "BNB", "USD"), ("BTCTUSD", "BTC", "TUSD"), ("BTCFDUSD", "BTC", "FDUSD")],
)
def test_a_well_known_coin_decides_between_two_readings(written: str, base: str, quote: str) -> None:
    assert parse_symbol(written) == Instrument(base, quote)


def test_an_instrument_spells_itself_for_each_source() -> None:
    perpetual = parse_symbol("BTCUSDT.P")
    assert (perpetual.symbol, perpetual.unified, perpetual.pair) == ("BTCUSDT.P", "BTC/USDT:USDT", "BTCUSDT")
    assert parse_symbol("BTC/EUR").unified == "BTC/EUR"


@given(st.from_regex(r"[A-Z0-9]{1,6}", fullmatch=True), st.sampled_from(sorted(QUOTES)), st.booleans())
def test_what_is_accepted_reads_back_as_the_same_instrument(base: str, quote: str, perpetual: bool) -> None:
    written = Instrument(base, quote, perpetual)
    try:
        read = parse_symbol(written.unified)
    except ConfigError:
        return
    assert read == written == parse_symbol(read.symbol)
