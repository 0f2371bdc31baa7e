"""Blending."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightfold.ensemble.blend import EnsembleSpec, blend
from nightfold.errors import SchemaError, UnknownNameError


@given(st.integers(1, 5), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_a_blend_is_the_mean_of_its_members_and_sums_to_one(members: int, rows: int, seed: int) -> None:
    forecasts = list(np.random.default_rng(seed).dirichlet([1, 1, 1], (members, rows)))
    blended = blend(forecasts)
    for row in range(rows):
        for column in range(3):
            values = [forecast[row, column] for forecast in forecasts]
            assert blended[row, column] == pytest.approx(sum(values) / members, abs=1e-12)
    np.testing.assert_allclose(blended.sum(axis=1), 1, rtol=0, atol=1e-12)


def test_members_of_another_shape_are_refused() -> None:
    three, two, longer = np.full((4, 3), 1 / 3), np.full((4, 2), 1 / 2), np.full((5, 3), 1 / 3)
    for mixed in ([three, two], [three, longer]):
        with pytest.raises(SchemaError, match=r"\(4, 3\)"):
            blend(mixed)
    with pytest.raises(SchemaError, match="none"):
        blend([])


def test_unknown_forecasts_are_refused() -> None:
    with pytest.raises(SchemaError, match="NaN"):
        blend([np.full((2, 3), np.nan), np.full((2, 3), 1 / 3)])


def test_members_are_all_models_or_those_named_in_the_order_of_the_experiment() -> None:
    assert EnsembleSpec().chosen(["x", "y"]) == ("x", "y")
    assert EnsembleSpec(members=["z", "x"]).chosen(["x", "y", "z"]) == ("x", "z")
    with pytest.raises(UnknownNameError, match="ensemble member `w`"):
        EnsembleSpec(members=["w"]).chosen(["x", "y"])
