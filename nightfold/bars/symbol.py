"""One spelling of instruments inside, many at the door: spot `BTCUSDT`, perpetual `BTCUSDT.P`."""

import re
from dataclasses import dataclass

from nightfold.errors import ConfigError

_QUOTES = "USDT USDC BUSD TUSD FDUSD USDP DAI USD EUR GBP JPY KRW TRY BRL RUB UAH AUD CAD CHF PLN BTC ETH BNB"
# Coins that decide between two readings (DOTUSD: DOT/USD, not DO/TUSD) or look like a pair themselves (WBTC).
_COINS = (
    "BTC ETH BNB SOL XRP ADA DOGE LTC BCH TRX LINK AVAX XLM EOS DOT BAT APT GRT FET GMT MNT ANT VET HBAR SHIB ARB TRB "
    "UNI ATOM MATIC NEAR USDT USDC BUSD TUSD FDUSD USDP DAI WBTC WETH STETH WBETH BETH CBETH RETH"
)
QUOTES = frozenset(_QUOTES.split())
WELL_KNOWN = frozenset(_COINS.split())
_DATED = re.compile(r"[-_:](\d{6}|\d{8}|\d{1,2}[A-Z]{3}\d{2})\b")
_VENUE = re.compile(r"^[A-Z0-9_]+:(?=[A-Z0-9])")
_PERPETUAL = re.compile(r"(\.P|[-_]PERP|[-_]SWAP)$")
_PAIR = re.compile(r"^([A-Z0-9]+)[/_-]([A-Z0-9]+)(?::([A-Z0-9]+))?$")
_GLUED = re.compile(r"^[A-Z0-9]+$")
_ALLOWED = "write spot as BTCUSDT or BTC/USDT, a perpetual as BTCUSDT.P or BTC/USDT:USDT."


@dataclass(frozen=True, slots=True)
class Instrument:
    """What is traded: a base currency priced in a quote currency; a perpetual is margined in the quote."""

    base: str
    quote: str
    perpetual: bool = False

    @property
    def pair(self) -> str:
        """Without a market, as in the Binance archive: ``BTCUSDT``."""
        return f"{self.base}{self.quote}"

    @property
    def symbol(self) -> str:
        """The spelling used everywhere inside: ``BTCUSDT``, ``BTCUSDT.P``."""
        return f"{self.pair}.P" if self.perpetual else self.pair

    @property
    def unified(self) -> str:
        """The spelling of ccxt: ``BTC/USDT``, ``BTC/USDT:USDT``."""
        pair = f"{self.base}/{self.quote}"
        return f"{pair}:{self.quote}" if self.perpetual else pair


def normalize_symbol(text: str) -> str:
    """Spell a symbol as it is spelled inside.

    Parameters
    ----------
    text
        ``BTCUSDT``, ``BTC/USDT``, ``BTC-USD``, ``BINANCE:BTCUSDT.P``, ``BTC/USDT:USDT``, ``BTC-USDT-SWAP``; any case.

    Returns
    -------
    str
        Spot as ``BTCUSDT``, a perpetual as ``BTCUSDT.P``. The venue is dropped.

    Raises
    ------
    ConfigError
        If the text names no pair, may name several, or names an inverse or dated contract.

    Examples
    --------
    >>> [normalize_symbol(text) for text in ("btc/usdt", "BTC-USD", "BTC/USDT:USDT")]
    ['BTCUSDT', 'BTCUSD', 'BTCUSDT.P']
    """
    return parse_symbol(text).symbol


def parse_symbol(text: str) -> Instrument:
    """Read a symbol in any usual spelling; see `normalize_symbol`.

    Examples
    --------
    >>> parse_symbol("BINANCE:ETHUSDT.P")
    Instrument(base='ETH', quote='USDT', perpetual=True)
    """
    spelled = text.strip().upper()
    if _DATED.search(spelled):
        raise _refusal(text, "it names a contract with an expiry date; only spot and perpetuals are known")
    spelled = _VENUE.sub("", spelled)
    marked = _PERPETUAL.search(spelled)
    rest = spelled[: marked.start()] if marked else spelled
    if pair := _PAIR.match(rest):
        base, quote, settlement = pair.groups()
    elif _GLUED.match(rest):
        (base, quote), settlement = _split(text, rest), None
    else:
        raise _refusal(text, "it is no pair of a base and a quote currency")
    _check_contract(text, quote, settlement, marked.group() if marked else "")
    _check_pair(text, base, quote)
    return Instrument(base, quote, perpetual=bool(marked or settlement))


def _split(text: str, glued: str) -> tuple[str, str]:
    readings = _readings(glued)
    if not readings:
        raise _refusal(text, f"no known quote currency ends it (known: {', '.join(sorted(QUOTES))})")
    if len(readings) > 1:
        names = " or ".join("/".join(reading) for reading in readings)
        raise _refusal(text, f"it may be {names}, and none of these coins is well known")
    return readings[0]


def _readings(glued: str) -> list[tuple[str, str]]:
    """Every way to read letters without a separator as a pair; one alone if only its coin is well known."""
    if glued in WELL_KNOWN:
        return []
    found = [(glued.removesuffix(quote), quote) for quote in QUOTES if glued.endswith(quote) and glued != quote]
    well_known = [reading for reading in found if reading[0] in WELL_KNOWN]
    return well_known if len(well_known) == 1 else sorted(found)


def _check_contract(text: str, quote: str, settlement: str | None, mark: str) -> None:
    if settlement not in (None, quote):
        raise _refusal(text, f"it is settled in {settlement}, not in its quote {quote}; such contracts are not known")
    if quote == "USD" and mark[1:] in ("PERP", "SWAP"):
        raise _refusal(text, "exchanges spell coin-margined (inverse) perpetuals so, and these are not known")


def _check_pair(text: str, base: str, quote: str) -> None:
    if quote not in QUOTES or base == quote:
        raise _refusal(text, f"{quote} is no quote currency for {base} (known: {', '.join(sorted(QUOTES))})")
    if _readings(f"{base}{quote}") != [(base, quote)]:
        others = " or ".join("/".join(reading) for reading in _readings(f"{base}{quote}"))
        raise _refusal(text, f"inside it would be {base}{quote}, which also reads as {others or 'a single coin'}")


def _refusal(text: str, reason: str) -> ConfigError:
    return ConfigError(f"Symbol {text!r}: {reason}; {_ALLOWED}")
