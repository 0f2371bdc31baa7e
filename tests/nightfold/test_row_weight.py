"""Weights by age and by class: what they do to training rows, and that no probability keeps their mark."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from nightfold.models.bundle import load_bundle, save_bundle
from nightfold.models.catalog import find_model
from nightfold.models.class_weight import weighed
from nightfold.models.contract import corrected, correction
from nightfold.models.dataset import Dataset
from nightfold.models.train import Trained, forecast_blocks, train_model
from nightfold.row_weight import decay
from nightfold.schema import TIME
from nightfold.splits.as_of import SplitSpec
from nightfold.splits.overlap import independent_rows
from nightfold.target import Target
from nightfold.training import Sample, sample

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BARS = 6_000
AS_OF = START + BARS * HOUR
SPLIT = SplitSpec(train_days=300, purge=2, embargo=3)
RARE = Target(kind="up", horizons=[1])


def chance(x: np.ndarray) -> np.ndarray:
    """Of up: an eighth of the rows on average, and it hangs on the feature."""
    return 1 / (1 + np.exp(2.5 - 1.5 * x))


def rows() -> pl.DataFrame:
    random = np.random.default_rng(7)
    x = random.normal(size=BARS)
    is_up = random.random(BARS) < chance(x)
    times = pl.Series([START + n * HOUR for n in range(BARS)], dtype=TIME)
    return pl.DataFrame(
        {
            "symbol": "A",
            "open_time": times,
            "volatility": 0.01,
            "x": pl.Series(x, dtype=pl.Float32),
            "forward_log_return_1": np.where(is_up, 0.01, -0.01),
            "forward_end_1": times + 2 * HOUR - timedelta(milliseconds=1),
        }
    )


def made(target: Target = RARE, split: SplitSpec = SPLIT) -> Sample:
    return sample(rows(), ["x"], target, 1, AS_OF, split, "1h", 0)


def balanced() -> Target:
    return RARE.model_copy(update={"class_weight": "balanced"})


def trained(name: str, taken: Sample) -> Trained:
    entry = find_model(name)
    return train_model(entry, entry.spec(), taken.train, taken.validation, stopping=taken.stopping)


def test_balanced_classes_have_the_same_weight_in_a_fit_and_the_sample_keeps_its_own() -> None:
    plain, even = made(), made(balanced())
    for name, part in even.parts.items():
        np.testing.assert_array_equal(part.weight, plain.parts[name].weight)
    fitted, stopping = (weighed(rows, even.train) for rows in (even.train, even.stopping))
    shares = [rows.weight[rows.label == 1].sum() / rows.weight.sum() for rows in (plain.train, fitted)]
    assert shares == pytest.approx([0.13, 0.5], abs=0.03)
    assert shares[1] == pytest.approx(0.5)
    assert fitted.weight.mean() == pytest.approx(1)
    factors = [fitted.weight / plain.train.weight, stopping.weight / plain.stopping.weight]
    for label in (0, 1):  # one factor a class, for rows that are learnt from and those that stop
        found = np.concatenate(
            [each[rows.label == label] for each, rows in zip(factors, (fitted, stopping), strict=True)]
        )
        np.testing.assert_allclose(found, found[0])
    np.testing.assert_array_equal(fitted.label, plain.train.label)
    assert weighed(plain.train, plain.train) is plain.train
    assert even.train.fingerprint != plain.train.fingerprint


def test_a_fit_balances_by_its_own_rows() -> None:
    """Half of the rows fitted as a set of their own, and as part of a whole with other classes beside them."""
    even = made(balanced()).train
    half = np.arange(len(even)) < len(even) // 2
    entry = find_model("logistic_regression")
    alone, part = (
        entry.model(entry.spec(), 0).fit(rows) for rows in (even.take(half), weighed_as_a_whole(even).take(half))
    )
    told, other = (each.predict(even.table[:50]) for each in (alone, part))
    assert np.abs(told - other).max() > 1e-4  # else the test below proves nothing
    (block,) = forecast_blocks(entry, entry.spec(), even, [(np.flatnonzero(half), np.arange(50))])
    np.testing.assert_allclose(block, corrected(told, correction(even.take(half))))


def weighed_as_a_whole(rows: Dataset) -> Dataset:
    return weighed(rows, rows)


@pytest.mark.parametrize("name", ["logistic_regression", "lightgbm", "class_frequencies"])
def test_probabilities_of_balanced_rows_tell_how_often_a_class_comes(name: str, tmp_path: Path) -> None:
    """Of the model itself they are far off, of the bundle that policies read they are right, bin by bin."""
    found = trained(name, made(balanced()))
    save_bundle(tmp_path / "bundle", {1: found})
    bundle = load_bundle(tmp_path / "bundle")
    features = np.linspace(-2, 2, 401, dtype=np.float32)[:, None]
    raw, said = (each[:, 1] for each in (found.model.predict(features), bundle.predict_features(features, 1)))
    truth = chance(features[:, 0].astype(np.float64))
    if name == "class_frequencies":
        truth = np.full(401, (made().train.label == 1).mean())
        assert raw == pytest.approx(0.5, abs=0.02)
    assert np.abs(raw - truth).mean() > 0.15
    assert np.abs(said - truth).mean() < 0.03


def test_forecasts_of_validation_rows_are_brought_back_too() -> None:
    taken = made(balanced())
    found = trained("logistic_regression", taken)
    said, came = found.validation_prediction[:, 1], taken.validation.label == 1
    for low, high in ((0, 0.05), (0.05, 0.15), (0.15, 0.4), (0.4, 1)):
        chosen = (said >= low) & (said < high)
        assert said[chosen].mean() == pytest.approx(came[chosen].mean(), abs=0.09)
    assert said.mean() == pytest.approx(came.mean(), abs=0.03)


def test_values_have_no_classes_to_balance() -> None:
    with pytest.raises(ValidationError, match="`class_weight` is balanced; a forecast of the task regression has no"):
        Target(kind="return", horizons=[1], class_weight="balanced")


def test_a_row_counts_half_for_every_half_life_and_training_rows_one_on_average() -> None:
    plain, decayed = made(), made(split=SPLIT.model_copy(update={"half_life_days": 20.0}))
    assert decayed.train.weight.mean() == pytest.approx(1)
    times = decayed.keys["train"]["open_time"]
    later = times.to_list().index(times[0] + timedelta(days=40))
    assert decayed.train.weight[later] / decayed.train.weight[0] == pytest.approx(4)
    assert (np.diff(decayed.train.weight) > 0).all()
    assert decayed.validation.weight.min() > decayed.train.weight.max()
    assert (plain.train.weight == 1).all()
    assert made(split=SPLIT.model_copy(update={"half_life_days": None})).fingerprint == plain.fingerprint


def test_symbols_of_one_moment_age_alike_and_what_decay_takes_away_is_not_counted_as_evidence() -> None:
    both = pl.concat([rows(), rows().with_columns(symbol=pl.lit("B"))])
    decayed = sample(both, ["x"], RARE, 1, AS_OF, SPLIT.model_copy(update={"half_life_days": 20.0}), "1h", 0)
    pairs = decayed.keys["train"].group_by("open_time").agg(pl.col("weight").n_unique())
    assert (pairs["weight"] == 1).all()
    keys = decayed.keys["train"]
    weight = 0.5 ** ((AS_OF - keys["open_time"]).dt.total_seconds().to_numpy() / 86_400 / 20)
    share = weight.sum() ** 2 / (len(weight) * (weight**2).sum())
    assert share < 0.5
    assert decayed.effective_rows == pytest.approx(independent_rows(keys["open_time"], keys["label_end"]) * share)


def test_age_counts_before_classes_are_balanced() -> None:
    split = SPLIT.model_copy(update={"half_life_days": 20.0})
    rows = made(balanced(), split).train
    fitted = weighed(rows, rows)
    assert fitted.weight[fitted.label == 1].sum() == pytest.approx(fitted.weight[fitted.label == 0].sum())
    assert fitted.weight[-1] / fitted.weight[0] > 10
    moments = pl.Series([START, START + timedelta(days=9)], dtype=TIME)
    assert decay(moments, START + timedelta(days=9), 3).tolist() == pytest.approx([0.125, 1])
