"""LightGBM: what our wrapping adds must change nothing that the library does."""

from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from nightfold.models.boosting.lightgbm import LightGBMModel, LightGBMSpec
from nightfold.models.contract import class_prior
from nightfold.models.dataset import Dataset

Make = Callable[..., Dataset]


def test_trees_are_those_the_library_grows_from_its_own_averages(make_rows: Make) -> None:
    rows, features = make_rows(), make_rows(300, seed=2).features
    spec = LightGBMSpec(rounds=20, feature_fraction=1.0, bagging_fraction=1.0)
    library = lightgbm.train(
        {
            "objective": "multiclass",
            "num_class": 3,
            "learning_rate": 0.05,
            "num_leaves": 15,
            "min_data_in_leaf": 200,
            "lambda_l2": spec.l2,
            "max_bin": 63,
            "verbosity": -1,
        },
        lightgbm.Dataset(rows.features, label=rows.codes, weight=rows.weight / rows.weight.mean()),
        20,
    )
    ours = LightGBMModel(spec).fit(rows).predict(features)
    np.testing.assert_allclose(ours, library.predict(features), rtol=0, atol=1e-6)


def test_rounds_stop_where_validation_loss_is_lowest(make_rows: Make) -> None:
    train, validation = make_rows(), make_rows(800, seed=1)
    weight = validation.weight / validation.weight.sum()

    def loss(rounds: int) -> float:
        model = LightGBMModel(LightGBMSpec(rounds=rounds, learning_rate=0.3), seed=3).fit(train)
        return float(-weight @ np.log(model.predict(validation.features)[np.arange(800), validation.codes]))

    spec = LightGBMSpec(learning_rate=0.3, early_stopping_rounds=15)
    stopped = LightGBMModel(spec, seed=3).fit(train, validation)
    losses = {rounds: loss(rounds) for rounds in range(1, stopped.rounds + 15)}
    assert 1 < stopped.rounds < 135
    assert min(losses, key=lambda rounds: losses[rounds]) == stopped.rounds
    assert stopped.refit_spec.rounds == stopped.rounds


def test_without_an_edge_no_round_is_kept_and_the_prior_is_forecast(make_rows: Make, tmp_path: Path) -> None:
    train, validation = make_rows(effect=0.0), make_rows(800, effect=0.0, seed=1)
    model = LightGBMModel(LightGBMSpec(learning_rate=0.3, min_data_in_leaf=20)).fit(train, validation)
    assert model.rounds == 0
    np.testing.assert_allclose(model.predict(validation.features), np.tile(class_prior(train), (800, 1)), atol=1e-15)
    model.save(tmp_path)
    loaded = LightGBMModel.load(tmp_path)
    assert loaded.rounds == 0
    assert np.array_equal(loaded.predict(validation.features), model.predict(validation.features))


def test_no_rounds_may_be_asked_for(make_rows: Make) -> None:
    rows = make_rows()
    shares = [np.average(rows.label == label, weights=rows.weight) for label in (-1, 0, 1)]
    probabilities = LightGBMModel(LightGBMSpec(rounds=0)).fit(rows).predict(rows.features[:2])
    np.testing.assert_allclose(probabilities, [shares, shares], rtol=0, atol=1e-12)


def test_the_seed_decides_what_is_random(make_rows: Make) -> None:
    rows, features = make_rows(), make_rows(300, seed=2).features
    first, again, other = (LightGBMModel(LightGBMSpec(), seed).fit(rows).predict(features) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("changes", [{"leaves": 1}, {"feature_fraction": 0}, {"max_bin": 500}, {"rounds": -1}])
def test_settings_out_of_range_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes))):
        LightGBMSpec.model_validate(changes)
