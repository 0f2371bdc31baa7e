"""Costs as settings."""

import pytest
from pydantic import ValidationError

from nightfold.backtest.cost import Costs


def test_a_round_trip_pays_everything_twice() -> None:
    assert Costs(taker_fee_bps=7, half_spread_bps=2, slippage_bps=1).round_trip == pytest.approx(0.0020)


@pytest.mark.parametrize(
    "field",
    [{"taker_fee_bps": -1}, {"half_spread_bps": 1_000}, {"latency_bars": -1}, {"minimum_fee": -0.1}, {"fee": 1}],
)
def test_settings_out_of_range_are_refused(field: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Costs(**field)
