"""Limits as settings."""

from typing import Any

import pytest
from pydantic import ValidationError

from nightfold.backtest.limit import RiskLimits


@pytest.mark.parametrize("name", ["max_position", "max_gross"])
def test_a_spot_account_has_no_leverage(name: str) -> None:
    with pytest.raises(ValidationError, match=f"`{name}` is 2.0; a spot account has no leverage"):
        RiskLimits(**{name: 2})
    assert getattr(RiskLimits(instrument="perpetual", **{name: 2}), name) == 2


def test_the_default_is_a_spot_account_without_leverage() -> None:
    limits = RiskLimits()
    assert (limits.instrument, limits.max_position, limits.max_gross) == ("spot", 1, 1)


@pytest.mark.parametrize(
    "field",
    [
        *({"max_net": 0}, {"rebalance_band": -0.1}, {"correlated_exposure": {"limit": 0.5, "bars": 9}}),
        *({"drawdown_breaker": {"limit": 1}}, {"drawdown_breaker": {"limit": 0.1, "cooldown": 0}}),
        *({"drawdown_breaker": {}}, {"daily_loss_limit": {"limit": 0}}),
    ],
)
def test_rules_out_of_range_are_refused(field: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RiskLimits(**field)
