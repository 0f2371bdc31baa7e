"""Settings that nobody writes down: what they are is promised, and moves every result."""

from typing import Any

import pytest

from nightfold.backtest.baseline_random import TRADERS
from nightfold.backtest.cost import Costs
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.signal import Strategy
from nightfold.backtest.sizing.kelly import Kelly
from nightfold.labels.table import LabelSet
from nightfold.policy.spec import PolicySpec
from nightfold.spec import Spec
from nightfold.tearsheet import measures
from nightfold.tearsheet.gates import Gates

PROMISED: list[tuple[Spec, dict[str, Any]]] = [
    (
        PolicySpec(),
        {
            "window_days": 90,
            "half_life_days": None,
            "filter": False,
            "min_confidence": (0.40, 0.70),
            "min_edge": None,
            "edge_unit": "cost",
            "edge": "net",
            "base_risk_fraction": (0.01, 0.05),
            "max_risk_fraction": (0.03, 0.10),
            "sizing": "risk",
            "trials": 48,
            "batch": 12,
            "min_trades": 20,
            "min_deflated_sharpe": 0.90,
        },
    ),
    (
        Costs(),
        {
            "taker_fee_bps": 10,
            "maker_fee_bps": 10,
            "half_spread_bps": 1,
            "slippage_bps": 2,
            "minimum_fee": 0,
            "volatility_slippage": 0,
            "impact_slippage": 0,
            "max_participation": None,
            "funding_rate": None,
            "latency_bars": 0,
            "latency_ms": 0,
            "tick_size": 0,
            "quantity_step": 0,
            "minimum_order": 0,
        },
    ),
    (
        RiskLimits(),
        {
            "instrument": "spot",
            "max_position": 1,
            "max_gross": 1,
            "max_net": None,
            "rebalance_band": None,
            "correlated_exposure": None,
            "drawdown_breaker": None,
            "daily_loss_limit": None,
        },
    ),
    (Strategy(), {"edge": "net", "min_edge_bps": 0, "quantile_weights": None, "sizing": None, "exit": "time"}),
    (Kelly(), {"part": 0.25}),
    (LabelSet(), {"upper": 0.8, "lower": 0.8}),
    (
        Gates(),
        {
            "min_macro_f1": 0.35,
            "min_sharpe": 0.5,
            "min_deflated_sharpe": 0.9,
            "max_drawdown": 0.2,
            "min_profit_factor": 1.3,
            "min_trades": 100,
            "min_positive_folds": 0.8,
            "min_fold_return": -0.1,
        },
    ),
]


@pytest.mark.parametrize(("spec", "promised"), PROMISED, ids=[type(spec).__name__ for spec, _ in PROMISED])
def test_what_is_not_set_is_as_promised(spec: Spec, promised: dict[str, Any]) -> None:
    assert {name: getattr(spec, name) for name in promised} == promised


def test_a_round_trip_costs_twenty_six_basis_points() -> None:
    assert Costs().round_trip == pytest.approx(0.0026)


def test_luck_is_two_hundred_traders_few_are_under_ten_trials_and_a_year_has_365_days() -> None:
    assert (TRADERS, measures.FEW_TRIALS, measures.DAYS_PER_YEAR) == (200, 10, 365)
