"""What is learnt, and from which columns of the label table."""

import polars as pl
import pytest
from pydantic import ValidationError

from nightfold.labels.table import LabelSet
from nightfold.target import Target


def labels() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "next_log_return": [0.1, -0.2, None],
            "next_end": [1, 2, None],
            "label_5": pl.Series([1, -1, None], dtype=pl.Int8),
            "label_end_5": [3, 4, None],
            "uniqueness_5": [0.5, 0.25, None],
            "weight_5": [0.4, 0.2, None],
            "forward_log_return_5": [0.01, -0.02, 0.0],
            "forward_end_5": [5, 6, 7],
            "direction_5": pl.Series([0, -1, 0], dtype=pl.Int8),
        }
    )


@pytest.mark.parametrize(
    ("settings", "label", "end", "weight"),
    [
        ({}, [1, -1, None], [3, 4, None], [0.5, 0.25, None]),
        ({"weighting": "attribution"}, [1, -1, None], [3, 4, None], [0.4, 0.2, None]),
        ({"weighting": "equal"}, [1, -1, None], [3, 4, None], [1.0, 1.0, 1.0]),
        ({"kind": "direction"}, [0, -1, 0], [5, 6, 7], [1.0, 1.0, 1.0]),
        ({"kind": "up"}, [1, 0, None], [5, 6, 7], [1.0, 1.0, 1.0]),
        ({"kind": "return"}, [0.01, -0.02, 0.0], [5, 6, 7], [1.0, 1.0, 1.0]),
    ],
)
def test_each_target_reads_its_value_with_the_time_it_became_known(settings, label, end, weight) -> None:
    target = Target(horizons=[5], **settings)
    read = labels().select(target.columns(5)).select(**target.labelled(5))
    expected = [label, end, weight if len(target.columns(5)) > 2 else [1.0]]
    assert [
        read[name].to_list()[: len(values)] for name, values in zip(read.columns, expected, strict=True)
    ] == expected


def test_the_next_bar_looks_one_bar_ahead() -> None:
    target = Target(kind="next_bar", horizons=[1])
    assert labels().select(**target.labelled(1))["label"].to_list() == [0.1, -0.2, None]
    with pytest.raises(ValidationError, match=r"`horizons` is \[5\]; the target next_bar looks one bar ahead: write"):
        Target(kind="next_bar", horizons=[5])


@pytest.mark.parametrize(
    ("settings", "task", "traded"),
    [
        ({}, "three_class", True),
        ({"kind": "direction"}, "three_class", True),
        ({"kind": "up"}, "binary", True),
        ({"kind": "return"}, "regression", True),
        ({"kind": "next_bar", "horizons": [1]}, "next_bar", True),
        ({"kind": "return", "task": "quantile"}, "quantile", True),
        ({"kind": "mfe", "task": "quantile"}, "quantile", False),
    ],
)
def test_the_task_follows_from_the_kind_unless_it_is_named(settings, task, traded) -> None:
    target = Target(**settings)
    assert (target.objective.task, target.is_traded) == (task, traded)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"task": "regression"}, "`task` is regression; the target barrier is forecast as three_class"),
        ({"kind": "return", "task": "binary"}, "`task` is binary; the target return is forecast as regression or quan"),
        ({"kind": "return", "weighting": "attribution"}, "`weighting` is attribution; it weighs barrier labels only"),
        ({"quantiles": [0.5, 0.05]}, r"`quantiles` is \[0.5, 0.05\]; they must ascend in whole percent"),
        ({"quantiles": [0.125]}, "must ascend in whole percent"),
        ({"horizons": [20, 5]}, "each may stand there once, in ascending order"),
    ],
)
def test_what_cannot_be_learnt_is_refused(settings, words) -> None:
    with pytest.raises(ValidationError, match=words):
        Target(**settings)


def test_a_label_set_must_have_the_horizons() -> None:
    with pytest.raises(ValueError, match=r"`target.horizons` has \[7\]; label set `labels` has \[5\]"):
        Target(kind="return", horizons=[5, 7]).check_label_set(LabelSet(horizons=[5]))
    Target(kind="next_bar", horizons=[1]).check_label_set(LabelSet(horizons=[5]))
