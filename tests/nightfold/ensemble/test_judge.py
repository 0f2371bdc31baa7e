"""The ensemble judged on rows it was not fitted on."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.bootstrap import Interval
from nightfold.ensemble.fit import fit_blender
from nightfold.ensemble.judge import ablate, judge
from nightfold.ensemble.rows import OutOfSample
from nightfold.models.metrics import log_loss
from nightfold.models.objective import Objective
from nightfold.models.score import row_losses

Market = Callable[..., OutOfSample]
METHODS = ("mean", "weighted", "rank", "stack")


def relabelled(rows: OutOfSample, label: np.ndarray) -> OutOfSample:
    return OutOfSample.of(rows.objective, rows.members, label, rows.start, rows.end, rows.weight, learnt_until=None)


def bounds(found: Interval) -> tuple[float, float]:
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def test_scores_are_those_of_the_later_rows(market: Market) -> None:
    rows = market("three_class")
    found = judge(rows, EnsembleSpec())
    middle = (rows.start.min() + rows.start.max() + 1) // 2
    later = rows.start >= middle
    score = {row["forecast"]: row for row in found.scores.to_dicts()}
    assert list(score) == ["m0", "m1", "m2", "mean", "ensemble"]
    for name, member in rows.members.items():
        assert score[name]["log_loss"] == pytest.approx(log_loss(member[later], rows.label[later], rows.weight[later]))
    mean = np.mean(list(rows.members.values()), axis=0)[later]
    assert score["ensemble"]["log_loss"] == pytest.approx(log_loss(mean, rows.label[later], rows.weight[later]))
    assert found.later_rows == later.sum()
    assert found.earlier_rows == ((rows.start < middle) & (rows.end < middle)).sum()


@pytest.mark.parametrize("method", METHODS)
def test_weights_and_best_member_are_blind_to_the_later_half(market: Market, method: str) -> None:
    rows, spec = market("regression"), EnsembleSpec(method=method)
    later = rows.start >= (rows.start.min() + rows.start.max() + 1) // 2
    upside_down = judge(relabelled(rows, np.where(later, -rows.label, rows.label)), spec)
    plain = judge(rows, spec)
    assert upside_down.weights == plain.weights
    assert upside_down.gate.best_member == plain.gate.best_member == "m0"
    assert upside_down.scores["earlier_loss"].equals(plain.scores["earlier_loss"])
    assert upside_down.gate.ensemble_loss > plain.gate.ensemble_loss


def test_the_best_member_is_the_one_that_was_best_before(market: Market) -> None:
    rows = market("regression", noise=(0.3, 3.0))
    later = rows.start >= (rows.start.min() + rows.start.max() + 1) // 2
    m0, m1 = rows.members.values()
    swapped = {"m0": np.where(later[:, None], m1, m0), "m1": np.where(later[:, None], m0, m1)}
    changed = OutOfSample.of(rows.objective, swapped, rows.label, rows.start, rows.end, learnt_until=None)
    assert judge(changed, EnsembleSpec()).gate.best_member == "m0"


def test_a_gain_within_chance_does_not_pass(market: Market) -> None:
    gate = judge(market("regression", rows=480, noise=(0.8, 0.9)), EnsembleSpec(shrinkage=30)).gate
    low, high = bounds(gate.difference)
    assert low < gate.difference.mean < 0 < high
    assert not gate.passed


def test_the_gate_passes_where_members_err_apart_and_fails_where_one_knows_all(market: Market) -> None:
    rows = market("regression", rows=3000, noise=(1.0, 1.0, 1.0))
    gate = judge(rows, EnsembleSpec()).gate
    assert gate.passed
    assert bounds(gate.difference)[1] < 0
    assert gate.difference.mean == pytest.approx(gate.ensemble_loss - gate.best_loss)
    assert gate.words.startswith("Passed: loss −" if "−" in gate.words else "Passed: loss -")
    gate = judge(market("regression", rows=3000, noise=(0.01, 3.0, 3.0)), EnsembleSpec()).gate
    assert (gate.passed, gate.best_member) == (False, "m0")
    assert bounds(gate.difference)[0] > 0


def test_an_ensemble_of_equals_does_not_beat_them(market: Market) -> None:
    rows = market("binary", noise=(1.0,))
    same = OutOfSample.of(
        rows.objective,
        {"a": rows.members["m0"], "b": rows.members["m0"]},
        rows.label,
        rows.start,
        rows.end,
        learnt_until=None,
    )
    for method in ("mean", "weighted"):
        gate = judge(same, EnsembleSpec(method=method)).gate
        assert not gate.passed
        assert gate.difference.mean == pytest.approx(0, abs=1e-12)


def test_members_of_pure_noise_do_not_flatter_a_stack() -> None:
    """Weights chosen freely on the rows they are scored on would gain from noise; judged on later rows they do not."""
    passed = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        members = {f"m{i}": random.normal(size=(300, 1)) * 0.1 for i in range(12)}
        label = random.normal(size=300)
        rows = OutOfSample.of(Objective(task="regression"), members, label, range(300), range(300), learnt_until=None)
        passed += judge(rows, EnsembleSpec(method="stack", ridge=1e-6)).gate.passed
    assert passed <= 1


def test_rows_too_few_to_tell_fail_the_gate(market: Market) -> None:
    rows = market("regression", rows=120, noise=(1.0, 1.0))
    longer = OutOfSample.of(
        rows.objective, rows.members, rows.label, rows.start, rows.start + 3 * (rows.start % 2), learnt_until=None
    )
    gate = judge(longer, EnsembleSpec()).gate
    assert not gate.passed
    assert gate.difference.low is None
    assert "too few to tell" in gate.words
    assert gate.document()["difference"]["low"] is None


def test_the_same_seed_gives_the_same_numbers(market: Market) -> None:
    rows, spec = market("quantile"), EnsembleSpec(method="stack")
    assert judge(rows, spec, 3).gate == judge(rows, spec, 3).gate
    assert judge(rows, spec, 3).gate.difference != judge(rows, spec, 4).gate.difference


@pytest.mark.parametrize("method", METHODS)
def test_leaving_out_the_one_who_knows_costs_and_a_misleading_one_pays(market: Market, method: str) -> None:
    rows = market("regression", rows=3000, noise=(0.3, 5.0))
    found = ablate(rows, EnsembleSpec(method=method, shrinkage=300, ridge=300))
    change = dict(found.select("member", "loss_change").iter_rows())
    assert found.columns == ["member", "loss_change", "low", "high"]
    assert found.filter(pl.col("member") == "m0")["low"].item() > 0
    assert change["m0"] > change["m1"]
    if method in {"mean", "rank"}:
        assert found.filter(pl.col("member") == "m1")["high"].item() < 0


@pytest.mark.parametrize("method", METHODS)
def test_those_who_are_left_are_blended_anew_on_the_earlier_rows(market: Market, method: str) -> None:
    rows, spec = market("binary"), EnsembleSpec(method=method)
    earlier, later = rows.halves()
    without, whole = (
        row_losses(rows.objective, fit_blender(first, spec).apply(then.members), then.label)
        for first, then in ((earlier.without("m1"), later.without("m1")), (earlier, later))
    )
    change = ablate(rows, spec).filter(member="m1")["loss_change"].item()
    assert change == pytest.approx(np.average(without - whole, weights=later.weight), abs=1e-12)


def test_ablation_of_a_mean_by_hand(market: Market) -> None:
    rows = market("regression")
    later = rows.start >= (rows.start.min() + rows.start.max() + 1) // 2
    m0, m1, m2 = (member[later, 0] for member in rows.members.values())
    label, weight = rows.label[later], rows.weight[later]
    change = (label - (m1 + m2) / 2) ** 2 - (label - (m0 + m1 + m2) / 3) ** 2
    found = ablate(rows, EnsembleSpec())
    assert found["loss_change"][0] == pytest.approx(np.average(change, weights=weight))
    assert ablate(market("regression", noise=(1.0,)), EnsembleSpec()).is_empty()
