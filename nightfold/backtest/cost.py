"""What trading costs: fees, spread, slippage, delay and funding."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from nightfold.spec import Spec

BPS = 1e-4

Bps = Annotated[float, Field(ge=0, lt=1_000)]


class Costs(Spec):
    """Costs of a fill; market orders and stops pay half spread, slippage and taker fee, targets only the maker fee."""

    taker_fee_bps: Bps = 10.0
    """Commission of market orders, stops and liquidations, in basis points of the traded value."""
    maker_fee_bps: Bps = 10.0
    """Commission of take-profit targets, which wait in the book, in basis points of the traded value."""
    minimum_fee: NonNegativeFloat = 0.0
    """Least commission of one fill, in quote currency."""
    half_spread_bps: Bps = 1.0
    """Distance of the better side of the book from the bar's price."""
    slippage_bps: Bps = 2.0
    """Further distance, the same for every fill."""
    volatility_slippage: Annotated[float, Field(ge=0, le=5)] = 0.0
    """Further distance in units of volatility, the root mean square of the up to 100 one-bar log returns before."""
    latency_bars: NonNegativeInt = 0
    """Bars of the symbol between a decision and its fill: 0 fills at the next open."""
    funding_rate: Annotated[float, Field(gt=-1, lt=1)] | None = None
    """Perpetuals without funding data: what longs pay at 00:00, 08:00 and 16:00 UTC (0.0001 = 0.01 %).

    None: such symbols are refused.
    """

    @property
    def round_trip(self) -> float:
        """Cost of entering and leaving by market orders as a fraction, without volatility slippage and minimum fee.

        Examples
        --------
        >>> round(Costs(taker_fee_bps=10, half_spread_bps=1, slippage_bps=2).round_trip, 10)
        0.0026
        """
        return 2 * BPS * (self.taker_fee_bps + self.half_spread_bps + self.slippage_bps)
