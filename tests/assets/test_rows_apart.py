"""Rows that stop, search, score and calibrate stay apart in the assets, too, not only in the functions they call."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from assets.ensemble import _out_of_sample
from assets.models import _block_frame, _fit, _validation_frame
from assets.partitions import AsOfPartition
from assets.tuning import _rows
from nightfold.errors import SchemaError
from nightfold.training import Sample
from nightfold.window import window_of

PARTITION = AsOfPartition(window_of(datetime(2024, 2, 19, tzinfo=UTC), "week"), "pooled")
TUNING = {"method": "random", "trials": 2, "batch": 2, "folds": 2, "space": {"leaves": [3, 7]}}
MODELS = {
    "logistic_regression": None,
    "lightgbm": {"rounds": 200, "min_data_in_leaf": 20, "early_stopping_rounds": 5, "tuning": TUNING},
}


@pytest.fixture(scope="module")
def made(deploy: Callable[..., Any]) -> Any:
    deployment = deploy(experiments={"e": {"models": MODELS, "ensemble": {"method": "stack", "oof_blocks": 2}}})
    with deployment.workshop() as workshop:
        for layer in ("ingest", "research"):
            workshop.backfill(layer)
    return deployment


@pytest.fixture
def plan(made: Any) -> Any:
    return made.build()[1].plans["e"]


@pytest.fixture
def samples(made: Any, plan: Any) -> dict[int, Sample]:
    return dict(plan.samples(made.environment().lake, PARTITION))


def with_other_labels(sample: Sample, *names: str) -> Sample:
    """Turn the labels of some parts round, as if the market had gone the other way there."""
    changed = {name: replace(part, label=-part.label) for name, part in sample.parts.items() if name in names}
    keys = {name: sample.keys[name].with_columns(label=-pl.col("label")) for name in names}
    return replace(sample, **changed, keys={**sample.keys, **keys})


def test_a_search_looks_at_rows_that_train_and_stop_alone(made, plan, samples, monkeypatch) -> None:
    def rows_of_a_search(*changed: str) -> str:
        other = {horizon: with_other_labels(sample, *changed) for horizon, sample in samples.items()}
        monkeypatch.setattr(type(plan), "samples", lambda *_: other)
        return str(_rows(plan, made.environment().lake, PARTITION)["lightgbm"].fingerprint)

    assert rows_of_a_search("validation") == rows_of_a_search()
    assert rows_of_a_search("stopping") != rows_of_a_search()


def test_rows_that_score_and_calibrate_do_not_end_a_fit(plan, samples, tmp_path: Path) -> None:
    choice = plan.experiment.models["lightgbm"]

    def fitted(*changed: str) -> Any:
        (sample,) = samples.values()
        return _fit(plan, choice, {5: with_other_labels(sample, *changed)}, tmp_path)[5]

    told, other = fitted(), fitted("validation")
    assert other.rounds == told.rounds
    np.testing.assert_array_equal(other.validation_prediction, told.validation_prediction)
    assert fitted("stopping").rounds != told.rounds


def frames_of(plan: Any, samples: dict[int, Sample], scratch: Path, *, blocks: bool) -> dict[str, pl.DataFrame]:
    frames = {}
    for member, choice in plan.experiment.models.items():
        trained = _fit(plan, choice, samples, scratch)
        frames[member] = (
            pl.concat(_block_frame(plan, choice, trained[h], sample, h) for h, sample in samples.items())
            if blocks
            else _validation_frame(trained, samples)
        )
    return frames


@pytest.mark.parametrize("blocks", [False, True])
def test_an_ensemble_refuses_a_row_that_a_member_had_learnt(plan, samples, tmp_path: Path, blocks: bool) -> None:
    """Whichever member it is: what it has learnt until is told with each forecast, and held against the row."""
    frames = frames_of(plan, samples, tmp_path, blocks=blocks)
    begins = samples[5].span["validation_from"]
    assert len(_out_of_sample(plan, PARTITION, frames, 5, begins)) > 50
    for member, frame in frames.items():
        careless = frame.with_columns(learnt_until=pl.col("open_time").max() - timedelta(hours=1))
        with pytest.raises(SchemaError, match="rows whose labels begin before the last label"):
            _out_of_sample(plan, PARTITION, {**frames, member: careless}, 5, begins)


@pytest.mark.parametrize("blocks", [False, True])
def test_what_a_member_tells_to_have_learnt_is_the_latest_label_of_its_fit(plan, samples, tmp_path, blocks) -> None:
    keys = pl.concat(samples[5].keys[name] for name in ("train", "stopping", "validation"))
    for frame in frames_of(plan, samples, tmp_path, blocks=blocks).values():
        for (learnt,), told in frame.partition_by("learnt_until", as_dict=True).items():
            assert learnt in set(keys["label_end"])
            assert (told["open_time"] > learnt).all()
    if not blocks:
        assert learnt == pl.concat(samples[5].keys[name]["label_end"] for name in ("train", "stopping")).max()
