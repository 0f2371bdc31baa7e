"""What a tearsheet says of its account: rules that its market does not have, and funding that nobody recorded."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from nightfold.backtest.funding import constant_funding
from nightfold.backtest.table import TABLES
from nightfold.evaluation import BacktestRange, Evaluation, evaluate
from nightfold.experiment import Experiment
from nightfold.labels.table import LabelSet
from nightfold.report import tearsheet_input
from nightfold.schema import TIME

START = datetime(2024, 3, 4, tzinfo=UTC)
BARS = 400
HORIZON = 4
RATE = 0.0001
END = START + BARS * timedelta(minutes=5)


def experiment(**settings: Any) -> Experiment:
    return Experiment.model_validate(
        {
            "name": "e",
            "first_as_of": "2024-03-04",
            "target": {"horizons": [HORIZON]},
            "models": {"class_frequencies": None},
            "strategy": {"horizon": HORIZON},
            **settings,
        }
    )


def evaluated(symbols: list[str], funding: pl.DataFrame | None = None, **settings: Any) -> Evaluation:
    """A price that swings, and a forecast of up for its last 300 bars."""
    times = pl.Series([START + n * timedelta(minutes=5) for n in range(BARS)], dtype=TIME)
    price = 100.0 + pl.int_range(BARS, eager=True) % 7
    one = pl.DataFrame({"open_time": times, "open": price, "high": price, "low": price, "close": price, "volume": 1.0})
    bars = pl.concat([one.select(pl.lit(symbol).alias("symbol"), pl.all()) for symbol in symbols])
    said = {"p_down": 0.1, "p_flat": 0.1, "p_up": 0.8}
    rows = bars.select("symbol", "open_time")
    predictions = rows.with_columns(
        pl.lit(START).cast(TIME).alias("as_of"),
        pl.lit(0.01).alias("volatility"),
        *(pl.lit(v).alias(f"{w}{n}_{HORIZON}") for n, v in said.items() for w in ("", "class_frequencies_")),
    )
    labels = rows.with_columns(pl.lit(1, pl.Int8).alias(f"label_{HORIZON}"))
    constants = {("pooled", "2024-03-04", HORIZON): [0.3, 0.4, 0.3]}
    chosen, choices = LabelSet(horizons=[HORIZON]), BacktestRange()
    made = experiment(**settings)
    return evaluate(made, chosen, bars, predictions, labels, constants, choices, funding=funding)


def remarks(symbols: list[str], funding: pl.DataFrame | None = None, **settings: Any) -> list[str]:
    page = tearsheet_input(
        experiment(**settings),
        evaluated(symbols, funding, **settings),
        symbols=symbols,
        interval="5m",
        is_simulated=False,
        market="",
        settings="",
        provenance={},
    )
    return [" ".join(remark.split()) for remark in page.remarks]


PERPETUAL: dict[str, Any] = {"limits": {"instrument": "perpetual"}, "costs": {"funding_rate": RATE}}
SPOT_BARS = (
    "Perpetual rules on spot bars: {} may be sold short and held on margin here, at prices of a market where that "
    "cannot be done."
)
ASSUMED = "Funding of {} is an assumed constant, 0.01 % of a position each 8 hours, in place of recorded rates."


def recorded(*symbols: str) -> pl.DataFrame:
    start, end = (int(each.timestamp() * 1000) for each in (START - timedelta(days=1), END + timedelta(days=1)))
    return pl.concat([constant_funding(symbol, start, end, RATE) for symbol in symbols])


@pytest.mark.parametrize(
    ("symbols", "known", "expected"),
    [
        (["A", "B"], (), [SPOT_BARS.format("A, B"), ASSUMED.format("A, B")]),
        (["A", "B.P"], ("A",), [SPOT_BARS.format("A"), ASSUMED.format("B.P")]),
        (["B.P"], ("B.P",), []),
        (["A"], ("A",), [SPOT_BARS.format("A")]),
    ],
)
def test_a_perpetual_account_says_what_its_market_does_not_have(
    symbols: list[str], known: tuple[str, ...], expected: list[str]
) -> None:
    assert remarks(symbols, recorded(*known) if known else None, **PERPETUAL) == expected


def test_a_spot_account_says_only_that_it_cannot_go_short() -> None:
    (said,) = remarks(["A"])
    assert said.startswith("The account is a spot account: it cannot go short")


def test_open_orders_and_funding_are_stored_and_shown() -> None:
    late = {"funding_rate": RATE, "latency_bars": 5}
    settings = {**PERPETUAL, "costs": late, "strategy": {"horizon": HORIZON, "exit": "barrier", "hold_bars": 3}}
    result = evaluated(["A.P", "B.P"], **settings)
    for name, table in TABLES.items():
        table.validate(table.conform(getattr(result, name)))
    ends = result.equity["close_time"][-1]
    assert result.open_orders.height > 0
    assert result.open_orders["open_time"].min() >= ends - timedelta(minutes=5 * 6)
    paid = result.funding
    assert paid.height > 2
    assert (paid["amount"] - paid["quantity"] * paid["price"] * RATE).abs().max() == pytest.approx(0.0)
    assert paid["amount"].sum() == pytest.approx(result.trades["funding"].sum())
    page = tearsheet_input(
        experiment(**settings),
        result,
        symbols=["A.P", "B.P"],
        interval="5m",
        is_simulated=False,
        market="",
        settings="",
        provenance={},
    )
    assert page.funding is result.funding
    assert page.open_orders is result.open_orders


def test_a_trade_that_ran_out_of_time_says_so() -> None:
    """Barrier exits end a position when its time is over although its side is favoured still, and enter it anew."""
    strategy = {"horizon": HORIZON, "exit": "barrier", "hold_bars": 1}
    closed = evaluated(["A"], strategy=strategy).trades.filter(~pl.col("is_open"))
    assert {"time"} < set(closed["exit_reason"]) <= {"time", "stop", "target"}
