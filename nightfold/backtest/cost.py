"""What trading costs: fees, spread, slippage, delay and funding."""

from collections.abc import Collection
from typing import Annotated

from pydantic import Field, NonNegativeFloat, NonNegativeInt, model_validator

from nightfold.errors import ConfigError
from nightfold.spec import Spec

BPS = 1e-4

Bps = Annotated[float, Field(ge=0, lt=1_000)]
BySymbol = NonNegativeFloat | dict[str, NonNegativeFloat]

_BY_SYMBOL = ("tick_size", "quantity_step", "minimum_order")


class Costs(Spec):
    """Costs of a fill, and the rules of the market behind it.

    Market orders, stops and liquidations pay half spread, slippage and taker fee; limit orders and targets, which wait
    in the book, only the maker fee. A limit order that the market has passed when it arrives fills at its limit too,
    but pays the taker fee.
    """

    taker_fee_bps: Bps = 10.0
    """Commission of market orders, stops and liquidations, in basis points of the traded value."""
    maker_fee_bps: Bps = 10.0
    """Commission of targets and limit orders, which wait in the book, in basis points of the traded value."""
    minimum_fee: NonNegativeFloat = 0.0
    """Least commission of one fill, in quote currency."""
    half_spread_bps: Bps = 1.0
    """Distance of the better side of the book from the bar's price."""
    slippage_bps: Bps = 2.0
    """Further distance, the same for every fill."""
    volatility_slippage: Annotated[float, Field(ge=0, le=5)] = 0.0
    """Further distance in units of volatility, the root mean square of the up to 100 one-bar log returns before."""
    impact_slippage: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Further distance in units of volatility times the root of the fill's share of its bar's volume.

    The square-root law of market impact: Almgren, Thum, Hauptmann and Li (2005), Direct estimation of equity market
    impact; Tóth and others (2011), Anomalous price impact, Physical Review X 1.
    """
    max_participation: Annotated[float, Field(gt=0, le=1)] | None = None
    """Largest share of a bar's volume that all fills of a symbol may take; the rest works at the next opens.

    Liquidation is exempt. None: any size fills at once.
    """
    latency_bars: NonNegativeInt = 0
    """Bars of the symbol between a decision and its fill: 0 fills at the next open."""
    latency_ms: NonNegativeInt = 0
    """Milliseconds between the close that decides and the order's arrival, instead of `latency_bars`.

    It fills on the line from the open to the close of the bar it arrives in, never better than at the open.
    """
    tick_size: BySymbol = 0.0
    """Step of prices, for all symbols or by symbol; fills are rounded to it against the trader. 0: none."""
    quantity_step: BySymbol = 0.0
    """Step of quantities, for all symbols or by symbol; orders are cut toward zero to it. 0: none."""
    minimum_order: BySymbol = 0.0
    """Least value of an order in quote currency, for all symbols or by symbol; smaller ones are rejected.

    Orders that close a position are exempt.
    """
    funding_rate: Annotated[float, Field(gt=-1, lt=1)] | None = None
    """Perpetuals without funding data: what longs pay at 00:00, 08:00 and 16:00 UTC (0.0001 = 0.01 %).

    None: such symbols are refused.
    """

    @model_validator(mode="after")
    def _refuse_two_latencies(self) -> "Costs":
        if self.latency_bars and self.latency_ms:
            raise ConfigError(
                f"`latency_bars` is {self.latency_bars} and `latency_ms` is {self.latency_ms}; only one can be given: "
                "set the other to 0."
            )
        return self

    def check_symbols(self, traded: Collection[str], known: Collection[str]) -> None:
        """See that what is given by symbol is given for those that are traded, and for none that there is not.

        Raises
        ------
        ConfigError
            If not, with all that are absent and all that are unknown.
        """
        for name in _BY_SYMBOL:
            given = getattr(self, name)
            if not isinstance(given, dict):
                continue
            absent = [symbol for symbol in traded if symbol not in given]
            unknown = [symbol for symbol in given if symbol not in known]
            faults = [
                *([f"has no value for {', '.join(absent)}"] if absent else []),
                *([f"has one for {', '.join(unknown)}, which the universe lacks"] if unknown else []),
            ]
            if faults:
                raise ConfigError(
                    f"`costs.{name}` {' and '.join(faults)}; give one for each symbol that is traded "
                    f"({', '.join(traded)}; 0 for none), or one number for all."
                )

    @property
    def round_trip(self) -> float:
        """Cost of entering and leaving by market orders as a fraction, without what grows with volatility or size.

        Examples
        --------
        >>> round(Costs(taker_fee_bps=10, half_spread_bps=1, slippage_bps=2).round_trip, 10)
        0.0026
        """
        return 2 * BPS * (self.taker_fee_bps + self.half_spread_bps + self.slippage_bps)
