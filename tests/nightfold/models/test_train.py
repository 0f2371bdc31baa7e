"""Training: stop and score on validation, then learn from everything."""

from collections.abc import Callable

import numpy as np
import pytest

from nightfold.errors import ConfigError
from nightfold.models.boosting.lightgbm import LightGBMModel, LightGBMSpec
from nightfold.models.catalog import MODELS, ModelEntry
from nightfold.models.checks import made_up
from nightfold.models.contract import ModelSpec, corrected
from nightfold.models.dataset import Dataset
from nightfold.models.metrics import direction_gain, log_loss
from nightfold.models.train import train_model

Make = Callable[..., Dataset]


def shares(rows: Dataset) -> np.ndarray:
    return np.bincount(rows.codes) / len(rows)


def weighted_shares(rows: Dataset) -> np.ndarray:
    return np.bincount(rows.codes, rows.weight) / rows.weight.sum()


CLASSIFIERS = [
    entry
    for entry in MODELS.values()
    if "three_class" in entry.capabilities.tasks and entry.capabilities.inputs == "rows"
]
LEARNERS = [entry for entry in CLASSIFIERS if entry.family != "baseline"]


def quick(entry: ModelEntry) -> ModelSpec:
    """Defaults of boosting; forests and support vector machines as the checks fit them, for these few features."""
    return entry.spec(**({} if entry.family == "boosting" else entry.small))


def test_the_model_in_force_has_seen_both_parts_with_the_rounds_that_train_alone_found(make_rows: Make) -> None:
    train, validation, later = make_rows(), make_rows(800, seed=1), make_rows(300, seed=2)
    trained = train_model(MODELS["lightgbm"], LightGBMSpec(), train, validation, seed=4)
    alone = LightGBMModel(LightGBMSpec(), 4).fit(train, validation)
    together = LightGBMModel(LightGBMSpec(rounds=alone.rounds), 4).fit(train.join(validation))
    assert trained.rounds == alone.rounds
    assert trained.spec == LightGBMSpec()
    expected = corrected(alone.predict(validation.features), tuple(shares(train) / weighted_shares(train)))
    assert trained.validation_prediction == pytest.approx(expected, rel=1e-12)
    both = train.join(validation)
    assert trained.correction == pytest.approx(shares(both) / weighted_shares(both))
    assert np.array_equal(trained.model.predict(later.features), together.predict(later.features))


def test_without_a_refit_the_scored_model_is_in_force(make_rows: Make) -> None:
    train, validation = make_rows(), make_rows(800, seed=1)
    for entry in CLASSIFIERS:
        trained = train_model(entry, quick(entry), train, validation, refit=False)
        forecast = corrected(trained.model.predict(validation.features), trained.correction)
        assert np.array_equal(forecast, trained.validation_prediction)


def test_rows_between_the_parts_stop_the_fit_and_have_no_say_in_the_scores(make_rows: Make) -> None:
    train, stopping, validation = make_rows(), make_rows(800, seed=1), make_rows(500, seed=2)
    trained = train_model(MODELS["lightgbm"], LightGBMSpec(), train, validation, stopping=stopping, seed=4)
    assert trained.rounds == LightGBMModel(LightGBMSpec(), 4).fit(train, stopping).rounds
    assert trained.metrics["rows"] == 500
    everything = train.join(stopping).join(validation)
    together = LightGBMModel(LightGBMSpec(rounds=trained.rounds), 4).fit(everything)
    assert np.array_equal(trained.model.predict(validation.features), together.predict(validation.features))


def test_weights_that_favour_a_class_do_not_shift_its_probability() -> None:
    random = np.random.default_rng(3)
    label = random.choice([-1, 0, 1], 6_000, p=[0.3, 0.5, 0.2])
    weight = np.where(label == 0, 0.1, 1.0)
    rows = Dataset(random.normal(size=(6_000, 2)), ("a", "b"), label, weight)
    for entry in CLASSIFIERS:
        trained = train_model(entry, quick(entry), rows.take(np.arange(4_000)), rows.take(np.arange(4_000, 6_000)))
        assert trained.validation_prediction.mean(axis=0) == pytest.approx([0.3, 0.5, 0.2], abs=0.03)


def test_scores_count_each_validation_row_the_same(make_rows: Make) -> None:
    train, validation = make_rows(), make_rows(800, seed=1)
    trained = train_model(MODELS["logistic_regression"], MODELS["logistic_regression"].spec(), train, validation)
    forecast = trained.validation_prediction
    found = -np.log(forecast[np.arange(800), validation.codes]).mean()
    assert trained.metrics["log_loss"] == pytest.approx(found)
    counted = -np.log(shares(train))[validation.codes].mean()
    assert trained.metrics["log_loss_class_frequencies"] == pytest.approx(counted)
    assert trained.metrics["rows"] == 800
    assert trained.seconds > 0


def test_the_score_of_training_rows_stands_beside_that_of_rows_not_learnt_from() -> None:
    entry = MODELS["lightgbm"]
    train, validation = (made_up(entry, "regression", rows, seed, 1.0) for seed, rows in enumerate((12_000, 800)))
    spec = LightGBMSpec(leaves=63, min_data_in_leaf=5, feature_fraction=1.0, l2=0, early_stopping_rounds=150)
    trained = train_model(entry, spec, train, validation, seed=4)
    alone = LightGBMModel(spec, 4).fit(train, validation)
    left = train.label - alone.predict(train.features)[:, 0]
    assert trained.metrics["train_rmse"] == pytest.approx(np.sqrt((left**2).mean()), rel=0.03)  # of some rows
    assert trained.metrics["train_r2"] == pytest.approx(1 - left.var() / train.label.var(), abs=0.03)
    by_heart, real = trained.metrics["train_r2"], trained.metrics["r2"]
    assert by_heart is not None
    assert real is not None
    assert by_heart > real + 0.02
    assert list(trained.metrics)[1:5] == ["rmse", "train_rmse", "mae", "r2"]


def test_few_training_rows_are_scored_all_with_probabilities_corrected(make_rows: Make) -> None:
    entry, train, validation = MODELS["logistic_regression"], make_rows(), make_rows(800, seed=1)
    trained = train_model(entry, entry.spec(), train, validation)
    alone = entry.model(entry.spec()).fit(train)
    forecast = corrected(alone.predict(train.features), tuple(shares(train) / weighted_shares(train)))
    assert trained.metrics["train_log_loss"] == pytest.approx(log_loss(forecast, train.label))


def test_curves_are_those_of_the_scored_model_and_importance_that_of_the_one_in_force(make_rows: Make) -> None:
    train, validation = make_rows(), make_rows(400, seed=1)
    trained = train_model(MODELS["lightgbm"], LightGBMSpec(), train, validation, seed=4)
    assert trained.curves == LightGBMModel(LightGBMSpec(), 4).fit(train, validation).curves
    assert set(trained.curves) == {"train", "stopping"}
    assert not trained.model.curves
    for measure, values in trained.model.importance(validation.features).items():
        np.testing.assert_array_equal(trained.importance[measure], values)
        assert set(np.argsort(values)[-2:]) == {0, 1}  # `a` and `b` are planted


def test_the_fingerprint_of_the_rows_covers_both_parts(make_rows: Make) -> None:
    entry, train, validation = MODELS["class_frequencies"], make_rows(), make_rows(800, seed=1)
    pairs = [(train, validation), (train, validation), (validation, train), (train, validation.take(np.arange(799)))]
    digests = [train_model(entry, entry.spec(), *pair).dataset for pair in pairs]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_spec_of_another_family_is_refused(make_rows: Make) -> None:
    with pytest.raises(ConfigError, match="`lightgbm` takes a LightGBMSpec"):
        train_model(MODELS["lightgbm"], MODELS["class_frequencies"].spec(), make_rows(), make_rows(800, seed=1))


def walk(rows: int, *, effect: float, seed: int) -> Dataset:
    """Slow features and labels that overlap by 20 rows, as bars have them; `effect` of the first one is real."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(rows + 100, 6))
    features = np.column_stack([np.convolve(column, np.ones(20) / 20**0.5, "valid") for column in noise.T])[:rows]
    future = np.convolve(random.normal(size=rows + 19), np.ones(20) / 20**0.5, "valid")
    move = effect * features[:, 0] + future
    label = np.where(move > 0.6, 1, np.where(move < -0.6, -1, 0))
    return Dataset(features, tuple("abcdef"), label, np.ones(rows))


def shuffled_in_blocks(rows: Dataset, seed: int, block: int = 100) -> Dataset:
    """The same rows with labels of other blocks: each stretch of labels stays whole, its features are another's."""
    order = np.random.default_rng(seed).permutation(len(rows) // block)
    label = rows.label[: len(order) * block].reshape(-1, block)[order].ravel()
    return Dataset(rows.features[: len(label)], rows.names, label, rows.weight[: len(label)])


def interval(values: np.ndarray, block: int = 100) -> tuple[float, float]:
    """Block-bootstrap interval of the mean, 99 %."""
    means = values[: len(values) // block * block].reshape(-1, block).mean(axis=1)
    random = np.random.default_rng(0)
    draws = means[random.integers(0, len(means), (2000, len(means)))].mean(axis=1)
    low, high = np.quantile(draws, [0.005, 0.995])
    return float(low), float(high)


def gains(entry: ModelEntry, train: Dataset, validation: Dataset, test: Dataset) -> np.ndarray:
    """Log loss of the class frequencies less that of the model, per test row."""
    model = train_model(entry, quick(entry), train, validation).model
    frequencies = MODELS["class_frequencies"].model(MODELS["class_frequencies"].spec()).fit(train)
    rows = np.arange(len(test))
    forecast, plain = (each.predict(test.features)[rows, test.codes] for each in (model, frequencies))
    return np.log(forecast / plain)


@pytest.mark.parametrize("entry", LEARNERS, ids=lambda entry: entry.name)
def test_labels_shuffled_in_blocks_beat_class_frequencies_no_more(entry: ModelEntry) -> None:
    found = []
    for seed in range(4):
        train = shuffled_in_blocks(walk(8000, effect=0.5, seed=seed), seed)
        validation = shuffled_in_blocks(walk(2000, effect=0.5, seed=100 + seed), seed)
        found.append(gains(entry, train, validation, walk(4000, effect=0.5, seed=200 + seed)))
    low, _ = interval(np.concatenate(found))
    assert low <= 0


@pytest.mark.parametrize("entry", LEARNERS, ids=lambda entry: entry.name)
def test_a_planted_effect_is_found_in_loss_and_in_direction(entry: ModelEntry) -> None:
    train, validation = walk(8000, effect=0.5, seed=1), walk(2000, effect=0.5, seed=2)
    test = walk(4000, effect=0.5, seed=3)
    low, _ = interval(gains(entry, train, validation, test))
    assert low > 0
    forecast = train_model(entry, quick(entry), train, validation).model.predict(test.features)
    assert (direction_gain(forecast, test.label) or 0) > 0.03
    assert (log_loss(forecast, test.label) or 9) < np.log(3)
