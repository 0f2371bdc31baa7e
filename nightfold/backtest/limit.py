"""What the account may hold."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, model_validator

from nightfold.backtest.risk.breaker import DailyLossLimit, DrawdownBreaker
from nightfold.backtest.risk.exposure import CorrelatedLimit, GrossLimit, NetLimit, PositionLimit
from nightfold.backtest.risk.rule import RiskRule
from nightfold.errors import ConfigError
from nightfold.spec import Spec


class RiskLimits(Spec):
    """Kind of account, how much of it may be at risk, and what stops it."""

    instrument: Literal["spot", "perpetual"] = "spot"
    """`spot`: no short, no leverage, no funding; `perpetual`: shorts, leverage, funding and liquidation."""
    max_position: PositiveFloat = 1.0
    """Largest position in one symbol, as a fraction of equity; larger targets are cut."""
    max_gross: PositiveFloat = 1.0
    """Leverage: largest sum of all positions, long or short, as a fraction of equity when deciding.

    Where it binds, what the orders of that bar add shrinks in proportion; what they take away does not.
    """
    max_net: PositiveFloat | None = None
    """Largest sum of signed positions, as a fraction of equity when deciding; none: as far as `max_gross` goes."""
    correlated_exposure: CorrelatedLimit | None = None
    """Limit of positions that move together; none: they count like any others."""
    drawdown_breaker: DrawdownBreaker | None = None
    """Stop after a fall from the peak; none: trade on."""
    daily_loss_limit: DailyLossLimit | None = None
    """Stop for the day after a loss within it; none: trade on."""
    rebalance_band: PositiveFloat | None = None
    """A position that has drifted further than this from its target, in fractions of equity, is brought back to it.

    None: a position is left alone until its target changes.
    """
    maintenance_margin: Annotated[float, Field(gt=0, lt=1)] = 0.005
    """Perpetuals are liquidated where equity falls to this fraction of the value of all positions."""

    @property
    def rules(self) -> tuple[RiskRule, ...]:
        """Rules in force.

        Examples
        --------
        >>> [rule.name for rule in RiskLimits(daily_loss_limit={"limit": 0.05}).rules]
        ['max_position', 'max_gross', 'daily_loss_limit']
        """
        own: tuple[RiskRule | None, ...] = (
            PositionLimit(limit=self.max_position),
            GrossLimit(limit=self.max_gross),
            None if self.max_net is None else NetLimit(limit=self.max_net),
            self.correlated_exposure,
            self.drawdown_breaker,
            self.daily_loss_limit,
        )
        return tuple(rule for rule in own if rule is not None)

    @model_validator(mode="after")
    def _refuse_leverage_on_spot(self) -> "RiskLimits":
        for name in ("max_position", "max_gross"):
            if self.instrument == "spot" and getattr(self, name) > 1:
                raise ConfigError(
                    f"`{name}` is {getattr(self, name)}; a spot account has no leverage, so it must be 1 or less "
                    "(or set `instrument: perpetual`)."
                )
        return self
