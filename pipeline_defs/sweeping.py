"""A grid of variants, each made and judged; the days that a search holds out are left alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import polars as pl

from assets.leaderboard import stored_runs
from nightfold.errors import ConfigError
from nightfold.evaluation import BacktestRange
from nightfold.experiment import Experiment
from nightfold.improve.judge import Judgement, judge, score
from nightfold.improve.stretch import HoldoutError, Stretch, sealed_from, searched_until
from nightfold.improve.variant import grid, spell, spell_value, vary
from nightfold.leaderboard import Run
from nightfold.window import midnight, parse_end
from pipeline_defs.variant_ledger import stored_openings, stored_rounds
from pipeline_defs.variant_runs import Variant, check_of, current_result, result_of
from pipeline_defs.workshop import Workshop


@dataclass(frozen=True, slots=True)
class Sweep:
    """Results of a grid, best first, with a judgement of the best."""

    table: pl.DataFrame
    best: Judgement
    days: str


def points(workshop: Workshop, base: Experiment, axes: Mapping[str, Sequence[Any]]) -> list[Variant]:
    """List the variants of a grid, each once.

    Raises
    ------
    ConfigError
        If a field or a value is wrong.
    """
    made: dict[str, Variant] = {}
    for overrides in grid(axes):
        variant = vary(base, overrides, partial(check_of, workshop))
        made.setdefault(variant.name, Variant(overrides, variant))
    return list(made.values())


def sweep_end(workshop: Workshop, base: Experiment, end: str | None) -> tuple[BacktestRange, datetime]:
    """Choose the days of a sweep: up to ``end``, or to what a search holds out, or all there are.

    Raises
    ------
    HoldoutError
        If ``end`` lies within days that a search holds out.
    ConfigError
        If it is not after the first as-of.
    """
    lake, horizon = workshop.environment.lake, workshop.environment.horizon()
    starts = midnight(base.first_as_of)
    held = {(each.until, each.end) for each in stored_rounds(lake, base.name)}
    sealed = sealed_from([Stretch(starts, *each) for each in held], stored_openings(lake, base.name))
    latest = horizon if sealed is None else min(sealed, horizon)
    until = latest if end is None else parse_end(end, "end")
    if sealed is not None and until > sealed:
        raise HoldoutError(
            f"`end` is {end}; the days from {sealed:%Y-%m-%d} on are held out by `nightfold improve {base.name}` and "
            f"not opened yet. End on {sealed - timedelta(days=1):%Y-%m-%d} or before, or open them first."
        )
    if not starts < until <= horizon:
        raise ConfigError(
            f"`end` is {end}; {base.name} is traded from {starts:%Y-%m-%d} to {horizon:%Y-%m-%d %H:%M}, and a sweep "
            "must end between."
        )
    is_whole = end is None and sealed is None
    return BacktestRange() if is_whole else searched_until(until), until


def sweep(workshop: Workshop, base: Experiment, variants: Sequence[Variant], end: str | None) -> Sweep:
    """Make and judge every variant that is not there yet."""
    choices, until = sweep_end(workshop, base, end)
    workshop = workshop.with_experiments(each.experiment for each in variants)
    workshop.catch_up()
    known = [current_result(workshop, base.name, each, choices, until) for each in variants]
    runs = []
    for number, variant in enumerate(variants, 1):
        workshop.tell(f"[bold]variant {number} of {len(variants)}[/] {spell(variant.overrides)}")
        runs.append(result_of(workshop, base.name, variant, choices, until))
    if None in known:
        workshop.leaderboard(base.name)
    table = pl.DataFrame(_row(each, run) for each, run in zip(variants, runs, strict=True))
    ranked = table.with_row_index("place").sort("sharpe_ratio", "place", descending=[True, False], nulls_last=True)
    best = runs[ranked["place"][0]]
    judged = judge(stored_runs(workshop.environment.lake, newest=True), best.card.variant, best.daily)
    return Sweep(ranked.drop("place"), judged, f"{best.card.first_day} to {best.card.last_day}")


def _row(variant: Variant, run: Run) -> dict[str, Any]:
    return {
        **{field: spell_value(value) for field, value in variant.overrides.items()},
        "sharpe_ratio": score(run.daily["daily_return"]),
        **{name: run.card.measures[name] for name in ("total_return", "max_drawdown")},
        "trades": run.card.trades,
        "days": run.card.days,
        "variant": run.card.experiment,
    }
