"""What a policy may choose, and how the choice is made."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from nightfold.errors import ConfigError
from nightfold.spec import Spec

Share = Annotated[float, Field(ge=0, le=1)]
Span = tuple[Share, Share]
"""Least and greatest value tried; twice the same fixes it."""


class Thresholds(Spec):
    """One policy: which forecasts are traded, and how large."""

    min_confidence: Share
    """Least probability that the side traded is the right one."""
    min_edge: Annotated[float, Field(ge=0)]
    """Least expected move, in multiples of a round trip's cost or as a log return (`PolicySpec.edge_unit`)."""
    base_risk_fraction: Share
    """Share of equity at risk where the confidence is just enough."""
    max_risk_fraction: Share
    """Share of equity at risk where the forecast is certain."""


class PolicySpec(Spec):
    """A search for thresholds, nested: those found on the predictions of one window trade the period after it.

    Defaults search confidence and risk over the ranges in `docs/policy.md`.
    """

    window_days: PositiveInt = 90
    """Days of predictions before each as-of that the search looks at; before there are so many, nothing is traded."""
    half_life_days: Annotated[float, Field(ge=1)] | None = None
    """Days in which a day of the window comes to count half in the Sharpe ratio and its deflated value, so that an edge
    that has ended is given up sooner; none: all days count the same."""
    filter: bool = False
    """Whether a second, small model says which forecasts pay after cost (a meta-label filter); its probability takes
    the place of the confidence. It learns on the older half of the window, thresholds are searched on the newer."""
    min_confidence: Span = (0.40, 0.70)
    """Least probability that the side traded is the right one."""
    min_edge: tuple[NonNegativeFloat, NonNegativeFloat] | None = None
    """Least expected move, in `edge_unit`; none: 0 to 2 costs, or log returns of .0001 to .002."""
    edge_unit: Literal["cost", "return"] = "cost"
    """`cost`: multiples of a round trip's cost; `return`: a log return, such as .0001 to .002."""
    edge: Literal["net", "gross"] = "net"
    """Whether the expected move must reach `min_edge` after the cost of a round trip or before it."""
    base_risk_fraction: Span = (0.01, 0.05)
    """Share of equity at risk where the confidence is just enough."""
    max_risk_fraction: Span = (0.03, 0.10)
    """Share of equity at risk where the forecast is certain."""
    sizing: Literal["risk", "notional"] = "risk"
    """`risk`: the fraction is the share of equity lost at the stop, a barrier's distance or where there is none the
    width of the horizon; `notional`: it is the size of the position."""
    trials: PositiveInt = 48
    """Policies tried for each as-of."""
    batch: PositiveInt = 12
    """Policies drawn at a time, before any of them is known."""
    min_trades: PositiveInt = 20
    """Closed trades under which a policy is infeasible, whatever it earned."""
    min_deflated_sharpe: Share = 0.90
    """Selection deflated Sharpe ratio under which the next period is flat: how sure it must be that the best of all
    trials is not merely the luckiest."""

    @property
    def objective(self) -> str:
        """What the search maximises, as the trial ledger names it."""
        return "daily_sharpe_ratio" if self.half_life_days is None else "decayed_sharpe_ratio"

    @property
    def edges(self) -> tuple[float, float]:
        """Least and greatest `min_edge` tried."""
        return self.min_edge or ((0.0, 2.0) if self.edge_unit == "cost" else (0.0001, 0.002))

    @model_validator(mode="after")
    def _check(self) -> "PolicySpec":
        for name in ("min_confidence", "min_edge", "base_risk_fraction", "max_risk_fraction"):
            low, high = getattr(self, name) or self.edges
            if low > high:
                raise ConfigError(f"`policy.{name}` is {low} to {high}; it must ascend.")
        if self.base_risk_fraction[0] > self.max_risk_fraction[1]:
            raise ConfigError(
                f"`policy.base_risk_fraction` begins at {self.base_risk_fraction[0]}, and `policy.max_risk_fraction` "
                f"ends at {self.max_risk_fraction[1]}; the base must not lie above all of the other."
            )
        return self
