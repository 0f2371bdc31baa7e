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
        "time": Column(TIME, "Open of the bar, or its close for a stop or target met within it."),
        "open_time": _BAR,
        "reason": Column(pl.String, "order, stop, target or liquidation."),
        "quantity": Column(pl.Float64, "Units bought, sold ones below 0."),
        "price": Column(pl.Float64, "Price paid or got, spread and slippage included."),
        "reference_price": Column(pl.Float64, "The market's price before spread and slippage."),
        "fee": Column(pl.Float64, "Commission."),
        "spread_cost": Column(pl.Float64, "Paid through half the spread."),
        "slippage_cost": Column(pl.Float64, "Paid through slippage."),
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
        "exit_reason": Column(pl.String, "Why it was left: order, stop, target or liquidation.", nullable=True),
    },
    "rejected": {
        "symbol": _SYMBOL,
        "time": Column(TIME, "When it was wanted."),
        "open_time": _BAR,
        "reason": Column(pl.String, "Which limit stood against it."),
        "wanted": Column(pl.Float64, "Position wanted, in units."),
        "dropped": Column(pl.Float64, "Part of it that was not had."),
    },
    "daily": _DAILY,
    "holding": {
        "day": _DAILY["day"],
        "daily_return": Column(pl.Float64, "The same of buying everything at the start and keeping it."),
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
}

TABLES: Mapping[str, Table] = MappingProxyType(
    {name: Table(name, columns, key=(), unique=False) for name, columns in _TABLES.items()}
)
"""Every frame of `nightfold.evaluation.Evaluation` by name."""
