"""Scaling by training rows."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks come with the extra `neural`")

from nightfold.models.dataset import Dataset  # noqa: E402  # torch may be absent
from nightfold.models.neural.scale import Scale  # noqa: E402
from nightfold.models.window import Windows  # noqa: E402


def rows() -> Dataset:
    table = np.array([[9, 1], [0, 1], [2, 1], [6, 1]], np.float32)
    return Dataset(Windows(table, np.array([1, 2, 3]), 2), ("a", "b"), np.array([1, 0, -1]), np.array([1.0, 2.0, 1.0]))


def test_mean_and_deviation_are_those_of_the_bars_windows_end_at_by_weight() -> None:
    scale = Scale.of(rows(), 5)
    assert scale.mean.tolist() == [2.5, 1.0]  # (0 + 2 * 2 + 6) / 4
    assert scale.deviation[0] == pytest.approx(np.sqrt((6.25 + 2 * 0.25 + 12.25) / 4))
    assert scale.deviation[1] == 0


def test_values_are_clipped_and_what_never_varied_is_0() -> None:
    scale = Scale.of(rows(), 2)
    scaled = scale.apply(np.array([[2.5, 8], [3e38, -3e38], [-1e6, 1], [np.nan, 1]], np.float32))
    assert scaled[:3].tolist() == [[0, 0], [2, 0], [-2, 0]]
    assert np.isnan(scaled[3, 0])


def test_batches_are_the_scaled_windows() -> None:
    random = np.random.default_rng(0)
    table = random.normal(3, 2, size=(6000, 3)).astype(np.float32)
    windows = Windows(table, random.permutation(np.arange(500, 5500)), 7)
    data = Dataset(windows, ("a", "b", "c"), np.ones(5000), np.ones(5000))
    scale = Scale.of(data, 2)
    batches = scale.windows(windows, torch.device("cpu"))
    newest = table[windows.ends]
    expected = np.clip((windows.batch() - newest.mean(axis=0)) / newest.std(axis=0), -2, 2)
    np.testing.assert_allclose(batches.batch(slice(None)).numpy(), expected, atol=1e-5)
    chosen = torch.tensor([4999, 0, 17])
    np.testing.assert_allclose(batches.batch(chosen).numpy(), expected[chosen.numpy()], atol=1e-5)


def test_bars_beside_the_training_windows_have_no_say() -> None:
    data = rows()
    windows: Any = data.features
    other = replace(data, features=replace(windows, rows=np.vstack([windows.rows, [[1e9, 1e9]]])))
    assert Scale.of(other, 5).mean.tolist() == Scale.of(data, 5).mean.tolist()
