"""Genetic search for barriers, on labels that had ended before a given moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from math import ceil, log
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from nightfold.errors import ConfigError
from nightfold.interval import Interval, milliseconds
from nightfold.labels.barrier import BarrierRule, TripleBarrier, entry_price, panel_volatility
from nightfold.labels.choice import FIXED, OBJECTIVES, TRIED, BarrierSearch, settle
from nightfold.labels.follower import Sides, forecasts, positions
from nightfold.labels.panel import Floats, Panel, bar_step, read_panel, require_columns
from nightfold.labels.search_spec import BarrierSearchSpec
from nightfold.schema import KEY, PRICES, TIME

if TYPE_CHECKING:
    from optuna import Study

    from nightfold.labels.judge import Verdict, Window


def search_barriers(
    bars: pl.DataFrame,
    start: datetime,
    horizon: int = 20,
    spec: BarrierSearchSpec | None = None,
    rule: BarrierRule | None = None,
    interval: Interval | None = None,
) -> TripleBarrier:
    """Find barriers for labels from ``start`` on; `run_search` tells how they were found.

    Examples
    --------
    >>> from datetime import UTC
    >>> from nightfold.bars.simulate import simulate_bars
    >>> from nightfold.source import SimulatedSource
    >>> start, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 8, tzinfo=UTC)
    >>> bars = simulate_bars(["BTCUSDT"], "5m", start, end, SimulatedSource())
    >>> search_barriers(bars, end).upper  # a week is too short to search
    0.8
    """
    return run_search(bars, start, horizon, spec, rule, interval).barrier


def run_search(
    bars: pl.DataFrame,
    start: datetime,
    horizon: int = 20,
    spec: BarrierSearchSpec | None = None,
    rule: BarrierRule | None = None,
    interval: Interval | None = None,
) -> BarrierSearch:
    """Try barriers on the labels of a window that had ended by ``start``.

    A candidate is an upper and a lower multiplier and a share of the horizon, after which, rounded up to bars, the
    vertical barrier stands. Its objectives are the after-cost mean log return, per bar held, of a follower who leaves
    at its barriers (not at both sides of a tie: at the worse for its side), and the normalised entropy of the shares of
    the upper barrier, the lower, and neither. Among the feasible candidates with enough entropy the most profitable is
    chosen, of equals the first.

    Parameters
    ----------
    bars
        One symbol: ``symbol``, ``open_time``, prices and volume, in any order. Bars that close after ``start`` are
        not looked at, so a row counts from when its label is known.
    start
        The moment, in UTC: usually the start of the month whose labels the barriers are for.
    horizon
        Bars to the farthest vertical barrier.
    spec
        What is tried, and how it is judged.
    rule
        All else about labels; its own multipliers are the fixed barriers to fall back on.
    interval
        Length of a bar such as ``5m``; none: the shortest step found before ``start``.

    Returns
    -------
    BarrierSearch
        Nothing is tried where the history is too short.

    Raises
    ------
    ConfigError
        If bars are of several symbols or ``start`` has no time zone.
    BarsError, UnknownNameError
        As in `barrier_labels` and `compute_features`.

    References
    ----------
    Deb et al. (2002), A fast and elitist multiobjective genetic algorithm: NSGA-II.
    """
    spec, rule = spec or BarrierSearchSpec(), rule or BarrierRule()
    fixed = TripleBarrier(horizon=horizon, **rule.model_dump(include=set(BarrierRule.model_fields)))
    bars, step = _bars_before(bars, start, spec, rule, interval)
    panel = read_panel(bars, interval)
    sigma = panel_volatility(panel, rule)
    first = int((panel.key["open_time"] < start - timedelta(days=spec.window_days)).sum())
    forecast = forecasts(bars, panel, sigma, first, horizon, spec.follower, interval)
    if np.isfinite(forecast).sum() < timedelta(days=spec.least_days) / step:
        return settle(pl.DataFrame(schema=TRIED), fixed, spec, start)

    window = _window(panel, sigma, positions(forecast, spec.follower.trade_share), first, fixed)
    with _quiet_study(f"barriers within {horizon} bars from {start:%Y-%m-%d %H:%M}", spec) as study:
        trials = [_try(study, window, fixed, spec) for _ in range(spec.trials)]
    beside = {"trial": FIXED, **_judge(window, fixed, fixed.upper, fixed.lower, 1.0, spec)}
    return settle(pl.DataFrame([beside, *trials], schema=TRIED), fixed, spec, start)


def _bars_before(
    bars: pl.DataFrame, start: datetime, spec: BarrierSearchSpec, rule: BarrierRule, interval: Interval | None
) -> tuple[pl.DataFrame, timedelta]:
    """Bars closed by ``start``, back to what the first row of the window needs; and the length of one."""
    require_columns(bars, (*KEY, *PRICES, "volume"))
    if start.tzinfo is None:
        raise ConfigError(f"`start` is {start} without a time zone; it must be a moment in UTC.")
    if (symbols := bars["symbol"].n_unique()) > 1:
        raise ConfigError(f"`bars` are of {symbols} symbols; barriers are searched for one at a time.")
    past = bars.with_columns(pl.col("open_time").cast(TIME)).filter(pl.col("open_time") < start).sort(KEY)
    step = timedelta(milliseconds=bar_step(past, interval) or milliseconds("1d"))
    oldest = start - timedelta(days=spec.window_days) - max(spec.follower.lookback, rule.volatility_bars) * step
    return past.filter(pl.col("open_time").is_between(oldest, start - step)), step


def _window(panel: Panel, sigma: Floats, side: Sides, first: int, fixed: TripleBarrier) -> "Window":
    from nightfold.labels.judge import Window

    opens, highs, lows, closes = np.log([panel.open, panel.high, panel.low, panel.close])
    bars_left = (panel.last - np.arange(panel.size)).astype(np.float64)
    followed = first + np.flatnonzero(side[first:])
    entry = np.log(entry_price(panel, fixed))
    return Window(opens, highs, lows, closes, entry, sigma, bars_left, side, followed, first)


@contextmanager
def _quiet_study(name: str, spec: BarrierSearchSpec) -> "Iterator[Study]":
    """Open a study that does not say so on standard error."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        sampler = optuna.samplers.NSGAIISampler(population_size=spec.population, seed=spec.seed)
        yield optuna.create_study(study_name=name, directions=["maximize"] * len(OBJECTIVES), sampler=sampler)
    finally:
        optuna.logging.set_verbosity(level)


def _try(study: "Study", window: "Window", fixed: TripleBarrier, spec: BarrierSearchSpec) -> dict[str, Any]:
    trial = study.ask()
    upper = trial.suggest_float("upper", spec.least_multiplier, spec.most_multiplier)
    lower = trial.suggest_float("lower", spec.least_multiplier, spec.most_multiplier)
    holding = trial.suggest_float("holding", spec.least_holding, 1.0)
    judged = _judge(window, fixed, upper, lower, holding, spec)
    for name, excess in _excesses(judged, spec).items():
        trial.set_constraint(name, excess)
    study.tell(trial, [judged[name] for name in OBJECTIVES])
    return {"trial": trial.number, **judged}


def _judge(
    window: "Window", fixed: TripleBarrier, upper: float, lower: float, holding: float, spec: BarrierSearchSpec
) -> dict[str, Any]:
    from nightfold.labels.judge import Verdict, judge

    barrier = fixed.model_copy(update={"upper": upper, "lower": lower, "horizon": ceil(holding * fixed.horizon)})
    up, down, nearer_open = upper * barrier.width, lower * barrier.width, barrier.tie == "nearer_open"
    verdict = judge(window, up, down, barrier.horizon, nearer_open, spec.width_in_costs * spec.cost, spec.cost)
    tried = {"upper": upper, "lower": lower, "holding": holding, "holding_bars": barrier.horizon}
    judged = tried | _measure(Verdict(*verdict))
    feasible = max(_excesses(judged, spec).values()) <= 0
    return judged | {"feasible": feasible, "offered": feasible and judged["entropy"] >= spec.least_entropy}


def _measure(verdict: "Verdict") -> dict[str, float]:
    rows = max(verdict.known, 1)
    shares = [share / rows for share in (verdict.upper, verdict.lower, verdict.known - verdict.upper - verdict.lower)]
    return {
        "rows": verdict.known,
        "log_return_per_bar": verdict.profit / max(verdict.bars, 1),
        "entropy": -sum(share * log(share) for share in shares if share > 0) / log(3),
        **dict(zip(("upper_touches", "lower_touches", "timeouts"), shares, strict=True)),
        "ties": verdict.ties / rows,
        "thin_widths": verdict.thin / rows,
    }


def _excesses(judged: dict[str, Any], spec: BarrierSearchSpec) -> dict[str, float]:
    """How far each figure is beyond what it may be; none above 0: feasible."""
    shares = (judged["upper_touches"], judged["lower_touches"], judged["timeouts"])
    return {
        "timeouts": judged["timeouts"] - spec.most_timeouts,
        "smallest_class": spec.least_class - min(shares),
        "ties": judged["ties"] - spec.most_ties,
        "thin_widths": judged["thin_widths"] - 0.5,
    }
