"""Thresholds found on the predictions of one window, to trade the period after it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from nightfold.backtest.cost import Costs
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import Backtest, daily_returns
from nightfold.backtest.signal import Strategy
from nightfold.policy.position import policy_targets, thresholds_columns
from nightfold.policy.spec import PolicySpec, Thresholds
from nightfold.tearsheet.measures import daily_sharpe_ratio, deflated_sharpe_ratio, sharpe_variance

if TYPE_CHECKING:
    from optuna.trial import Trial as Asked


@dataclass(frozen=True, slots=True)
class Market:
    """Where policies are tried: forecasts and bars of one window, and the rules of the account.

    Parameters
    ----------
    outlooks
        `nightfold.policy.outlook.OUTLOOK` of the window, sorted by symbol and time.
    bars
        Of the same window.
    strategy, costs, limits, capital, funding
        As in the backtest.
    """

    outlooks: pl.DataFrame
    bars: pl.DataFrame
    strategy: Strategy
    costs: Costs
    limits: RiskLimits
    capital: float
    funding: pl.DataFrame | None = None
    cap: float | None = None
    """Largest position in one symbol; none: that of the limits."""

    def trade(self, thresholds: Thresholds, spec: PolicySpec) -> Backtest:
        """Simulate one policy."""
        from nightfold.backtest.engine import simulate  # loads numba, which definitions must not

        columns = thresholds_columns(thresholds)
        cap = self.limits.max_position if self.cap is None else self.cap
        wanted = policy_targets(self.outlooks, columns, self.strategy, spec, cap)
        return simulate(self.bars, wanted, self.costs, self.limits, self.capital, self.funding)


@dataclass(frozen=True, slots=True)
class PolicyTrial:
    """One policy and what it did in the window.

    Parameters
    ----------
    number
        In the order they were asked.
    thresholds
        The policy.
    trades
        Closed trades.
    sharpe
        Sharpe ratio of daily returns, not annualised; None where they do not vary.
    is_feasible
        Whether there were trades enough and a Sharpe ratio.
    first_day, daily_returns
        Of the account.
    """

    number: int
    thresholds: Thresholds
    trades: int
    sharpe: float | None
    is_feasible: bool
    first_day: date
    daily_returns: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PolicySearch:
    """What a search found.

    Parameters
    ----------
    trials
        All of them: each makes the best look better by luck.
    best
        The feasible trial with the highest Sharpe ratio, of equals the earlier; None without a feasible one.
    deflated_sharpe
        Selection deflated Sharpe ratio of the best; None without one.
    reason
        Why the next period is flat; empty where it trades.
    """

    trials: tuple[PolicyTrial, ...]
    best: PolicyTrial | None
    deflated_sharpe: float | None
    reason: str

    @property
    def is_flat(self) -> bool:
        """Whether nothing is traded in the period after the window."""
        return bool(self.reason)


def search_policy(market: Market, spec: PolicySpec, seed: int) -> PolicySearch:
    """Try policies on a window, and choose one, or none.

    Trials are drawn in batches by Optuna's TPE sampler, seeded; too few trades make a policy infeasible, they do not
    score 0. The period after is flat unless the best Sharpe ratio is positive and, deflated by all trials of the
    search, at least `PolicySpec.min_deflated_sharpe`.

    References
    ----------
    Bailey and López de Prado (2014), *The Deflated Sharpe Ratio*.
    """
    from optuna import create_study
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    trials: list[PolicyTrial] = []
    with _quiet():
        study = create_study(direction="maximize", sampler=TPESampler(seed=seed))
        for first in range(0, spec.trials, spec.batch):
            asked = [study.ask() for _ in range(first, min(first + spec.batch, spec.trials))]
            trials += [try_policy(market, spec, drawn(each, spec), each.number) for each in asked]
            for each, trial in zip(asked, trials[first:], strict=True):
                if trial.is_feasible:
                    study.tell(each, trial.sharpe)
                else:
                    study.tell(each, state=TrialState.FAIL)
    return chosen(trials, spec)


def drawn(trial: "Asked", spec: PolicySpec) -> Thresholds:
    """Draw one policy; the maximum risk is never under the base."""
    low, high = spec.max_risk_fraction
    base = min(trial.suggest_float("base_risk_fraction", *spec.base_risk_fraction), high)
    floor = max(base, low)
    return Thresholds(
        min_confidence=trial.suggest_float("min_confidence", *spec.min_confidence),
        min_edge=trial.suggest_float("min_edge", *spec.edges),
        base_risk_fraction=base,
        max_risk_fraction=floor + trial.suggest_float("max_risk_share", 0.0, 1.0) * (high - floor),
    )


def try_policy(market: Market, spec: PolicySpec, thresholds: Thresholds, number: int) -> PolicyTrial:
    """Trade one policy in the window."""
    run = market.trade(thresholds, spec)
    daily = daily_returns(run)
    returns = daily["daily_return"].to_list()
    trades = run.trades.filter(~pl.col("is_open")).height
    sharpe = None if run.is_ruined else daily_sharpe_ratio(returns)
    feasible = sharpe is not None and trades >= spec.min_trades
    return PolicyTrial(number, thresholds, trades, sharpe, feasible, daily["day"][0], tuple(returns))


def chosen(trials: Sequence[PolicyTrial], spec: PolicySpec) -> PolicySearch:
    """Choose the best feasible trial, and say why it is not traded where it is not."""
    feasible = [trial for trial in trials if trial.is_feasible]
    if not feasible:
        most = max((trial.trades for trial in trials), default=0)
        return PolicySearch(
            tuple(trials), None, None, f"no policy made {spec.min_trades} trades in the window; the most were {most}"
        )
    best = max(feasible, key=lambda trial: (trial.sharpe, -trial.number))
    ratios = [trial.sharpe for trial in trials if trial.sharpe is not None]
    variance = sharpe_variance(ratios, len(best.daily_returns))
    deflated = deflated_sharpe_ratio(best.daily_returns, len(trials), variance)
    return PolicySearch(tuple(trials), best, deflated, _why_flat(best, deflated, spec))


def _why_flat(best: PolicyTrial, deflated: float | None, spec: PolicySpec) -> str:
    if best.sharpe is None or best.sharpe <= 0:
        return "no policy earned anything after costs in the window"
    if deflated is None or deflated < spec.min_deflated_sharpe:
        found = "unknown" if deflated is None else f"{deflated:.2f}"
        return f"the best may be luck: its deflated Sharpe ratio is {found}, {spec.min_deflated_sharpe:.2f} are needed"
    return ""


@contextmanager
def _quiet() -> Iterator[Any]:
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(verbosity)


def sweep(market: Market, spec: PolicySpec, around: Thresholds, steps: int = 6) -> pl.DataFrame:
    """Trade a grid of both thresholds at one sizing: how much depends on them.

    Parameters
    ----------
    market, spec
        Window and ranges; the grid covers these evenly.
    around
        The policy whose risk fractions are kept.
    steps
        Values of each threshold.

    Returns
    -------
    DataFrame
        ``min_confidence``, ``min_edge``, ``trades``, ``total_return``, daily ``sharpe_ratio`` (null where returns do
        not vary), one row a pair.
    """
    rows = []
    for tried in threshold_grid(spec, steps, around):
        trial = try_policy(market, spec, tried, 0)
        total = float(np.prod(1 + np.array(trial.daily_returns)) - 1)
        rows.append((tried.min_confidence, tried.min_edge, trial.trades, total, trial.sharpe))
    names = ("min_confidence", "min_edge", "trades", "total_return", "sharpe_ratio")
    kinds = (pl.Float64, pl.Float64, pl.Int64, pl.Float64, pl.Float64)
    return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")


def threshold_grid(spec: PolicySpec, steps: int, around: Thresholds | None = None) -> Iterator[Thresholds]:
    """Lay both thresholds out evenly over their ranges, at the sizing of a policy or in the middle of the ranges."""
    base, most = (sum(span) / 2 for span in (spec.base_risk_fraction, spec.max_risk_fraction))
    for confidence in _spread(spec.min_confidence, steps):
        for edge in _spread(spec.edges, steps):
            yield Thresholds(
                min_confidence=confidence,
                min_edge=edge,
                base_risk_fraction=min(base, most) if around is None else around.base_risk_fraction,
                max_risk_fraction=most if around is None else around.max_risk_fraction,
            )


def _spread(span: tuple[float, float], steps: int) -> list[float]:
    """Lay values evenly over a range; one where it is fixed."""
    return [float(value) for value in np.linspace(*span, steps if span[0] < span[1] else 1)]
