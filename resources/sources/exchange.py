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
_COLUMNS = ("open_time", *PRICES, "volume")
_Row = list[float]


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
        first_open = _stamp(self._now()) - milliseconds(interval) + 1  # of the bars that are not closed yet
        rows = [
            row for page in self._pages(market, interval, _stamp(start), min(_stamp(end), first_open)) for row in page
        ]
        frame = pl.DataFrame(rows, schema=dict.fromkeys(_COLUMNS, pl.Float64), orient="row").with_columns(
            pl.col("open_time").cast(pl.Int64).cast(pl.Datetime("ms")).dt.replace_time_zone("UTC"),
            pl.col(*_COLUMNS[1:]).fill_nan(None),
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
            rows = self._rows(market, interval, since, limit)
            new = [row for row in rows if since <= row[0] < end]
            yield new
            if any(row[0] >= end for row in rows):
                return
            since = int(max(row[0] for row in new)) + length if new else since + limit * length

    def _rows(self, market: str, interval: str, since: int, limit: int) -> list[_Row]:
        page = self._ask(self._client.fetch_ohlcv, market, interval, since, limit)
        try:
            return [[float("nan" if cell is None and at else cell) for at, cell in enumerate(row[:6])] for row in page]
        except (TypeError, ValueError) as error:
            raise self._not_understood(page) from error

    def _ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        return self._patience.ask(lambda: self._ask_once(question, *arguments))

    def _ask_once(self, question: Callable[..., Any], *arguments: Any) -> Any:
        import ccxt

        name = self._spec.exchange
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
            raise self._not_understood(self._client.last_http_response) from error

    def _not_understood(self, answer: Any) -> SourceError:
        return SourceError(
            f"{self._spec.exchange} answered with what is no list of bars: {_shown(answer)}. Check `url`, or try later."
        )

    @cached_property
    def _client(self) -> Any:
        import ccxt

        if self._spec.exchange not in ccxt.exchanges:
            raise UnknownNameError("exchange", self._spec.exchange, ccxt.exchanges)
        client = getattr(ccxt, self._spec.exchange)({"enableRateLimit": True, "timeout": _TIMEOUT_MS})
        if self._spec.url:
            client.urls["api"] = _moved(client.urls["api"], self._spec.url.rstrip("/"))
        return client


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
