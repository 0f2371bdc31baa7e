"""What is traded and stored: symbols, intervals, source, and the grain of the lake."""

from datetime import UTC, date, datetime, time
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, field_validator, model_validator

from nightfold.bars.symbol import normalize_symbol
from nightfold.errors import ConfigError
from nightfold.interval import Interval, milliseconds
from nightfold.source import SimulatedSource, Source, parse_source
from nightfold.spec import Spec

Grain = Literal["month", "day"]


class Cleaning(Spec):
    """How defects of raw bars are found and repaired."""

    max_fill_bars: PositiveInt = 6
    """Holes up to this many bars become flat bars; longer ones stay and split the series."""
    outlier_deviations: PositiveFloat = 100.0
    """A move beyond this many robust deviations is an outlier if its own bar takes it back or another venue refutes it.

    Real crashes and their wicks reach 78 on Binance's 5-minute bars of 2022 to 2024."""
    outlier_window: PositiveInt = 288
    """Bars behind a move over which the robust deviation is taken."""


class Venues(Spec):
    """How several venues of one symbol become one series."""

    order: list[str] = Field(default_factory=list)
    """Venues by trust; the first is the primary. Empty: the order of names."""
    merge: Literal["primary", "consolidated"] = "primary"
    """`primary`: others fill holes and confirm or refute outliers; `consolidated`: one volume-weighted bar."""


class Universe(Spec):
    """The settings of `configs/universe.yaml`."""

    source: Annotated[Source, BeforeValidator(lambda value: parse_source(value) if isinstance(value, str) else value)]
    """`simulated`, `folder:PATH`, `binance_archive`, `exchange:NAME`, or the same as a mapping with options."""
    symbols: list[str] = Field(min_length=1)
    """Any spelling; kept as BTCUSDT (spot) or BTCUSDT.P (perpetual), sorted."""
    start: date
    """First day, UTC."""
    end: date | None = None
    """Day after the last one; none: up to now."""
    intervals: list[Interval] = Field(default=["5m"], min_length=1)
    """The first is the default one; each makes its own bars, features and labels."""
    source_interval: Interval | None = None
    """What the source delivers where that is finer; bars are resampled from it."""
    grain: Grain = "month"
    """Length of a data partition."""
    cleaning: Cleaning = Cleaning()
    venues: Venues = Venues()
    leader: str | None = None
    """One of the symbols, which features of the set `cross_asset` compare with; never picked by the data."""

    funding: dict[str, str] = {}
    """File of recorded funding rates by symbol, for perpetual accounts: Parquet or CSV with `funding_time` and
    `funding_rate`. A symbol without one pays `costs.funding_rate`."""

    @field_validator("symbols")
    @classmethod
    def _spell_symbols(cls, symbols: list[str]) -> list[str]:
        return sorted({normalize_symbol(symbol) for symbol in symbols})

    @field_validator("funding")
    @classmethod
    def _spell_funding(cls, funding: dict[str, str]) -> dict[str, str]:
        return {normalize_symbol(symbol): file for symbol, file in funding.items()}

    @field_validator("leader")
    @classmethod
    def _spell_leader(cls, leader: str | None) -> str | None:
        return None if leader is None else normalize_symbol(leader)

    @model_validator(mode="after")
    def _check_leader(self) -> "Universe":
        if self.leader is not None and self.leader not in self.symbols:
            raise ConfigError(f"`leader` is {self.leader}; it must be one of `symbols`, {', '.join(self.symbols)}.")
        return self

    @model_validator(mode="after")
    def _check_funding(self) -> "Universe":
        strange = [symbol for symbol in self.funding if symbol not in self.symbols]
        if strange:
            raise ConfigError(f"`funding` names {strange[0]}; it must be one of `symbols`, {', '.join(self.symbols)}.")
        return self

    @model_validator(mode="after")
    def _check_range(self) -> "Universe":
        if self.end is not None and self.end <= self.start:
            raise ConfigError(f"`end` is {self.end}; it must be after `start`, {self.start}.")
        return self

    @model_validator(mode="after")
    def _check_intervals(self) -> "Universe":
        if len(set(self.intervals)) < len(self.intervals):
            raise ConfigError(f"`intervals` is {self.intervals}; each may stand there once.")
        finest = self.source_interval
        uneven = [each for each in self.intervals if finest and milliseconds(each) % milliseconds(finest)]
        if uneven:
            raise ConfigError(
                f"`source_interval` is {finest!r}; {', '.join(uneven)} cannot be made of it. It must be the finest."
            )
        return self

    @property
    def interval(self) -> Interval:
        """The default interval."""
        return self.intervals[0]

    @property
    def is_simulated(self) -> bool:
        """Whether prices are made up."""
        return isinstance(self.source, SimulatedSource)

    def horizon(self, now: datetime) -> datetime:
        """End of what can exist: `end`, or now where that is earlier."""
        if self.end is None:
            return now
        return min(now, datetime.combine(self.end, time(), UTC))
