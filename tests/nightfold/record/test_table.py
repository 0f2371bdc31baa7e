"""Curves and importance as tables."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from nightfold.models.catalog import MODELS
from nightfold.models.checks import made_up
from nightfold.models.train import Trained, train_model
from nightfold.record.table import CURVES, IMPORTANCE, curve_table, importance_table, thinned, top_features


@pytest.fixture(scope="module")
def trained() -> Trained:
    """Some model; what it tells of itself is put in by the tests."""
    entry = MODELS["class_frequencies"]
    return train_model(entry, entry.spec(), *(made_up(entry, "binary", 200, seed, 1.0) for seed in (0, 1)))


def test_curves_stand_by_horizon_part_and_round(trained: Trained) -> None:
    told = {"stopping": {2: 0.5, 1: 0.6}, "train": {1: 0.4}}
    table = curve_table({20: replace(trained, curves=told), 5: replace(trained, curves={"train": {10: 0.1}})})
    assert table.rows() == [
        (5, "train", 10, 0.1),
        (20, "stopping", 1, 0.6),
        (20, "stopping", 2, 0.5),
        (20, "train", 1, 0.4),
    ]
    assert curve_table({5: trained}).equals(CURVES.empty())


def test_importance_stands_by_horizon_measure_and_feature(trained: Trained) -> None:
    names = trained.model.names
    values = np.arange(len(names), dtype=np.float64)
    table = importance_table({5: replace(trained, importance={"gain": values, "contribution": values / 10})})
    assert table.height == 2 * len(names)
    assert {row[2]: row[3] for row in table.filter(measure="gain").rows()} == dict(zip(names, values, strict=True))
    assert importance_table({5: trained}).equals(IMPORTANCE.empty())


def test_top_features_are_shares_averaged_over_horizons_with_contributions_first() -> None:
    rows = [
        (5, "contribution", "a", 3.0),
        (5, "contribution", "b", 1.0),
        (5, "gain", "a", 1.0),
        (5, "gain", "b", 1.0),
        (20, "contribution", "a", 0.2),
        (20, "contribution", "b", 0.6),
        (20, "gain", "a", 0.0),
        (20, "gain", "b", 0.0),
        (20, "contribution", "c", 0.2),
        (20, "gain", "c", 0.0),
    ]
    table = pl.DataFrame(rows, schema=IMPORTANCE.dtypes, orient="row")
    top = top_features(table, 2)
    assert top.columns == ["feature", "contribution", "gain"]
    # a: (75 + 20) / 2, b: (25 + 60) / 2, and of gain 50 and 0
    assert top.rows() == [("a", pytest.approx(47.5), pytest.approx(25)), ("b", pytest.approx(42.5), pytest.approx(25))]
    assert top_features(IMPORTANCE.empty(), 3).height == 0


@pytest.mark.parametrize(("length", "points", "kept"), [(7, 50, 7), (50, 50, 50), (51, 50, 26), (1000, 50, 50)])
def test_a_thinned_curve_keeps_its_end_and_equal_steps(length: int, points: int, kept: int) -> None:
    one = pl.DataFrame(
        {"horizon": 5, "part": "train", "round": range(1, length + 1), "score": 0.5}, schema=CURVES.dtypes
    )
    other = one.with_columns(pl.lit(20, pl.Int32).alias("horizon"))
    found = thinned(pl.concat([one, other.head(3)]), points)
    rounds = found.filter(horizon=5)["round"]
    assert len(rounds) == kept
    assert rounds[-1] == length
    assert rounds.diff().drop_nulls().n_unique() <= 1
    assert found.filter(horizon=20)["round"].to_list() == [1, 2, 3]
