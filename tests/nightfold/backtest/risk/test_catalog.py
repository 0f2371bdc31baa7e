"""Every rule of risk says what it does, and the tables of a run know it by the same name."""

import pytest

from nightfold.backtest.kernel.record import RULES as NUMBERS
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import RULES
from nightfold.backtest.risk.catalog import RISK_RULES
from nightfold.backtest.risk.rule import RiskRule

EVERY = RiskLimits(
    max_net=0.5,
    correlated_exposure={"limit": 0.7},
    drawdown_breaker={"limit": 0.2},
    daily_loss_limit={"limit": 0.05},
)


def test_the_catalog_lists_what_limits_can_hold() -> None:
    assert [rule.name for rule in EVERY.rules] == list(RISK_RULES) == list(RULES)
    assert [type(rule) for rule in EVERY.rules] == list(RISK_RULES.values())


@pytest.mark.parametrize("rule", EVERY.rules, ids=lambda rule: rule.name)
def test_a_rule_explains_itself_in_numbers_that_the_kernel_has(rule: RiskRule) -> None:
    assert rule.formula.endswith(".")
    assert rule.reference
    assert set(rule.numbers) <= set(NUMBERS.names or ())


def test_what_is_not_set_is_not_in_force() -> None:
    assert [rule.name for rule in RiskLimits().rules] == ["max_position", "max_gross"]
