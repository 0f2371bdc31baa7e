"""Costs as settings."""

from typing import Any

import pytest
from pydantic import ValidationError

from nightfold.backtest.cost import Costs


def test_a_round_trip_pays_everything_twice() -> None:
    assert Costs(taker_fee_bps=7, half_spread_bps=2, slippage_bps=1).round_trip == pytest.approx(0.0020)


@pytest.mark.parametrize(
    "field",
    [
        *({"taker_fee_bps": -1}, {"half_spread_bps": 1_000}, {"latency_bars": -1}, {"minimum_fee": -0.1}, {"fee": 1}),
        *({"impact_slippage": -1}, {"max_participation": 0}, {"max_participation": 1.1}, {"latency_ms": -1}),
        *({"tick_size": -0.1}, {"quantity_step": {"BTCUSDT": -1}}, {"minimum_order": -5}),
    ],
)
def test_settings_out_of_range_are_refused(field: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Costs(**field)


def test_latency_in_bars_and_in_milliseconds_together_is_refused() -> None:
    with pytest.raises(ValidationError, match="`latency_bars` is 1 and `latency_ms` is 200; only one"):
        Costs(latency_bars=1, latency_ms=200)
