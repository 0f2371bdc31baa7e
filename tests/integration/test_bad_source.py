"""A source that fails in the middle of a range: one clear error, what came before stays, a rerun goes on."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from resources.sources.binance_archive import BinanceArchive
from resources.sources.exchange import Exchange
from resources.sources.retry import Patience

pytestmark = pytest.mark.xdist_group("line")

HOUR = timedelta(hours=1)
START = datetime(2024, 1, 1, tzinfo=UTC)
MONTHS = {"2024-01": 744, "2024-02": 696, "2024-03": 744}
FEBRUARY = "/data/spot/monthly/klines/AAAUSDT/1h/AAAUSDT-1h-2024-02.zip"
KLINES = "/api/v3/klines"
ATTEMPTS = Patience().attempts


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What sources would have waited for, without the waiting."""
    asked: list[float] = []
    for source in (BinanceArchive, Exchange):
        monkeypatch.setattr(source.__init__, "__defaults__", (Patience(sleep=asked.append),))
    return asked


def kline(opened: datetime) -> list[Any]:
    stamp = int(opened.timestamp() * 1000)
    return [stamp, "10", "12", "9", "11", "1", stamp + 3_599_999, "11", 3, "0.5", "5.5", "0"]


def month_file(month: str) -> bytes:
    first = datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
    rows = (",".join(map(str, kline(first + at * HOUR))) for at in range(MONTHS[month]))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"AAAUSDT-1h-{month}.csv", "\n".join(rows))
    return packed.getvalue()


def rows(deployment: Any) -> dict[str, int]:
    """Stored raw rows by partition."""
    lake = deployment.environment().lake
    stored = lake.partitions("raw_bars", ["AAAUSDT"])
    return {w.key: lake.require("raw_bars", ["AAAUSDT"], w.start, w.end).height for w in stored}


FAULTS = {
    "answers 500": (lambda reply: [reply(500, b"broken")] * ATTEMPTS, r"answered 500 .* Gave up after 5 attempts"),
    "asks for patience": (lambda reply: [reply(429, b"", {"Retry-After": "7"})] * ATTEMPTS, "answered 429"),
    "sends garbage": (lambda reply: [reply(200, b"<html>hello</html>")] * 2, "is no zip file that can be read"),
    "sends nothing": (lambda reply: [reply(200, b"")] * 2, "is no zip file that can be read"),
    "has no such file": (lambda reply: [reply(404)], r"-01 to 2024-03-01; check the symbol"),
    "hangs up half-way": (lambda reply: [reply(sent=40)] * ATTEMPTS, "the connection failed"),
}


@pytest.fixture
def ingest(nightfold: Callable[..., tuple[int, str]]) -> Callable[..., str]:
    """Backfill `ingest` from the command line; return its error, which is one line and the last, or nothing."""

    def run(deployment: Any) -> str:
        code, said = nightfold(deployment, "backfill", "--layer", "ingest")
        last = said.splitlines()[-1]
        assert (code, said.count("error:"), last.startswith("error: ")) in {(0, 0, False), (1, 1, True)}, said
        assert "Traceback" not in said
        return last if code else ""

    return run


@pytest.mark.parametrize("fault", FAULTS)
def test_an_archive_that_fails_in_the_middle_leaves_what_came_before_and_is_resumed(
    deploy, server, waits, ingest, fault
):
    replies, message = FAULTS[fault]
    archive = {"source": {"kind": "binance_archive", "url": server.address}, "symbols": ["AAAUSDT"]}
    deployment = deploy({**archive, "end": "2024-04-01"}, experiments={})
    for month in MONTHS:
        server.files[FEBRUARY.replace("2024-02", month)] = month_file(month)
    server.plan(FEBRUARY, *replies(server.answer))
    assert re.match(rf"error: ingest failed: .*AAAUSDT.*2024-02.*{message}", ingest(deployment))
    assert rows(deployment) == {"2024-01-01": 744}
    assert list(deployment.lake.rglob("*.part")) == []
    before, asked = deployment.files(), len(server.requests)
    assert ingest(deployment) == ""
    assert before.items() <= deployment.files().items()
    assert rows(deployment) == {f"{month}-01": count for month, count in MONTHS.items()}
    assert [path for path in server.paths()[asked:] if "2024-01" in path] == []
    assert "429" not in message or waits == [7.0] * (ATTEMPTS - 1)


@pytest.fixture
def exchange(server: Any) -> list[datetime]:
    """Binance's REST with one market; the moments from which bars were asked for."""
    asked: list[datetime] = []

    def answer(document: Any) -> Any:
        return lambda query: server.answer(
            200, json.dumps(document(query) if callable(document) else document).encode()
        )

    def klines(query: dict[str, str]) -> list[list[Any]]:
        since = datetime.fromtimestamp(int(query["startTime"]) / 1000, UTC)
        asked.append(since)
        return [kline(since + at * HOUR) for at in range(int(query["limit"]))]

    market = {"symbol": "AAAUSDT", "baseAsset": "AAA", "quoteAsset": "USDT", "status": "TRADING", "filters": []}
    server.pages |= {
        "/api/v3/exchangeInfo": answer({"symbols": [market]}),
        "/fapi/v1/exchangeInfo": answer({"symbols": []}),
        "/dapi/v1/exchangeInfo": answer({"symbols": []}),
        KLINES: answer(klines),
    }
    return asked


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (503, b"overloaded", r"503.* Gave up after 5 attempts"),
        (429, b'{"code": -1003, "msg": "Too many requests."}', r"429.* Gave up after 5 attempts"),
        (200, b"<html>hello</html>", "answered with what is no list of bars: <html>hello</html>"),
        (200, b"[]", " to 2024-03-01; check the symbol's spelling"),
    ],
)
def test_an_exchange_that_fails_in_the_middle_is_asked_again_only_for_what_is_missing(
    deploy, server, exchange, site, waits, ingest, status, body, message
):
    source = {"kind": "exchange", "exchange": "binance", "url": server.address}
    deployment = deploy({"source": source, "symbols": ["AAAUSDT"], "end": "2024-04-01"}, experiments={})
    outside = site(deployment.folder)
    good, bad = server.pages[KLINES], server.answer(status, body, {"Retry-After": "7"} if status == 429 else {})
    server.pages[KLINES] = lambda query: bad if exchange else good(query)
    assert re.match(f"error: ingest failed: .*AAAUSDT.* 2024-02-01.*{message}", ingest(deployment))
    assert status != 429 or waits == [7.0] * (ATTEMPTS - 1)
    assert rows(deployment) == {"2024-01-01": 744}
    assert outside.recorded("raw_bars") == set(), "Dagster records the partitions of a step when it ends"
    before = deployment.files()
    server.pages[KLINES] = good
    exchange.clear()
    assert ingest(deployment) == ""
    last_of_january = START + 743 * HOUR
    assert exchange == [last_of_january, START + 744 * HOUR, START + (744 + 696) * HOUR]
    assert before.items() <= deployment.files().items()
    assert rows(deployment) == {f"{month}-01": count for month, count in MONTHS.items()}
    assert outside.recorded("raw_bars") == {f"{month}-01|AAAUSDT" for month in MONTHS}
