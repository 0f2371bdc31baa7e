"""Quantile forecasts level by level: shares counted by hand, intervals around them, and what is too few."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from nightfold.backtest.table import TABLES
from nightfold.coverage import CONSTANT, LEVELS, score_levels
from nightfold.experiment import Experiment
from nightfold.schema import TIME
from nightfold.splits.overlap import thin_levels

START = datetime(2024, 3, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
HORIZON = 4
CONSTANTS = {("pooled", "2024-03-04", HORIZON): [-2.0, 2.0], ("pooled", "2024-03-11", HORIZON): [-1.0, 1.0]}


def experiment(**target: object) -> Experiment:
    return Experiment.model_validate(
        {
            "name": "e",
            "first_as_of": "2024-03-04",
            "target": {"kind": "return", "task": "quantile", "quantiles": [0.1, 0.9], "horizons": [HORIZON], **target},
            "models": {"lightgbm": None},
            "strategy": {"horizon": HORIZON},
        }
    )


def rows(label: np.ndarray, low: float = -1.0, high: float = 1.0) -> pl.DataFrame:
    """One row an hour over two weeks of as-ofs, each forecast the same."""
    times = pl.Series([START + n * HOUR for n in range(len(label))], dtype=TIME)
    said = {
        f"{who}{level}_{HORIZON}": value for who in ("", "lightgbm_") for level, value in (("q10", low), ("q90", high))
    }
    return (
        pl.DataFrame({"symbol": "A", "open_time": times, f"forward_log_return_{HORIZON}": label})
        .with_columns(
            pl.lit(START + timedelta(days=7)).cast(TIME).alias("later"),
            **{name: pl.lit(value) for name, value in said.items()},
            **{f"forward_end_{HORIZON}": pl.col("open_time") + (HORIZON + 1) * HOUR - timedelta(milliseconds=1)},
        )
        .with_columns(
            as_of=pl.when(pl.col("open_time") < pl.col("later")).then(pl.lit(START).cast(TIME)).otherwise("later")
        )
        .drop("later")
    )


def found(frame: pl.DataFrame, model: str, level: float | None) -> dict[str, float]:
    chosen = frame.filter(pl.col("model") == model, pl.col("level").eq_missing(pl.lit(level)))
    return dict(chosen.row(0, named=True))


def test_shares_and_losses_of_each_level_are_those_counted_by_hand() -> None:
    label = np.tile([-3.0, -0.5, 0.0, 0.5, 2.0], 60)  # a fifth under -1, a fifth over 1
    levels = TABLES["levels"].validate(score_levels(experiment(), rows(label), CONSTANTS))
    low, high, between = (found(levels, "ensemble", level) for level in (0.1, 0.9, None))
    assert [each["share"] for each in (low, high, between)] == pytest.approx([0.2, 0.8, 0.6])
    assert [each["wanted"] for each in (low, high, between)] == pytest.approx([0.1, 0.9, 0.8])
    # at .1, forecast -1: .9 * 2 of -3, .1 * (.5 + 1 + 1.5 + 3) of the others; at .9 the mirror, from 1
    assert low["pinball"] == pytest.approx((0.9 * 2 + 0.1 * (0.5 + 1 + 1.5 + 3)) / 5)
    assert high["pinball"] == pytest.approx((0.1 * (4 + 1.5 + 1 + 0.5) + 0.9 * 1) / 5)
    assert between["pinball"] == pytest.approx((low["pinball"] + high["pinball"]) / 2)


def test_the_training_quantiles_stand_beside_with_those_of_each_as_of() -> None:
    label = np.tile(
        [-1.5, 0.0, 0.0, 1.5], 120
    )  # within 2 in the 168 hours of the first as-of, a quarter under -1 after
    levels = score_levels(experiment(), rows(label), CONSTANTS)
    assert found(levels, CONSTANT, 0.1)["share"] == pytest.approx(78 / 480)
    assert found(levels, CONSTANT, None)["share"] == pytest.approx(1 - 2 * 78 / 480)


def test_an_interval_covers_the_truth_about_as_often_as_it_says_and_widens_with_overlap() -> None:
    random = np.random.default_rng(3)
    hits, wide, narrow = 0, [], []
    for _ in range(60):
        noise = random.normal(size=604)
        label = np.convolve(noise, np.ones(5) / 5**0.5, "valid")  # five hours of overlap, variance 1
        at = 1.2815515655
        each = found(score_levels(experiment(), rows(label, -at, at), CONSTANTS), "ensemble", 0.1)
        hits += each["low"] <= 0.1 <= each["high"]
        wide.append(each["high"] - each["low"])
        alone = rows(random.normal(size=600), -at, at).with_columns(**{f"forward_end_{HORIZON}": pl.col("open_time")})
        narrow.append((n := found(score_levels(experiment(), alone, CONSTANTS), "ensemble", 0.1))["high"] - n["low"])
    assert 50 <= hits <= 60
    assert np.mean(wide) > 1.3 * np.mean(narrow)


def test_a_level_with_too_few_independent_rows_beyond_it_is_flagged() -> None:
    short, long = (
        score_levels(experiment(), rows(np.random.default_rng(1).normal(size=count)), CONSTANTS) for count in (240, 720)
    )
    assert found(short, "ensemble", 0.1)["independent"] == pytest.approx(240 / 4, rel=0.02)
    assert short["is_thin"].all()  # six beyond
    assert found(long, "ensemble", 0.1)["independent"] == pytest.approx(180, rel=0.02)
    assert not long["is_thin"].any()
    assert thin_levels([0.05, 0.5, 0.95], 180) == [0.05, 0.95]


def test_few_rows_have_no_interval_and_other_tasks_no_levels() -> None:
    few = score_levels(experiment(), rows(np.zeros(30)), CONSTANTS)
    assert few["low"].null_count() == few.height
    other = experiment(task="regression")
    assert score_levels(other, rows(np.zeros(30)), CONSTANTS).equals(pl.DataFrame(schema=LEVELS))
