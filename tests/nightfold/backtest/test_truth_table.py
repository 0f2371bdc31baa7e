"""Tiny cases worked out by hand, bar by bar: what was decided at its close, and what must have filled in it.

They are in `truth_table.txt`. A row is a bar: ``open high low close`` (one number: it stood still; ``v0``: its volume;
``-``: it is missing), then the decision at its close, then its fills. An account starts with 10,000 and without costs;
half of it at 100 is 50 units.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits

Make = Callable[..., pl.DataFrame]

TABLE = Path(__file__).with_name("truth_table.txt")


@dataclass
class Case:
    """One case of the table."""

    settings: dict[str, Any] = field(default_factory=dict)
    start: timedelta = timedelta(0)
    bars: list[tuple[float, ...] | None] = field(default_factory=list)
    decisions: dict[int, dict[str, float]] = field(default_factory=dict)
    fills: list[tuple[int, str, float, float]] = field(default_factory=list)
    equity: float = 0.0
    listed: dict[str, list[tuple[str, float]]] = field(default_factory=lambda: {"rejected": [], "trigger": []})

    def read(self, line: str) -> None:
        """Take in one line."""
        word, _, rest = line.partition(" ")
        if word == "with":
            for setting in rest.split(","):
                name, value = setting.split()
                self.settings[name] = value if value.isalpha() else float(value)
        elif word == "from":
            hours, minutes = map(int, rest.split(":"))
            self.start = timedelta(hours=hours, minutes=minutes)
        elif word == "equity":
            self.equity = float(rest)
        elif word in self.listed:
            name, _, figure = rest.rpartition(" ")
            self.listed[word].append((name, float(figure)))
        else:
            self.read_bar(*(part.strip() for part in [*line.split("|"), "", ""][:3]))

    def read_bar(self, candle: str, decision: str, fills: str) -> None:
        """Take in one bar."""
        number = len(self.bars)
        words = candle.split()
        volume = float(words.pop()[1:]) if words[-1].startswith("v") else 1e6
        prices = [] if candle == "-" else [float(word) for word in words]
        self.bars.append((*(prices * 4)[:4], volume) if prices else None)
        if decision:
            target, *named = decision.split()
            self.decisions[number] = {
                "target": float(target),
                **{name: float(price) for name, price in zip(named[::2], named[1::2], strict=True)},
            }
        for fill in filter(None, fills.split(";")):
            reason, quantity, _, price = fill.split()
            self.fills.append((number, reason, float(quantity), float(price)))


def cases() -> dict[str, Case]:
    """Read the table."""
    found: dict[str, Case] = {}
    name = ""
    for line in filter(None, map(str.strip, TABLE.read_text().splitlines())):
        if line.startswith("== "):
            name = line[3:]
            assert name not in found
            found[name] = Case()
        else:
            found[name].read(line)
    return found


FREE = {
    "taker_fee_bps": 0,
    "maker_fee_bps": 0,
    "half_spread_bps": 0,
    "slippage_bps": 0,
    "funding_rate": 0,
}


def settings_of(case: Case) -> tuple[Costs, RiskLimits]:
    """Sort settings into costs and limits; those of a rule have a dot in their names."""
    costs: dict[str, Any] = dict(FREE)
    limits: dict[str, Any] = {}
    for name, value in case.settings.items():
        rule, _, setting = name.rpartition(".")
        if rule:
            limits.setdefault(rule, {})[setting] = value
        else:
            (costs if name in Costs.model_fields else limits)[name] = value
    return Costs(**costs), RiskLimits(**limits)


def test_the_table_is_long_enough() -> None:
    assert len(cases()) >= 60


@pytest.mark.parametrize("case", cases().values(), ids=cases().keys())
def test_a_case_of_the_table(case: Case, candles: Make, at: Callable[[int], Any]) -> None:
    bars = candles(case.bars).with_columns(pl.col("open_time") + case.start)
    rows = [{"symbol": "BTCUSDT", "open_time": at(bar) + case.start, **said} for bar, said in case.decisions.items()]
    names = {"stop": "stop", "take": "take_profit", "limit": "limit"}
    prices = dict.fromkeys(("target", *names), pl.Float64)
    targets = pl.DataFrame(rows, schema={"symbol": pl.String, "open_time": pl.Datetime("ms", "UTC"), **prices})
    costs, limits = settings_of(case)
    result = simulate(bars, targets.rename(names), costs, limits)
    found = result.fills.select("open_time", "reason").rows()
    assert found == [(at(bar) + case.start, reason) for bar, reason, _, _ in case.fills]
    assert result.fills["quantity"].to_list() == pytest.approx([quantity for _, _, quantity, _ in case.fills])
    assert result.fills["price"].to_list() == pytest.approx([price for _, _, _, price in case.fills])
    assert result.equity["equity"][-1] == pytest.approx(case.equity)
    for expected, found in (
        (case.listed["rejected"], result.rejected.select("reason", "dropped").rows()),
        (case.listed["trigger"], result.triggers.select("rule", "figure").rows()),
    ):
        assert [name for name, _ in found] == [name for name, _ in expected]
        assert [figure for _, figure in found] == pytest.approx([figure for _, figure in expected])
    assert result.trades["profit"].sum() == pytest.approx(result.equity["equity"][-1] - result.capital, abs=1e-9)
