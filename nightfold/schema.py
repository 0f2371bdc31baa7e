"""Tables as they lie in the lake: column names, types, meanings, and the checks they must pass."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from nightfold.errors import SchemaError

if TYPE_CHECKING:
    import pandera.polars as pa
    from pandera.errors import SchemaErrors

TIME = pl.Datetime("ms", "UTC")
PRICES = ("open", "high", "low", "close")
FLOW = ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")
FLAGS = ("gap_filled", "outlier", "duplicate_dropped", "zero_volume")
KEY = ("symbol", "open_time")

_CASE_LETTERS = 100


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, what it means to a reader, and the range its values keep."""

    dtype: pl.DataType | type[pl.DataType]
    description: str
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None


@dataclass(frozen=True)
class Table:
    """A named set of columns in their order, unique and sorted by ``key`` where one is given."""

    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...] = KEY
    unique: bool = True

    @cached_property
    def dtypes(self) -> dict[str, pl.DataType]:
        """Polars type of each column, in order."""
        return {name: _instance(column.dtype) for name, column in self.columns.items()}

    @cached_property
    def pandera(self) -> "pa.DataFrameSchema":
        """The same table as a strict pandera schema."""
        import pandera.polars as pa

        return pa.DataFrameSchema(
            {name: _pandera_column(column) for name, column in self.columns.items()},
            name=self.name,
            strict=True,
            ordered=True,
            unique=list(self.key) if self.unique else None,
        )

    def empty(self) -> pl.DataFrame:
        """Return a frame of no rows."""
        return pl.DataFrame(schema=self.dtypes)

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Bring a frame into column order and type, with absent nullable columns as nulls.

        Raises
        ------
        SchemaError
            If a required column is absent or a value does not fit its type.
        """
        absent = [n for n, c in self.columns.items() if n not in frame.columns and not c.nullable]
        if absent:
            raise SchemaError(
                f"`{self.name}` lacks the columns {', '.join(absent)}; it has {', '.join(frame.columns)}."
            )
        try:
            return frame.select(
                (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
                for name, dtype in self.dtypes.items()
            )
        except pl.exceptions.PolarsError as error:
            raise SchemaError(f"`{self.name}`: a column has values of the wrong type: {error}") from error

    def validate(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Check names, types, nulls, ranges, uniqueness and order; return the frame unchanged.

        One pass over the rows tells whether anything is wrong; only then pandera looks for what, column by column.

        Raises
        ------
        SchemaError
            With every fault found, not just the first.
        """
        if list(frame.schema.items()) == list(self.dtypes.items()) and frame.select(self._sound).row(0) == (True,):
            return frame
        raise SchemaError(f"`{self.name}` breaks its schema: {'; '.join(self._faults(frame))}.")

    @cached_property
    def _sound(self) -> pl.Expr:
        """Whether all rows of a frame with the right columns keep what the pandera schema and the order demand."""
        claims = [claim for name, column in self.columns.items() for claim in _claims(pl.col(name), column)]
        if self.key:
            claims.append(_rises(self.key, strictly=self.unique))
        return pl.all_horizontal(claim.all() for claim in claims).alias("sound")

    def _faults(self, frame: pl.DataFrame) -> list[str]:
        from pandera.errors import SchemaErrors

        faults = []
        try:
            self.pandera.validate(frame, lazy=True)
        except SchemaErrors as error:
            faults += _listed(error)
        if set(self.key) <= set(frame.columns) and not frame.select(_rises(self.key, strictly=False).all()).item():
            faults.append(f"rows are not sorted by {', '.join(self.key)}; sort them before they are stored")
        return faults


def _claims(values: pl.Expr, column: Column) -> list[pl.Expr]:
    """Say what the pandera column checks, as expressions that are true, or null for a null."""
    limits = [(column.minimum, values.ge), (column.maximum, values.le), (column.above, values.gt)]
    claims = [compare(limit) for limit, compare in limits if limit is not None]
    if _instance(column.dtype).is_float():
        claims.append(values.is_finite())
    return claims if column.nullable else [*claims, values.is_not_null()]


def _rises(key: tuple[str, ...], *, strictly: bool) -> pl.Expr:
    """Whether each row comes after the one before it; null for the first."""
    rises = pl.lit(not strictly)
    for name in reversed(key):
        now, before = pl.col(name), pl.col(name).shift(1)
        rises = (before < now) | ((before == now) & rises)
    return rises


def _instance(dtype: pl.DataType | type[pl.DataType]) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype


def _pandera_column(column: Column) -> "pa.Column":
    import pandera.polars as pa

    checks = []
    if column.minimum is not None:
        checks.append(pa.Check.ge(column.minimum))
    if column.maximum is not None:
        checks.append(pa.Check.le(column.maximum))
    if column.above is not None:
        checks.append(pa.Check.gt(column.above))
    if _instance(column.dtype).is_float():
        checks.append(pa.Check(_finite, name="finite"))
    return pa.Column(column.dtype, checks=checks, nullable=column.nullable, description=column.description)


def _finite(data: "pa.PolarsData") -> pl.LazyFrame:
    return data.lazyframe.select(pl.col(data.key).is_finite() | pl.col(data.key).is_null())


def _listed(error: "SchemaErrors") -> list[str]:
    faults = error.failure_cases.group_by("column", "check", maintain_order=True).agg(
        pl.len(), pl.col("failure_case").cast(pl.String).first().str.head(_CASE_LETTERS)
    )
    return [
        f"{column or 'frame'}: {check} fails {count} times, first with {case}"
        for column, check, count, case in faults.iter_rows()
    ]


_TIME = Column(TIME, "Start of the bar, UTC; the bar is known at open_time + interval.")
_SYMBOL = Column(pl.String, "Spot BTCUSDT, perpetual BTCUSDT.P.")
_OHLCV = {
    "open": Column(pl.Float64, "First traded price, in quote currency.", above=0),
    "high": Column(pl.Float64, "Highest traded price, in quote currency.", above=0),
    "low": Column(pl.Float64, "Lowest traded price, in quote currency.", above=0),
    "close": Column(pl.Float64, "Last traded price, in quote currency.", above=0),
    "volume": Column(pl.Float64, "Traded amount, in base currency.", minimum=0),
}
_FLOW = {
    "quote_volume": Column(pl.Float64, "Traded amount, in quote currency.", nullable=True, minimum=0),
    "trades": Column(pl.Int64, "Number of trades.", nullable=True, minimum=0),
    "taker_buy_base": Column(pl.Float64, "Part of volume bought by takers.", nullable=True, minimum=0),
    "taker_buy_quote": Column(pl.Float64, "Part of quote_volume bought by takers.", nullable=True, minimum=0),
}
_ANY_OHLCV = {name: Column(pl.Float64, column.description, nullable=True) for name, column in _OHLCV.items()}

RAW_BARS = Table(
    "raw_bars",
    {
        "symbol": _SYMBOL,
        "open_time": _TIME,
        "venue": Column(pl.String, "Exchange or market the row was recorded on."),
        **_ANY_OHLCV,
        **{name: Column(c.dtype, c.description, nullable=True) for name, c in _FLOW.items()},
    },
    key=("symbol", "open_time"),
    unique=False,
)
BARS = Table(
    "bars",
    {
        "symbol": _SYMBOL,
        "open_time": _TIME,
        **_OHLCV,
        **_FLOW,
        "source": Column(pl.String, "Venue the row came from; several joined by + where consolidated."),
        "gap_filled": Column(pl.Boolean, "The bar was missing and is a flat repeat of the last close."),
        "outlier": Column(
            pl.Boolean, "A wick was cut back to what the bars before it allow, or another venue's bar was taken."
        ),
        "duplicate_dropped": Column(pl.Boolean, "The source had this bar more than once; one was kept."),
        "zero_volume": Column(pl.Boolean, "Nothing traded in the bar."),
    },
)
