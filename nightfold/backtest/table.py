"""Tables of a backtest as they lie in the lake; amounts are in quote currency, times in UTC."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

import polars as pl

from nightfold.schema import TIME, Column, Table

_SYMBOL = Column(pl.String, "Spot BTCUSDT, perpetual BTCUSDT.P.")
_BAR = Column(TIME, "Start of the bar it happened in.")
_score = partial(Column, pl.Float64, nullable=True)

_DAILY = {
    "day": Column(pl.Date, "UTC day; the bar that closes at 00:00 belongs to the day before."),
    "daily_return": Column(pl.Float64, "Simple return of equity over the day."),
}
_OUTCOME = {
    "trades": Column(pl.Int64, "Closed trades.", minimum=0),
    "total_return": Column(pl.Float64, "Return over all days, after costs."),
    "sharpe_ratio": _score("Sharpe ratio a year; null where returns do not vary."),
    "max_drawdown": Column(pl.Float64, "Largest fall from a peak, 0 or less."),
}
_TABLES = {
    "equity": {
        "close_time": Column(TIME, "Close of the bar."),
        "equity": Column(pl.Float64, "Worth of the account: cash and net exposure."),
        "cash": Column(pl.Float64, "Cash; below 0 where it is owed."),
        "gross_exposure": Column(pl.Float64, "Sum of the absolute positions at their last closes.", minimum=0),
        "net_exposure": Column(pl.Float64, "Sum of the positions at their last closes, short ones below 0."),
    },
    "fills": {
        "symbol": _SYMBOL,
        "time": Column(TIME, "Open of the bar, or its close for what was met within it."),
        "open_time": _BAR,
        "reason": Column(pl.String, "order, limit, stop, target or liquidation."),
        "quantity": Column(pl.Float64, "Units bought, sold ones below 0."),
        "price": Column(pl.Float64, "Price paid or got, spread and slippage included."),
        "reference_price": Column(pl.Float64, "The price before spread, slippage and rounding."),
        "fee": Column(pl.Float64, "Commission."),
        "spread_cost": Column(pl.Float64, "Paid through half the spread."),
        "slippage_cost": Column(pl.Float64, "Paid through slippage and rounding to the tick."),
    },
    "trades": {
        "symbol": _SYMBOL,
        "side": Column(pl.Int8, "1 long, -1 short.", minimum=-1, maximum=1),
        "entry_time": Column(TIME, "Open of the bar of the first fill."),
        "exit_time": Column(TIME, "When the position was flat again; null while open.", nullable=True),
        "quantity": Column(pl.Float64, "Units entered.", above=0),
        "entry_price": Column(pl.Float64, "Mean price of the entries.", above=0),
        "exit_price": Column(pl.Float64, "Mean price of the exits; null before the first.", nullable=True, above=0),
        "fees": Column(pl.Float64, "Commission of all its fills."),
        "funding": Column(pl.Float64, "Funding paid, received below 0."),
        "profit": Column(pl.Float64, "Profit after fees and funding."),
        "return_": Column(pl.Float64, "Profit by the value entered."),
        "bars": Column(pl.Int64, "Bars from entry to exit.", minimum=0),
        "is_open": Column(pl.Boolean, "Whether it is still open at the end."),
        "exit_reason": Column(
            pl.String,
            "Why it was left: time, signal (of the other side), rule (of risk), limit, stop, target or liquidation.",
            nullable=True,
        ),
    },
    "rejected": {
        "symbol": _SYMBOL,
        "time": Column(TIME, "When it was wanted."),
        "open_time": _BAR,
        "reason": Column(pl.String, "Which limit stood against it."),
        "wanted": Column(pl.Float64, "Position wanted, in units."),
        "dropped": Column(pl.Float64, "Part of it that was not had."),
    },
    "triggers": {
        "time": Column(TIME, "Close at which a rule of risk stepped in."),
        "rule": Column(pl.String, "Its name."),
        "symbol": Column(pl.String, "Symbol it stepped in for; null for the whole account.", nullable=True),
        "figure": Column(pl.Float64, "What it looks at, as a fraction of equity."),
        "limit": Column(pl.Float64, "Most that it lets pass."),
    },
    "open_orders": {
        "symbol": _SYMBOL,
        "open_time": Column(TIME, "Bar at whose close it was decided; it was not done when the data ended."),
        "wanted": Column(pl.Float64, "Position wanted, in units."),
    },
    "funding": {
        "symbol": _SYMBOL,
        "time": Column(TIME, "When it was paid."),
        "open_time": Column(TIME, "Start of the bar that books it."),
        "quantity": Column(pl.Float64, "Position held, in units, short ones below 0."),
        "price": Column(pl.Float64, "Price the position was marked at.", above=0),
        "rate": Column(pl.Float64, "Rate of its value that longs pay and shorts get."),
        "amount": Column(pl.Float64, "Paid, received below 0."),
    },
    "daily": _DAILY,
    "baselines": {"name": Column(pl.String, "What anyone could have traded."), **_DAILY},
    "regimes": {
        "kind": Column(pl.String, "trend or unrest."),
        "regime": Column(pl.String, "bull, bear, range; high, low; unknown where history is too short."),
        "days": Column(pl.Int64, "Days in it.", minimum=0),
        "share": _score("Share of all days."),
        "total_return": _score("Return over these days together."),
        "sharpe_ratio": _score("Sharpe ratio of these days, a year."),
        "worst_day": _score("Lowest return of a day."),
    },
    "sensitivity": {
        "edge": Column(pl.Float64, "Least edge asked, in multiples of what the experiment asks with its costs."),
        "cost_scale": Column(pl.Float64, "What its costs were multiplied by."),
        "added_bars": Column(pl.Int64, "Bars of delay beside that of its costs.", minimum=0),
        **_OUTCOME,
    },
    "shocks": {
        "shock": Column(pl.String, "What struck."),
        "moment": Column(TIME, "When; null: throughout.", nullable=True),
        **_OUTCOME,
    },
    "grid": {"variant": Column(pl.Int64, "The same account under other settings, held constant.", minimum=0), **_DAILY},
    "policies": {
        "symbol": _SYMBOL,
        "as_of": Column(TIME, "From when on it was in force."),
        "is_complete": Column(pl.Boolean, "Whether a whole window of predictions lay before it."),
        "min_confidence": _score("Least probability of the side; null: flat."),
        "min_edge": _score("Least expected move; null: flat."),
        "base_risk_fraction": _score("Equity at risk at the least confidence; null: flat."),
        "max_risk_fraction": _score("Equity at risk at certainty; null: flat."),
    },
    "passing": {
        "symbol": _SYMBOL,
        "forecasts": Column(pl.Int64, "Forecasts in the range.", minimum=0),
        "sure": Column(pl.Int64, "Those confident enough for the policy in force.", minimum=0),
        "worth": Column(pl.Int64, "Those whose edge was enough.", minimum=0),
        "long": Column(pl.Int64, "Those that were both, upwards.", minimum=0),
        "short": Column(pl.Int64, "Those that were both, downwards.", minimum=0),
    },
    "scores": {
        "as_of": Column(pl.Date, "When the models scored came into force."),
        "universe": Column(pl.String, "Symbol they were fitted on, or pooled."),
        "model": Column(pl.String, "Member's name, or ensemble."),
        "horizon": Column(pl.Int64, "Bars ahead.", minimum=1),
        "rows": Column(pl.Float64, "Bars scored, out of sample.", minimum=0),
        "metric": Column(pl.String, "Proper score of the task: log_loss, rmse or pinball."),
        "loss": _score("That score; lower is better."),
        "constant_loss": _score("The same of the training rows' class shares, mean or quantiles, whatever the bar."),
        "touched_share": _score("Share of them whose label touched a barrier."),
        "brier_score": _score("Mean squared distance of the probabilities from what came, 0 to 2."),
        "accuracy": _score("Share of bars whose likeliest class came."),
        "macro_f1": _score("Mean over the classes of the F1 score of the likeliest class."),
        "macro_f1_chance": _score("Macro F1 of the same forecasts dealt out at random."),
        "direction_gain": _score("Nats a touched bar by which direction is forecast better than its base rate."),
        "r2": _score("Share of the variance of what came that is forecast, against its own mean."),
        "sign_accuracy": _score("Share of bars whose sign was forecast, where neither is 0."),
        "coverage": _score("Share of bars between the outer quantiles."),
    },
    "levels": {
        "model": Column(pl.String, "Member's name, ensemble, or the training quantiles whatever the bar."),
        "horizon": Column(pl.Int64, "Bars ahead.", minimum=1),
        "level": _score("Quantile; null for the range between the outer two."),
        "wanted": Column(pl.Float64, "Share of bars that should come at or under it, or in the range.", minimum=0),
        "share": Column(pl.Float64, "Share of bars that did, over all as-ofs.", minimum=0, maximum=1),
        "low": _score("Lower end of its 95 % block-bootstrap interval; null where rows are too few."),
        "high": _score("Upper end of it."),
        "pinball": Column(pl.Float64, "Mean pinball loss at the level; of the range: the mean over levels.", minimum=0),
        "independent": Column(pl.Float64, "Independent rows behind it: overlap and symbols count once.", minimum=0),
        "is_thin": Column(pl.Boolean, "Whether these are too few to know the level by."),
    },
}

TABLES: Mapping[str, Table] = MappingProxyType(
    {name: Table(name, columns, key=(), unique=False) for name, columns in _TABLES.items()}
)
"""Every frame of `nightfold.evaluation.Evaluation` by name."""
