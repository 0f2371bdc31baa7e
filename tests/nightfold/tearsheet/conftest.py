"""A made-up run to lay out: nothing here is a real result."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.schema import TIME
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.gates import Gates, evaluate_gates
from nightfold.tearsheet.summary import fold_returns

START = date(2024, 1, 1)
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
CAPITAL = 10_000.0
TRADES: dict[str, pl.DataType | type[pl.DataType]] = {
    "symbol": pl.String,
    "side": pl.Int8,
    "entry_time": TIME,
    "exit_time": TIME,
    "quantity": pl.Float64,
    "entry_price": pl.Float64,
    "exit_price": pl.Float64,
    "fees": pl.Float64,
    "funding": pl.Float64,
    "profit": pl.Float64,
    "return_": pl.Float64,
    "bars": pl.Int64,
    "is_open": pl.Boolean,
    "exit_reason": pl.String,
}


@pytest.fixture
def make_report() -> Callable[..., TearsheetInput]:
    """Build an input of the page: number of days and trades, mean daily return, and any field to replace."""
    return build_report


def build_report(
    days: int = 120, n_trades: int = 150, drift: float = 0.0, seed: int = 7, **replaced: Any
) -> TearsheetInput:
    """Make up a run whose tables fit together in form, though not in value."""
    rng = np.random.default_rng(seed)
    daily = daily_frame(rng.normal(drift, 0.012 if n_trades else 0.0, days))
    trades = trades_frame(rng, n_trades, days)
    folds = fold_returns(daily, [START + timedelta(days=7 * week) for week in range(days // 7 + 1)])
    gates = evaluate_gates(
        Gates(),
        daily_returns=daily["daily_return"],
        trade_profits=trades.filter(~pl.col("is_open"))["profit"],
        fold_returns=folds["fold_return"],
        macro_f1=0.36,
        chance_f1=0.33,
        n_trials=4,
    )
    fields: dict[str, Any] = {
        "title": "Barrier baseline, three coins",
        "experiment": "barrier_baseline",
        "description": "Two models on triple-barrier labels, averaged, traded at the next open.",
        "market_note": "Prices are made up from seed 7; no effect is planted, so nothing can be forecast.",
        "is_simulated": True,
        "symbols": SYMBOLS,
        "interval": "5m",
        "capital": CAPITAL,
        "equity": equity_frame(daily, rng, is_flat=not n_trades),
        "daily": daily,
        "trades": trades,
        "fills": fills_frame(trades),
        "baselines": {"Buy and hold": daily_frame(rng.normal(0.001, 0.03, days))},
        "folds": folds,
        "model_metrics": metrics_frame(rng, days),
        "gates": gates,
        "settings": "name: barrier_baseline\nmodels:\n  lightgbm: {}\n  logistic: {}\n",
        "provenance": {"data fingerprint": "9f86d081884c7d65", "code version": "60303ae22b998861"},
        "n_trials": 4,
    }
    return TearsheetInput(**{**fields, **replaced})


def daily_frame(returns: Any) -> pl.DataFrame:
    """Put returns on the days from the first of January on."""
    days = [START + timedelta(days=day) for day in range(len(returns))]
    return pl.DataFrame(
        {"day": days, "daily_return": list(returns)}, schema={"day": pl.Date, "daily_return": pl.Float64}
    )


def equity_frame(daily: pl.DataFrame, rng: np.random.Generator, *, is_flat: bool) -> pl.DataFrame:
    """Equity at each hour's close, on the way from day to day."""
    hours = 24 * daily.height
    steps = np.repeat((1 + daily["daily_return"].to_numpy()) ** (1 / 24), 24)
    equity = CAPITAL * np.cumprod(steps)
    share = np.zeros(hours) if is_flat else np.clip(np.cumsum(rng.normal(0, 0.1, hours)) % 2 - 1, 0, 1)
    times = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=1 + hour) for hour in range(hours)]
    return pl.DataFrame({"close_time": times, "equity": equity}, schema_overrides={"close_time": TIME}).with_columns(
        gross_exposure=pl.Series(share) * pl.col("equity"), net_exposure=pl.Series(share) * pl.col("equity")
    )


def trades_frame(rng: np.random.Generator, n_trades: int, days: int) -> pl.DataFrame:
    """Trades spread over the days; the last one stays open."""
    starts = np.sort(rng.integers(0, max(1, days * 288 - 50), n_trades))
    rows = []
    for place, start in enumerate(starts.tolist()):
        held, gain, price = int(rng.integers(1, 20)), float(rng.normal(-0.0005, 0.006)), float(rng.uniform(20, 60_000))
        entry = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=5 * start)
        value, is_open = 3000.0, place == n_trades - 1
        rows.append(
            {
                "symbol": SYMBOLS[place % 3],
                "side": 1,
                "entry_time": entry,
                "exit_time": None if is_open else entry + timedelta(minutes=5 * held),
                "quantity": value / price,
                "entry_price": price,
                "exit_price": None if is_open else price * (1 + gain),
                "fees": 6.0,
                "funding": 0.0,
                "profit": value * gain,
                "return_": gain,
                "bars": held,
                "is_open": is_open,
                "exit_reason": None if is_open else ("stop", "target", "order")[place % 3],
            }
        )
    return pl.DataFrame(rows, schema=TRADES)


def fills_frame(trades: pl.DataFrame) -> pl.DataFrame:
    """One fill a trade, at its costs."""
    return trades.select(
        "symbol",
        time=pl.col("entry_time"),
        reason=pl.lit("order"),
        quantity="quantity",
        price="entry_price",
        fee="fees",
        spread_cost=pl.lit(0.6),
        slippage_cost=pl.lit(1.2),
    )


def metrics_frame(rng: np.random.Generator, days: int) -> pl.DataFrame:
    """Scores of three models at two horizons by week."""
    rows = [
        {
            "as_of": START + timedelta(days=7 * week),
            "model": model,
            "horizon": horizon,
            "metric": "log_loss",
            "loss": 1.07 + float(rng.normal(0, 0.01)),
            "constant_loss": 1.09 + 0.001 * horizon,
            "macro_f1": 0.36 + float(rng.normal(0, 0.01)),
            "macro_f1_chance": 0.33,
            "direction_gain": float(rng.normal(0, 0.002)),
            "r2": None,
            "sign_accuracy": None,
            "coverage": None,
        }
        for week in range(max(1, days // 7))
        for model in ("ensemble", "lightgbm", "logistic")
        for horizon in (5, 20)
    ]
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(("r2", "sign_accuracy", "coverage"), pl.Float64))
