"""The deepest fall against running maxima."""

import numpy as np
import pytest

from nightfold.backtest.kernel.mark import deepest_fall


@pytest.mark.parametrize("drift", [-0.01, 0.0, 0.01])
@pytest.mark.parametrize("length", [1, 31, 32, 33, 1_000])
def test_the_deepest_fall_is_measured_from_the_highest_equity_before(length: int, drift: float) -> None:
    for seed in range(20):
        equity = 1_000 * np.exp(np.cumsum(np.random.default_rng(seed).normal(drift, 0.02, length)))
        peak = np.maximum(np.maximum.accumulate(equity), 1_000)
        assert deepest_fall(equity, 1_000.0) == min((equity / peak - 1).min(), 0)


def test_equity_that_only_rises_never_falls() -> None:
    assert deepest_fall(np.arange(1_000.0, 1_100.0), 1_000.0) == 0
