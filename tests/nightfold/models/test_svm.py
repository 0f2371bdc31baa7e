"""Support vector machines against scikit-learn's own forecasts."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from nightfold.models.contract import class_prior
from nightfold.models.dataset import Dataset
from nightfold.models.objective import Objective
from nightfold.models.svm import SvmModel, SvmSpec, _approximate, _exact

Make = Callable[..., Dataset]
UNCLIPPED = SvmSpec(clip_deviations=1e9)
GAMMA = np.array([0.2])


def scaled(rows: Dataset, others: Dataset) -> np.ndarray:
    scaler = StandardScaler().fit(rows.features.astype(np.float64), sample_weight=rows.weight)
    return np.asarray(scaler.transform(others.features.astype(np.float64)))


@pytest.mark.parametrize("labels", [(-1, 0, 1), (-1, 1)])
def test_margins_of_pairs_are_those_of_the_library(make_rows: Make, labels: tuple[int, ...]) -> None:
    rows, later = make_rows(600), make_rows(1100, seed=2)
    rows = rows.take(np.isin(rows.label, labels))
    weight = rows.weight / rows.weight.mean()
    library = SVC(C=0.1, gamma=0.2, decision_function_shape="ovo").fit(scaled(rows, rows), rows.label, weight)
    ours = _exact(SvmSpec(), scaled(rows, rows), rows.label, weight, GAMMA, classes=True).margins(scaled(rows, later))
    expected = library.decision_function(scaled(rows, later)).reshape(ours.shape)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-9)


def test_values_are_those_of_the_library(make_rows: Make) -> None:
    rows, later = make_rows(600), make_rows(500, seed=2)
    label = 1e-3 * (rows.features[:, 0].astype(np.float64) + np.random.default_rng(0).normal(size=600))
    rows = replace(rows, label=label, objective=Objective(task="regression"))
    center = np.average(label, weights=rows.weight)
    unit = np.sqrt(np.average((label - center) ** 2, weights=rows.weight))
    library = SVR(C=0.1, gamma=0.2, epsilon=0.1)
    library.fit(scaled(rows, rows), (label - center) / unit, rows.weight / rows.weight.mean())
    ours = SvmModel(UNCLIPPED).fit(rows).predict(later.features)[:, 0]
    np.testing.assert_allclose(ours, center + unit * library.predict(scaled(rows, later)), rtol=0, atol=1e-6)


def test_beyond_the_exact_rows_landmarks_stand_for_all(make_rows: Make) -> None:
    rows, later = make_rows(), make_rows(500, seed=2)
    spec = SvmSpec(landmarks=50, epochs=5)
    found = Nystroem(gamma=0.2, n_components=50, random_state=7).fit(scaled(rows, rows))
    alpha = 1 / (0.1 * len(rows))
    library = SGDClassifier(alpha=alpha, max_iter=5, tol=None, average=True, random_state=7)
    library.fit(found.transform(scaled(rows, rows)), rows.label, sample_weight=rows.weight)
    ours = _approximate(spec, 7, scaled(rows, rows), rows.label, rows.weight, GAMMA, classes=True)
    expected = library.decision_function(found.transform(scaled(rows, later)))
    np.testing.assert_allclose(ours.margins(scaled(rows, later)), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "spec",
    [
        SvmSpec(),
        SvmSpec(exact_rows=0, landmarks=100),
        SvmSpec(kernel="linear"),
        SvmSpec(exact_rows=1999, landmarks=100),  # of 2000: the blocks alone would be few enough for exact machines
    ],
)
def test_probabilities_are_calibrated(make_rows: Make, spec: SvmSpec) -> None:
    rows, later = make_rows(2000), make_rows(4000, seed=2)
    found = SvmModel(spec).fit(rows).predict(later.features)
    for column, label in enumerate((-1, 0, 1)):
        came = later.label == label
        order = np.argsort(found[:, column])
        for fifth in np.array_split(order, 5):
            assert came[fifth].mean() == pytest.approx(found[fifth, column].mean(), abs=0.08)
    loss = -np.log(found[np.arange(4000), later.codes]).mean()
    assert loss < -np.log(class_prior(rows))[later.codes].mean() - 0.1


def test_a_class_that_a_block_alone_shows_leaves_the_class_shares(make_rows: Make) -> None:
    rows = make_rows(300)
    label = np.where(np.arange(300) < 100, rows.label, np.minimum(rows.label, 0))
    rare = replace(rows, label=label)
    found = SvmModel(SvmSpec()).fit(rare).predict(rows.features[:3])
    np.testing.assert_allclose(found, np.tile(class_prior(rare), (3, 1)), rtol=0, atol=1e-12)


def test_more_than_ten_thousand_exact_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="exact_rows"):
        SvmSpec(exact_rows=20_000)
