"""All that a tearsheet is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from nightfold.errors import SchemaError
from nightfold.tearsheet.gates import Gate
from nightfold.tearsheet.measures import effective_trials

STRATEGY = "Strategy"
MARKET = "Buy and hold"
"""Name of the baseline that alpha and beta are measured against."""
SAME_EXPOSURE = "Buy and hold, same exposure"
"""Name of the one that holds as much as the strategy did on average; absent where that was nothing, or was borrowed."""

COLUMNS = {
    "equity": ("close_time", "equity", "gross_exposure", "net_exposure"),
    "daily": ("day", "daily_return"),
    "trades": (
        *("symbol", "side", "entry_time", "exit_time", "quantity", "entry_price", "exit_price", "fees", "funding"),
        *("profit", "return_", "bars", "is_open", "exit_reason"),
    ),
    "fills": ("quantity", "price", "fee", "spread_cost", "slippage_cost"),
    "folds": ("as_of", "days", "fold_return"),
    "model_metrics": (
        *("as_of", "model", "horizon", "metric", "loss", "constant_loss", "macro_f1", "macro_f1_chance"),
        *("direction_gain", "r2", "sign_accuracy", "coverage"),
    ),
}
_THRESHOLDS = ("min_confidence", "min_edge", "base_risk_fraction", "max_risk_fraction")
MORE_COLUMNS = {
    "rejected": ("symbol", "time", "reason"),
    "triggers": ("time", "rule", "symbol", "figure", "limit"),
    "open_orders": ("symbol", "open_time", "wanted"),
    "funding": ("symbol", "time", "quantity", "price", "rate", "amount"),
    "regimes": ("kind", "regime", "days", "share", "total_return", "sharpe_ratio", "worst_day"),
    "sensitivity": (*("edge", "cost_scale", "added_bars", "trades", "total_return", "sharpe_ratio", "max_drawdown"),),
    "shocks": ("shock", "moment", "trades", "total_return", "sharpe_ratio", "max_drawdown"),
    "passing": ("symbol", "forecasts", "sure", "worth", "long", "short"),
    "policies": (
        *("universe", "as_of", "is_complete", "reason", "cause", "trials", "effective_trials"),
        *("sharpe", "deflated_sharpe", "trades"),
        *_THRESHOLDS,
    ),
    "levels": ("model", "horizon", "level", "wanted", "share", "low", "high", "pinball", "independent", "is_thin"),
    "importance": ("as_of", "model", "horizon", "measure", "feature", "value"),
    "weights": ("as_of", "universe", "model", "weight"),
    "splits": ("as_of", "universe", "fingerprint", "train", "stopping", "validation", "effective_rows"),
    "accounts": ("as_of", "universe", "symbol", "reason", "rows"),
    "lineage": ("as_of", "universe", "dataset", "ensemble", "members"),
    "forecast_log": ("symbol", "open_time", "horizon", "expected_move", "confidence", "actual_move"),
}
"""Tables that may be absent: None where nothing is known of the matter, empty where nothing happened."""


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """What lies in the lake beside a backtest; None: an older version of this product kept none, or there is none.

    Parameters
    ----------
    policies
        One row an as-of and universe key: thresholds in force, null where flat, and why; how they were found.
    forecast_log
        As from `nightfold.policy.log.log_table`.
    importance
        `nightfold.record.table.IMPORTANCE` of each as-of and member; no row for one that tells none.
    weights
        ``as_of``, ``universe``, ``model``, ``weight`` in the ensemble of the traded horizon.
    splits
        Rows of the parts of each as-of at that horizon, and the fingerprint of its dataset.
    accounts
        `nightfold.labels.account.account` of each of them.
    lineage
        Fingerprint of the dataset, versions of the ensemble and its members, by as-of and universe key.
    why_no_log
        Reason where there is no forecast log.
    """

    policies: pl.DataFrame | None = None
    forecast_log: pl.DataFrame | None = None
    importance: pl.DataFrame | None = None
    weights: pl.DataFrame | None = None
    splits: pl.DataFrame | None = None
    accounts: pl.DataFrame | None = None
    lineage: pl.DataFrame | None = None
    why_no_log: str = "no forecast log is stored for these days"


@dataclass(frozen=True, slots=True, eq=False)
class TearsheetInput:
    """All that a tearsheet shows.

    Parameters
    ----------
    title, experiment, description
        What it is about, in the words of its author.
    market_note
        Where prices come from: the source's name, or what a simulated market has planted in it.
    is_simulated
        Prices are made up; the page says *simulated market* at the top.
    symbols, interval, currency
        What was traded, on bars of which length, and the unit of every amount.
    capital
        Equity at the start.
    equity, trades, fills
        Tables of `nightfold.backtest.result.Backtest`; at least one row of equity.
    daily
        ``day``, ``daily_return`` of the strategy, as from `nightfold.backtest.result.daily_returns`.
    baselines
        Name to the same two columns, such as buy and hold.
    folds
        ``as_of``, ``days``, ``fold_return``, as from `nightfold.tearsheet.summary.fold_returns`.
    model_metrics
        One row a model, horizon and as-of, scores as in `nightfold.models.train.Trained.metrics`; nulls are unknown.
    gates
        As from `nightfold.tearsheet.gates.evaluate_gates`.
    n_trials, trial_variance
        Variants whose result on this range was looked at, and the variance of their daily Sharpe ratios.
    trial_correlation
        Mean correlation of their daily returns; None where it is not known.
    settings
        The experiment's file as text.
    provenance
        What it was made from, such as data fingerprint, code version and model versions.
    remarks
        Sentences for the verdict, such as rules that the market does not have.
    rejected, triggers, open_orders, funding
        Tables of `nightfold.backtest.result.Backtest`.
    regimes, sensitivity, shocks
        As from `nightfold.tearsheet.regime.regime_returns` and `nightfold.robustness`.
    passing
        As from `nightfold.policy.record.passing`.
    levels
        As from `nightfold.coverage.score_levels`.
    luck
        As from `nightfold.robustness.luck`.
    overfitting
        Probability of backtest overfitting; None where it cannot be known.
    n_compared
        Variants it was found among: the policy held constant, and what was looked at on these days.
    is_filtered
        Whether the policy has a filter, and so is not held constant.
    crashes
        Crashes of the market in the range.
    alone
        As from `nightfold.alone.traded_alone`.
    record
        What lies beside it.

    Raises
    ------
    SchemaError
        If a table lacks columns, or there are no days; with every fault found.
    """

    title: str
    experiment: str
    market_note: str
    is_simulated: bool
    symbols: Sequence[str]
    interval: str
    capital: float
    equity: pl.DataFrame
    daily: pl.DataFrame
    trades: pl.DataFrame
    fills: pl.DataFrame
    baselines: Mapping[str, pl.DataFrame]
    folds: pl.DataFrame
    model_metrics: pl.DataFrame
    gates: Sequence[Gate]
    settings: str
    provenance: Mapping[str, str]
    n_trials: int = 1
    trial_variance: float | None = None
    trial_correlation: float | None = None
    description: str = ""
    currency: str = "USDT"
    remarks: Sequence[str] = field(default=())
    rejected: pl.DataFrame | None = None
    triggers: pl.DataFrame | None = None
    open_orders: pl.DataFrame | None = None
    funding: pl.DataFrame | None = None
    regimes: pl.DataFrame | None = None
    sensitivity: pl.DataFrame | None = None
    shocks: pl.DataFrame | None = None
    passing: pl.DataFrame | None = None
    levels: pl.DataFrame | None = None
    luck: Mapping[str, float | None] | None = None
    overfitting: float | None = None
    n_compared: int = 0
    is_filtered: bool = False
    crashes: int | None = None
    alone: Mapping[str, Mapping[str, Any]] | None = None
    record: Record = field(default_factory=Record)

    @property
    def returns(self) -> dict[str, pl.DataFrame]:
        """Daily returns by name, the strategy's first."""
        return {STRATEGY: self.daily, **self.baselines}

    @property
    def effective_trials(self) -> float | None:
        """How many independent variants those looked at amount to; None where their correlation is not known."""
        return None if self.trial_correlation is None else effective_trials(self.n_trials, self.trial_correlation)

    @property
    def closed(self) -> pl.DataFrame:
        """Trades that have ended."""
        return self.trades.filter(~pl.col("is_open"))

    def __post_init__(self) -> None:
        """Find every fault of the tables."""
        tables = [(name, getattr(self, name), needed) for name, needed in COLUMNS.items()]
        tables += [(f"baselines[{name!r}]", frame, COLUMNS["daily"]) for name, frame in self.baselines.items()]
        tables += [
            (name, frame, needed)
            for name, needed in MORE_COLUMNS.items()
            if (frame := getattr(self, name, None) if hasattr(self, name) else getattr(self.record, name)) is not None
        ]
        faults = [
            f"`{name}` lacks {', '.join(absent)}"
            for name, frame, needed in tables
            if (absent := [column for column in needed if column not in frame.columns])
        ]
        faults += [f"`{name}` has no rows" for name in ("equity", "daily") if getattr(self, name).is_empty()]
        if faults:
            raise SchemaError(f"The tearsheet cannot be made: {'; '.join(faults)}.")
