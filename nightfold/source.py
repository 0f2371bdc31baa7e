"""Where bars come from, as a setting: one string or one mapping in the universe file."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, TypeAdapter, field_validator

from nightfold.errors import ConfigError
from nightfold.spec import Spec

ORIGIN = datetime(2020, 1, 1, tzinfo=UTC)
"""First instant of every simulated market."""

_NAME_PARTS = {"venue", "market", "symbol", "interval"}
_Address = Annotated[str, Field(pattern=r"^https?://[^/]+")]


class SimulatedSource(Spec):
    """A seeded market made on the spot; every picture made from it says *simulated market*."""

    kind: Literal["simulated"] = "simulated"
    seed: NonNegativeInt = 7
    """The same seed gives the same bars, whatever range is asked for."""
    annual_volatility: Annotated[float, Field(gt=0, le=3)] = 0.6
    """Typical yearly standard deviation of log returns (0.6 = 60 %)."""
    trend_strength: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Planted, predictable drift of a 5-minute bar as a share of its volatility; 0 is a market without an edge."""


class FolderSource(Spec):
    """Parquet or CSV files on disk."""

    kind: Literal["folder"] = "folder"
    path: str
    """A folder, or a pattern of files in it such as `bars/binance_spot_*`."""
    name_pattern: str = "{venue}_{market}_{symbol}_{interval}"
    """What the parts of a file name (without ending) mean; `{any}` skips a part."""

    @field_validator("name_pattern")
    @classmethod
    def _check_parts(cls, pattern: str) -> str:
        parts = re.findall(r"\{(.*?)\}", pattern)
        named = [part for part in parts if part != "any"]
        if not {"symbol", "interval"} <= set(named) <= _NAME_PARTS or len(set(named)) < len(named):
            raise ConfigError(
                f"`name_pattern` is {pattern!r}; it must hold {{symbol}} and {{interval}}, may hold {{venue}}, "
                "{market} and {any}, and each but {any} once, as in `{venue}_{market}_{symbol}_{interval}`."
            )
        return pattern


class ArchiveSource(Spec):
    """Binance's public archive of daily and monthly zip files."""

    kind: Literal["binance_archive"] = "binance_archive"
    url: _Address = "https://data.binance.vision"
    """Address of the archive, or of a mirror with the same layout."""


class ExchangeSource(Spec):
    """Any exchange that ccxt speaks to."""

    kind: Literal["exchange"] = "exchange"
    exchange: str = "binance"
    """The exchange's name in ccxt."""
    url: _Address | None = None
    """Replaces the exchange's own addresses, for a mirror or a test."""


def records_flow(source: "Source") -> bool | None:
    """Whether bars of a source carry the columns of `nightfold.schema.FLOW`; None where its files must tell."""
    match source:
        case ExchangeSource():  # what ccxt gives of any exchange alike is prices and volume
            return False
        case FolderSource():
            return None
        case _:
            return True


Source = Annotated[SimulatedSource | FolderSource | ArchiveSource | ExchangeSource, Field(discriminator="kind")]

_ARGUMENT = {"folder": "path", "binance_archive": "url", "exchange": "exchange"}


def parse_source(text: str) -> Source:
    """Read the short form of a source.

    Parameters
    ----------
    text
        ``simulated``, ``folder:PATH``, ``binance_archive[:URL]`` or ``exchange:NAME``.

    Raises
    ------
    ConfigError
        If the kind is unknown or lacks what it needs.

    Examples
    --------
    >>> parse_source("exchange:kraken").exchange
    'kraken'
    """
    kind, _, argument = text.partition(":")
    fields: dict[str, Any] = {"kind": kind}
    if argument and kind in _ARGUMENT:
        fields[_ARGUMENT[kind]] = argument
    elif argument:
        fields["argument"] = argument
    try:
        return TypeAdapter(Source).validate_python(fields)
    except ValueError as error:
        raise ConfigError(
            f"`source` is {text!r}; it must be `simulated`, `folder:PATH`, `binance_archive` or `exchange:NAME`."
        ) from error


def market_note(source: Source) -> str:
    """Say in one sentence where prices come from, for people who read a report."""
    match source:
        case SimulatedSource(trend_strength=0):
            return f"Simulated market, seed {source.seed}: prices are a martingale, there is nothing to find."
        case SimulatedSource():
            return (
                f"Simulated market, seed {source.seed}, with a planted trend of {source.trend_strength:g} bar "
                "volatilities that holds for a while and turns."
            )
        case FolderSource():
            return f"Recorded bars from {source.path}."
        case ArchiveSource():
            return "Bars of Binance's public archive."
        case ExchangeSource():
            return f"Bars of {source.exchange}."
