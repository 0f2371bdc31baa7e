"""Each task has its calibrator; that of yes and no."""

import numpy as np
import pytest
from pydantic import TypeAdapter
from sklearn.linear_model import LogisticRegression

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.calibrate import ProbabilityCalibrator
from nightfold.ensemble.calibrator import Calibrator, fit_calibrator
from nightfold.ensemble.fit import Ensemble, fit_ensemble
from nightfold.ensemble.rows import OutOfSample
from nightfold.models.metrics import up_share
from nightfold.models.objective import Objective


def told(rows: int, skill: float, seed: int, drift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    odds = random.normal(size=rows)
    yes = 1 / (1 + np.exp(-odds))
    label = random.random(rows) < 1 / (1 + np.exp(-skill * odds - drift))
    return np.column_stack([1 - yes, yes]), label.astype(np.int8)


def test_a_slope_between_the_bounds_is_that_of_logistic_regression() -> None:
    probabilities, label = told(4000, 0.4, 0, drift=-0.5)
    weight = np.random.default_rng(0).uniform(0, 2, 4000)
    found = ProbabilityCalibrator.fit(probabilities, label, weight)
    odds = np.log(probabilities[:, 1] / probabilities[:, 0])
    library = LogisticRegression(C=np.inf, tol=1e-12, max_iter=1000).fit(odds[:, None], label, sample_weight=weight)
    assert (found.slope, found.intercept) == pytest.approx((library.coef_[0, 0], library.intercept_[0]), abs=1e-6)
    calibrated = library.predict_proba(odds[:, None])
    np.testing.assert_allclose(found.apply(probabilities), calibrated, atol=1e-6)


def test_no_skill_says_the_base_rate_and_too_little_confidence_is_left() -> None:
    probabilities, label = told(4000, -0.3, 1, drift=0.4)
    found = ProbabilityCalibrator.fit(probabilities, label)
    np.testing.assert_allclose(found.apply(probabilities)[:, 1], label.mean())
    assert ProbabilityCalibrator.fit(*told(4000, 3, 1)).slope == 1


def test_rows_of_one_answer_fall_back_to_what_so_many_rows_can_say() -> None:
    found = ProbabilityCalibrator.fit(told(9, 1, 2)[0], np.zeros(9, np.int8))
    assert (found.slope, found.one_sided, found.rows) == (0, True, 9)
    np.testing.assert_allclose(found.apply(told(5, 1, 3)[0])[:, 1], 1 / 11)


@pytest.mark.parametrize("method", ["mean", "weighted", "rank", "stack", "boosted"])
@pytest.mark.parametrize(("task", "came"), [("three_class", 1), ("three_class", -1), ("three_class", 0), ("binary", 1)])
def test_an_ensemble_of_rows_that_all_went_one_way_is_fitted_and_says_so(method: str, task: str, came: int) -> None:
    random = np.random.default_rng(4)
    objective = Objective(task=task)
    members = {name: random.dirichlet([2] * len(objective.classes), 300) for name in ("one", "two")}
    start = np.arange(300)
    rows = OutOfSample.of(objective, members, np.full(300, came), start, start + 19, learnt_until=-1)
    spec = EnsembleSpec(method="stack", meta="boosting") if method == "boosted" else EnsembleSpec(method=method)
    found = fit_ensemble(rows, spec)
    assert found.calibrator.one_sided
    up = up_share(found.apply(members))
    assert up.std() < 1e-12
    assert {1: 0.75 < up[0] < 0.95, -1: 0.05 < up[0] < 0.25, 0: up[0] == 0.5}[came]
    assert Ensemble.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("task", "kind"),
    [("three_class", "direction"), ("binary", "probability"), ("regression", "mean"), ("quantile", "quantile")],
)
def test_every_task_has_a_calibrator_that_survives_json(task: str, kind: str) -> None:
    random = np.random.default_rng(0)
    objective = Objective(task=task)
    label = random.choice(objective.classes, 300) if objective.classes else random.normal(size=300)
    values = random.dirichlet([1] * 3, 300) if objective.classes else np.sort(random.normal(size=(300, 3)), axis=1)
    prediction = values[:, : len(objective.columns)]
    if objective.classes:
        prediction = prediction / prediction.sum(axis=1, keepdims=True)
    found = fit_calibrator(objective, prediction, label, independent=30)
    assert found.kind == kind
    whole = found.apply(prediction)
    assert whole.shape == prediction.shape
    assert np.array_equal(found.apply(prediction[5:6]), whole[5:6])
    adapter = TypeAdapter(Calibrator)
    assert adapter.validate_json(adapter.dump_json(found)) == found
