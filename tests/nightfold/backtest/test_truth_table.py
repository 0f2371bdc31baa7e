"""Tiny cases worked out by hand, bar by bar: what was decided at its close, and what must have filled in it.

A row is a bar: ``open high low close`` (one number: it stood still; ``v0``: its volume; ``-``: it is missing), then the
decision at its close, then its fills. An account starts with 10,000 and without costs; half of it at 100 is 50 units.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from nightfold.backtest.cost import Costs
from nightfold.backtest.engine import simulate
from nightfold.backtest.limit import RiskLimits

Make = Callable[..., pl.DataFrame]

TABLE = """
== a limit order waits until its price is traded through; a touch is not enough
100                | .5 limit 99          |
100 101 99 100     |                      |
100 101 98.9 100   |                      | limit +50 @ 99
equity 10050

== a bar that opens beyond a waiting limit fills at the limit, never better
100                | .5 limit 99          |
100                |                      |
97 98 96 97        |                      | limit +50 @ 99
equity 9900

== a limit order pays the maker fee and no spread
with maker_fee_bps 10, taker_fee_bps 50, half_spread_bps 5, slippage_bps 5
100                | .5 limit 99          |
100 100 98 100     |                      | limit +50 @ 99
equity 10045.05

== a limit that the market has passed when it arrives fills there at once, and pays the taker fee
with maker_fee_bps 0, taker_fee_bps 10
100                | .5 limit 101         |
100                |                      | limit +50 @ 101
equity 9944.95

== a limit order stands until a newer order replaces it
100                | .5 limit 95          |
100                |                      |
100                | .2 limit 98          |
100 100 97 100     |                      | limit +20 @ 98
100 100 94 100     |                      |
equity 10040

== a market order replaces a waiting limit
100                | .5 limit 95          |
100                | .3                   |
100                |                      | order +30 @ 100
100 100 94 100     |                      |
equity 10000

== in the bar of its fill a limit entry has its stop only
100                | .5 limit 99 stop 98 take 103 |
100 104 98.5 103   |                      | limit +50 @ 99
103 104 103 104    |                      | target -50 @ 103
equity 10200

== limit entry and stop in one bar
100                | .5 limit 99 stop 98  |
100 101 97 98      |                      | limit +50 @ 99; stop -50 @ 98
equity 9950

== a gap through limit and stop fills at the limit and leaves at the open
100                | .5 limit 99 stop 98  |
100                |                      |
96                 |                      | limit +50 @ 99; stop -50 @ 96
equity 9850

== the stop of what is held cancels a limit that would add to it
100                | .5 stop 98           |
100                | .8 limit 97 stop 90  | order +50 @ 100
100 100 96 96      |                      | stop -50 @ 98
96 96 90 95        |                      |
equity 9900

== a limit sells what is held
100                | .5                   |
100                | 0 limit 102          | order +50 @ 100
100 103 100 101    |                      | limit -50 @ 102
equity 10100

== a short enters above the market
with instrument perpetual
100                | -.5 limit 101        |
100 101.5 100 100  |                      | limit -50 @ 101
equity 10050

== a limit has to be traded through by a tick
with tick_size .5
100                | .5 limit 99          |
100 100 98.6 100   |                      |
100 100 98.5 100   |                      | limit +50 @ 99
equity 10050

== spot cash also bounds a limit order
100                | 1 limit 101          |
100                |                      | limit +99.00990099 @ 101
equity 9900.990099
rejected short of cash .99009901

== a limit order whose latency ends within a bar waits for the next
with latency_ms 150000
100                | .5 limit 99          |
100 100 98 100     |                      |
100 100 98 100     |                      | limit +50 @ 99
equity 10050

== half a bar of latency fills half way from the open to the close
with latency_ms 150000
100                | .5                   |
100 104 100 104    |                      | order +50 @ 102
equity 10100

== latency never gets a better price than the open
with latency_ms 150000
100                | .5                   |
100 100 96 96      |                      | order +50 @ 100
equity 9800

== a sale under latency follows the price down
with latency_ms 150000
100                | .5                   |
100                | 0                    | order +50 @ 100
100 100 96 96      |                      | order -50 @ 98
equity 9900

== a latency of a whole bar fills at the open after the next
with latency_ms 300000
100                | .5                   |
101                |                      |
102                |                      | order +50 @ 102
equity 10000

== a bar and a half of latency
with latency_ms 450000
100                | .5                   |
101                |                      |
100 104 100 104    |                      | order +50 @ 102
equity 10100

== the target of an entry late in its bar lives from the next
with latency_ms 150000
100                | .5 stop 90 take 103  |
100 105 100 104    |                      | order +50 @ 102
104                |                      | target -50 @ 103
equity 10050

== the stop of an entry late in its bar lives at once
with latency_ms 150000
100                | .5 stop 99 take 110  |
100 104 98.5 104   |                      | order +50 @ 102; stop -50 @ 99
equity 9850

== a late entry beyond its own stop leaves where it came in
with latency_ms 150000
100                | .5 stop 100.5        |
100                |                      | order +50 @ 100; stop -50 @ 100
equity 10000

== an order that arrives in a hole fills behind it
with latency_ms 150000
100                | .5                   |
-
103                |                      | order +50 @ 103
equity 10000

== a bar that opens beyond the stop leaves there before a late order arrives
with latency_ms 150000
100                | .5 stop 98           |
100                | 0                    | order +50 @ 100
97 99 96 99        |                      | stop -50 @ 97
equity 9850

== an order larger than its share of the volume works on at the next opens
with max_participation .1
100                | .5                   |
100 v200           |                      | order +20 @ 100
101 v200           |                      | order +20 @ 101
102 v200           |                      | order +10 @ 102
equity 10060

== a newer order replaces what is left of an older one
with max_participation .1
100                | .5                   |
100 v200           | .1                   | order +20 @ 100
100 v200           |                      | order -10 @ 100
100 v200           |                      |
equity 10000

== a stop cancels the rest of its entry, and its own rest goes at the next opens
with max_participation .1
100                | .5 stop 98           |
100 v200           |                      | order +20 @ 100
100 100 97 99 v200 |                      | order +20 @ 100
99 v200            |                      | stop -20 @ 99
99 v200            |                      | stop -20 @ 99
99 v200            |                      |
equity 9960

== a target that the volume cuts short waits at its limit
with max_participation .1
100                | .5 take 103          |
100 v1000          |                      | order +50 @ 100
101 104 101 102 v200 |                    | target -20 @ 103
102 102.5 102 102 v200 |                  |
102 104 102 103 v1000 |                   | target -30 @ 103
equity 10150

== liquidation does not wait for volume
with max_participation .1, instrument perpetual, max_gross 5, max_position 5, maintenance_margin .01
100                | 5                    |
100 v10000         |                      | order +500 @ 100
100 100 70 75 v10  |                      | liquidation -500 @ 80.80808081
equity 404.040404

== parts of an order are whole steps
with max_participation .1, quantity_step 15
100                | .5                   |
100 v200           |                      | order +15 @ 100
100 v200           |                      | order +15 @ 100
100 v200           |                      | order +15 @ 100
100 v200           |                      |
equity 10000

== a reversal in parts keeps the old stop until it is through, and that stop ends it
with max_participation .1, instrument perpetual
100                | .5 stop 98           |
100 v1000          | -.5 stop 103         | order +50 @ 100
100 100 97 99 v300 |                      | order -30 @ 100
99 v1000           |                      | stop -20 @ 99
99 v1000           |                      |
equity 9980

== a waiting rest of a stop gives way to a newer order
with max_participation .1
100                | .5 stop 98           |
100 v1000          |                      | order +50 @ 100
100 100 97 98 v200 | .3                   | stop -20 @ 98
98 v1000           |                      | order +.306122449 @ 98
98                 |                      |
equity 9900

== impact grows with the root of the share of the volume
with impact_slippage 1
100                                            | |
100 103.0454534 100 103.0454534                | |
103.0454534 103.0454534 99.0049834 99.0049834  | .5 |
100 v202.0100334168                            | | order +50.5025083542 @ 101.7677669
equity 9910.7233

== a bought price is rounded up to the tick
with tick_size .1, half_spread_bps 1, slippage_bps 2
100                | .5                   |
100                |                      | order +50 @ 100.1
equity 9995

== a sold price is rounded down to the tick
with tick_size .1, half_spread_bps 1, slippage_bps 2
100                | .5                   |
100                | 0                    | order +50 @ 100.1
100                |                      | order -50 @ 99.9
equity 9990

== a price on the tick stays
with tick_size .1
100.1              | .5                   |
100.3              |                      | order +49.95004995 @ 100.3
equity 10000

== a target has to be traded through by a tick
with tick_size .5
100                | .5 take 103          |
100                |                      | order +50 @ 100
103.4              |                      |
103 103.5 103 103  |                      | target -50 @ 103
equity 10150

== a stop between two ticks fills at the lower one
with tick_size .5
100                | .5 stop 98.3         |
100 100 98.2 99    |                      | order +50 @ 100; stop -50 @ 98
equity 9900

== quantities are cut toward zero to the step
with quantity_step 15
100                | .5                   |
101                |                      | order +45 @ 101
equity 10000

== an entry of less than a step is rejected
with quantity_step 60
100                | .5                   |
100                |                      |
equity 10000
rejected minimum_order 50

== an order under the minimum is rejected and not tried again
with minimum_order 6000
100                | .5                   |
100                | .5                   |
100                |                      |
equity 10000
rejected minimum_order 50

== closing is exempt from the minimum
with minimum_order 4000
100                | .5                   |
100                |                      | order +50 @ 100
50                 | 0                    |
50                 |                      | order -50 @ 50
equity 7500

== a reduction under the minimum is rejected
with minimum_order 300
100                | .5                   |
100                | .48                  | order +50 @ 100
100                |                      |
equity 10000
rejected minimum_order -2

== a change of less than a step is rounding dust and no order
with quantity_step 1
100                | .5                   |
100                | .5049                | order +50 @ 100
100                |                      |
equity 10000

== a reversal is cut to whole steps
with quantity_step 15, instrument perpetual
100                | .5                   |
100                | -.33                 | order +45 @ 100
100                |                      | order -75 @ 100
equity 10000

== a position that drifts out of its band is brought back to its target
with rebalance_band .1
100                | .5                   |
100 200 100 200    |                      | order +50 @ 100
200                |                      | order -12.5 @ 200
200                |                      |
equity 15000

== within its band it is left alone
with rebalance_band .1
100                | .5                   |
100 120 100 120    |                      | order +50 @ 100
120                |                      |
equity 11000

== a rebalance keeps the brackets
with rebalance_band .1
100                | .5 stop 90           |
100 200 100 200    |                      | order +50 @ 100
200                |                      | order -12.5 @ 200
200 200 89 89      |                      | stop -37.5 @ 90
89                 |                      |
equity 10875

== a position that was stopped has not drifted
with rebalance_band .1
100                | .5 stop 98           |
100 100 97 97      |                      | order +50 @ 100; stop -50 @ 98
97                 |                      |
97                 |                      |
equity 9900

== the largest position
with max_position .2
100                | .5                   |
100                |                      | order +20 @ 100
equity 10000
rejected max_position 30
trigger max_position .5

== leverage
with instrument perpetual, max_gross 2, max_position 3
100                | 3                    |
100                |                      | order +200 @ 100
equity 10000
rejected max_gross 100
trigger max_gross 3

== the net limit cuts a long
with instrument perpetual, max_net .3
100                | .5                   |
100                |                      | order +30 @ 100
equity 10000
rejected max_net 20
trigger max_net .5

== the net limit cuts what a reversal adds on the other side
with instrument perpetual, max_net .3
100                | .2                   |
100                | -.5                  | order +20 @ 100
100                |                      | order -50 @ 100
equity 10000
rejected max_net -20
trigger max_net .5

== a single position is its own correlated exposure
with correlated_exposure.limit .3
100                | .5                   |
100                |                      | order +30 @ 100
equity 10000
rejected correlated_exposure 20
trigger correlated_exposure .5

== the breaker sells, waits for its decisions, and trades again
with drawdown_breaker.limit .1, drawdown_breaker.cooldown 2
100                | 1                    |
100                | 1                    | order +100 @ 100
100 100 90 90      | 1                    |
90                 | 1                    | order -100 @ 90
90                 | 1                    |
90                 | 1                    | order +100 @ 90
equity 9000
trigger drawdown_breaker .1

== after the breaker the peak starts anew
with drawdown_breaker.limit .1, drawdown_breaker.cooldown 1
100                | 1                    |
100                | 1                    | order +100 @ 100
100 100 89 89      | 1                    |
89                 | 1                    | order -100 @ 89
89                 | 1                    | order +100 @ 89
89 89 81 81        | 1                    |
81 81 80 80        | 1                    |
80                 |                      | order -100 @ 80
equity 8000
trigger drawdown_breaker .11
trigger drawdown_breaker .1011235955

== after the breaker a target that is not repeated is not traded again
with drawdown_breaker.limit .1, drawdown_breaker.cooldown 1
100                | 1                    |
100                |                      | order +100 @ 100
100 100 80 80      |                      |
80                 |                      | order -100 @ 80
80                 |                      |
equity 8000
trigger drawdown_breaker .2

== above its limit the breaker does nothing
with drawdown_breaker.limit .1
100                | 1                    |
100                |                      | order +100 @ 100
100 100 85 90.1    |                      |
90.1               |                      |
equity 9010

== a stop that the breaker finds already flat
with drawdown_breaker.limit .05, drawdown_breaker.cooldown 2
100                | 1 stop 94            |
100                |                      | order +100 @ 100
100 100 93 97      | .5                   | stop -100 @ 94
97                 | .5                   |
97                 | .5                   |
94                 |                      | order +48.45360825 @ 94
equity 9400
trigger drawdown_breaker .06

== a daily loss stops to the end of the UTC day; the close at midnight still belongs to it
with daily_loss_limit.limit .05
from 23:40
100                | 1                    |
100 100 94 94      | 1                    | order +100 @ 100
94                 | 1                    | order -100 @ 94
94                 | 1                    |
94                 | 1                    |
94                 |                      | order +100 @ 94
equity 9400
trigger daily_loss_limit .06

== a daily loss counts from the last close of the day before
with daily_loss_limit.limit .05
from 23:50
100                | 1                    |
100 110 100 110    |                      | order +100 @ 100
110 110 105 105    |                      |
105 105 104 104    |                      |
104                |                      | order -100 @ 104
equity 10400
trigger daily_loss_limit .05454545

== a loss over two days is none within either
with daily_loss_limit.limit .05
from 23:50
100                | 1                    |
100 100 96 96      |                      | order +100 @ 100
96 96 92 92        |                      |
92                 |                      |
equity 9200

== both breakers at once
with daily_loss_limit.limit .05, drawdown_breaker.limit .05, drawdown_breaker.cooldown 1
from 12:00
100                | 1                    |
100 100 90 90      | 1                    | order +100 @ 100
90                 | 1                    | order -100 @ 90
90                 | 1                    |
90                 |                      |
equity 9000
trigger drawdown_breaker .1
trigger daily_loss_limit .1

== a reversal of a short pays for both sides at one price
with instrument perpetual, taker_fee_bps 10
100                | -.5                  |
100                | .5                   | order -50 @ 100
98                 |                      | order +99.975 @ 98
equity 10085.20245

== a gap through the stop of a short
with instrument perpetual
100                | -.5 stop 102         |
100                |                      | order -50 @ 100
105                |                      | stop +50 @ 105
equity 9750

== funding of an eight hours' stamp is paid by the long that is held through it
with instrument perpetual, funding_rate .001
from 07:50
100                | .5                   |
100                | 0                    | order +50 @ 100
100                |                      | order -50 @ 100
equity 9995

== a short is paid it, at the close
with instrument perpetual, funding_rate .001
from 07:50
100                | -.5                  |
100 110 100 110    | 0                    | order -50 @ 100
110                |                      | order +50 @ 110
equity 9505.5
"""


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
    for line in filter(None, map(str.strip, TABLE.splitlines())):
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
