"""ccxt's own Binance client against a local server that speaks Binance's REST, well and badly."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nightfold.errors import ConfigError, SourceError, SourceUnavailableError, UnknownNameError
from nightfold.schema import RAW_BARS
from nightfold.source import ExchangeSource
from resources.sources.exchange import Exchange
from resources.sources.retry import Patience

KLINES = "/api/v3/klines"
START = datetime(2024, 1, 1, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)


def stamp(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def kline(at: int, volume: float | None = None) -> list[Any]:
    """Bar number ``at`` after START, as Binance writes it."""
    opened = stamp(START) + at * 300_000
    price = 100 + at
    return [
        *(opened, f"{price}", f"{price + 2}", f"{price - 2}", f"{price + 1}", f"{at if volume is None else volume}"),
        *(opened + 299_999, "1.0", 3, "0.5", "0.5", "0"),
    ]


def market(base: str, quote: str, **more: Any) -> dict[str, Any]:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "9000", "stepSize": "0.001"},
    ]
    return {
        "symbol": base + quote,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "filters": filters,
        "pair": base + quote,
        "marginAsset": quote,
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT"],
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "isSpotTradingAllowed": True,
        **more,
    }


class FakeBinance:
    """What the exchange knows: markets, and bars that are given out by since and limit."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.bars: list[list[Any]] = []
        self.asked: list[dict[str, str]] = []
        self.repeats_bars_before = 0
        server.pages |= {
            "/api/v3/exchangeInfo": self._json({"symbols": [market("BTC", "USDT"), market("ETH", "USDT")]}),
            "/fapi/v1/exchangeInfo": self._json({"symbols": [market("BTC", "USDT", contractType="PERPETUAL")]}),
            "/dapi/v1/exchangeInfo": self._json({"symbols": []}),
            KLINES: self._klines,
            "/fapi/v1/klines": self._klines,
        }

    def _json(self, answer: object) -> Callable[[dict[str, str]], Any]:
        return lambda _: self.reply(answer)

    def reply(self, answer: object, status: int = 200, **headers: str) -> Any:
        """Answer in JSON; header names are written with _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.server.answer(status, json.dumps(answer).encode(), {"Content-Type": "application/json", **named})

    def _klines(self, query: dict[str, str]) -> Any:
        self.asked.append(query)
        since, limit = int(query["startTime"]) - self.repeats_bars_before * 300_000, int(query["limit"])
        return self.reply([bar for bar in self.bars if bar[0] >= since][:limit])


@pytest.fixture
def binance(server: Any) -> FakeBinance:
    return FakeBinance(server)


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def connect(server: Any, binance: FakeBinance, waits: list[float]) -> Callable[[datetime], Exchange]:
    spec = ExchangeSource(url=server.address)
    return lambda now: Exchange(spec, lambda: now, Patience(sleep=waits.append))


@pytest.fixture
def exchange(connect: Callable[[datetime], Exchange]) -> Exchange:
    return connect(datetime(2025, 1, 1, tzinfo=UTC))


def test_pages_follow_each_other_until_the_end(binance: FakeBinance, exchange: Exchange) -> None:
    binance.bars = [kline(at) for at in range(3000)]
    bars = exchange.fetch("BTCUSDT", "5m", START, START + 2500 * FIVE_MINUTES)
    assert bars.schema == RAW_BARS.dtypes
    assert bars["open_time"].to_list() == [START + at * FIVE_MINUTES for at in range(2500)]
    assert bars["volume"].to_list() == [float(at) for at in range(2500)]
    assert bars.row(7, named=True) | {"open_time": None} == {
        "symbol": "BTCUSDT",
        "open_time": None,
        "venue": "binance",
        "open": 107.0,
        "high": 109.0,
        "low": 105.0,
        "close": 108.0,
        "volume": 7.0,
        **dict.fromkeys(("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")),
    }
    assert [int(query["startTime"]) for query in binance.asked] == [
        stamp(START + at * FIVE_MINUTES) for at in (0, 1000, 2000)
    ]


def test_only_bars_of_the_range_come_back(binance: FakeBinance, exchange: Exchange) -> None:
    binance.bars = [kline(at) for at in range(-5, 50)]
    bars = exchange.fetch("BTCUSDT", "5m", START + 10 * FIVE_MINUTES, START + 13 * FIVE_MINUTES)
    assert bars["volume"].to_list() == [10.0, 11.0, 12.0]


@pytest.mark.parametrize(("seconds", "closed"), [(0, 3), (299.999, 3), (300, 4)])
def test_a_bar_that_is_not_closed_is_left_out(
    binance: FakeBinance, connect: Callable[[datetime], Exchange], seconds: float, closed: int
) -> None:
    binance.bars = [kline(at) for at in range(10)]
    now = START + 3 * FIVE_MINUTES + timedelta(seconds=seconds)
    bars = connect(now).fetch("BTCUSDT", "5m", START, START + timedelta(days=1))
    assert len(bars) == closed


def test_a_perpetual_is_another_market(binance: FakeBinance, exchange: Exchange) -> None:
    binance.bars = [kline(0), kline(1)]
    bars = exchange.fetch("BTCUSDT.P", "5m", START, START + timedelta(hours=1))
    assert bars["symbol"].to_list() == ["BTCUSDT.P"] * 2
    assert binance.server.paths()[-1] == "/fapi/v1/klines"


def test_nothing_is_an_empty_frame(exchange: Exchange) -> None:
    bars = exchange.fetch("BTCUSDT", "5m", START, START + timedelta(hours=1))
    assert bars.is_empty()
    assert bars.schema == RAW_BARS.dtypes


def test_a_stretch_without_bars_longer_than_a_page_is_crossed(binance: FakeBinance, exchange: Exchange) -> None:
    # As exchanges do that answer from `since` to `since` + `limit` bars only.
    def only_a_window(query: dict[str, str]) -> Any:
        since = int(query["startTime"])
        return binance.reply([bar for bar in binance.bars if since <= bar[0] < since + 1000 * 300_000])

    binance.server.pages[KLINES] = only_a_window
    binance.bars = [kline(at) for at in (0, 1, 2600, 2601)]
    bars = exchange.fetch("BTCUSDT", "5m", START, START + 3000 * FIVE_MINUTES)
    assert bars["volume"].to_list() == [0.0, 1.0, 2600.0, 2601.0]


def test_bars_that_a_page_repeats_from_the_last_one_come_once(binance: FakeBinance, exchange: Exchange) -> None:
    binance.bars = [kline(at) for at in range(2500)]
    binance.repeats_bars_before = 3
    bars = exchange.fetch("BTCUSDT", "5m", START, START + 2500 * FIVE_MINUTES)
    assert bars["volume"].to_list() == [float(at) for at in range(2500)]


def test_the_same_page_over_and_over_ends(binance: FakeBinance, exchange: Exchange) -> None:
    binance.server.pages[KLINES] = lambda _: binance.reply([kline(at) for at in range(10)])
    bars = exchange.fetch("BTCUSDT", "5m", START, START + 2000 * FIVE_MINUTES)
    assert bars["volume"].to_list() == [float(at) for at in range(10)]


def test_repeats_within_a_page_stay_for_the_cleaning_to_see(binance: FakeBinance, exchange: Exchange) -> None:
    binance.bars = [kline(0), kline(1, volume=5), kline(1, volume=6), kline(2)]
    bars = exchange.fetch("BTCUSDT", "5m", START, START + timedelta(hours=1))
    assert bars["volume"].to_list() == [0.0, 5.0, 6.0, 2.0]


@pytest.mark.parametrize("status", [429, 418, 500, 503, 0])
def test_trouble_of_the_moment_is_waited_out(
    binance: FakeBinance, exchange: Exchange, waits: list[float], status: int
) -> None:
    binance.bars = [kline(at) for at in range(3)]
    binance.server.plan(KLINES, *[binance.server.answer(status, b"trouble")] * 2)
    assert len(exchange.fetch("BTCUSDT", "5m", START, START + timedelta(hours=1))) == 3
    assert waits == [0.5, 1.0]


def test_trouble_between_pages_loses_and_repeats_nothing(
    binance: FakeBinance, exchange: Exchange, waits: list[float]
) -> None:
    binance.bars = [kline(at) for at in range(1500)]
    first_page = binance.reply([kline(at) for at in range(1000)])
    binance.server.plan(KLINES, first_page, binance.server.answer(500), binance.server.answer(0))
    bars = exchange.fetch("BTCUSDT", "5m", START, START + 1500 * FIVE_MINUTES)
    assert bars["volume"].to_list() == [float(at) for at in range(1500)]
    assert waits == [0.5, 1.0]


def test_the_wait_an_exchange_asks_for_is_kept(binance: FakeBinance, exchange: Exchange, waits: list[float]) -> None:
    binance.bars = [kline(0)]
    busy = binance.reply({"code": -1003, "msg": "Too many requests."}, 429, Retry_After="30")
    binance.server.plan(KLINES, busy, binance.server.answer(0))
    assert len(exchange.fetch("BTCUSDT", "5m", START, START + timedelta(hours=1))) == 1
    assert waits == [30.0, 1.0]


@pytest.mark.parametrize("status", [429, 500, 0])
def test_an_exchange_that_stays_down_is_given_up(
    binance: FakeBinance, exchange: Exchange, waits: list[float], status: int
) -> None:
    binance.server.plan(KLINES, *[binance.server.answer(status, b"trouble")] * 9)
    with pytest.raises(SourceUnavailableError, match=r"binance does not answer: .*Gave up after 5 attempts"):
        exchange.fetch("BTCUSDT", "5m", START, START + timedelta(hours=1))
    assert waits == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "garbage",
    [b"<html>blocked</html>", b"not json", b'{"foo": 1}', b"[[1], [2]]", b'[["a", "b"]]', b"[1, 2]", b"null", b""],
)
def test_garbage_is_an_error_at_once(
    binance: FakeBinance, exchange: Exchange, waits: list[float], garbage: bytes
) -> None:
    binance.server.plan(KLINES, binance.server.answer(200, garbage, {"Content-Type": "application/json"}))
    with pytest.raises(SourceError, match=r"binance (refuses|answered with what is no list of bars)") as caught:
        exchange.fetch("BTCUSDT", "5m", START, START + timedelta(hours=1))
    assert not isinstance(caught.value, SourceUnavailableError)
    assert waits == []


def test_a_refusal_is_an_error_with_the_words_of_the_exchange(
    binance: FakeBinance, exchange: Exchange, waits: list[float]
) -> None:
    binance.server.plan(KLINES, binance.reply({"code": -1121, "msg": "Invalid symbol."}, 400))
    with pytest.raises(SourceError, match=r"binance refuses: BadSymbol, .*Invalid symbol"):
        exchange.fetch("BTCUSDT", "5m", START, START + timedelta(hours=1))
    assert waits == []


def test_an_unknown_symbol_is_offered_close_ones(exchange: Exchange) -> None:
    with pytest.raises(ConfigError, match=r"BTCUSDC \(BTC/USDC\), which binance does not have; .* BTC/USDT"):
        exchange.fetch("BTCUSDC", "5m", START, START + timedelta(hours=1))


def test_an_unknown_exchange_is_offered_close_ones() -> None:
    with pytest.raises(UnknownNameError, match="exchange `binanc` is unknown; did you mean binance"):
        Exchange(ExchangeSource(exchange="binanc"), lambda: START).fetch("BTCUSDT", "5m", START, START)


def test_an_interval_that_an_exchange_lacks_is_named(server: Any, connect: Callable[[datetime], Exchange]) -> None:
    with pytest.raises(ConfigError, match="binance has no 7m bars; it has 1s, 1m"):
        connect(START).fetch("BTCUSDT", "7m", START, START + timedelta(hours=1))


def test_an_address_with_a_password_is_not_shown(server: Any, binance: FakeBinance, waits: list[float]) -> None:
    address = server.address.replace("http://", "http://user:secret@")
    exchange = Exchange(ExchangeSource(url=address), lambda: START, Patience(attempts=1, sleep=waits.append))
    server.plan("/api/v3/exchangeInfo", server.answer(500, b"trouble"))
    with pytest.raises(SourceUnavailableError, match="500") as caught:
        exchange.fetch("BTCUSDT", "5m", START, START + timedelta(hours=1))
    assert "secret" not in str(caught.value)


def test_an_exchange_knows_no_coverage_and_no_list(exchange: Exchange) -> None:
    assert exchange.slug == "exchange-binance"
    assert exchange.coverage("BTCUSDT", "5m") is None
    assert exchange.symbols("5m") is None
