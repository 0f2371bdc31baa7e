"""Limits of what is held, tested at each decision: they cut what an order adds, never what it takes away."""

from typing import Annotated, ClassVar

from pydantic import Field, PositiveFloat

from nightfold.backtest.risk.rule import RiskRule


class PositionLimit(RiskRule):
    """Largest position in one symbol."""

    name: ClassVar[str] = "max_position"
    formula: ClassVar[str] = "Where |target| > limit: the target becomes the limit, with its sign."
    reference: ClassVar[str] = (
        "Grinold and Kahn (2000), Active Portfolio Management, ch. 14: constraints in portfolio construction"
    )

    limit: PositiveFloat = 1.0
    """As a fraction of equity."""

    @property
    def numbers(self) -> dict[str, float]:
        """The limit."""
        return {"max_position": self.limit}


class GrossLimit(RiskRule):
    """Largest sum of all positions, long or short: the leverage of the account."""

    name: ClassVar[str] = "max_gross"
    formula: ClassVar[str] = (
        "Where the sum of |position| over all symbols, orders under way included, would exceed limit x equity: what "
        "this bar's orders add shrinks in one proportion."
    )
    reference: ClassVar[str] = "Jacobs and Levy (2012), Leverage aversion and portfolio optimality, FAJ 68(5)"

    limit: PositiveFloat = 1.0
    """As a fraction of equity."""

    @property
    def numbers(self) -> dict[str, float]:
        """The limit."""
        return {"max_gross": self.limit}


class NetLimit(RiskRule):
    """Largest sum of signed positions: how far the account may lean to one side of the market."""

    name: ClassVar[str] = "max_net"
    formula: ClassVar[str] = (
        "Where |sum of signed positions| would exceed limit x equity: what this bar's orders add on that side shrinks "
        "in one proportion."
    )
    reference: ClassVar[str] = "Jacobs and Levy (1993), Long/short equity investing, JPM 20(1)"

    limit: PositiveFloat
    """As a fraction of equity."""

    @property
    def numbers(self) -> dict[str, float]:
        """The limit."""
        return {"max_net": self.limit}


class CorrelatedLimit(RiskRule):
    """Largest exposure when positions that move together are added up and independent ones partly cancel.

    One position counts as itself, two that move as one as their sum, two that move against each other as their
    difference, and N independent ones of equal size as root N of them. Correlations come from the returns before the
    decision only; until all are there, two positions are taken to move together in the worse way.
    """

    name: ClassVar[str] = "correlated_exposure"
    formula: ClassVar[str] = (
        "Where sqrt(sum over all pairs i, j of w_i w_j r_ij) would exceed the limit, w being signed positions as "
        "fractions of equity and r the correlations of their last one-bar returns: what this bar's orders add shrinks "
        "in one proportion, unless they lower it."
    )
    reference: ClassVar[str] = (
        "Markowitz (1952), Portfolio selection, JF 7(1): variance of a portfolio, in units of one"
    )

    limit: PositiveFloat
    """As a fraction of equity."""
    bars: Annotated[int, Field(ge=10)] = 288
    """One-bar returns, common to two symbols, behind their correlation."""

    @property
    def numbers(self) -> dict[str, float]:
        """The limit and the bars."""
        return {"max_correlated": self.limit, "correlation_bars": self.bars}
