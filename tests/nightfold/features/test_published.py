"""Worked examples that others have published, and closed forms of the papers that features name."""

from collections.abc import Sequence
from math import exp, log, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from nightfold.features import liquidity, oscillator, statistic, volatility
from nightfold.features.segment import Segment

Numbers = Sequence[float] | NDArray[np.float64]


def market(
    close: Numbers, high: Numbers | None = None, low: Numbers | None = None, volume: Numbers | None = None
) -> Segment:
    """Bars that open at their close; high and low are the close, and the volume 1, where none is given."""
    closes = np.array(close, dtype=np.float64)
    highs, lows = (closes if given is None else np.array(given, dtype=np.float64) for given in (high, low))
    volumes = np.ones_like(closes) if volume is None else np.array(volume, dtype=np.float64)
    return Segment(300_000 * np.arange(len(closes)), closes, highs, lows, closes, volumes)


def table(text: str) -> NDArray[np.float64]:
    """Read the numbers of a printed table."""
    return np.array([line.split() for line in text.strip().splitlines()], dtype=np.float64)


# Bandt & Pompe (2002), Permutation Entropy, Physical Review Letters 88, 174102: their first example.


def test_permutation_entropy_of_the_seven_numbers_of_bandt_and_pompe() -> None:
    values = statistic.permutation_entropy(market([4, 7, 9, 10, 6, 11, 3]), 7)
    assert np.isnan(values[:6]).all()
    bits = values[6] * np.log2(6)  # the paper gives bits, the feature their share of the most there can be
    assert bits == pytest.approx(2 * 0.4 * np.log2(2.5) + 0.2 * np.log2(5))  # 4 7 9, 7 9 10; 9 10 6, 6 11 3; 10 6 11
    assert bits == pytest.approx(1.522, abs=5e-4)


# StockCharts, ChartSchool: Relative Strength Index; 14 December 2009 to 1 February 2010, 14 bars after Wilder (1978).

RSI_CLOSES = """
44.3389 44.0902 44.1497 43.6124 44.3278 44.8264 45.0955 45.4245 45.8433 46.0826 45.8931
46.0328 45.6140 46.2820 46.2820 46.0028 46.0328 46.4116 46.2222 45.6439 46.2122 46.2521
45.7137 46.4515 45.7835 45.3548 44.0288 44.1783 44.2181 44.5672 43.4205 42.6628 43.1314
"""
RSI = """
66.32 66.55 69.41 66.36 57.97 62.93 63.26 56.06 62.38 54.71 50.42 39.99 41.46 41.87 45.46 37.30 33.08 37.77
"""


def test_rsi_of_the_table_of_stockcharts() -> None:
    bars, published = market(table(RSI_CLOSES).ravel()), table(RSI).ravel()
    # The table's recursion starts at its first close, ours a lookback before the row: the row's own number here.
    ours = [oscillator.rsi(bars, 14, lookback=row)[row] for row in range(15, 33)]
    np.testing.assert_allclose(ours, published, rtol=0, atol=0.00501)


# StockCharts, ChartSchool: Average True Range; QQQ, 1 April to 13 May 2010, 14 bars after Wilder (1978).

ATR = """
48.7000 47.7900 48.1600 0
48.7200 48.1400 48.6100 0
48.9000 48.3900 48.7500 0
48.8700 48.3700 48.6300 0
48.8200 48.2400 48.7400 0
49.0500 48.6350 49.0300 0
49.2000 48.9400 49.0700 0
49.3500 48.8600 49.3200 0
49.9200 49.5000 49.9100 0
50.1900 49.8700 50.1300 0
50.1200 49.2000 49.5300 0
49.6600 48.9000 49.5000 0
49.8800 49.4300 49.7500 0
50.1900 49.7250 50.0300 .5550
50.3600 49.2600 50.3100 .5939
50.5700 50.0900 50.5200 .5858
50.6500 50.3000 50.4100 .5689
50.4300 49.2100 49.3400 .6155
49.6300 48.9800 49.3700 .6179
50.3300 49.6100 50.2300 .6424
50.2900 49.2000 49.2375 .6743
50.1700 49.4300 49.9300 .6928
49.3200 48.0800 48.4300 .7754
48.5000 47.6400 48.1800 .7815
48.3201 41.5500 46.5700 1.2092
46.8000 44.2833 45.4100 1.3026
47.8000 47.3100 47.7700 1.3803
48.3900 47.2000 47.7200 1.3667
48.6600 47.9000 48.6200 1.3362
48.7900 47.7301 47.8500 1.3165
"""


def test_average_true_range_of_the_table_of_stockcharts() -> None:
    high, low, close, published = table(ATR).T
    # The table's first true range is high less low, as after a bar that closed in between.
    bars = market(*(np.append(prices[0], prices) for prices in (close, high, low)))
    ours = [volatility.atr(bars, 14, lookback=row)[row] * bars.close[row] for row in range(15, 31)]
    np.testing.assert_allclose(ours, published[14:], rtol=0, atol=0.0000501)


# StockCharts, ChartSchool: Money Flow Index; 3 December 2010 to 4 January 2011, 14 bars.

MFI = """
24.8283 24.3205 24.7486 18730.144 0
24.7586 24.5993 24.7088 12271.740 0
25.1568 24.7785 25.0373 24691.414 0
25.5848 24.9477 25.5450 18357.606 0
25.6844 24.8083 25.0672 22964.080 0
25.3360 25.0572 25.1070 15918.948 0
25.2862 24.8482 24.8880 16067.044 0
25.1269 24.7496 24.9975 16568.487 0
25.2762 24.9278 25.0473 16018.729 0
25.3857 25.0274 25.3360 9773.569 0
25.5351 25.0473 25.0572 22572.712 0
25.6048 25.0622 25.4455 12986.669 0
25.7441 25.5351 25.5649 10906.659 0
25.7242 25.4554 25.5550 5799.259 0
25.6744 25.2862 25.4057 7395.274 49.47
25.4455 25.1667 25.3658 5818.162 45.11
25.3161 24.9178 25.0373 7164.726 36.27
25.2563 24.9079 24.9178 5672.914 28.41
25.0373 24.8283 24.8780 5624.742 31.53
25.0074 24.7088 24.9676 5023.469 33.87
25.3061 25.0274 25.0473 7457.091 41.30
25.1170 24.3404 24.4500 11798.009 42.80
"""


def test_money_flow_index_of_the_table_of_stockcharts() -> None:
    high, low, close, volume, published = table(MFI).T
    ours = oscillator.mfi(market(close, high, low, volume), 14)
    np.testing.assert_allclose(ours[14:], published[14:], rtol=0, atol=0.00501)


# StockCharts, ChartSchool: Commodity Channel Index; 24 August to 30 September 2010, 20 bars.

CCI = """
24.2013 23.8534 23.8932 0
24.0721 23.7242 23.9528 0
24.0423 23.6447 23.6745 0
23.8733 23.3664 23.7839 0
23.6745 23.4559 23.4956 0
23.5851 23.1776 23.3217 0
23.8037 23.3962 23.7540 0
23.8036 23.5652 23.7938 0
24.3007 24.0522 24.1417 0
24.1516 23.7739 23.8137 0
24.0522 23.5950 23.7839 0
24.0622 23.8435 23.8634 0
23.8833 23.6447 23.7044 0
25.1356 23.9429 24.9567 0
25.1952 24.7380 24.8771 0
25.0660 24.7678 24.9616 0
25.2151 24.8970 25.1753 0
25.3741 24.9268 25.0660 0
25.3642 24.9567 25.2747 0
25.2648 24.9268 24.9964 102.31
24.8175 24.2112 24.4597 30.74
24.4398 24.2112 24.2808 6.55
24.6485 24.4299 24.6237 33.30
24.8374 24.4398 24.5815 34.95
24.7479 24.2013 24.5268 13.84
24.5094 24.2510 24.3504 -10.75
24.6784 24.2112 24.3404 -11.58
"""


def test_commodity_channel_index_of_the_table_of_stockcharts() -> None:
    high, low, close, published = table(CCI).T
    ours = oscillator.cci(market(close, high, low), 20)
    assert np.isnan(ours[:19]).all()
    np.testing.assert_allclose(ours[19:], published[19:], rtol=0, atol=0.0101)  # printed prices are rounded too


# Roll (1984), section I: price changes where bid and ask are as likely after each trade, and nothing else moves.


@pytest.mark.parametrize("spread", [0.0005, 0.02])
def test_roll_gives_the_spread_where_each_way_through_bid_and_ask_comes_once(spread: float) -> None:
    at_ask = np.array([0, 0, 0, 1, 0, 1, 1, 1, 0, 0])  # holds each of the eight triples, so eight pairs of changes
    bars = market(100 * np.exp(spread * at_ask))
    values = liquidity.roll_spread(bars, 8)
    assert np.isnan(values[:9]).all()
    assert values[9] == pytest.approx(spread)


# Corwin & Schultz (2012), section I: two bars in which nothing but the bounce between bid and ask makes the range.


@pytest.mark.parametrize(("bid", "ask"), [(99.9, 100.1), (50.0, 52.0)])
def test_corwin_schultz_gives_the_spread_where_it_is_all_of_the_range(bid: float, ask: float) -> None:
    bars = market([ask, bid, ask], [ask] * 3, [bid] * 3)
    assert liquidity.corwin_schultz(bars, 2)[2] == pytest.approx((ask - bid) / ((ask + bid) / 2))


def test_corwin_schultz_is_zero_where_the_second_bar_lies_beyond_the_first() -> None:
    bars = market([100.0, 110.0], [101.0, 111.0], [99.0, 109.0])
    assert liquidity.corwin_schultz(bars, 1)[1] == 0


# Parkinson (1980) and Garman & Klass (1980): their formulas for a bar, worked by hand.


def test_range_volatility_of_one_bar_worked_by_hand() -> None:
    bars = Segment(*map(np.array, ([0], [100.0], [102.0], [99.0], [101.0], [1.0])))
    assert volatility.parkinson(bars, 1)[0] == pytest.approx(0.029853 / sqrt(2.772589), abs=1e-6)  # ln(102/99), 4 ln 2
    variance = 0.5 * 0.029853**2 - 0.386294 * 0.009950**2  # 2 ln 2 - 1 and ln(101/100)
    assert volatility.garman_klass(bars, 1)[0] == pytest.approx(sqrt(variance), abs=1e-6)


@pytest.mark.parametrize("width", [0.001, 0.1])
def test_bars_of_one_width_that_close_where_they_open_have_its_volatility(width: float) -> None:
    bars = market([100.0] * 20, [100.0 * exp(width / 2)] * 20, [100.0 * exp(-width / 2)] * 20)
    assert volatility.parkinson(bars, 20)[19] == pytest.approx(width / (2 * sqrt(log(2))))
    assert volatility.garman_klass(bars, 20)[19] == pytest.approx(width / sqrt(2))
