"""What each task forecasts, and how it is judged."""

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn import metrics as oracle

from nightfold.models.dataset import Dataset
from nightfold.models.objective import Objective
from nightfold.models.score import constant_forecast, row_losses, score, score_beside_constant

QUANTILE = Objective(task="quantile", quantiles=[0.1, 0.5, 0.9])
RANDOM = np.random.default_rng(3)
LABEL = RANDOM.normal(size=500)


def test_columns_and_metric_follow_the_task() -> None:
    assert Objective().columns == ("p_down", "p_flat", "p_up")
    assert Objective(task="binary").columns == ("p_no", "p_yes")
    assert QUANTILE.columns == ("q10", "q50", "q90")
    assert [Objective(task=task).metric for task in ("binary", "regression", "quantile")] == [
        *("log_loss", "rmse", "pinball")
    ]


@pytest.mark.parametrize("levels", [[0.5, 0.1], [0.1, 0.1], [0.005], []])
def test_levels_that_make_no_columns_are_refused(levels: list[float]) -> None:
    with pytest.raises(ValidationError):
        Objective(task="quantile", quantiles=levels)


def test_pinball_scores_agree_with_scikit_learn() -> None:
    said = np.sort(RANDOM.normal(size=(500, 3)), axis=1)
    measured = score(QUANTILE, said, LABEL)
    parts = [oracle.mean_pinball_loss(LABEL, said[:, n], alpha=level) for n, level in enumerate(QUANTILE.quantiles)]
    assert [measured[f"pinball_{name}"] for name in ("10", "50", "90")] == pytest.approx(parts)
    assert (
        measured["pinball"] == pytest.approx(np.mean(parts)) == pytest.approx(row_losses(QUANTILE, said, LABEL).mean())
    )
    assert measured["coverage"] == pytest.approx(np.mean((said[:, 0] <= LABEL) & (said[:, 2] >= LABEL)))
    assert measured["share_under_50"] == pytest.approx(np.mean(said[:, 1] >= LABEL))


def test_mean_scores_agree_with_scikit_learn_with_and_without_weights() -> None:
    objective, said, weight = Objective(task="regression"), RANDOM.normal(size=(500, 1)), RANDOM.uniform(size=500)
    for given in (None, weight):
        measured = score(objective, said, LABEL, given)
        assert measured["rmse"] == pytest.approx(oracle.root_mean_squared_error(LABEL, said[:, 0], sample_weight=given))
        assert measured["mae"] == pytest.approx(oracle.mean_absolute_error(LABEL, said[:, 0], sample_weight=given))
        assert measured["r2"] == pytest.approx(oracle.r2_score(LABEL, said[:, 0], sample_weight=given))
    assert row_losses(objective, said, LABEL).mean() == pytest.approx(score(objective, said, LABEL)["rmse"] ** 2)
    assert score(objective, np.ones((3, 1)), np.zeros(3))["r2"] is None
    assert score(objective, np.array([[1.0], [0], [-2]]), np.array([3.0, 1, 1]))["sign_accuracy"] == 0.5


def test_binary_scores_agree_with_scikit_learn() -> None:
    objective, yes = Objective(task="binary"), RANDOM.uniform(0.05, 0.95, 500)
    said, label = np.column_stack([1 - yes, yes]), (LABEL > 0).astype(np.int8)
    measured = score(objective, said, label)
    assert measured["log_loss"] == pytest.approx(oracle.log_loss(label, yes))
    assert measured["log_loss"] == pytest.approx(row_losses(objective, said, label).mean())
    assert measured["brier_score"] == pytest.approx(2 * oracle.brier_score_loss(label, yes))
    assert measured["macro_f1"] == pytest.approx(oracle.f1_score(label, yes > 0.5, average="macro"))
    base = label.mean()
    entropy = -base * np.log(base) - (1 - base) * np.log(1 - base)
    assert measured["direction_gain"] == pytest.approx(entropy - measured["log_loss"])


@pytest.mark.parametrize(
    ("objective", "label", "constant"),
    [
        (Objective(), [-1, 1, 1, 1], [0.25, 1e-6, 0.75]),
        (Objective(task="binary"), [0, 1, 1, 1], [0.25, 0.75]),
        (Objective(task="regression"), [1.0, 2, 3, 6], [3.0]),
        (QUANTILE, [1.0, 2, 3, 4], [1.3, 2.5, 3.7]),
    ],
)
def test_the_constant_forecast_counts_rows_of_any_weight_once(objective, label, constant) -> None:
    rows = Dataset(np.zeros((4, 1)), ("a",), label, [1.0, 2.0, 0.5, 9.0], objective)
    assert constant_forecast(rows) == pytest.approx(constant, abs=1e-5)
    without = Dataset(np.zeros((5, 1)), ("a",), [*label, label[0]], [1.0, 2.0, 0.5, 9.0, 0.0], objective)
    assert constant_forecast(without) == pytest.approx(constant, abs=1e-5)
    exact = np.tile(constant_forecast(rows), (4, 1))
    beside = score_beside_constant(exact, rows, rows)
    name = next(key for key in beside if key.startswith(f"{objective.metric}_") and not key[-1].isdigit())
    assert beside[name] == pytest.approx(beside[objective.metric])


def test_labels_of_another_task_are_refused() -> None:
    with pytest.raises(ValueError, match="labels such as -1 are none of 0, \\+1"):
        Dataset(np.zeros((2, 1)), ("a",), [-1, 1], [1.0, 1.0], Objective(task="binary"))
    with pytest.raises(ValueError, match="labels are NaN or infinite"):
        Dataset(np.zeros((2, 1)), ("a",), [np.nan, 1], [1.0, 1.0], Objective(task="regression"))
