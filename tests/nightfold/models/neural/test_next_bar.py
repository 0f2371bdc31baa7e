"""The next-bar Transformer."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks come with the extra `neural`")

from nightfold.models.calibration_curve import confidence_curve  # noqa: E402  # torch may be absent
from nightfold.models.dataset import Dataset  # noqa: E402
from nightfold.models.neural.model import NextBarModel  # noqa: E402
from nightfold.models.neural.spec import NextBarSpec  # noqa: E402
from nightfold.models.objective import Objective  # noqa: E402
from nightfold.models.score import score  # noqa: E402
from nightfold.models.window import Windows  # noqa: E402

SPEC = NextBarSpec(window=4, hidden=16, depth=2, epochs=15, batch=64, learning_rate=5e-3, stride=1)


def market(rows: int, seed: int) -> Any:
    """Changes whose sign the first feature tells two bars ahead of time: surely where the second is high, else not."""
    random = np.random.default_rng(seed)
    table = random.normal(size=(rows + 3, 2)).astype(np.float32)
    ends = np.arange(3, len(table))
    move = np.sign(table[ends - 2, 0]) * (table[ends, 1] > 0)
    label = 0.01 * (move + 0.5 * random.normal(size=rows))
    return Dataset(Windows(table, ends, 4), ("a", "b"), label, np.ones(rows), Objective(task="next_bar"))


def test_it_knows_the_change_and_when_it_knows_it() -> None:
    train, later = market(3000, 0), market(6000, 2)
    forecast = NextBarModel(SPEC).fit(train, market(800, 1)).predict(later.features)
    found: Any = score(later.objective, forecast, later.label)
    assert found["r2"] > 0.5
    assert found["sign_accuracy"] > 0.7
    assert found["confidence_gain"] > 0.1
    assert abs(found["confidence_bias"]) < 0.04
    curve = confidence_curve(forecast[:, 0], forecast[:, 1], later.label, bins=4)
    assert curve["came"][-1] > 0.95
    assert curve["came"][0] == pytest.approx(0.5, abs=0.06)
    assert ((curve["said"] - curve["came"]).abs() < 0.08).all()


def test_only_every_so_many_windows_are_learnt_from_and_the_newest_is_among_them() -> None:
    train = market(1000, 0)
    strided = train.take((train.features.ends - train.features.ends[-1]) % 5 == 0)
    assert len(strided) == 200
    spec = SPEC.model_copy(update={"epochs": 2})
    one = NextBarModel(spec.model_copy(update={"stride": 5})).fit(train)
    two = NextBarModel(spec).fit(strided)
    features = market(500, 3).features
    np.testing.assert_array_equal(one.predict(features), two.predict(features))


def test_measures_of_the_confidence_by_hand() -> None:
    forecast = np.array([[0.01, 0.8], [-0.02, 0.6], [0.03, 0.5], [0.01, 0.9], [0.0, 0.9]])
    found: Any = score(Objective(task="next_bar"), forecast, np.array([0.02, 0.01, 0.01, 0.0, 0.01]))
    assert found["sign_accuracy"] == pytest.approx(2 / 3)
    loss = -(np.log(0.8) + np.log(0.4) + np.log(0.5)) / 3
    assert found["confidence_log_loss"] == pytest.approx(loss)
    assert found["confidence_brier"] == pytest.approx((0.04 + 0.36 + 0.25) / 3)
    assert found["confidence_bias"] == pytest.approx(1.9 / 3 - 2 / 3)
    base = -(2 / 3 * np.log(2 / 3) + np.log(1 / 3) / 3)
    assert found["confidence_gain"] == pytest.approx(base - loss)
    assert found["rmse"] == pytest.approx(np.sqrt((1e-4 + 9e-4 + 4e-4 + 1e-4 + 1e-4) / 5))
