"""Calibration curves."""

import numpy as np
import pytest

from nightfold.models.calibration_curve import calibration_curve, confidence_curve


def test_bins_are_those_of_a_plain_sort() -> None:
    random = np.random.default_rng(0)
    said = random.permutation(np.linspace(0.01, 0.99, 5000))
    came = random.random(5000) < said
    curve = calibration_curve(said, came, bins=20)
    order = np.argsort(said)
    for row, chosen in zip(curve.iter_rows(named=True), np.split(order, 20), strict=True):
        assert row["rows"] == 250
        assert row["said"] == pytest.approx(said[chosen].mean(), abs=1e-12)
        assert row["came"] == pytest.approx(came[chosen].mean(), abs=1e-12)
        assert (row["lowest"], row["highest"]) == (said[chosen].min(), said[chosen].max())
        spread = np.sqrt((said[chosen] * (1 - said[chosen])).sum()) / 250
        assert row["error"] == pytest.approx(spread, abs=1e-12)


def test_true_probabilities_lie_within_their_error_and_exaggerated_ones_do_not() -> None:
    random = np.random.default_rng(1)
    truth = random.uniform(0.3, 0.7, 20_000)
    came = random.random(20_000) < truth
    honest = calibration_curve(truth, came)
    assert ((honest["said"] - honest["came"]).abs() < 4 * honest["error"]).all()
    boasting = calibration_curve(0.5 + 2 * (truth - 0.5), came)
    assert abs(boasting["said"][-1] - boasting["came"][-1]) > 10 * boasting["error"][-1]


def test_equal_probabilities_share_a_bin() -> None:
    curve = calibration_curve([0.5] * 7 + [0.9], [True] * 4 + [False] * 4)
    assert curve.select("said", "rows").rows() == [(0.5, 7), (0.9, 1)]
    assert calibration_curve([], []).is_empty()


def test_only_rows_with_a_sign_count_for_confidence() -> None:
    curve = confidence_curve([1.0, -1.0, 0.0, 2.0], [0.7, 0.7, 0.7, 0.7], [3.0, 1.0, 1.0, 0.0])
    assert curve.select("said", "came", "rows").rows() == [(pytest.approx(0.7), 0.5, 2)]
