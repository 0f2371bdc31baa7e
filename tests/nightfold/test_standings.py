"""The leaderboard: every card held against all that was looked at up to now, as a table and as a page."""

import math
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from statistics import NormalDist, fmean, stdev, variance

import numpy as np
import polars as pl
import pytest

from nightfold.experiment import Experiment
from nightfold.improve.variant import vary
from nightfold.leaderboard import Run
from nightfold.standings import LEADERBOARD, table
from nightfold.tearsheet.gates import Gates
from nightfold.tearsheet.leaderboard import render_leaderboard

FIRST = date(2024, 1, 1)


def test_the_table_lists_the_newest_day_first_then_the_best(run: Callable[..., Run]) -> None:
    found = table([run("a", 1), run("b", 3), run("c", 9, days=20)])
    assert found["variant"].to_list() == ["b", "a", "c"]
    assert found["gates"][0] == "1/8"
    assert table([]).is_empty()


def slow_sharpe(returns: Sequence[float]) -> float | None:
    if len(returns) < 2 or min(returns) == max(returns) or min(returns) <= -1:
        return None
    return fmean(returns) / stdev(returns)


def slow_standing(run: Run, runs: Sequence[Run]) -> tuple[int, float | None]:
    """Trials and deflated Sharpe ratio day by day, by the formulas of Bailey and López de Prado (2014)."""
    own = dict(run.daily.iter_rows())
    latest: dict[str, Run] = {}
    for each in runs:
        kept = latest.get(each.card.variant)
        if each.card.variant != run.card.variant and (kept is None or kept.card.last_day < each.card.last_day):
            latest[each.card.variant] = each
    shared = [[move for day, move in each.daily.iter_rows() if day in own] for each in latest.values()]
    shared = [returns for returns in shared if returns]
    trials, ratio = 1 + len(shared), slow_sharpe(list(own.values()))
    if ratio is None:
        return trials, None
    ratios = [slow_sharpe(returns) for returns in shared if len(returns) >= len(own) / 2]
    known = [ratio, *(each for each in ratios if each is not None)]
    least, normal = 1 / (len(own) - 1), NormalDist()
    spread = max(variance(known), least) if len(known) >= 10 else least
    luck = 0.0
    if trials > 1:
        gamma, tails = 0.5772156649015329, (1 / trials, 1 / (trials * math.e))
        first, second = (normal.inv_cdf(1 - tail) for tail in tails)
        luck = math.sqrt(spread) * ((1 - gamma) * first + gamma * second)
    apart = np.array(list(own.values())) - fmean(own.values())
    skew, kurtosis = ((apart**power).mean() / (apart**2).mean() ** (power / 2) for power in (3, 4))
    error = math.sqrt((1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2) * least)
    return trials, normal.cdf((ratio - luck) / error)


def test_the_table_judges_each_card_by_all_that_was_looked_at_up_to_now(run: Callable[..., Run]) -> None:
    runs = [run(f"v{seed:02}", seed, days=30 + 3 * seed, first=FIRST + timedelta(days=4 * seed)) for seed in range(14)]
    runs += [run("v03", 40, days=90), run("v05", 41, days=9)]  # made again: later, and for earlier days
    runs += [run("far", 50, first=date(2020, 1, 1)), run("lone", 51, days=1), run("pair", 52, days=2)]
    flat, lost = run("flat", 60), run("lost", 61)
    runs.append(Run(flat.card, flat.daily.with_columns(daily_return=0.0)))
    ends = pl.when(pl.col("day") == lost.card.last_day).then(-1.0).otherwise("daily_return")
    runs.append(Run(lost.card, lost.daily.with_columns(daily_return=ends)))
    found = {(row["variant"], row["last_day"]): row for row in table(runs).to_dicts()}
    expected = {(each.card.variant, each.card.last_day): slow_standing(each, runs) for each in runs}
    assert {key: row["trials"] for key, row in found.items()} == {key: trials for key, (trials, _) in expected.items()}
    assert {key: row["deflated_sharpe"] for key, row in found.items()} == {
        key: pytest.approx(deflated) for key, (_, deflated) in expected.items()
    }
    assert {trials for trials, _ in expected.values()} > {1, 18}
    assert sum(deflated is None for _, deflated in expected.values()) == 3
    LEADERBOARD.validate(table(runs))


def judged(run_: Run, outcome: str, passed: int) -> Run:
    return Run(run_.card.model_copy(update={"outcome": outcome, "gates_passed": passed, "gates": 8}), run_.daily)


def test_a_verdict_is_outdated_once_later_looks_take_it_under_its_gate_and_is_never_raised(
    run: Callable[..., Run],
) -> None:
    best, others = run("a", 3), [run(f"v{seed}", seed + 20) for seed in range(6)]
    (before,), (after,) = (table(runs).filter(variant="a")["deflated_sharpe"] for runs in ([best], [best, *others]))
    assert after < before
    asked = {"e": Gates(min_deflated_sharpe=(before + after) / 2)}

    def told(outcome: str, passed: int, later: Sequence[Run], gates: dict[str, Gates] | None = None) -> object:
        found = table([judged(best, outcome, passed), *later], asked if gates is None else gates)
        return found.filter(variant="a").select("outcome", "gates").row(0)

    assert told("passed", 8, []) == ("passed", "8/8")
    assert told("passed", 8, others) == ("outdated", "7/8")
    assert told("unknown", 6, others) == ("outdated", "5/8")
    assert told("failed", 6, others) == ("failed", "6/8")
    assert told("failed", 7, []) == ("failed", "7/8")
    assert told("passed", 8, others, {"e": Gates(min_deflated_sharpe=None)}) == ("passed", "8/8")
    assert told("passed", 8, others, {"e": Gates(min_deflated_sharpe=after)}) == ("outdated", "7/8")  # it must be above
    unjudged = table([judged(run("u", 1), "unjudged", 0), *others], asked)
    assert unjudged.filter(variant="u")["outcome"].item() == "unjudged"


def test_variants_are_held_to_the_gates_of_their_experiment_and_what_has_no_file_to_the_standard_ones(
    run: Callable[..., Run],
) -> None:
    given = {"name": "base", "first_as_of": "2024-01-01", "models": {"class_frequencies": None}}
    varied = vary(Experiment.model_validate(given), {"capital": 5.0}).name
    runs = [judged(run(name, 3, experiment=name), "passed", 8) for name in (varied, "base", "base_small", "gone", "e")]
    luck = table(runs)["deflated_sharpe"][0]
    assert luck < 0.9
    gates = {"base": Gates(min_deflated_sharpe=luck / 2), "base_small": Gates(min_deflated_sharpe=1.0)}
    found = dict(table(runs, gates).select("experiment", "outcome").iter_rows())
    assert found == {
        **dict.fromkeys((varied, "base"), "passed"),
        **dict.fromkeys(("base_small", "gone", "e"), "outdated"),
    }


def test_the_page_stands_alone_and_escapes(run: Callable[..., Run]) -> None:
    found = table([run("a", experiment="e"), run("b", experiment="<b>")])
    page = render_leaderboard(found, {run("a").card.id: "e/tearsheet.html"}, note="made up")
    assert page.count("href=") == page.count('<a href="e/tearsheet.html">e</a>') == 1
    assert "&lt;b&gt;" in page
    assert "<b>" not in page.split("<main>")[1].split("</table>")[0]
    assert "Simulated market" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "No results yet" in render_leaderboard(table([]), {})
