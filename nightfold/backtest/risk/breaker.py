"""Breakers: rules that watch the equity at each close and, once it has fallen too far, let nothing be held."""

from typing import Annotated, ClassVar

from pydantic import Field, PositiveInt

from nightfold.backtest.risk.rule import RiskRule

Share = Annotated[float, Field(gt=0, lt=1)]


class DrawdownBreaker(RiskRule):
    """Stop for some decisions where equity has fallen too far from its peak."""

    name: ClassVar[str] = "drawdown_breaker"
    formula: ClassVar[str] = (
        "Where equity at a close <= peak x (1 - limit): every target is 0 for `cooldown` decisions, this one included; "
        "then the peak starts anew at the next close."
    )
    reference: ClassVar[str] = (
        "Grossman and Zhou (1993), Optimal investment strategies for controlling drawdowns, MF 3(3)"
    )

    limit: Share
    """Fall from the peak, as a fraction of it."""
    cooldown: PositiveInt = 288
    """Decisions, which are moments with a bar, at which every target is 0."""

    @property
    def numbers(self) -> dict[str, float]:
        """The limit and the decisions."""
        return {"max_drawdown": self.limit, "cooldown": self.cooldown}


class DailyLossLimit(RiskRule):
    """Stop for the rest of the UTC day where equity has fallen too far within it."""

    name: ClassVar[str] = "daily_loss_limit"
    formula: ClassVar[str] = (
        "Where equity at a close <= equity at the last close of the day before x (1 - limit): every target is 0 to the "
        "last decision of the UTC day. A close at 00:00 belongs to the day it ends."
    )
    reference: ClassVar[str] = "Customary at trading desks; it has no single source."

    limit: Share
    """Loss since the close of the day before, as a fraction of equity then."""

    @property
    def numbers(self) -> dict[str, float]:
        """The limit."""
        return {"max_daily_loss": self.limit}
