"""Logistic regression against scikit-learn, and the rules around it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from nightfold.models.dataset import Dataset
from nightfold.models.linear import LogisticRegressionModel, LogisticRegressionSpec

Make = Callable[..., Dataset]
UNCLIPPED = LogisticRegressionSpec(l2=0.02, clip_deviations=1e9)


def test_forecasts_agree_with_scikit_learn(make_rows: Make) -> None:
    rows, later = make_rows(), make_rows(500, seed=2)
    scaler = StandardScaler().fit(rows.features.astype(np.float64), sample_weight=rows.weight)
    library = LogisticRegression(C=1 / (0.02 * rows.weight.sum()), tol=1e-10, max_iter=5000)
    library.fit(scaler.transform(rows.features.astype(np.float64)), rows.label, sample_weight=rows.weight)
    ours = LogisticRegressionModel(UNCLIPPED).fit(rows).predict(later.features)
    expected = library.predict_proba(scaler.transform(later.features.astype(np.float64)))
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6)


def test_an_integer_weight_is_as_many_rows(make_rows: Make) -> None:
    rows, features = make_rows(), make_rows(500, seed=2).features
    times = np.random.default_rng(3).integers(0, 4, len(rows))
    repeated = rows.take(np.repeat(np.arange(len(rows)), times))
    weighted = LogisticRegressionModel(UNCLIPPED).fit(replace(rows, weight=times.astype(float)))
    unweighted = LogisticRegressionModel(UNCLIPPED).fit(replace(repeated, weight=np.ones(len(repeated))))
    np.testing.assert_allclose(weighted.predict(features), unweighted.predict(features), rtol=0, atol=1e-9)


def test_the_units_of_a_feature_do_not_matter(make_rows: Make) -> None:
    rows, later = make_rows(), make_rows(500, seed=2)
    unit, shift = np.array([1e3, 1e-3, 1, 7, 1], np.float32), np.array([5, 0, -3, 0, 0], np.float32)
    plain = LogisticRegressionModel(UNCLIPPED).fit(rows).predict(later.features)
    scaled = LogisticRegressionModel(UNCLIPPED).fit(replace(rows, features=rows.features * unit + shift))
    np.testing.assert_allclose(scaled.predict(later.features * unit + shift), plain, rtol=0, atol=1e-5)


def test_a_constant_feature_has_no_say_even_where_it_moves_later(make_rows: Make) -> None:
    rows = make_rows()
    features = rows.features.copy()
    features[:, 4] = 0.1
    model = LogisticRegressionModel(LogisticRegressionSpec()).fit(replace(rows, features=features))
    moved = features.copy()
    moved[:, 4] = 9.0
    assert np.array_equal(model.predict(moved), model.predict(features))


def test_features_beyond_the_cut_count_as_the_cut(make_rows: Make) -> None:
    model = LogisticRegressionModel(LogisticRegressionSpec(clip_deviations=3)).fit(make_rows())
    far, farther = np.full((2, 5), [[50.0], [5e6]], dtype=np.float32)
    near = np.zeros(5, dtype=np.float32)
    assert np.array_equal(model.predict(far[None]), model.predict(farther[None]))
    assert not np.array_equal(model.predict(far[None]), model.predict(near[None]))


def test_perfectly_separable_rows_stay_finite(make_rows: Make) -> None:
    rows = make_rows()
    separable = replace(rows, label=np.sign(np.round(rows.features[:, 0])).astype(np.int8))
    probabilities = LogisticRegressionModel(LogisticRegressionSpec(l2=1e-4)).fit(separable).predict(rows.features)
    assert np.isfinite(probabilities).all()
    assert (probabilities.argmax(axis=1) - 1 == separable.label).mean() > 0.95
