"""Any exchange that ccxt speaks to, asked page by page for closed bars."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import polars as pl

from nightfold.bars.symbol import parse_symbol
from nightfold.errors import ConfigError, SourceError, UnknownNameError
from nightfold.interval import milliseconds
from nightfold.schema import PRICES, RAW_BARS
from nightfold.source import ExchangeSource
from resources.sources.retry import AskLaterError, Patience, wait_asked_for

_TIMEOUT_MS = 20_000
_USUAL_PAGE_BARS = 100
_SHOWN_LETTERS = 200
_COLUMNS = {"open_time": pl.Int64, **dict.fromkeys((*PRICES, "volume"), pl.Float64)}
_Row = list[Any]


class Exchange:
    """A live exchange without an account: public bars, at the pace it asks for."""

    def __init__(
        self,
        spec: ExchangeSource,
        now: Callable[[], datetime],
        patience: Patience = Patience(),  # noqa: B008  # frozen
    ) -> None:
        self._spec = spec
        self._now = now
        self._patience = patience

    @property
    def slug(self) -> str:
        """``exchange-binance``."""
        return f"exchange-{self._spec.exchange}"

    def fetch(self, symbol: str, interval: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Ask for page after page until ``end`` or the last closed bar; see `MarketDataSource.fetch`.

        Flow columns are null: ccxt's common answer has none.
        """
        market = self._market(symbol, interval)
        open_from = _stamp(self._now()) - milliseconds(interval) + 1  # bars that begin here or later have not closed
        pages = self._pages(market, interval, _stamp(start), min(_stamp(end), open_from))
        rows = [row[: len(_COLUMNS)] for page in pages for row in page]
        frame = pl.DataFrame(rows, schema=_COLUMNS, orient="row").with_columns(
            pl.col("open_time").cast(pl.Datetime("ms")).dt.replace_time_zone("UTC"),
            symbol=pl.lit(symbol),
            venue=pl.lit(self._spec.exchange),
        )
        return RAW_BARS.conform(frame).sort("open_time", maintain_order=True)

    def coverage(self, symbol: str, interval: str) -> tuple[datetime, datetime] | None:
        """Unknown: exchanges do not say since when they have bars."""
        return None

    def symbols(self, interval: str) -> list[str] | None:
        """Unknown: an exchange has thousands of markets, and not all of them have a name here."""
        return None

    def _market(self, symbol: str, interval: str) -> str:
        """Name a symbol as the exchange's other users do, if it is there at this interval."""
        markets, name = self._ask(self._client.load_markets), parse_symbol(symbol).unified
        if name not in markets:
            close = get_close_matches(name, markets, n=3) or sorted(markets)[:3]
            raise ConfigError(
                f"`symbols` holds {symbol} ({name}), which {self._spec.exchange} does not have; of its {len(markets)} "
                f"markets {', '.join(close)} come close."
            )
        if interval not in self._client.timeframes:
            raise ConfigError(
                f"{self._spec.exchange} has no {interval} bars; it has {', '.join(self._client.timeframes) or 'none'}. "
                "Set `source_interval` to a finer one of these."
            )
        return name

    def _pages(self, market: str, interval: str, since: int, end: int) -> Iterator[list[_Row]]:
        """Yield the rows of each page that open from ``since`` on and before ``end``.

        Where nothing traded some exchanges go on to the next bar and some answer nothing. So a page without a new row
        moves on by one page, and the walk ends at ``end`` in any case.
        """
        length = milliseconds(interval)
        limit = self._client.feature_value(market, "fetchOHLCV", "limit", _USUAL_PAGE_BARS)
        while since < end:
            rows = self._ask(self._client.fetch_ohlcv, market, interval, since, limit)
            new = [row for row in rows if since <= row[0] < end]
            yield new
            if any(row[0] >= end for row in rows):
                return
            since = int(max(row[0] for row in new)) + length if new else since + limit * length

    def _ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        return self._patience.ask(lambda: self._ask_once(question, *arguments))

    def _ask_once(self, question: Callable[..., Any], *arguments: Any) -> Any:
        import ccxt

        name = self._spec.exchange
        self._client.last_response_headers = None  # a connection that drops must not show the headers before it
        try:
            return question(*arguments)
        except ccxt.NetworkError as error:
            headers = self._client.last_response_headers or {}
            raise AskLaterError(
                f"{name} does not answer: {_shown(error)}.", wait_asked_for(headers, self._now())
            ) from error
        except ccxt.BaseError as error:
            raise SourceError(
                f"{name} refuses: {type(error).__name__}, {_shown(error)}. Check `exchange` and `symbols`, and "
                "whether it serves your region."
            ) from error
        except (TypeError, LookupError, ValueError, AttributeError) as error:
            # What ccxt's parsers raise when the answer has not the shape that they expect.
            raise _not_understood(name, self._client.last_http_response) from error

    @cached_property
    def _client(self) -> Any:
        import ccxt

        if self._spec.exchange not in ccxt.exchanges:
            raise UnknownNameError("exchange", self._spec.exchange, ccxt.exchanges)
        client = getattr(ccxt, self._spec.exchange)({"enableRateLimit": True, "timeout": _TIMEOUT_MS})
        if self._spec.url:
            client.urls["api"] = _moved(client.urls["api"], self._spec.url.rstrip("/"))
        client.parse_ohlcvs = _strict(client, client.parse_ohlcvs)
        return client


def _strict(client: Any, lenient: Callable[..., list[_Row]]) -> Callable[..., list[_Row]]:
    """Refuse what ccxt would pass over in silence: its parser makes an empty page of an answer it cannot read."""

    def parse(answer: Any, market: Any = None, *settings: Any) -> list[_Row]:
        rows = [client.parse_ohlcv(row, market) for row in answer] if isinstance(answer, list) else [answer]
        if not all(_is_bar(row) for row in rows):
            raise _not_understood(client.id, answer)
        return lenient(answer, market, *settings)

    return parse


def _is_bar(row: Any) -> bool:
    return isinstance(row, list) and isinstance(row[0], int) and any(cell is not None for cell in row[1:6])


def _not_understood(exchange: str, answer: Any) -> SourceError:
    return SourceError(
        f"{exchange} answered with what is no list of bars: {_shown(answer)}. Check `url`, or try later."
    )


def _moved(addresses: Any, url: str) -> Any:
    """Put another host before the paths of an exchange's addresses."""
    if isinstance(addresses, dict):
        return {name: _moved(address, url) for name, address in addresses.items()}
    return re.sub(r"^https?://[^/]+", url, addresses)


def _stamp(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _shown(answer: object) -> str:
    """Shorten what came, without what an address may hide."""
    text = re.sub(r"//[^/@\s]*@", "//", " ".join(str(answer).split()))
    return text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]}..."
