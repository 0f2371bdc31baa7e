"""Genetic search for barriers, on labels that had ended before a given moment."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, log
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from nightfold.errors import ConfigError
from nightfold.interval import Interval, milliseconds
from nightfold.labels.barrier import BarrierRule, TripleBarrier, entry_price, panel_volatility
from nightfold.labels.follower import FollowerSpec, Sides, forecasts, positions
from nightfold.labels.panel import Floats, Panel, bar_step, read_panel, require_columns
from nightfold.schema import KEY, PRICES, TIME
from nightfold.spec import Spec

if TYPE_CHECKING:
    from optuna import Study

    from nightfold.labels.judge import Verdict, Window

OBJECTIVES = ("log_return_per_bar", "entropy")
TRIALS = {
    "trial": pl.Int64(),
    "upper": pl.Float64(),
    "lower": pl.Float64(),
    "holding": pl.Float64(),
    "horizon": pl.Int64(),
    "rows": pl.Int64(),
    "log_return_per_bar": pl.Float64(),
    "entropy": pl.Float64(),
    "timeouts": pl.Float64(),
    "smallest_class": pl.Float64(),
    "ties": pl.Float64(),
    "thin_widths": pl.Float64(),
    "feasible": pl.Boolean(),
}


class BarrierSearchSpec(Spec):
    """Which barriers are tried, how they are judged, and when the fixed ones are better."""

    trials: PositiveInt = 200
    """Barriers to try."""
    population: PositiveInt = Field(default=40, ge=2)
    """Trials of a generation."""
    seed: NonNegativeInt = 0
    """Of the genetic sampler."""
    days: PositiveInt = 90
    """Length of the window before the search's moment."""
    least_days: PositiveInt = 30
    """With less than this many days of rows that have volatility and features, the fixed barriers are used."""
    cost: NonNegativeFloat = 0.002
    """Cost of a round trip, as a fraction."""
    least_multiplier: PositiveFloat = 0.3
    """Nearest barrier to try, in widths."""
    most_multiplier: PositiveFloat = 3.0
    """Farthest barrier to try, in widths."""
    least_holding: PositiveFloat = Field(default=0.25, le=1)
    """Shortest way to the vertical barrier to try, as a share of the horizon; the longest is all of it."""
    most_timeouts: PositiveFloat = Field(default=0.5, le=1)
    """Largest share of labels that meet neither barrier."""
    least_class: NonNegativeFloat = Field(default=0.1, lt=1 / 3)
    """Smallest share of a class."""
    most_ties: NonNegativeFloat = Field(default=0.02, le=1)
    """Largest share of labels decided by a bar that met both barriers."""
    width_in_costs: NonNegativeFloat = 1.5
    """Both barriers are to be this many costs away, in at least half of the rows."""
    least_entropy: NonNegativeFloat = Field(default=0.9, le=1)
    """Smallest normalised entropy of the classes among which the most profitable barriers are chosen."""
    follower: FollowerSpec = FollowerSpec()
    """The trader who leaves at the barriers."""

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.least_multiplier > self.most_multiplier:
            raise ConfigError(
                f"`least_multiplier` is {self.least_multiplier}, above `most_multiplier`, {self.most_multiplier}."
            )
        if self.least_days > self.days:
            raise ConfigError(f"`least_days` is {self.least_days}; it may be `days`, {self.days}, at most.")
        return self


@dataclass(frozen=True, slots=True)
class BarrierSearch:
    """What a search tried and what it settled on."""

    barrier: TripleBarrier
    """The barriers to use."""
    chosen: int | None
    """Number of the trial they come from; none: they are the fixed ones."""
    fallback: str | None
    """Why the fixed barriers are used; none: they are not."""
    trials: pl.DataFrame
    """All trials in order: ``trial``, ``upper``, ``lower``, ``holding``, ``horizon`` (bars); ``rows`` labelled; the
    objectives ``log_return_per_bar`` and ``entropy``; ``timeouts``, ``smallest_class``, ``ties``, ``thin_widths``
    (shares); ``feasible``."""

    @property
    def front(self) -> pl.DataFrame:
        """Feasible trials that no other equals or beats in both objectives, by ``entropy``; of equals the first."""
        gain, spread = OBJECTIVES
        feasible = self.trials.filter("feasible").sort(spread, gain, "trial", descending=[True, True, False])
        best_before = pl.col(gain).cum_max().shift()
        return feasible.filter(best_before.is_null() | (pl.col(gain) > best_before)).reverse()

    @property
    def convergence(self) -> pl.DataFrame:
        """``trial`` and the highest ``log_return_per_bar`` of a feasible trial so far, null before the first."""
        gain = pl.col(OBJECTIVES[0])
        return self.trials.select("trial", pl.when("feasible").then(gain).cum_max().forward_fill().alias("best_so_far"))


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
        No trials where the history is too short.

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
    first = int((panel.key["open_time"] < start - timedelta(days=spec.days)).sum())
    forecast = forecasts(bars, panel, sigma, first, horizon, spec.follower, interval)
    ready, needed = int(np.isfinite(forecast).sum()), timedelta(days=spec.least_days) / step
    if ready < needed:
        reason = f"{ready} rows have volatility and features before {start:%Y-%m-%d %H:%M}; {needed:.0f} are needed"
        return BarrierSearch(fixed, None, reason, pl.DataFrame(schema=TRIALS))

    window = _window(panel, sigma, positions(forecast, spec.follower.trade_share), first, fixed)
    study = _study(f"barriers within {horizon} bars from {start:%Y-%m-%d %H:%M}", spec)
    trials = pl.DataFrame([_try(study, window, fixed, spec) for _ in range(spec.trials)], schema=TRIALS)
    return _settle(trials, fixed, spec)


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
    oldest = start - timedelta(days=spec.days) - max(spec.follower.lookback, rule.volatility_bars) * step
    return past.filter(pl.col("open_time").is_between(oldest, start - step)), step


def _window(panel: Panel, sigma: Floats, side: Sides, first: int, fixed: TripleBarrier) -> "Window":
    from nightfold.labels.judge import Window

    opens, highs, lows, closes = np.log([panel.open, panel.high, panel.low, panel.close])
    bars_left = (panel.last - np.arange(panel.size)).astype(np.float64)
    followed = first + np.flatnonzero(side[first:])
    entry = np.log(entry_price(panel, fixed))
    return Window(opens, highs, lows, closes, entry, sigma, bars_left, side, followed, first)


def _study(name: str, spec: BarrierSearchSpec) -> "Study":
    import optuna

    sampler = optuna.samplers.NSGAIISampler(population_size=spec.population, seed=spec.seed)
    return optuna.create_study(study_name=name, directions=["maximize"] * len(OBJECTIVES), sampler=sampler)


def _try(study: "Study", window: "Window", fixed: TripleBarrier, spec: BarrierSearchSpec) -> dict[str, Any]:
    from nightfold.labels.judge import Verdict, judge

    trial = study.ask()
    upper = trial.suggest_float("upper", spec.least_multiplier, spec.most_multiplier)
    lower = trial.suggest_float("lower", spec.least_multiplier, spec.most_multiplier)
    holding = trial.suggest_float("holding", spec.least_holding, 1.0)
    barrier = fixed.model_copy(update={"upper": upper, "lower": lower, "horizon": ceil(holding * fixed.horizon)})
    up, down, nearer_open = upper * barrier.width, lower * barrier.width, barrier.tie == "nearer_open"
    verdict = judge(window, up, down, barrier.horizon, nearer_open, spec.width_in_costs * spec.cost, spec.cost)
    measured = _measure(Verdict(*verdict))
    excesses = {
        "timeouts": measured["timeouts"] - spec.most_timeouts,
        "smallest_class": spec.least_class - measured["smallest_class"],
        "ties": measured["ties"] - spec.most_ties,
        "thin_widths": measured["thin_widths"] - 0.5,
    }
    for name, excess in excesses.items():
        trial.set_constraint(name, excess)
    study.tell(trial, [measured[name] for name in OBJECTIVES])
    tried = {"trial": trial.number, "upper": upper, "lower": lower, "holding": holding, "horizon": barrier.horizon}
    return tried | measured | {"feasible": max(excesses.values()) <= 0}


def _measure(verdict: "Verdict") -> dict[str, float]:
    rows = max(verdict.known, 1)
    shares = [share / rows for share in (verdict.upper, verdict.lower, verdict.known - verdict.upper - verdict.lower)]
    return {
        "rows": verdict.known,
        "log_return_per_bar": verdict.profit / max(verdict.bars, 1),
        "entropy": -sum(share * log(share) for share in shares if share > 0) / log(3),
        "timeouts": shares[2],
        "smallest_class": min(shares),
        "ties": verdict.ties / rows,
        "thin_widths": verdict.thin / rows,
    }


def _settle(trials: pl.DataFrame, fixed: TripleBarrier, spec: BarrierSearchSpec) -> BarrierSearch:
    """Choose among the trials, or say why the fixed barriers stay."""
    gain, spread = OBJECTIVES
    feasible = trials.filter("feasible")
    offered = feasible.filter(pl.col(spread) >= spec.least_entropy)
    if offered.is_empty():
        reason = (
            f"of {trials.height} trials {feasible.height} are feasible, none with an entropy of {spec.least_entropy:g}"
        )
        return BarrierSearch(fixed, None, reason, trials)
    best = offered.sort(gain, "trial", descending=[True, False]).row(0, named=True)
    if best[gain] <= 0:
        reason = f"the best of {offered.height} trials earns {best[gain]:.2g} per bar after cost"
        return BarrierSearch(fixed, None, reason, trials)
    found = fixed.model_copy(update={name: best[name] for name in ("upper", "lower", "horizon")})
    return BarrierSearch(found, best["trial"], None, trials)
