"""From rows to the ensemble in force, for every way of blending and every task."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.calibrator import fit_calibrator
from nightfold.ensemble.fit import ENOUGH, Ensemble, fit_blender, fit_ensemble, mean_until_enough
from nightfold.ensemble.judge import ablate, judge
from nightfold.ensemble.rows import OutOfSample
from nightfold.errors import ConfigError, SchemaError

Market = Callable[..., OutOfSample]
SPECS = {
    **{method: EnsembleSpec(method=method) for method in ("mean", "weighted", "rank", "stack")},
    "boosted": EnsembleSpec(method="stack", meta="boosting"),
}
EVERY = pytest.mark.parametrize("method", SPECS)
TASKS = pytest.mark.parametrize("task", ["three_class", "binary", "regression", "quantile"])


@EVERY
@TASKS
def test_an_ensemble_is_a_forecast_of_its_task_row_by_row_and_survives_json(
    market: Market, task: str, method: str
) -> None:
    rows = market(task)
    before = {name: member.copy() for name, member in rows.members.items()}
    made = fit_ensemble(rows, SPECS[method])
    assert Ensemble.model_validate_json(made.model_dump_json()) == made
    assert fit_ensemble(rows, SPECS[method]).model_dump_json() == made.model_dump_json()
    new = market(task, seed=1).members
    told = made.apply(new)
    assert told.shape == (1800, len(rows.objective.columns))
    assert np.isfinite(told).all()
    if rows.objective.classes:
        assert (told >= 0).all()
        np.testing.assert_allclose(told.sum(axis=1), 1, atol=1e-9)
    assert (np.diff(told, axis=1) >= 0).all() or task != "quantile"
    np.testing.assert_allclose(made.apply({name: member[7:8] for name, member in new.items()}), told[7:8], atol=1e-12)
    backwards = {name: new[name] for name in reversed(list(new))}
    assert np.array_equal(made.apply(backwards), told)
    assert all(np.array_equal(before[name], member) for name, member in rows.members.items())


@EVERY
def test_weights_name_every_member(market: Market, method: str) -> None:
    weights = fit_blender(market("three_class"), SPECS[method]).weights
    assert list(weights) == ["m0", "m1", "m2"]
    if method in {"mean", "rank"}:
        assert set(weights.values()) == {1 / 3}


@EVERY
def test_forecasts_of_others_or_of_another_task_are_refused(market: Market, method: str) -> None:
    rows = market("three_class")
    blender = fit_blender(rows, SPECS[method])
    with pytest.raises(SchemaError, match="m0, m1; this blend was fitted for m0, m1, m2"):
        blender.apply({name: rows.members[name] for name in ("m0", "m1")})
    with pytest.raises(SchemaError, match="same rows and task"):
        blender.apply({**market("quantile").members, "m0": market("binary").members["m0"]})
    with pytest.raises(SchemaError, match="NaN"):
        blender.apply({**rows.members, "m1": np.full((1800, 3), np.nan)})


def test_a_mean_is_calibrated_on_all_rows_and_others_on_rows_they_were_not_fitted_on(market: Market) -> None:
    rows = market("three_class")
    mean = fit_ensemble(rows, EnsembleSpec())
    plain = np.mean(list(rows.members.values()), axis=0)
    assert mean.calibrator == fit_calibrator(rows.objective, plain, rows.label, rows.weight)
    spec = EnsembleSpec(method="stack")
    stacked = fit_ensemble(rows, spec)
    earlier, later = rows.halves()
    told = fit_blender(earlier, spec).apply(later.members)
    assert stacked.calibrator == fit_calibrator(rows.objective, told, later.label, later.weight)
    assert stacked.blender == fit_blender(rows, spec)


def test_overlap_makes_the_calibrator_careful(market: Market) -> None:
    rows = market("regression", noise=(1.0,))
    plain = rows.members["m0"]
    expected = fit_calibrator(rows.objective, plain, rows.label, rows.weight, independent=rows.independent)
    assert fit_ensemble(rows, EnsembleSpec()).calibrator == expected
    constant = fit_ensemble(rows, EnsembleSpec(), toward="constant").calibrator
    assert constant != expected


@TASKS
def test_an_ensemble_without_skill_is_the_constant(market: Market, task: str) -> None:
    """Members know nothing: what is left of their differences is small."""
    rows = market(task, rows=6000, skill=0.0)
    new = market(task, rows=6000, skill=0.0, seed=1)
    told = fit_ensemble(rows, EnsembleSpec(method="stack")).apply(new.members)
    parts = {"regression": [1.0], "quantile": [0.275, 0.45, 0.275], "binary": [0.0, 1], "three_class": [-1.0, 0, 1]}
    center = told @ np.array(parts[task])
    assert center.std() < 0.03
    if not rows.objective.classes:
        assert np.abs(center).mean() < 0.03


@pytest.mark.parametrize("method", ["weighted", "stack"])
def test_a_calibrator_sees_untouched_rows_only_whatever_the_blend_learns_from(market: Market, method: str) -> None:
    whole = market("three_class")
    border = int(np.quantile(whole.start, 0.8))
    marked = replace(whole, untouched_from=border)
    spec = EnsembleSpec(method=method)
    made = fit_ensemble(marked, spec)
    earlier, later = marked.halves()
    assert later.start.min() >= border > np.median(whole.start)
    assert earlier.end.max() < border
    told = fit_blender(earlier, spec).apply(later.members)
    assert made.calibrator == fit_calibrator(
        whole.objective, told, later.label, later.weight, independent=later.independent
    )
    assert made.blender == fit_blender(whole, spec)
    assert len(later) < len(whole.halves()[1])
    assert fit_ensemble(whole, spec).calibrator != made.calibrator


def test_where_untouched_rows_begin_before_the_middle_the_halves_stay(market: Market) -> None:
    whole = market("regression")
    marked = replace(whole, untouched_from=int(whole.start.min()) + 1)
    for ours, theirs in zip(marked.halves(), whole.halves(), strict=True):
        assert np.array_equal(ours.start, theirs.start)


GATHERED = {name: spec.model_copy(update={"oof": "past"}) for name, spec in SPECS.items()}


@pytest.mark.parametrize("method", ["rank", "stack", "boosted"])
@TASKS
def test_rows_that_gather_with_the_as_ofs_are_blended_by_the_mean_until_there_are_enough(
    market: Market, task: str, method: str
) -> None:
    few, many = market(task, rows=240), market(task, rows=900)
    assert few.independent < ENOUGH <= many.independent
    spec, plain = GATHERED[method], SPECS["mean"]
    assert fit_ensemble(few, spec) == fit_ensemble(few, plain)
    assert ablate(few, spec).equals(ablate(few, plain))
    ours, mean = judge(few, spec), judge(few, plain)
    assert ours.scores.equals(mean.scores)
    assert (ours.gate, ours.weights) == (mean.gate, mean.weights)
    assert fit_ensemble(many, spec) == fit_ensemble(many, SPECS[method]) != fit_ensemble(many, plain)
    assert not judge(many, spec).scores.equals(judge(many, plain).scores)


def test_other_rows_and_weights_need_no_mean_to_begin_with(market: Market) -> None:
    """Weights begin as equal ones: the least loss of few rows hardly moves them."""
    few = market("three_class", rows=24)
    others = [*SPECS.values(), GATHERED["mean"], GATHERED["weighted"]]
    assert [mean_until_enough(few, spec) for spec in others] == others
    assert fit_ensemble(few, GATHERED["weighted"]).blender == fit_blender(few, SPECS["weighted"])
    assert fit_blender(few, GATHERED["weighted"]).weights == pytest.approx(dict.fromkeys(few.names, 1 / 3), abs=0.03)


def test_rows_of_which_no_halves_can_be_made_are_blended_by_the_mean(market: Market) -> None:
    few = market("three_class", rows=3)
    with pytest.raises(ConfigError):
        fit_ensemble(few, SPECS["stack"])
    assert fit_ensemble(few, GATHERED["stack"]) == fit_ensemble(few, SPECS["mean"])
