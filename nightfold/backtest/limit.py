"""What the account may hold."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, model_validator

from nightfold.errors import ConfigError
from nightfold.spec import Spec


class RiskLimits(Spec):
    """Kind of account and how much of it may be at risk."""

    instrument: Literal["spot", "perpetual"] = "spot"
    """`spot`: no short, no leverage, no funding; `perpetual`: shorts, leverage, funding and liquidation."""
    max_position: PositiveFloat = 1.0
    """Largest position in one symbol, as a fraction of equity; larger targets are cut."""
    max_gross: PositiveFloat = 1.0
    """Leverage: largest sum of all positions, long or short, as a fraction of equity when deciding.

    Where it binds, what the orders of that bar add shrinks in proportion; what they take away does not.
    """
    maintenance_margin: Annotated[float, Field(gt=0, lt=1)] = 0.005
    """Perpetuals are liquidated where equity falls to this fraction of the value of all positions."""

    @model_validator(mode="after")
    def _refuse_leverage_on_spot(self) -> "RiskLimits":
        for name in ("max_position", "max_gross"):
            if self.instrument == "spot" and getattr(self, name) > 1:
                raise ConfigError(
                    f"`{name}` is {getattr(self, name)}; a spot account has no leverage, so it must be 1 or less "
                    "(or set `instrument: perpetual`)."
                )
        return self
