"""Shrunk probabilities against scipy's Wilson interval, and against what they promise."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from nightfold.backtest.sizing.bound import lower_bound, shrunk
from nightfold.errors import ConfigError, SchemaError
from nightfold.models.calibration_curve import calibration_curve


@pytest.mark.parametrize("came", [0, 3, 11, 20])
def test_the_bound_is_wilsons(came: int) -> None:
    """One side at 25 % is the lower end of the two-sided interval at 50 %."""
    theirs = stats.binomtest(came, 20).proportion_ci(confidence_level=0.5, method="wilson").low
    assert lower_bound(came / 20, 20) == pytest.approx(theirs, abs=1e-12)


def test_at_one_half_the_bound_is_the_share_and_an_impossible_level_is_refused() -> None:
    assert lower_bound([0.3], [7], level=0.5) == pytest.approx([0.3])
    for level in (0.0, 0.6):
        with pytest.raises(ConfigError, match="`level`"):
            lower_bound(0.5, 10, level)


def test_probabilities_fall_to_the_bound_of_their_bin_and_never_rise() -> None:
    curve = pl.DataFrame({"said": [0.4, 0.6], "came": [0.5, 0.55], "rows": [100, 100]})
    low, high = lower_bound([0.5, 0.55], [100, 100])
    found = shrunk(np.array([0.4, 0.5, 0.6, 0.9, 0.1, np.nan]), curve)
    assert found[:5] == pytest.approx([0.4, (low + high) / 2, high, high, 0.1])
    assert np.isnan(found[5])
    assert low > 0.4


def test_three_times_in_four_the_truth_lies_above() -> None:
    """400 curves of well calibrated forecasts, 50 rows a bin."""
    above = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        said = rng.uniform(0.45, 0.65, 500)
        curve = calibration_curve(said, rng.random(500) < said)
        above.append(np.interp(0.55, curve["said"], lower_bound(curve["came"], curve["rows"])) < 0.55)
    assert np.mean(above) == pytest.approx(0.75, abs=0.1)


def test_a_curve_without_bins_is_refused() -> None:
    with pytest.raises(SchemaError, match="`curve` has no bin"):
        shrunk(np.array([0.5]), pl.DataFrame({"said": [], "came": [], "rows": []}))
