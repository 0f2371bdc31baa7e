"""What may lie beside a made-up run: risk rules, shocks, searches, forecasts and samples."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.schema import TIME
from nightfold.tearsheet.content import Record, TearsheetInput


@pytest.fixture
def whole_report(make_report: Callable[..., TearsheetInput]) -> TearsheetInput:
    """A report with everything there is to know."""
    return make_report(n_trades=60, **everything())


def everything() -> dict[str, Any]:
    """Fields of a report that may be absent: what risk rules, shocks and searches left behind."""
    return {
        "rejected": rejected_frame(),
        "triggers": triggers_frame(),
        "regimes": regimes_frame(),
        "sensitivity": sensitivity_frame(),
        "shocks": shocks_frame(),
        "passing": pl.DataFrame(
            {"symbol": ["BTCUSDT"], "forecasts": [400], "sure": [40], "worth": [30], "long": [12], "short": [8]}
        ),
        "luck": {"percentile": 0.37, "median": -0.02, "best": 0.11},
        "overfitting": 0.62,
        "n_compared": 33,
        "crashes": 1,
        "open_orders": pl.DataFrame({"symbol": ["ETHUSDT"], "open_time": [moment(28, 23)], "wanted": [-1.5]}),
        "funding": funding_frame(),
        "alone": {
            "lightgbm": {"trades": 12, "sharpe_ratio": -0.25, "is_lost": False},
            "logistic": {"trades": 3, "sharpe_ratio": None, "is_lost": True},
        },
        "record": Record(
            policies=policies_frame(),
            forecast_log=log_frame(),
            importance=importance_frame(),
            weights=weights_frame(),
            **samples_frames(),
        ),
    }


def moment(day: int, hour: int = 0) -> datetime:
    """Time of the first month."""
    return datetime(2024, 1, day, hour, tzinfo=UTC)


def rejected_frame() -> pl.DataFrame:
    """Three orders that were not had."""
    return pl.DataFrame(
        {
            "symbol": ["BTCUSDT", "BTCUSDT", "ETHUSDT"],
            "time": [moment(5), moment(3), moment(9)],
            "reason": ["max_gross", "max_gross", "minimum_order"],
        }
    )


def funding_frame() -> pl.DataFrame:
    """Two payments of one symbol, and one that another received."""
    return pl.DataFrame(
        {
            "symbol": ["ETHUSDT", "BTCUSDT", "BTCUSDT"],
            "time": [moment(2), moment(3), moment(4)],
            "quantity": [-1.0, 2.0, 2.0],
            "price": [100.0, 100.0, 200.0],
            "rate": [0.01, 0.001, 0.002],
            "amount": [-1.0, 0.2, 0.8],
        }
    )


def triggers_frame() -> pl.DataFrame:
    """A daily loss limit that stepped in twice, and a position limit once."""
    return pl.DataFrame(
        {
            "time": [moment(4, 12), moment(8), moment(6)],
            "rule": ["daily_loss_limit", "daily_loss_limit", "max_position"],
            "symbol": [None, None, "BTCUSDT"],
            "figure": [-0.021, -0.034, 1.2],
            "limit": [-0.02, -0.02, 1.0],
        },
        schema_overrides={"time": TIME},
    )


def regimes_frame() -> pl.DataFrame:
    """Two trends and no knowledge of the rest."""
    rows = [("trend", "bull", 70, 0.4, 0.1), ("trend", "bear", 30, 0.3, -0.2), ("trend", "unknown", 0, 0.0, None)]
    names = ("kind", "regime", "days", "share", "total_return")
    return pl.DataFrame(rows, schema=list(names), orient="row").with_columns(sharpe_ratio=0.5, worst_day=-0.04)


def sensitivity_frame() -> pl.DataFrame:
    """A grid on which a return falls by 1 % with each step of costs, delay and edge, from 3 %."""
    rows = [
        (edge, scale, delay, 10, 0.03 - 0.01 * (e + s + d), None, -0.1)
        for e, edge in enumerate((0.5, 1.0))
        for s, scale in enumerate((0.0, 1.0))
        for d, delay in enumerate((0, 1))
    ]
    names = ("edge", "cost_scale", "added_bars", "trades", "total_return", "sharpe_ratio", "max_drawdown")
    return pl.DataFrame(rows, schema=list(names), orient="row").cast({"sharpe_ratio": pl.Float64})


def shocks_frame() -> pl.DataFrame:
    """One shock beside none."""
    return pl.DataFrame(
        {
            "shock": ["none", "gap down 20 %"],
            "moment": [None, moment(7, 5)],
            "trades": [60, 58],
            "total_return": [0.01, -0.13],
            "sharpe_ratio": [0.2, -1.1],
            "max_drawdown": [-0.1, -0.25],
        }
    )


def policies_frame() -> pl.DataFrame:
    """One policy in force, and flat periods whose cards an older version made, without the kind of their reason."""
    thresholds = {"min_confidence": 0.55, "min_edge": 0.5, "base_risk_fraction": 0.01, "max_risk_fraction": 0.05}
    flat, tried = dict.fromkeys(thresholds), {"trials": 24, "effective_trials": 6.25}
    cards = [
        {"is_complete": False, "reason": "7 of 30 days", "trials": 0, "effective_trials": None, "sharpe": None, **flat},
        {"is_complete": True, "reason": "no policy traded enough", **tried, "sharpe": None, **flat},
        {"is_complete": True, "reason": "the best lost", **tried, "sharpe": -0.1, **flat},
        {"is_complete": True, "reason": "may be luck", **tried, "sharpe": 0.1, **flat},
        {"is_complete": True, "reason": "", **tried, "sharpe": 0.3, **thresholds},
    ]
    rows = [
        {"universe": "pooled", "as_of": moment(1 + 7 * week), "deflated_sharpe": None, "trades": None, **card}
        for week, card in enumerate(cards[:4])
    ]
    rows.append({"universe": "pooled", "as_of": moment(29), "deflated_sharpe": 0.95, "trades": 31, **cards[4]})
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(cause=pl.lit(None, pl.String))


def log_frame(rows: int = 400, skill: float = 0.0) -> pl.DataFrame:
    """Forecasts by the hour, each right with a probability of half and the skill, all as sure as 60 %."""
    rng = np.random.default_rng(5)
    said = rng.normal(0, 0.001, rows)
    right = rng.random(rows) < 0.5 + skill
    came = np.abs(rng.normal(0, 0.004, rows)) * np.sign(said) * np.where(right, 1, -1)
    times = [moment(1) + timedelta(hours=hour) for hour in range(rows)]
    return pl.DataFrame(
        {
            "symbol": ["BTCUSDT", "ETHUSDT"] * (rows // 2),
            "open_time": times,
            "horizon": [20] * rows,
            "expected_move": said,
            "confidence": [0.6] * rows,
            "actual_move": came,
        },
        schema_overrides={"open_time": TIME},
    ).with_columns(
        pl.when(pl.int_range(pl.len()) < rows - 10).then(value).alias(name)
        for name, value in {"actual_move": pl.col("actual_move"), "actual_side": pl.col("actual_move").sign()}.items()
    )


def importance_frame() -> pl.DataFrame:
    """Two as-ofs of one model that tells two measures, one of which counts."""
    rows = [
        (date(2024, 1, 1), "gain", "a", 9.0),
        (date(2024, 1, 1), "gain", "b", 1.0),
        (date(2024, 1, 1), "contribution", "a", 1.0),
        (date(2024, 1, 1), "contribution", "b", 3.0),
        (date(2024, 1, 8), "contribution", "a", 30.0),
        (date(2024, 1, 8), "contribution", "b", 10.0),
        (date(2024, 1, 8), "contribution", "c", 0.0),
    ]
    frame = pl.DataFrame(rows, schema=["as_of", "measure", "feature", "value"], orient="row")
    return frame.with_columns(universe=pl.lit("pooled"), model=pl.lit("lightgbm"), horizon=20)


def weights_frame() -> pl.DataFrame:
    """Two members whose weights move."""
    rows = [
        (date(2024, 1, 1), "lightgbm", 0.25),
        (date(2024, 1, 1), "logistic", 0.75),
        (date(2024, 1, 8), "lightgbm", 0.75),
        (date(2024, 1, 8), "logistic", 0.25),
    ]
    frame = pl.DataFrame(rows, schema=["as_of", "model", "weight"], orient="row")
    return frame.with_columns(universe=pl.lit("pooled"))


def samples_frames() -> dict[str, Any]:
    """Rows of two as-ofs, of which the second lost two to warm-up."""
    as_ofs, keys = [date(2024, 1, 1), date(2024, 1, 8)], ["2024", "2025"]
    shared = {"as_of": as_ofs, "universe": ["pooled"] * 2}
    splits = {"fingerprint": keys, "train": [70, 80], "stopping": [0, 0], "validation": [10, 12]}
    accounts = [
        (as_of, "pooled", symbol, reason, rows)
        for as_of in as_ofs
        for symbol in ("BTCUSDT", "ETHUSDT")
        for reason, rows in (("gap", 0), ("warm-up", 2), ("kept", 40))
    ]
    names = ("as_of", "universe", "symbol", "reason", "rows")
    return {
        "splits": pl.DataFrame({**shared, **splits, "effective_rows": [7.0, 8.0]}),
        "accounts": pl.DataFrame(accounts, schema=list(names), orient="row"),
        "lineage": pl.DataFrame({**shared, "dataset": keys, "ensemble": ["v1", None], "members": ["a 1, b 2", None]}),
    }
