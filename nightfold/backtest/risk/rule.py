"""What every rule of risk says about itself."""

from abc import abstractmethod
from typing import ClassVar

from nightfold.spec import Spec


class RiskRule(Spec):
    """One rule with its settings.

    Attributes
    ----------
    name
        As in the tables of triggers and rejections.
    formula
        When it steps in and what it does, in words.
    reference
        Where it comes from.
    """

    name: ClassVar[str]
    formula: ClassVar[str]
    reference: ClassVar[str]

    @property
    @abstractmethod
    def numbers(self) -> dict[str, float]:
        """Settings by the names that `nightfold.backtest.kernel.record.Rules` has for them."""
