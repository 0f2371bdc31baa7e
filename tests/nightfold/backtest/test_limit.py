"""Limits as settings."""

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
