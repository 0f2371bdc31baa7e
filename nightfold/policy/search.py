"""Thresholds found on the predictions of one window, to trade the period after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from nightfold.backtest.cost import Costs
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import Backtest, daily_returns
from nightfold.backtest.signal import Strategy
from nightfold.policy.choice import PolicySearch, PolicyTrial, chosen, sharpe_of
from nightfold.policy.position import policy_targets, thresholds_columns
from nightfold.policy.spec import PolicySpec, Thresholds

if TYPE_CHECKING:
    from optuna.trial import Trial as Asked

_NEARLY_ALL = -0.9999


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

    @property
    def days(self) -> int:
        """UTC days from the first bar to the last."""
        day = pl.col("open_time").dt.date()
        return int(self.bars.select((day.max() - day.min()).dt.total_days()).item()) + 1

    def trade(self, thresholds: Thresholds, spec: PolicySpec) -> Backtest:
        """Simulate one policy."""
        from nightfold.backtest.engine import simulate  # loads numba, which definitions must not

        columns = thresholds_columns(thresholds)
        cap = self.limits.max_position if self.cap is None else self.cap
        wanted = policy_targets(self.outlooks, columns, self.strategy, spec, cap)
        return simulate(self.bars, wanted, self.costs, self.limits, self.capital, self.funding)


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
    survived = np.maximum(daily["daily_return"].to_numpy(), _NEARLY_ALL)
    returns = np.pad(survived, (0, market.days - len(survived))).tolist()
    trades = run.trades.filter(~pl.col("is_open")).height
    sharpe = sharpe_of(returns, spec)
    feasible = sharpe is not None and trades >= spec.min_trades and not run.is_ruined
    return PolicyTrial(number, thresholds, trades, sharpe, feasible, daily["day"][0], tuple(returns))


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
