"""The simulation against a slow, obvious twin, on real bars and on wild made-up ones."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.result import CAUSES, REASONS, RULES, Backtest

Bar = dict[str, Any]
BPS = 1e-4


@dataclass
class Order:
    """A wanted position with what belongs to it."""

    time: datetime
    number: int
    wanted: float
    limit: float | None
    stop: float | None
    take: float | None
    is_band: bool = False
    is_new: bool = True
    has_traded: bool = False


@dataclass
class Asset:
    """One symbol as the twin sees it: its bars so far, its position, the order it works on and those under way."""

    bars: list[Bar] = field(default_factory=list)
    position: float = 0.0
    stop: float | None = None
    take: float | None = None
    coming: list[Order] = field(default_factory=list)
    due: Order | None = None
    target: float = 0.0
    aim: float = 0.0
    mark: float | None = None
    room: float = np.inf
    is_leaving: bool = False
    entered: str = ""
    is_late: bool = False

    @property
    def committed(self) -> float:
        """Position once every order under way has filled."""
        newest = self.coming[-1] if self.coming else self.due
        return newest.wanted if newest else self.position


def through(side: float, price: float, limit: float, tick: float) -> bool:
    """Whether a price has passed a limit that side."""
    return side * (price - limit) > (tick - tick * 1e-6 if tick else 0)


class Twin:
    """The account, in plain Python: one bar time after the other, every rule in turn."""

    def __init__(self, costs: Costs, limits: RiskLimits, capital: float, interval: timedelta) -> None:
        self.costs, self.limits, self.cash, self.interval = costs, limits, capital, interval
        self.assets: dict[str, Asset] = {}
        self.fills: list[tuple[str, datetime, str, float, float, float]] = []
        self.equity: list[float] = []
        self.small: list[tuple[str, datetime]] = []
        self.tripped: list[tuple[datetime, str]] = []
        self.peak, self.cooling = capital, 0
        self.day, self.day_start, self.day_over = date.min, capital, False

    def step(self, now: datetime, bars: dict[str, Bar]) -> None:
        """Live through one moment of time."""
        share = self.costs.max_participation
        for symbol in sorted(bars):
            asset = self.assets.setdefault(symbol, Asset())
            asset.bars.append(bars[symbol])
            asset.entered, asset.is_late = "", False
            asset.room = np.inf if share is None else share * bars[symbol]["volume"]
        for symbol in bars:
            self.pay_missed_funding(symbol, self.assets[symbol], now)
        live = {s: a for s in sorted(bars) if bars[s]["volume"] > 0 for a in [self.assets[s]]}
        self.fill_orders(now, live, "open")
        for symbol, asset in live.items():
            self.leave_at_open(symbol, asset, now)
        self.fill_orders(now, live, "late")
        self.fill_orders(now, live, "within")
        self.walk(now, live)
        for symbol, asset in live.items():
            side = np.sign(asset.position)
            best = asset.bars[-1]["high" if side > 0 else "low"]
            free = asset.entered != "within" and not asset.is_leaving
            if side and free and asset.take is not None and through(side, best, asset.take, self.tick(symbol)):
                self.leave(symbol, now, "target", asset.take)
        for symbol, bar in bars.items():
            self.pay_funding(symbol, now + self.interval, bar["close"])
            if symbol in live or self.assets[symbol].mark is None:
                self.assets[symbol].mark = bar["close"]
        self.equity.append(self.cash + sum(a.position * a.mark for a in self.assets.values() if a.mark))
        halted = self.watch(now)
        self.decide(now, bars, halted)

    def tick(self, symbol: str) -> float:
        """Step of the symbol's prices."""
        return self.of(self.costs.tick_size, symbol)

    @staticmethod
    def of(setting: float | dict[str, float], symbol: str) -> float:
        """Read a setting of one symbol."""
        return setting[symbol] if isinstance(setting, dict) else setting

    def whole(self, symbol: str, size: float) -> float:
        """Cut to whole steps."""
        step = self.of(self.costs.quantity_step, symbol)
        return math.floor(size / step + 1e-9) * step if step else size

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

    def fill_orders(self, now: datetime, live: dict[str, Asset], moment: str) -> None:
        """Trade to the wanted positions, sells first; buys share what cash there is."""
        plans: dict[str, tuple[float, float, str]] = {}
        for symbol, asset in sorted(self.assets.items()):
            if not asset.bars or asset.bars[-1]["time"] != now:
                continue
            has_come = moment != "within" and self.receive(asset, now, moment)
            asset.is_late = asset.is_late or (has_come and moment == "late")
            if symbol in live and asset.due and (moment != "late" or has_come):
                plan = self.plan(symbol, asset, now, moment)
                if plan and plan[0]:
                    plans[symbol] = plan
        buys = {s: plan for s, plan in plans.items() if plan[0] > 0}
        for symbol, (change, price, how) in plans.items():
            if change < 0:
                self.enter(symbol, now, change, price, how, moment)
        share = 1.0
        if self.limits.instrument == "spot" and self.cost_of(buys, 1.0) > self.cash:
            low = 0.0
            for _ in range(200):
                middle = (low + share) / 2
                low, share = (middle, share) if self.cost_of(buys, middle) <= self.cash else (low, middle)
            share = low
        for symbol, (change, price, how) in buys.items():
            if share == 1:
                self.enter(symbol, now, change, price, how, moment)
                continue
            asset, bought = self.assets[symbol], self.whole(symbol, change * share) if share > 1e-12 else 0.0
            assert asset.due
            asset.aim *= (asset.position + bought) / asset.due.wanted
            if bought:
                self.enter(symbol, now, bought, price, how, moment)
            asset.due = None

    def receive(self, asset: Asset, now: datetime, moment: str) -> bool:
        """Let the newest order that has arrived replace the one before."""
        delay = self.interval + timedelta(milliseconds=self.costs.latency_ms)
        here, last = len(asset.bars) - 1, now if moment == "open" else now + self.interval - timedelta(milliseconds=1)
        arrived = [o for o in asset.coming if o.number + self.costs.latency_bars < here and o.time + delay <= last]
        if arrived:
            asset.coming = asset.coming[len(arrived) :]
            asset.due, asset.is_leaving = arrived[-1], False
        return bool(arrived)

    def plan(self, symbol: str, asset: Asset, now: datetime, moment: str) -> tuple[float, float, str] | None:
        """How much of the due order trades now, at which price, and how: market, taken or maker."""
        order, bar = asset.due, asset.bars[-1]
        assert order
        is_new, order.is_new = order.is_new, False
        change = order.wanted - asset.position
        if abs(change) <= 1e-12 * max(abs(order.wanted), abs(asset.position)):
            asset.due = None
            return None
        price = bar["open"]
        if moment == "late":
            late = (order.time + self.interval + timedelta(milliseconds=self.costs.latency_ms) - now) / self.interval
            line = bar["open"] + (bar["close"] - bar["open"]) * late
            price = max(line, price) if change > 0 else min(line, price)
        if is_new and order.wanted != 0:
            size = self.whole(symbol, abs(change))
            worth = size * (price if order.limit is None else order.limit)
            if size == 0 or worth < self.of(self.costs.minimum_order, symbol) * (1 - 1e-12):
                if size or not asset.position:
                    self.small.append((symbol, now))
                    asset.aim = math.nan
                asset.due = None
                return None
            change = math.copysign(size, change)
            order.wanted = asset.position + change
        side = np.sign(change)
        size = abs(change) if abs(change) <= asset.room * (1 + 1e-9) else max(self.whole(symbol, asset.room), 0.0)
        if order.limit is None:
            return None if moment == "within" else (side * size, price, "market")
        if moment != "within" and is_new and side * (order.limit - price) >= 0:
            return side * size, order.limit, "taken"
        reach = bar["low" if side > 0 else "high"] if moment == "within" else bar["open"]
        blocked = moment == "late" or (moment == "within" and (asset.is_late or self.is_stopped(asset)))
        if blocked or not through(-side, reach, order.limit, self.tick(symbol)):
            return None
        return side * size, order.limit, "maker"

    @staticmethod
    def is_stopped(asset: Asset) -> bool:
        """Whether the bar touches the stop of what is held."""
        side = np.sign(asset.position)
        worst = asset.bars[-1]["low" if side > 0 else "high"]
        return bool(side and asset.stop is not None and side * (worst - asset.stop) <= 0)

    def cost_of(self, buys: dict[str, tuple[float, float, str]], share: float) -> float:
        """Cash for a share of some buys."""
        total = 0.0
        for symbol, (change, price, how) in buys.items():
            total += share * change * self.price(symbol, share * change, price, how)
            total += self.fee(share * change * self.price(symbol, share * change, price, how), how)
        return total

    def enter(self, symbol: str, now: datetime, change: float, price: float, how: str, moment: str) -> None:
        """Fill an order and put up its brackets."""
        asset = self.assets[symbol]
        order = asset.due
        assert order
        self.trade(symbol, now, "order" if how == "market" else "limit", change, price, how)
        at_open = moment == "open" and how == "market"
        if asset.position * order.wanted > 0 and not order.is_band:
            asset.stop, asset.take = order.stop, order.take
            asset.entered = "open" if at_open and not order.has_traded else asset.entered
        asset.entered = asset.entered if at_open else "within"
        order.has_traded = True
        if abs(order.wanted - asset.position) <= 1e-12 * max(abs(order.wanted), abs(asset.position)):
            asset.due = None
        side = np.sign(asset.position)
        if moment == "late" and side and asset.stop is not None and side * (price - asset.stop) <= 0:
            self.leave(symbol, now, "stop", price)

    def leave_at_open(self, symbol: str, asset: Asset, now: datetime) -> None:
        """Leave where the bar opens beyond a bracket, or where a stop has left a rest."""
        start, side = asset.bars[-1]["open"], np.sign(asset.position)
        if side and (asset.is_leaving or (asset.stop is not None and side * (start - asset.stop) <= 0)):
            self.leave(symbol, now, "stop", start)
        elif not side or asset.take is None or asset.entered == "within":
            return
        elif through(side, start, asset.take, self.tick(symbol)):
            self.leave(symbol, now, "target", start if asset.entered == "open" else asset.take)

    def leave(self, symbol: str, now: datetime, reason: str, price: float) -> None:
        """Close a position, or what the volume takes of it."""
        asset = self.assets[symbol]
        size = abs(asset.position)
        if reason != "liquidation" and size > asset.room * (1 + 1e-9):
            size = max(self.whole(symbol, asset.room), 0.0)
        asset.due = None
        if size:
            how = "maker" if reason == "target" else "market"
            self.trade(symbol, now, reason, -math.copysign(size, asset.position), price, how)
        asset.is_leaving = reason == "stop" and asset.position != 0

    def walk(self, now: datetime, live: dict[str, Asset]) -> None:
        """Follow all prices from open to adverse extreme in small steps of the order in which stops are met."""
        held = {s: a for s, a in live.items() if a.position}
        ends = {s: a.bars[-1]["low" if a.position > 0 else "high"] for s, a in held.items()}
        starts = {s: a.bars[-1]["open"] for s, a in held.items()}
        met = []
        for symbol, asset in held.items():
            if self.is_stopped(asset) and not asset.is_leaving and asset.stop is not None:
                way = starts[symbol] - ends[symbol]
                met.append(((starts[symbol] - asset.stop) / way if way else 0.0, symbol, asset.stop))

        def excess(way: float) -> float:
            prices = {s: starts[s] + way * (ends[s] - starts[s]) for s in held}
            prices |= {s: a.mark for s, a in self.assets.items() if s not in held and a.mark}
            equity = self.cash + sum(a.position * prices[s] for s, a in self.assets.items() if a.position)
            value = sum(abs(a.position) * prices[s] for s, a in self.assets.items() if a.position)
            return equity - self.limits.maintenance_margin * value

        walked = 0.0
        for way, symbol, stop in [*sorted(met), (1.0, "", 0.0)]:
            exposed = any(a.position for a in held.values())
            if self.limits.instrument == "perpetual" and exposed and min(excess(walked), excess(max(way, walked))) <= 0:
                low, high = walked, way
                if excess(low) > 0:
                    for _ in range(200):
                        middle = (low + high) / 2
                        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
                for name, asset in held.items():
                    if asset.position:
                        self.leave(name, now, "liquidation", starts[name] + low * (ends[name] - starts[name]))
                return
            if symbol:
                self.leave(symbol, now, "stop", stop)
            walked = max(way, walked)

    def price(self, symbol: str, quantity: float, reference: float, how: str) -> float:
        """Price of a fill, rounded against the trader."""
        side, tick = np.sign(quantity), self.tick(symbol)
        price = reference * (1 + (side * self.distance(symbol, abs(quantity)) if how == "market" else 0.0))
        if tick:
            price = max(math.ceil(price / tick - 1e-9) if side > 0 else math.floor(price / tick + 1e-9), 1) * tick
        return float(price)

    def distance(self, symbol: str, size: float) -> float:
        """Half spread and slippage of a market order, as a fraction."""
        asset = self.assets[symbol]
        pairs = [(old, new) for old, new in pairwise(asset.bars[:-1]) if new["time"] - old["time"] == self.interval]
        squares = [np.log(new["close"] / old["close"]) ** 2 for old, new in pairs[-100:]]
        volatility = float(np.sqrt(np.mean(squares))) if squares else 0.0
        impact = self.costs.impact_slippage * math.sqrt(size / asset.bars[-1]["volume"])
        slippage = self.costs.slippage_bps * BPS + (self.costs.volatility_slippage + impact) * volatility
        return self.costs.half_spread_bps * BPS + min(slippage, 0.9)

    def fee(self, value: float, how: str) -> float:
        """Commission."""
        rate = self.costs.maker_fee_bps if how == "maker" else self.costs.taker_fee_bps
        return max(value * rate * BPS, self.costs.minimum_fee)

    def trade(self, symbol: str, now: datetime, reason: str, quantity: float, reference: float, how: str) -> None:
        """Fill, pay, remember."""
        asset = self.assets[symbol]
        price = self.price(symbol, quantity, reference, how)
        fee = self.fee(abs(quantity) * price, how)
        self.cash -= quantity * price + fee
        asset.position += quantity
        asset.room -= abs(quantity)
        if asset.position == 0:
            asset.stop = asset.take = None
        self.fills.append((symbol, now, reason, quantity, price, fee))

    def watch(self, now: datetime) -> bool:
        """Whether a breaker holds everything flat."""
        equity, halted = self.equity[-1], False
        breaker, loss = self.limits.drawdown_breaker, self.limits.daily_loss_limit
        if breaker:
            if not self.cooling:
                self.peak = max(self.peak, equity)
                if equity <= self.peak * (1 - breaker.limit):
                    self.tripped.append((now + self.interval, breaker.name))
                    self.cooling = breaker.cooldown
            if self.cooling:
                halted = True
                self.cooling -= 1
                self.peak = 0.0 if not self.cooling else self.peak
        if loss:
            day = (now + self.interval - timedelta(milliseconds=1)).date()
            if day != self.day:
                before = self.equity[-2] if len(self.equity) > 1 else self.day_start
                self.day, self.day_start, self.day_over = day, before, False
            if not self.day_over and equity <= self.day_start * (1 - loss.limit):
                self.tripped.append((now + self.interval, loss.name))
                self.day_over = True
        return halted or self.day_over

    def decide(self, now: datetime, bars: dict[str, Bar], halted: bool) -> None:
        """Turn changed targets into orders within the limits."""
        equity = self.equity[-1]
        if equity <= 0:
            return
        wanted: dict[str, float] = {}
        base = {s: a.committed * a.mark for s, a in self.assets.items() if a.committed and a.mark}
        band = self.limits.rebalance_band
        for symbol, bar in sorted(bars.items()):
            asset, is_band = self.assets[symbol], False
            target = 0.0 if halted else bar["target"]
            held = asset.committed * bar["close"] / equity
            if target is not None and target != asset.target:
                asset.target = target
                low = 0.0 if self.limits.instrument == "spot" else -self.limits.max_position
                asset.aim = min(max(target, low), self.limits.max_position)
            elif band and held and not asset.is_leaving and not asset.due and abs(held - asset.aim) > band:
                is_band = True
            else:
                continue
            wanted[symbol] = asset.aim * equity / bar["close"]
            limit = None if halted or is_band else bar["limit"]
            order = Order(now, len(asset.bars) - 1, wanted[symbol], limit, bar["stop"], bar["take_profit"], is_band)
            before = asset.committed
            asset.coming.append(order)
            kept = min(abs(wanted[symbol]), abs(before)) if wanted[symbol] * before > 0 else 0.0
            base[symbol] = math.copysign(kept, wanted[symbol]) * bar["close"]
        adds = {s: q * bars[s]["close"] - base[s] for s, q in wanted.items()}
        for exposure, most, sided in self.shared_limits():
            self.shrink(adds, base, exposure, most, sided)
        for symbol in wanted:
            allowed = (base[symbol] + adds[symbol]) / bars[symbol]["close"]
            self.assets[symbol].coming[-1].wanted = allowed
            self.assets[symbol].aim = allowed * bars[symbol]["close"] / equity

    def shared_limits(self) -> list[tuple[Callable[[dict[str, float]], float], float, bool]]:
        """Measures of exposure with the most they may come to, and whether only one side of them is cut."""
        equity, limits = self.equity[-1], self.limits
        found: list[tuple[Callable[[dict[str, float]], float], float, bool]] = []
        if limits.max_net is not None:
            found.append((lambda held: abs(sum(held.values())), limits.max_net * equity, True))
        if limits.correlated_exposure is not None:
            found.append((self.correlated, limits.correlated_exposure.limit * equity, False))
        return [*found, (lambda held: sum(map(abs, held.values())), limits.max_gross * equity, False)]

    @staticmethod
    def shrink(
        adds: dict[str, float],
        base: dict[str, float],
        exposure: Callable[[dict[str, float]], float],
        most: float,
        sided: bool,
    ) -> None:
        """Find the largest share of what is added that stays within a limit, by looking from above and bisection."""
        side = np.sign(sum(base.values()) + sum(adds.values()))
        cut = [s for s, add in adds.items() if not sided or add * side > 0]

        def at(share: float) -> float:
            held = {**base, **{s: base[s] + add * (share if s in cut else 1.0) for s, add in adds.items()}}
            return float(side * sum(held.values())) if sided else exposure(held)

        if not any(adds.values()) or at(1.0) <= most * (1 + 1e-12) or at(1.0) <= at(0.0) * (1 + 1e-12):
            return
        low = next((share / 200 for share in range(199, -1, -1) if at(share / 200) <= most), 0.0)
        high = low + 1 / 200
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if at(middle) <= most else (low, middle)
        for symbol in cut:
            adds[symbol] *= low if low > 1e-9 else 0.0

    def correlated(self, held: dict[str, float]) -> float:
        """Root of the sum over pairs of positions times their correlation; the worse sign of 1 while unknown."""
        assert self.limits.correlated_exposure
        names, total, bars = list(held), 0.0, self.limits.correlated_exposure.bars
        for one in names:
            for two in names:
                known = 1.0 if one == two else self.correlation(one, two, bars)
                total += held[one] * held[two] * (np.sign(held[one] * held[two]) if known is None else known)
        return math.sqrt(max(total, 0.0))

    def correlation(self, one: str, two: str, bars: int) -> float | None:
        """Correlation of the last returns in common."""
        both = [
            {
                new["time"]: new["close"] / old["close"] - 1
                for old, new in pairwise(self.assets[name].bars)
                if new["time"] - old["time"] == self.interval
            }
            for name in (one, two)
        ]
        common = sorted(set(both[0]) & set(both[1]))[-bars:]
        return float(np.corrcoef(*([own[t] for t in common] for own in both))[0, 1]) if len(common) == bars else None


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
    ours = result.fills.sort("symbol", "open_time", "reason", maintain_order=True).select("quantity", "price", "fee")
    theirs = np.array([fill[3:] for fill in sorted(twin.fills, key=lambda fill: fill[:3])]).reshape(-1, 3)
    np.testing.assert_allclose(ours.to_numpy(), theirs, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.equity["equity"], twin.equity, rtol=1e-9, atol=1e-6)
    small = result.rejected.filter(pl.col("reason") == "minimum_order").select("symbol", "open_time").rows()
    assert sorted(small) == sorted(twin.small)
    breakers = result.triggers.filter(pl.col("rule").is_in(["drawdown_breaker", "daily_loss_limit"]))
    assert breakers.select("time", "rule").rows() == twin.tripped


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
        limit=None,
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


def rules(seed: int) -> tuple[Costs, RiskLimits]:
    """Draw costs and limits in which every rule is on now and then."""
    rng = np.random.default_rng(seed)

    def maybe(value: Any, otherwise: Any = None) -> Any:
        return value if rng.random() < 0.5 else otherwise

    delay = {"latency_ms": int(rng.choice([1, 1_000_000, 3_600_000, 5_000_000]))}
    costs = Costs(
        **DEAR,
        **maybe(delay, {"latency_bars": int(rng.integers(0, 3))}),
        funding_rate=0.001,
        minimum_fee=maybe(1.0, 0.0),
        impact_slippage=maybe(0.3, 0.0),
        max_participation=maybe(0.2),
        tick_size=maybe({f"S{number}": 0.05 * (number + 1) for number in range(3)}, 0.0),
        quantity_step=maybe(0.5, 0.0),
        minimum_order=maybe(3_000.0, 0.0),
    )
    account = {"instrument": "perpetual", "max_gross": 12, "max_position": 9, "maintenance_margin": 0.1}
    limits = RiskLimits(
        **maybe(account, {}),
        max_net=maybe(0.9),
        correlated_exposure=maybe({"limit": 0.8, "bars": 12}),
        drawdown_breaker=maybe({"limit": 0.15, "cooldown": 4}),
        daily_loss_limit=maybe({"limit": 0.1}),
        rebalance_band=maybe(0.2),
    )
    return costs, limits


def with_limits(targets: pl.DataFrame, bars: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Give some orders a limit between their brackets."""
    rng = np.random.default_rng(seed)
    chosen = pl.Series(rng.random(bars.height) < 0.4)
    away = pl.Series(rng.uniform(-0.01, 0.03, bars.height)) * pl.col("target").sign() * bars["close"]
    limit = pl.when(chosen).then(bars["close"] - away)
    side = pl.col("target").sign()
    after_stop = (side * (limit - pl.col("stop")) > 0).fill_null(True)
    before_take = (side * (pl.col("take_profit") - limit) > 0).fill_null(True)
    return targets.with_columns(limit=pl.when(after_stop & before_take).then(limit))


def wild_run(seed: int) -> tuple[Backtest, Twin]:
    """Run a wild market with drawn rules through both."""
    costs, limits = rules(seed)
    bars = wild_market(seed, symbols=1 + seed % 3, length=80)
    rng = np.random.default_rng(seed)
    bars = bars.with_columns(volume=pl.col("volume") * pl.Series(rng.choice([10.0, 100.0], bars.height)))
    sizes = [-8, -1, 0, 0.5, 0.9, 1, 10] if limits.instrument == "perpetual" else [0, 0.2, 0.5, 0.9, 1]
    targets = with_limits(random_targets(bars, seed, sizes, every=4, width=0.08), bars, seed)
    return simulate(bars, targets, costs, limits), run_twin(bars, targets, costs, limits)


@pytest.mark.parametrize("block", range(20))
def test_every_rule_gives_the_same_fills_and_equity_on_wild_markets(block: int) -> None:
    for seed in range(10 * block, 10 * block + 10):
        check_equal(*wild_run(seed))


def test_wild_markets_hold_every_kind_of_fill_rejection_and_trigger() -> None:
    """So that the comparison above means something."""
    fills, rejected, triggers = set[str](), set[str](), set[str]()
    for seed in range(60):
        result, _ = wild_run(seed)
        fills |= set(result.fills["reason"])
        rejected |= set(result.rejected["reason"])
        triggers |= set(result.triggers["rule"])
    assert fills == set(REASONS)
    assert triggers == set(RULES)
    assert rejected == set(CAUSES) - {"no short on spot"}
