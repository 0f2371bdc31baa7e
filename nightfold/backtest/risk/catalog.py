"""Every rule by its name."""

from collections.abc import Mapping
from types import MappingProxyType

from nightfold.backtest.risk.breaker import DailyLossLimit, DrawdownBreaker
from nightfold.backtest.risk.exposure import CorrelatedLimit, GrossLimit, NetLimit, PositionLimit
from nightfold.backtest.risk.rule import RiskRule

_RULES: tuple[type[RiskRule], ...] = (
    PositionLimit,
    GrossLimit,
    NetLimit,
    CorrelatedLimit,
    DrawdownBreaker,
    DailyLossLimit,
)

RISK_RULES: Mapping[str, type[RiskRule]] = MappingProxyType({rule.name: rule for rule in _RULES})
"""In the order of the kernel's codes: `nightfold.backtest.kernel.record`."""
