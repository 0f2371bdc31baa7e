"""Measure, print, write `docs/benchmarks.md`: `python -m benchmarks`, after `ONLY=features,labels` or `PEERS=1`."""

import os
from collections.abc import Callable, Mapping

from benchmarks import backtest, features, labels, models, orchestration, splits
from benchmarks.market import Market
from benchmarks.measure import PROJECT
from benchmarks.report import read_sections, section, write_sections
from benchmarks.row import Row

PAGE = PROJECT / "docs" / "benchmarks.md"

BENCHMARKS: Mapping[str, tuple[Callable[[Market], Row | list[Row]], ...]] = {
    "features": (
        features.million_bars,
        features.million_bars_on_two_threads,
        features.seed_scale,
        features.one_bar,
        features.live_bars,
    ),
    "labels": (
        labels.four_horizons,
        labels.one_horizon,
        labels.stored_table,
        labels.uniqueness,
        labels.bootstrap,
        labels.labelings,
    ),
    "splits": (splits.purged_split, splits.combinatorial),
    "models": (
        models.same_trees,
        models.nightly_retrain,
        models.ten_retrains,
        models.twelve_trials,
        models.one_prediction,
    ),
    "backtest": (backtest.one_signal, backtest.prepared_signal, backtest.many_policies),
    "orchestration": (orchestration.definitions, orchestration.range_runs, orchestration.night),
}


def main() -> None:
    """Measure the chosen stages, all by default; those not chosen keep the lines they had."""
    chosen = [name for name in os.environ.get("ONLY", "").split(",") if name] or list(BENCHMARKS)
    unknown = sorted(set(chosen) - set(BENCHMARKS))
    if unknown:
        raise SystemExit(f"`ONLY` names {', '.join(unknown)}; known: {', '.join(BENCHMARKS)}.")
    market, sections = Market.find(), read_sections(PAGE)
    for stage in chosen:
        rows: list[Row] = []
        for benchmark in BENCHMARKS[stage]:
            found = benchmark(market)
            rows += found if isinstance(found, list) else [found]
        sections[stage] = section(rows, market.name)
        print(f"\n## {stage}\n\n{sections[stage]}", flush=True)
    write_sections(PAGE, {stage: sections[stage] for stage in BENCHMARKS if stage in sections})


if __name__ == "__main__":
    main()
