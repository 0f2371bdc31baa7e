"""What networks aim at: the constant they start from, and losses that are those of the task."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks come with the extra `neural`")

from nightfold.models.dataset import Dataset  # noqa: E402  # torch may be absent
from nightfold.models.neural.goal import Goal  # noqa: E402
from nightfold.models.objective import Objective, Task  # noqa: E402
from nightfold.models.score import row_losses  # noqa: E402

Make = Callable[..., Any]


def drawn(rows: Dataset, goal: Goal) -> Any:
    source = torch.Generator().manual_seed(0)
    return torch.randn(len(rows), len(goal.start), generator=source)


@pytest.mark.parametrize("task", ["three_class", "binary", "regression", "quantile"])
def test_losses_are_the_proper_score_of_the_forecast(make_windows: Make, task: Task) -> None:
    rows = make_windows(task)
    goal = Goal.of(rows)
    outputs = drawn(rows, goal)
    if task == "quantile":
        outputs = outputs.sort(dim=1).values  # as forecasts are; here the starts ascend, too
    losses = goal.losses(outputs, goal.targets(rows)).double().numpy()
    unit = {"regression": goal.unit**2, "quantile": goal.unit}.get(task, 1.0)
    expected = row_losses(rows.objective, goal.forecast(outputs.double().numpy()), rows.label)
    np.testing.assert_allclose(losses * unit, expected, rtol=1e-4, atol=1e-6 * unit)


@pytest.mark.parametrize("task", ["three_class", "binary", "regression", "quantile"])
def test_no_constant_has_a_lower_training_loss_than_the_start(make_windows: Make, task: Task) -> None:
    rows = make_windows(task)
    goal, random = Goal.of(rows), np.random.default_rng(0)

    def loss(shift: np.ndarray) -> float:
        forecast = goal.forecast(np.tile(shift, (len(rows), 1)))
        return float(np.average(row_losses(rows.objective, forecast, rows.label), weights=rows.weight))

    start = loss(np.zeros(len(goal.start)))
    assert all(start < loss(0.1 * random.normal(size=len(goal.start))) for _ in range(50))


def test_crossing_quantiles_are_put_in_order(make_windows: Make) -> None:
    goal = Goal.of(make_windows("quantile"))
    assert (np.diff(goal.forecast(np.array([[5.0, 0, -5]])), axis=1) > 0).all()


def next_bar(label: list[float], weight: list[float] | None = None) -> Dataset:
    features, rows = np.zeros((len(label), 1), np.float32), np.array(weight or [1.0] * len(label))
    return Dataset(features, ("a",), np.array(label), rows, Objective(task="next_bar"))


def test_the_next_bar_starts_at_the_mean_and_at_how_often_its_sign_comes() -> None:
    goal = Goal.of(next_bar([0.03, -0.01, 0.0, 0.02], [1, 1, 1, 3]))
    mean = (0.03 - 0.01 + 3 * 0.02) / 6
    np.testing.assert_allclose(goal.forecast(np.zeros((1, 2))), [[mean, 4 / 5]], atol=1e-12)


def test_the_loss_of_the_next_bar_by_hand() -> None:
    rows = next_bar([0.01, -0.03, 0.0, 0.04])
    goal = Goal.of(rows, confidence_weight=0.3)
    outputs = torch.tensor([[0.5, 0.2], [0.5, 0.2], [0.5, 0.2], [-3.0, 0.2]])
    change, confidence = goal.forecast(outputs.double().numpy()).T
    miss = np.abs(rows.label - change) / goal.unit
    huber = np.where(miss <= 1, miss**2 / 2, miss - 0.5)
    right = np.array([True, False, False, False])  # the last forecast is under 0
    assert (change[:3] > 0).all()
    assert change[3] < 0
    surprise = -np.log(np.where(right, confidence, 1 - confidence)) * (rows.label != 0)
    losses = goal.losses(outputs, goal.targets(rows))
    np.testing.assert_allclose(losses.numpy(), huber + 0.3 * surprise, rtol=1e-5)


def test_the_change_does_not_learn_from_the_confidence() -> None:
    rows = next_bar([0.01, -0.03, 0.02, 0.04])
    gradients: list[Any] = []
    for weight in (0.0, 0.5):
        goal = Goal.of(rows, confidence_weight=weight)
        outputs = torch.full((4, 2), 0.1, requires_grad=True)
        loss: Any = goal.losses(outputs, goal.targets(rows)).sum()
        loss.backward()
        gradients.append(outputs.grad)
    assert torch.equal(gradients[0][:, 0], gradients[1][:, 0])
    assert (gradients[0][:, 1] == 0).all()
    assert (gradients[1][:, 1] != 0).all()
