"""Stress replays: what an account did during the days of an event, beside the market it could have held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Self

import polars as pl
from pydantic import Field, model_validator

from nightfold.errors import ConfigError, SchemaError
from nightfold.interval import duration
from nightfold.schema import TIME, Column, Table
from nightfold.spec import Spec
from nightfold.window import midnight

REPLAYS = Table(
    "replays",
    {
        "event": Column(pl.String, "Short name of what happened."),
        "experiment": Column(pl.String, "Whose account it is."),
        "first_day": Column(pl.Date, "First day of the event, UTC."),
        "last_day": Column(pl.Date, "Its last day, included."),
        "days": Column(
            pl.Float64, "Days from its start to the last close there is; fewer where the bars end within.", above=0
        ),
        "in_force_since": Column(pl.Date, "As-of of the model that was in force as it began."),
        "trained_until": Column(TIME, "Latest end of a label that model may have learnt from."),
        "models": Column(
            pl.Int64, "Models in force during the days, each trained on what lay before its own as-of.", minimum=1
        ),
        "total_return": Column(pl.Float64, "Return of the account over the days, after costs."),
        "max_drawdown": Column(pl.Float64, "Its deepest fall from a close of these days, 0 or less.", maximum=0),
        "trades": Column(pl.Int64, "Trades that were open at some time of them.", minimum=0),
        "holding_return": Column(
            pl.Float64, "Return of all symbols bought in equal parts as the event began, before costs."
        ),
        "holding_drawdown": Column(pl.Float64, "The deepest fall of those.", maximum=0),
        "verdict": Column(pl.String, "gained, lost or flat: the sign of the account's return."),
    },
    key=(),
    unique=False,
)


class StressEvent(Spec):
    """The settings of an `event.yaml`: which days the event had, and why these."""

    name: str
    """Short name, by default that of the file's folder."""
    title: str
    """Its name for people."""
    first_day: date
    """First day, UTC."""
    last_day: date
    """Last day, included."""
    why: str = Field(min_length=1)
    """What happened on the first and on the last day."""

    @model_validator(mode="after")
    def _check_days(self) -> Self:
        if self.last_day < self.first_day:
            raise ConfigError(f"`last_day` is {self.last_day}; it must not be before `first_day`, {self.first_day}.")
        return self

    @property
    def start(self) -> datetime:
        """00:00 of the first day."""
        return midnight(self.first_day)

    @property
    def end(self) -> datetime:
        """00:00 after the last day."""
        return midnight(self.last_day + timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Stretch:
    """What became of some money within the days of an event.

    Parameters
    ----------
    total_return
        From the last close before them to the last close of them.
    max_drawdown
        Deepest fall from the highest close so far, that before them included; 0 or less.
    until
        The last close.
    """

    total_return: float
    max_drawdown: float
    until: datetime


def measure(worth: pl.DataFrame, event: StressEvent) -> Stretch:
    """Measure a curve of worth within the days of an event.

    Parameters
    ----------
    worth
        ``close_time`` and ``equity``, in order of time; no nulls. A close at 00:00 belongs to the day before.
    event
        Its days.

    Raises
    ------
    ConfigError
        If the curve does not begin before the event, or ends before it.

    Examples
    --------
    >>> event = StressEvent(name="fall", title="Fall", first_day="2024-01-02", last_day="2024-01-02", why="It fell.")
    >>> hours = [event.start + timedelta(hours=8 * n) for n in range(-1, 5)]
    >>> worth = pl.DataFrame({"close_time": hours, "equity": [90.0, 100.0, 110.0, 55.0, 80.0, 10.0]})
    >>> found = measure(worth, event)
    >>> round(found.total_return, 6), found.max_drawdown, found.until == event.end
    (-0.2, -0.5, True)
    """
    time = pl.col("close_time")
    before = worth.filter(time <= event.start)
    within = worth.filter((time > event.start) & (time <= event.end))
    if before.is_empty() or within.is_empty():
        span = f"covers {worth['close_time'].min()!s} to {worth['close_time'].max()!s}" if worth.height else "is empty"
        raise ConfigError(
            f"{event.title} is {event.first_day} to {event.last_day}, and the account {span}; it must begin before the "
            "event: set `first_as_of` to an earlier date, and `start` and `end` of the universe around both."
        )
    equity = pl.concat([before[-1:], within])["equity"]
    fallen = (equity / equity.cum_max() - 1.0).to_numpy()
    return Stretch(equity[-1] / equity[0] - 1.0, float(fallen.min()), within["close_time"][-1])


def held_worth(bars: pl.DataFrame, event: StressEvent, interval: str) -> pl.DataFrame:
    """Follow the worth of 1, put into every symbol in equal parts as the event begins and left alone; before costs.

    Parameters
    ----------
    bars
        ``symbol``, ``open_time``, ``close``; any order. A symbol without a bar keeps its last close.
    event
        Its days; bought at the last close before them.
    interval
        Length of a bar, such as ``5m``.

    Returns
    -------
    DataFrame
        ``close_time`` and ``equity``, from that close on, in order of time.

    Raises
    ------
    SchemaError
        If a symbol has no bar before the event.
    """
    closes = bars.select("symbol", "close", close_time=pl.col("open_time") + duration(interval))
    table = closes.pivot("symbol", index="close_time", values="close").sort("close_time")
    table = table.with_columns(pl.exclude("close_time").forward_fill())
    bought = table.filter(pl.col("close_time") <= event.start)[-1:]
    symbols = [name for name in table.columns if name != "close_time"]
    late = [name for name in symbols if bought.is_empty() or bought[name][0] is None]
    if late:
        raise SchemaError(
            f"`bars` of {', '.join(late)} begin after {event.start:%Y-%m-%d %H:%M}, when they are bought."
        )
    kept = table.filter(pl.col("close_time") >= bought["close_time"][0])
    return kept.select("close_time", equity=pl.mean_horizontal(pl.col(name) / bought[name][0] for name in symbols))


def replay_row(
    event: StressEvent,
    experiment: str,
    *,
    equity: pl.DataFrame,
    trades: pl.DataFrame,
    held: pl.DataFrame,
    in_force: Sequence[date],
    trained_until: Mapping[date, datetime],
) -> dict[str, object]:
    """Put one replay into a row of `REPLAYS`.

    Parameters
    ----------
    event, experiment
        What happened, and whose account it is.
    equity, trades
        As in `nightfold.backtest.result.Backtest`.
    held
        As from `held_worth`.
    in_force
        As-ofs of the models that forecast bars of these days, ascending.
    trained_until
        Latest end of a label that the model of an as-of may have learnt from.

    Raises
    ------
    ConfigError
        As `measure`, if no model was in force, or the first one's labels end within the event.
    """
    if not in_force:
        raise ConfigError(f"no model of {experiment} was in force during {event.title}; set an earlier `first_as_of`.")
    until = trained_until[in_force[0]]
    if until > event.start:
        raise ConfigError(
            f"the first model of {experiment} knows labels up to {until:%Y-%m-%d %H:%M}, and {event.title} begins on "
            f"{event.first_day}; set an earlier `first_as_of`."
        )
    own, market = measure(equity, event), measure(held, event)
    return {
        "event": event.name,
        "experiment": experiment,
        "first_day": event.first_day,
        "last_day": event.last_day,
        "days": (own.until - event.start) / timedelta(days=1),
        "in_force_since": in_force[0],
        "trained_until": until,
        "models": len(in_force),
        "total_return": own.total_return,
        "max_drawdown": own.max_drawdown,
        "trades": open_within(trades, event).height,
        "holding_return": market.total_return,
        "holding_drawdown": market.max_drawdown,
        "verdict": verdict(own.total_return),
    }


def open_within(trades: pl.DataFrame, event: StressEvent) -> pl.DataFrame:
    """Keep the trades that were open at some time within the days of an event, or were left as it began.

    Parameters
    ----------
    trades
        ``entry_time`` and ``exit_time``, null while open.
    """
    left = pl.col("exit_time").fill_null(event.end)
    return trades.filter((pl.col("entry_time") < event.end) & (left >= event.start))


def verdict(total_return: float) -> str:
    """Say in a word what became of the money.

    Examples
    --------
    >>> verdict(0.02), verdict(-0.02), verdict(0.0)
    ('gained', 'lost', 'flat')
    """
    if total_return == 0.0:
        return "flat"
    return "gained" if total_return > 0.0 else "lost"
