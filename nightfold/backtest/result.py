"""What a simulated account did, as tables, down to each fill."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from nightfold.schema import TIME

REASONS = ("order", "stop", "target", "liquidation")
CAUSES = ("no short on spot", "max_position", "max_gross", "short of cash")
FILLS: dict[str, pl.DataType | type[pl.DataType]] = {
    "symbol": pl.String,
    "time": TIME,
    "open_time": TIME,
    "reason": pl.String,
    "quantity": pl.Float64,
    "price": pl.Float64,
    "reference_price": pl.Float64,
    "fee": pl.Float64,
    "spread_cost": pl.Float64,
    "slippage_cost": pl.Float64,
}


@dataclass(frozen=True, slots=True)
class Backtest:
    """A simulated run; amounts are in quote currency, quantities in units of the symbol.

    Attributes
    ----------
    capital
        Equity at the start.
    equity
        One row a bar time, at the close: ``close_time``, ``equity``, ``cash``, ``gross_exposure`` (sum of absolute
        positions at the last closes that traded) and ``net_exposure``; ``equity = cash + net_exposure``.
    fills
        In order: ``symbol``, ``time`` (the open, or for a stop or target met within the bar its close),
        ``open_time`` of the bar, ``reason`` (order, stop, target, liquidation), signed ``quantity``, ``price``,
        ``reference_price`` (before spread and slippage), ``fee``, ``spread_cost``, ``slippage_cost``.
    trades
        Flat to flat, by entry: ``symbol``, ``side`` (1, -1), ``entry_time``, ``exit_time`` (null while open),
        ``quantity`` entered, mean ``entry_price`` and ``exit_price`` (null where nothing was sold), ``fees``,
        ``funding`` paid, ``profit`` net of both, ``return_`` (profit by value entered), ``bars`` (rows from entry
        to exit), ``is_open``, ``exit_reason``.
    rejected
        What was wanted and not had: ``symbol``, ``time``, ``open_time``, ``reason``, the ``wanted`` position and
        the part of it that was ``dropped``.
    open_orders
        Decided, but not due before the end: ``symbol``, ``open_time`` of the decision, ``wanted`` position.
    funding
        Payments: ``symbol``, ``time``, ``open_time`` of the bar that books it (the one behind, for stamps in a
        hole), position ``quantity``, mark ``price``, ``rate``, ``amount`` paid.
    is_ruined
        Whether equity was used up; the run ended there.
    """

    capital: float
    equity: pl.DataFrame
    fills: pl.DataFrame
    trades: pl.DataFrame
    rejected: pl.DataFrame
    open_orders: pl.DataFrame
    funding: pl.DataFrame
    is_ruined: bool


def daily_returns(backtest: Backtest) -> pl.DataFrame:
    """Measure simple returns of equity from UTC day to UTC day.

    The day of a bar is the UTC day of its close, where 00:00 still belongs to the day before. Days in a hole, like
    flat ones, return 0; the first day counts from the capital, and a partial last day counts.

    Returns
    -------
    DataFrame
        ``day`` (Date) and ``daily_return``, one row for each day from the first to the last.
    """
    last = (
        backtest.equity.group_by(day=(pl.col("close_time") - pl.duration(milliseconds=1)).dt.date())
        .agg(pl.col("equity").last())
        .sort("day")
    )
    return (
        last.upsample("day", every="1d")
        .select("day", pl.col("equity").forward_fill())
        .select("day", daily_return=pl.col("equity") / pl.col("equity").shift(fill_value=backtest.capital) - 1)
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """Symbol, open time and interval behind the row numbers of the kernel's records."""

    symbol: pl.Series
    open_time: pl.Series
    interval: int

    def symbols(self, rows: pl.Series) -> pl.Series:
        """Symbol of each row."""
        return self.symbol.gather(rows)

    def opens(self, rows: pl.Series) -> pl.Series:
        """Open time of each row."""
        return self.open_time.gather(rows)

    def times(self, records: pl.DataFrame, rows: str = "row") -> pl.Series:
        """When something happened: at the bar's open, or else known at its close."""
        late = (1 - records["at_open"]) * self.interval
        return (self.opens(records[rows]).to_physical() + late).cast(TIME)


def records(array: np.recarray, count: int) -> pl.DataFrame:
    """Turn the first records of an array into a frame."""
    names = array.dtype.names or ()
    return pl.DataFrame({name: np.ascontiguousarray(array[name][:count]) for name in names})


def named(codes: pl.Series, names: tuple[str, ...]) -> pl.Series:
    """Spell out codes; -1 becomes null."""
    return codes.replace_strict(dict(enumerate(names)), default=None, return_dtype=pl.String)


def equity_frame(points: pl.DataFrame, interval: int) -> pl.DataFrame:
    """Account value at each close."""
    return points.select(
        close_time=(pl.col("time") + interval).cast(TIME),
        equity="equity",
        cash="cash",
        gross_exposure="gross",
        net_exposure="net",
    )


def fills_frame(fills: pl.DataFrame, rows: Rows) -> pl.DataFrame:
    """Every fill, in order."""
    return fills.with_columns(
        rows.symbols(fills["row"]).alias("symbol"),
        rows.times(fills).alias("time"),
        rows.opens(fills["row"]).alias("open_time"),
        named(fills["reason"], REASONS).alias("reason"),
    ).select(pl.col(name).cast(dtype) for name, dtype in FILLS.items())


def trades_frame(trades: pl.DataFrame, rows: Rows) -> pl.DataFrame:
    """Every trade, by entry."""
    closed = ~pl.col("is_open").cast(pl.Boolean)
    return (
        trades.with_columns(
            rows.symbols(trades["entry_row"]).alias("symbol"),
            rows.opens(trades["entry_row"]).alias("entry_time"),
            rows.times(trades, "exit_row").alias("exit_time"),
            named(trades["reason"], REASONS).alias("exit_reason"),
        )
        .select(
            "symbol",
            pl.col("side").cast(pl.Int8),
            "entry_time",
            exit_time=pl.when(closed).then("exit_time"),
            quantity="quantity",
            entry_price=pl.col("entry_value") / pl.col("quantity"),
            exit_price=pl.when(pl.col("exited") > 0).then(pl.col("exit_value") / pl.col("exited")),
            fees="fees",
            funding="funding",
            profit="profit",
            return_=pl.col("profit") / pl.col("entry_value"),
            bars=pl.col("exit_row") - pl.col("entry_row"),
            is_open=~closed,
            exit_reason="exit_reason",
        )
        .sort("entry_time", "symbol", maintain_order=True)
    )


def rejected_frame(rejected: pl.DataFrame, rows: Rows) -> pl.DataFrame:
    """Whatever was wanted and not had."""
    return rejected.select(
        rows.symbols(rejected["row"]).alias("symbol"),
        rows.times(rejected).alias("time"),
        rows.opens(rejected["row"]).alias("open_time"),
        named(rejected["reason"], CAUSES).alias("reason"),
        "wanted",
        "dropped",
    )


def payments_frame(payments: pl.DataFrame, rows: Rows) -> pl.DataFrame:
    """Funding paid (received where the amount is negative)."""
    return payments.select(
        rows.symbols(payments["row"]).alias("symbol"),
        rows.times(payments).alias("time"),
        rows.opens(payments["row"]).alias("open_time"),
        "quantity",
        "price",
        "rate",
        amount=pl.col("quantity") * pl.col("price") * pl.col("rate"),
    )
