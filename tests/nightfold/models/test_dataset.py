"""Rows are checked once, at the door."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.errors import SchemaError
from nightfold.models.dataset import Dataset


def rows(**changes: Any) -> Dataset:
    """Three good rows, or the same with something else."""
    good = {
        "features": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
        "names": ("a", "b"),
        "label": [-1, 0, 1],
        "weight": [0.5, 1.0, 1.5],
    }
    return Dataset(**{**good, **changes})


def test_values_are_kept_in_the_types_that_models_read() -> None:
    good = rows(features=np.asfortranarray([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    assert [part.dtype.name for part in (good.features, good.label, good.weight)] == ["float32", "int8", "float64"]
    assert good.features.flags.c_contiguous
    assert good.codes.tolist() == [0, 1, 2]
    assert len(good) == 3


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"features": [1.0, 2.0, 3.0]}, "1 dimensions"),
        ({"features": [[1.0, np.nan], [3.0, np.inf], [5.0, 6.0]]}, "2 feature values are NaN or infinite"),
        ({"features": [[1.0, 1e300], [3.0, 4.0], [5.0, 6.0]]}, "1 feature values are NaN or infinite"),
        ({"names": ("a",)}, "1 names for 2"),
        ({"names": ("a", "a")}, "named twice: a"),
        ({"label": [-1, 0]}, "label has shape"),
        ({"label": [-1, 0, 2]}, "1 labels such as 2"),
        ({"label": [-1, 0, 0.5]}, "1 labels such as 0.5"),
        ({"weight": [1.0]}, "weight has shape"),
        ({"weight": [1.0, -1.0, 1.0]}, "weights are negative"),
        ({"weight": [1.0, np.nan, 1.0]}, "weights are negative, NaN"),
    ],
)
def test_a_fault_is_refused_and_named(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(SchemaError, match=fault):
        rows(**changes)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(SchemaError, match=r"named twice.*labels such as 7.*weights"):
        rows(names=("a", "a"), label=[7, 0, 1], weight=[-1.0, 1.0, 1.0])


def test_rows_are_taken_by_position_or_mask_with_their_weights() -> None:
    for chosen, order in (([2, 0], [2, 0]), (np.array([True, False, True]), [0, 2])):
        taken = rows().take(chosen)
        assert taken.label.tolist() == [[-1, 0, 1][row] for row in order]
        assert taken.weight.tolist() == [[0.5, 1.0, 1.5][row] for row in order]
        assert taken.features.tolist() == [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]][row] for row in order]
    assert len(rows().take([])) == 0


def test_the_fingerprint_changes_with_every_part_and_with_nothing_else() -> None:
    others = [
        rows(features=[[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]),
        rows(names=("a", "c")),
        rows(label=[-1, 0, 0]),
        rows(weight=[0.5, 1.0, 1.0]),
        rows().take([1, 0, 2]),
    ]
    assert rows().fingerprint == rows(features=np.array([[1, 2], [3, 4], [5, 6]])).fingerprint
    assert len({rows().fingerprint, *(other.fingerprint for other in others)}) == 6
    assert len(rows().fingerprint) == 16


def test_parts_are_joined_in_order_and_only_with_the_same_features() -> None:
    joined = rows().join(rows().take([0]))
    assert joined.label.tolist() == [-1, 0, 1, -1]
    assert joined.weight.tolist() == [0.5, 1.0, 1.5, 0.5]
    with pytest.raises(SchemaError, match="another order"):
        rows().join(rows(names=("b", "a")))
    with pytest.raises(SchemaError, match="lacking b, unknown c"):
        rows().join(rows(names=("a", "c")))


def test_a_frame_gives_the_named_columns_in_the_named_order() -> None:
    frame = pl.DataFrame({"b": [2.0, 4.0], "y": [1, -1], "a": [1.0, 3.0], "w": [0.5, 1.5]})
    taken = Dataset.from_frame(frame, ["a", "b"], "y", "w")
    assert taken.features.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert taken.label.tolist() == [1, -1]
    assert taken.weight.tolist() == [0.5, 1.5]
    assert Dataset.from_frame(frame, ["a"], "y").weight.tolist() == [1.0, 1.0]


def test_a_frame_with_nulls_or_without_a_column_is_refused() -> None:
    frame = pl.DataFrame({"a": [1.0, None], "y": [1, None]}, schema={"a": pl.Float32, "y": pl.Int8})
    with pytest.raises(SchemaError, match=r"a \(1\), y \(1\)"):
        Dataset.from_frame(frame, ["a"], "y")
    with pytest.raises(SchemaError, match="lacks the columns b"):
        Dataset.from_frame(frame, ["a", "b"], "y")
