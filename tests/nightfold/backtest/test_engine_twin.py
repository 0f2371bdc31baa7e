"""The simulation against a slow, obvious twin, on real bars and on wild made-up ones."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import CAUSES, REASONS, Backtest

Bar = dict[str, Any]
BPS = 1e-4


@dataclass
class Asset:
    """One symbol as the twin sees it: its bars so far, its position, its orders by the bar that decided."""

    bars: list[Bar] = field(default_factory=list)
    position: float = 0.0
    brackets: tuple[float | None, float | None] = (None, None)
    orders: dict[int, float] = field(default_factory=dict)
    settled: int = -1
    target: float = 0.0
    mark: float | None = None

    @property
    def committed(self) -> float:
        """Position once every order under way has filled."""
        return self.orders[max(self.orders)] if self.orders else self.position

    def take_due(self, latency: int) -> int | None:
        """Return the number of the newest order that is due by now; older ones are void."""
        due = [number for number in self.orders if number + 1 + latency < len(self.bars)]
        for number in due[:-1]:
            del self.orders[number]
        return due[-1] if due else None


class Twin:
    """The account, in plain Python: one bar time after the other, every rule in turn."""

    def __init__(self, costs: Costs, limits: RiskLimits, capital: float, interval: timedelta) -> None:
        self.costs, self.limits, self.cash, self.interval = costs, limits, capital, interval
        self.assets: dict[str, Asset] = {}
        self.fills: list[tuple[str, datetime, str, float, float, float]] = []
        self.equity: list[float] = []

    def step(self, now: datetime, bars: dict[str, Bar]) -> None:
        """Live through one moment of time."""
        for symbol in sorted(bars):
            self.assets.setdefault(symbol, Asset()).bars.append(bars[symbol])
        for symbol in bars:
            self.pay_missed_funding(symbol, self.assets[symbol], now)
        live = {s: a for s in sorted(bars) if bars[s]["volume"] > 0 for a in [self.assets[s]]}
        self.fill_orders(now, live)
        self.walk(now, live)
        for symbol, asset in live.items():
            side, take = np.sign(asset.position), asset.brackets[1]
            best = asset.bars[-1]["high" if side > 0 else "low"]
            if asset.position and take is not None and side * (best - take) > 0:
                self.trade(symbol, now, "target", -asset.position, take)
        for symbol, bar in bars.items():
            self.pay_funding(symbol, now + self.interval, bar["close"])
            if symbol in live or self.assets[symbol].mark is None:
                self.assets[symbol].mark = bar["close"]
        self.equity.append(self.cash + sum(a.position * a.mark for a in self.assets.values() if a.mark))
        self.decide(bars)

    def pay_funding(self, symbol: str, moment: datetime, price: float | None) -> None:
        """Charge the constant rate if the moment is 00:00, 08:00 or 16:00."""
        position = self.assets[symbol].position
        if position and price and self.limits.instrument == "perpetual" and moment.hour % 8 == moment.minute == 0:
            self.cash -= position * price * (self.costs.funding_rate or 0.0)

    def pay_missed_funding(self, symbol: str, asset: Asset, now: datetime) -> None:
        """Charge what fell into the hole before this bar, at the last mark."""
        if len(asset.bars) > 1:
            moment = asset.bars[-2]["time"] + 2 * self.interval
            while moment <= now:
                self.pay_funding(symbol, moment, asset.mark)
                moment += self.interval

    def fill_orders(self, now: datetime, live: dict[str, Asset]) -> None:
        """Trade to the due positions at the open, sells first, and leave at once where the open is beyond a bracket."""
        due: dict[str, tuple[float, int]] = {}
        for symbol, asset in live.items():
            number = asset.take_due(self.costs.latency_bars)
            if number is not None:
                order = asset.orders.pop(number)
                dust = 1e-12 * max(abs(order), abs(asset.position))
                due[symbol] = (order - asset.position if abs(order - asset.position) > dust else 0.0, number)
        buys = {s: change for s, (change, _) in due.items() if change > 0}
        for symbol, (change, number) in due.items():
            if change < 0:
                self.enter(symbol, now, change, number)
        share = 1.0
        if self.limits.instrument == "spot" and self.cost_of(buys) > self.cash:
            low, share = 0.0, 1.0
            for _ in range(200):
                middle = (low + share) / 2
                if self.cost_of({s: q * middle for s, q in buys.items()}) <= self.cash:
                    low = middle
                else:
                    share = middle
            share = low
        for symbol, change in buys.items():
            if share > 0:
                self.enter(symbol, now, change * share, due[symbol][1])
        for symbol, asset in live.items():
            self.leave_at_open(symbol, asset, now, symbol in due and due[symbol][0] != 0)

    def cost_of(self, buys: dict[str, float]) -> float:
        """Cash for some buys at the open."""
        total = 0.0
        for symbol, quantity in buys.items():
            value = quantity * self.assets[symbol].bars[-1]["open"] * (1 + self.distance(symbol))
            total += value + max(value * self.costs.taker_fee_bps * BPS, self.costs.minimum_fee)
        return total

    def enter(self, symbol: str, now: datetime, change: float, number: int) -> None:
        """Fill an order and put up its brackets."""
        asset = self.assets[symbol]
        self.trade(symbol, now, "order", change, asset.bars[-1]["open"])
        decider = asset.bars[number]
        asset.brackets = (decider["stop"], decider["take_profit"]) if asset.position else (None, None)

    def leave_at_open(self, symbol: str, asset: Asset, now: datetime, entered: bool) -> None:
        """Leave where the bar opens beyond a bracket."""
        start, side = asset.bars[-1]["open"], np.sign(asset.position)
        stop, take = asset.brackets
        if asset.position and stop is not None and side * (start - stop) <= 0:
            self.trade(symbol, now, "stop", -asset.position, start)
        elif asset.position and take is not None and side * (start - take) > 0:
            self.trade(symbol, now, "target", -asset.position, start if entered else take)

    def walk(self, now: datetime, live: dict[str, Asset]) -> None:
        """Follow all prices from open to adverse extreme in small steps of the order in which stops are met."""
        held = {s: a for s, a in live.items() if a.position}
        ends = {s: a.bars[-1]["low" if a.position > 0 else "high"] for s, a in held.items()}
        starts = {s: a.bars[-1]["open"] for s, a in held.items()}
        met = []
        for symbol, asset in held.items():
            stop = asset.brackets[0]
            if stop is not None and np.sign(asset.position) * (ends[symbol] - stop) <= 0:
                met.append(((starts[symbol] - stop) / (starts[symbol] - ends[symbol]), symbol, stop))

        def excess(way: float) -> float:
            prices = {s: starts[s] + way * (ends[s] - starts[s]) for s in held}
            prices |= {s: a.mark for s, a in self.assets.items() if s not in held and a.mark}
            equity = self.cash + sum(a.position * prices[s] for s, a in self.assets.items() if a.position)
            value = sum(abs(a.position) * prices[s] for s, a in self.assets.items() if a.position)
            return equity - self.limits.maintenance_margin * value

        walked = 0.0
        for way, symbol, stop in [*sorted(met), (1.0, "", 0.0)]:
            exposed = any(a.position for a in held.values())
            if self.limits.instrument == "perpetual" and exposed and min(excess(walked), excess(way)) <= 0:
                low, high = walked, way
                if excess(low) > 0:
                    for _ in range(200):
                        middle = (low + high) / 2
                        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
                for name, asset in held.items():
                    if asset.position:
                        price = starts[name] + low * (ends[name] - starts[name])
                        self.trade(name, now, "liquidation", -asset.position, price)
                return
            if symbol:
                self.trade(symbol, now, "stop", -held[symbol].position, stop)
            walked = way

    def distance(self, symbol: str) -> float:
        """Half spread and slippage of a market order, as a fraction."""
        bars = self.assets[symbol].bars[:-1]
        pairs = [(old, new) for old, new in pairwise(bars) if new["time"] - old["time"] == self.interval]
        squares = [np.log(new["close"] / old["close"]) ** 2 for old, new in pairs[-100:]]
        volatility = float(np.sqrt(np.mean(squares))) if squares else 0.0
        fixed = BPS * (self.costs.half_spread_bps + self.costs.slippage_bps)
        return fixed + self.costs.volatility_slippage * volatility

    def trade(self, symbol: str, now: datetime, reason: str, quantity: float, reference: float) -> None:
        """Fill, pay, remember."""
        away = 0.0 if reason == "target" else self.distance(symbol)
        rate = self.costs.maker_fee_bps if reason == "target" else self.costs.taker_fee_bps
        price = reference * (1 + np.sign(quantity) * away)
        fee = max(abs(quantity) * price * rate * BPS, self.costs.minimum_fee)
        self.cash -= quantity * price + fee
        self.assets[symbol].position += quantity
        self.fills.append((symbol, now, reason, quantity, price, fee))

    def decide(self, bars: dict[str, Bar]) -> None:
        """Turn changed targets into orders within the limits."""
        equity, orders = self.equity[-1], {}
        if equity <= 0:
            return
        for symbol, bar in sorted(bars.items()):
            asset = self.assets[symbol]
            if bar["target"] is not None and bar["target"] != asset.target:
                asset.target = bar["target"]
                low = 0.0 if self.limits.instrument == "spot" else -self.limits.max_position
                allowed = min(max(asset.target, low), self.limits.max_position)
                orders[symbol] = allowed * equity / bar["close"]
        room, added = self.limits.max_gross * equity, {}
        for symbol, asset in self.assets.items():
            committed = asset.committed
            if symbol in orders:
                kept = min(abs(orders[symbol]), abs(committed)) if orders[symbol] * committed > 0 else 0.0
                added[symbol] = abs(orders[symbol]) - kept
                room -= kept * bars[symbol]["close"]
            elif committed:
                assert asset.mark is not None
                room -= abs(committed) * asset.mark
        need = sum(added[s] * bars[s]["close"] for s in orders)
        room = max(room, 0.0)
        share = 1.0 if need <= room * (1 + 1e-12) else room / need
        for symbol, quantity in orders.items():
            asset = self.assets[symbol]
            asset.orders[len(asset.bars) - 1] = quantity - np.sign(quantity) * added[symbol] * (1 - share)


def run_twin(bars: pl.DataFrame, targets: pl.DataFrame, costs: Costs, limits: RiskLimits) -> Twin:
    """Feed the twin bar time by bar time."""
    rows = bars.join(targets, on=["symbol", "open_time"], how="left").with_columns(time=pl.col("open_time"))
    interval = bars.select(pl.col("open_time").diff().over("symbol").min()).item()
    twin = Twin(costs, limits, 10_000.0, interval)
    for (now,), group in rows.sort("open_time", "symbol").group_by("open_time", maintain_order=True):
        assert isinstance(now, datetime)
        twin.step(now, {row["symbol"]: row for row in group.rows(named=True)})
        if twin.equity[-1] <= 0:
            break
    return twin


def check_equal(result: Backtest, twin: Twin) -> None:
    """Fill for fill, bar for bar."""
    mine = sorted(result.fills.select("symbol", "open_time", "reason").rows())
    assert mine == sorted(fill[:3] for fill in twin.fills)
    ours = result.fills.sort("symbol", "open_time", "reason").select("quantity", "price", "fee").to_numpy()
    theirs = np.array([fill[3:] for fill in sorted(twin.fills, key=lambda fill: fill[:3])]).reshape(-1, 3)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.equity["equity"], twin.equity, rtol=1e-9, atol=1e-6)


def random_targets(bars: pl.DataFrame, seed: int, sizes: list[float], every: int, width: float) -> pl.DataFrame:
    """Decisions at random bars, some without brackets, some only repeating the last."""
    rng = np.random.default_rng(seed)
    n = bars.height
    target = rng.choice(sizes, n)
    side = np.where(target < 0, -1.0, 1.0)
    away = bars["close"].to_numpy() * side * width
    return bars.select(
        "symbol",
        "open_time",
        target=pl.when(pl.Series(rng.random(n) < 1 / every)).then(pl.Series(target)),
        stop=pl.when(pl.Series(rng.random(n) < 0.7)).then(pl.col("close") - pl.Series(away * rng.uniform(0.2, 2, n))),
        take_profit=pl.when(pl.Series(rng.random(n) < 0.7)).then(
            pl.col("close") + pl.Series(away * rng.uniform(0.2, 2, n))
        ),
    )


DEAR = {"taker_fee_bps": 10, "maker_fee_bps": 3, "half_spread_bps": 1, "slippage_bps": 2, "volatility_slippage": 0.1}


@pytest.mark.parametrize(("latency", "instrument", "gross"), [(0, "spot", 1), (2, "spot", 1), (1, "perpetual", 3)])
def test_real_bars_give_the_same_fills_and_equity(
    market_data: Path, latency: int, instrument: str, gross: float
) -> None:
    """Three symbols around the outage of 24 March 2023, its zero-volume bars and its hole."""
    start, end = datetime(2023, 3, 23, 12, tzinfo=UTC), datetime(2023, 3, 25, tzinfo=UTC)
    bars = pl.concat(
        pl.read_parquet(market_data / f"bars_5m/binance_spot_{symbol}_5m.parquet")
        .filter(pl.col("open_time").is_between(start, end, closed="left"))
        .select(pl.lit(symbol).alias("symbol"), "open_time", "open", "high", "low", "close", "volume")
        for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    )
    assert bars.filter(pl.col("volume") == 0).height > 0
    targets = random_targets(bars, latency, [-1.2, -0.5, 0, 0.3, 0.5, 0.9], every=6, width=0.004)
    costs = Costs(**DEAR, minimum_fee=0.5, latency_bars=latency, funding_rate=0.0003)
    limits = RiskLimits(instrument=instrument, max_gross=gross, max_position=0.8 * gross)
    result = simulate(bars, targets, costs, limits)
    assert {"order", "stop", "target"} <= set(result.fills["reason"])
    check_equal(result, run_twin(bars, targets, costs, limits))


def wild_market(seed: int, symbols: int, length: int) -> pl.DataFrame:
    """Make bars that jump by percents, with holes and bars that nobody trades in."""
    rng = np.random.default_rng(seed)
    frames = []
    for number in range(symbols):
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.03, length)))
        opens = np.concatenate(([100.0], close[:-1])) * np.exp(rng.normal(0, 0.01, length))
        reach = np.exp(rng.exponential(0.02, (2, length)))
        frame = pl.DataFrame(
            {
                "symbol": f"S{number}",
                "open_time": [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(length)],
                "open": opens,
                "high": np.maximum(opens, close) * reach[0],
                "low": np.minimum(opens, close) / reach[1],
                "close": close,
                "volume": rng.choice([0.0, 5.0], length, p=[0.15, 0.85]),
            }
        )
        frames.append(frame.filter(pl.Series(rng.random(length) < 0.95)))
    return pl.concat(frames).with_columns(pl.col("open_time").cast(pl.Datetime("ms", "UTC")))


SIZES = [-8, -1, 0, 0.5, 1, 10]
LEVERAGE = RiskLimits(instrument="perpetual", max_gross=15, max_position=9, maintenance_margin=0.02)


@pytest.mark.parametrize("seed", range(40))
def test_wild_markets_give_the_same_fills_and_equity(seed: int) -> None:
    bars = wild_market(seed, symbols=1 + seed % 3, length=80)
    targets = random_targets(bars, seed, SIZES, every=4, width=0.08)
    costs = Costs(**DEAR, minimum_fee=seed % 2, latency_bars=seed % 4, funding_rate=0.001)
    limits = RiskLimits() if seed % 5 == 0 else LEVERAGE
    check_equal(simulate(bars, targets, costs, limits), run_twin(bars, targets, costs, limits))


def test_wild_markets_hold_every_kind_of_fill_and_rejection() -> None:
    """So that the comparison above means something."""
    fills, rejected = set[str](), set[str]()
    for seed in range(10):
        bars = wild_market(seed, symbols=1 + seed % 3, length=80)
        targets = random_targets(bars, seed, SIZES, every=4, width=0.08)
        result = simulate(bars, targets, Costs(funding_rate=0), RiskLimits() if seed % 5 == 0 else LEVERAGE)
        fills |= set(result.fills["reason"])
        rejected |= set(result.rejected["reason"])
    assert fills == set(REASONS)
    assert rejected == set(CAUSES)
