"""Every feature on one page: a new one is a function and a line here."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Final

from nightfold.features import (
    calendar,
    candle,
    liquidity,
    oscillator,
    returns,
    statistic,
    structure,
    trend,
    volatility,
    volume,
)
from nightfold.features.feature import Feature
from nightfold.features.segment import Array

Size = int | tuple[int, ...]

NEVER = "never"
FLAT = "no movement in the window"
STILL = "no range in the bar"
IDLE = "no volume in the window"

MURPHY = "Murphy (1999), Technical Analysis of the Financial Markets"
WILDER = "Wilder (1978), New Concepts in Technical Trading Systems"
SWINGS = "Dow theory; swings by average true ranges after Wilder (1978)"


def windowed(
    function: Callable[..., Array],
    sizes: tuple[Size, ...],
    lookback: Callable[..., int],
    formula: str,
    reference: str,
    nulls: str = NEVER,
) -> Iterator[Feature]:
    """Make one feature for each size, named after the function and the size.

    Parameters
    ----------
    function
        From a segment and the size to values; its module is the feature's group.
    sizes
        What the function is called with after the segment, one number or several.
    lookback
        From a size to bars.
    formula
        Words with ``{0}``, ``{1}`` where the numbers of the size stand.
    reference
        Where the definition comes from.
    nulls
        When a value is null although its lookback is there.
    """
    for size in sizes:
        parameters = size if isinstance(size, tuple) else (size,)
        yield Feature(
            name="_".join([function.__name__, *map(str, parameters)]),
            group=function.__module__.rpartition(".")[2],
            formula=formula.format(*parameters),
            lookback=lookback(*parameters),
            reference=reference,
            nulls=nulls,
            function=function,
            parameters=parameters,
        )


def recursive(
    function: Callable[..., Array],
    lookbacks: Mapping[Size, int],
    formula: str,
    reference: str,
    nulls: str = NEVER,
) -> Iterator[Feature]:
    """Make one feature for each size, with a recursion that forgets what lies before the stated lookback.

    Parameters are those of `windowed`, save that each size comes with its lookback, which the function gets, too.
    """
    for size, bars in lookbacks.items():
        for feature in windowed(function, (size,), lambda *_: 0, formula, reference, nulls):
            yield replace(feature, lookback=bars, function=partial(function, lookback=bars))


def _single(
    function: Callable[..., Array], formula: str, reference: str, nulls: str = NEVER, lookback: int = 0
) -> Iterator[Feature]:
    """Make the one feature of a function without a size."""
    return windowed(function, ((),), lambda: lookback, formula, reference, nulls)


def _within(window: int, *_: int) -> int:
    """Lookback of a window of bars."""
    return window - 1


def _across(window: int, *_: int) -> int:
    """Lookback of a window of changes from bar to bar."""
    return window


def _longest(*windows: int) -> int:
    """Lookback of several windows of changes."""
    return max(windows)


_ENTRIES: Final = (
    # returns and momentum
    *windowed(returns.log_return, (1, 3, 5, 10, 20, 60, 288), _across, "ln(close / close {0} bars ago)", "log return"),
    *windowed(returns.momentum, (5, 10), _across, "close / close {0} bars ago, less 1", "TA-Lib ROCP"),
    *windowed(
        returns.standardized_return,
        (60, 288),
        _across,
        "{0}-bar log return / (deviation of the one-bar log returns in it x square root of {0})",
        "t-statistic of the mean return",
        "all one-bar log returns in the window equal",
    ),
    *windowed(
        returns.momentum_change,
        (10,),
        lambda n: 2 * n,
        "{0}-bar log return less the {0}-bar log return {0} bars ago",
        "second difference",
    ),
    *windowed(
        returns.positive_share, (20,), _across, "share of the last {0} closes above the close before", MURPHY, FLAT
    ),
    # oscillators
    *recursive(
        oscillator.rsi,
        {7: 150, 14: 240, 28: 500},
        "100 x average gain / (average gain + average loss), averages of Wilder over {0}",
        f"{WILDER}; TA-Lib RSI",
        FLAT,
    ),
    *recursive(
        oscillator.stochastic_rsi,
        {14: 240},
        "100 x (RSI {0} - lowest RSI) / (highest - lowest RSI), over {0} bars",
        "Chande & Kroll (1994), The New Technical Trader; TA-Lib STOCHRSI",
        "no movement in the window, or an equal RSI in all of it",
    ),
    *windowed(
        oscillator.stochastic_k,
        ((14, 3),),
        lambda n, k: n + k - 2,
        "100 x (close - lowest low) / (highest high - lowest low) over {0} bars, mean of {1}",
        "Lane (1984), Lane's Stochastics; TA-Lib STOCH",
        FLAT,
    ),
    *windowed(
        oscillator.stochastic_d,
        ((14, 3, 3),),
        lambda n, k, d: n + k + d - 3,
        "mean over {2} bars of the stochastic %K ({0}, {1})",
        "Lane (1984), Lane's Stochastics; TA-Lib STOCH",
        FLAT,
    ),
    *windowed(
        oscillator.williams_r,
        (28,),
        _within,
        "-100 x (highest high - close) / (highest high - lowest low) over {0} bars",
        "Williams (1979), How I Made One Million Dollars; TA-Lib WILLR",
        FLAT,
    ),
    *windowed(
        oscillator.cci,
        (20,),
        _within,
        "(typical price - its mean) / (.015 x its mean absolute deviation) over {0} bars",
        "Lambert (1980), Commodity Channel Index; TA-Lib CCI",
        FLAT,
    ),
    *windowed(
        oscillator.mfi,
        (14,),
        _across,
        "100 x value traded in bars with a rising typical price / in bars where it moved, over {0} bars",
        "Quong & Soudack (1989); TA-Lib MFI",
        "no volume in bars where the typical price moved",
    ),
    *windowed(
        oscillator.ultimate_oscillator,
        ((7, 14, 28),),
        _longest,
        "100 x buying pressure / true range over {0}, {1} and {2} bars, weighted 4, 2, 1",
        "Williams (1985), The Ultimate Oscillator; TA-Lib ULTOSC",
        FLAT,
    ),
    # trend
    *windowed(trend.sma_distance, (60,), _within, "ln(close / mean close of {0} bars)", MURPHY),
    *recursive(
        trend.ema_distance,
        {12: 100, 26: 240, 50: 500},
        "ln(close / exponential average of close, {0} bars)",
        "TA-Lib EMA",
    ),
    *recursive(
        trend.kama_distance,
        {10: 350},
        "ln(close / adaptive average of close, efficiency over {0} bars)",
        "Kaufman (1995), Smarter Trading; TA-Lib KAMA",
    ),
    *recursive(
        trend.macd,
        {(12, 26): 240},
        "({0}-bar - {1}-bar exponential average of close) / close",
        "Appel (1979), The Moving Average Convergence-Divergence Method; TA-Lib MACD",
    ),
    *recursive(
        trend.macd_histogram,
        {(12, 26, 9): 240},
        "(MACD {0}, {1} - its {2}-bar exponential average) / close",
        "Appel (1979), The Moving Average Convergence-Divergence Method; TA-Lib MACD",
    ),
    *recursive(
        trend.plus_di,
        {14: 240},
        "100 x upward directional movement / true range, averages of Wilder over {0}",
        f"{WILDER}; TA-Lib PLUS_DI",
        "no movement in the lookback",
    ),
    *recursive(
        trend.minus_di,
        {14: 240},
        "100 x downward directional movement / true range, averages of Wilder over {0}",
        f"{WILDER}; TA-Lib MINUS_DI",
        "no movement in the lookback",
    ),
    *recursive(
        trend.adx,
        {14: 480},
        "Wilder average over {0} of 100 x |plus DI - minus DI| / (plus DI + minus DI)",
        f"{WILDER}; TA-Lib ADX",
        "no directional movement in half the lookback",
    ),
    *windowed(
        trend.aroon_oscillator,
        (25,),
        _across,
        "100 / {0} x (bars since the lowest low - bars since the highest high)",
        "Chande (1995), A Time Price Oscillator; TA-Lib AROONOSC",
        FLAT,
    ),
    *recursive(
        trend.parabolic_distance,
        {(2, 20): 350},
        "ln(close / parabolic stop), pace {0} % up to {1} %, begun 350 bars before",
        f"{WILDER}; TA-Lib SAR",
    ),
    *windowed(
        trend.vortex,
        (14,),
        _across,
        "(sum of |high - low before| - sum of |low - high before|) / sum of true range over {0} bars",
        "Botes & Siepman (2010), The Vortex Indicator; TA-Lib VORTEX",
        FLAT,
    ),
    *windowed(
        trend.efficiency_ratio,
        (10,),
        _across,
        "change of close over {0} bars / sum of absolute one-bar changes",
        "Kaufman (1995), Smarter Trading",
        FLAT,
    ),
    *windowed(
        trend.trend_slope,
        (60,),
        _within,
        "slope a bar of the least-squares line through the last {0} log closes",
        "ordinary least squares",
    ),
    *windowed(
        trend.trend_fit,
        (20, 60),
        _within,
        "R squared of the least-squares line through the last {0} log closes, with the slope's sign",
        "ordinary least squares",
        FLAT,
    ),
    # volatility
    *windowed(
        volatility.volatility,
        (5, 20, 60, 288),
        _across,
        "sample standard deviation of the last {0} one-bar log returns",
        "realized volatility",
    ),
    *windowed(
        volatility.parkinson,
        (20,),
        _within,
        "square root of the mean of ln(high / low) squared / (4 ln 2), {0} bars",
        "Parkinson (1980), The Extreme Value Method",
    ),
    *windowed(
        volatility.garman_klass,
        (20,),
        _within,
        "square root of the mean of ln(high / low) squared / 2 - (2 ln 2 - 1) ln(close / open) squared, {0} bars",
        "Garman & Klass (1980), On the Estimation of Security Price Volatilities",
    ),
    *windowed(
        volatility.rogers_satchell,
        (20,),
        _within,
        "square root of the mean of ln(h / c) ln(h / o) + ln(l / c) ln(l / o), {0} bars",
        "Rogers & Satchell (1991), Estimating Variance from High, Low and Closing Prices",
    ),
    *windowed(
        volatility.yang_zhang,
        (20,),
        _across,
        "square root of gap variance + k body variance + (1 - k) Rogers-Satchell variance, {0} bars",
        "Yang & Zhang (2000), Drift-Independent Volatility Estimation",
    ),
    *windowed(
        volatility.semi_deviation,
        (20,),
        _across,
        "root mean square of the last {0} one-bar log returns, those above 0 counted as 0",
        "Markowitz (1959), Portfolio Selection",
    ),
    *windowed(
        volatility.downside_share,
        (60,),
        _across,
        "sum of squared falling / sum of squared one-bar log returns, {0} bars",
        "Barndorff-Nielsen, Kinnebrock & Shephard (2010), Measuring Downside Risk",
        FLAT,
    ),
    *windowed(
        volatility.volatility_of_volatility,
        (20,),
        lambda n: 2 * n - 1,
        "sample deviation of the last {0} volatilities of {0} bars / their mean",
        "volatility of realized volatility",
        FLAT,
    ),
    *windowed(
        volatility.volatility_ratio,
        ((5, 60), (20, 288)),
        _longest,
        "volatility of {0} bars / volatility of {1} bars",
        "realized volatility",
        "all one-bar log returns in the long window equal",
    ),
    *windowed(
        volatility.jump_share,
        (60,),
        _across,
        "1 - bipower / squared variation of {0} one-bar log returns, not under 0",
        "Barndorff-Nielsen & Shephard (2004), Power and Bipower Variation",
        FLAT,
    ),
    *recursive(
        volatility.atr, {14: 200}, "Wilder average over {0} of the true range / close", f"{WILDER}; TA-Lib NATR"
    ),
    *recursive(
        volatility.true_range_ratio,
        {14: 200},
        "true range / its Wilder average over {0}",
        WILDER,
        "no movement in the lookback",
    ),
    *recursive(
        volatility.keltner_position,
        {(20, 14): 200},
        "(close - exponential average of close, {0} bars) / Wilder average of the true range, {1} bars",
        "Keltner (1960), How to Make Money in Commodities",
        "no movement in the lookback",
    ),
    *windowed(
        volatility.bollinger_position,
        (20,),
        _within,
        "%B: (close - lower band) / (upper - lower band), bands 2 deviations about the mean of {0} closes",
        "Bollinger (2001), Bollinger on Bollinger Bands; TA-Lib BBANDS",
        FLAT,
    ),
    *windowed(
        volatility.bollinger_width,
        (20,),
        _within,
        "(upper - lower band) / mean of {0} closes, bands 2 deviations about it",
        "Bollinger (2001), Bollinger on Bollinger Bands; TA-Lib BBANDS",
    ),
    *windowed(
        volatility.donchian_position,
        (288,),
        _within,
        "(close - lowest low) / (highest high - lowest low) of {0} bars",
        "Donchian channel",
        FLAT,
    ),
    *windowed(
        volatility.choppiness,
        (14,),
        _across,
        "log of (sum of true range / (highest high - lowest low)), base {0}, {0} bars",
        "Dreiss (1993), Choppiness Index",
        FLAT,
    ),
    # volume
    *windowed(volume.volume_ratio, (20, 288), _within, "volume / mean volume of {0} bars", MURPHY, IDLE),
    *windowed(
        volume.volume_z_score,
        (288,),
        _within,
        "(volume - mean) / population deviation of the last {0} volumes",
        "z-score",
        "all volumes in the window equal",
    ),
    *windowed(
        volume.volume_trend,
        ((5, 20),),
        lambda _, slow: slow - 1,
        "mean volume of {0} bars / mean volume of {1} bars",
        MURPHY,
        IDLE,
    ),
    *windowed(
        volume.volume_concentration,
        (20,),
        _within,
        "highest volume / sum of the last {0} volumes",
        "concentration ratio",
        IDLE,
    ),
    *windowed(
        volume.obv_change,
        (20,),
        _across,
        "sum of volume, signed by the change of close / sum of volume, {0} bars",
        "Granville (1963), on-balance volume",
        IDLE,
    ),
    *windowed(
        volume.force,
        (13,),
        _across,
        "sum of one-bar log return x volume / sum of volume, {0} bars",
        "Elder (1993), Trading for a Living: force index",
        IDLE,
    ),
    *windowed(
        volume.money_flow,
        (20,),
        _within,
        "sum of (2 close - high - low) / (high - low) x volume / sum of volume, {0} bars",
        "Chaikin money flow; TA-Lib CMF",
        IDLE,
    ),
    *windowed(
        volume.vwap_distance,
        (20, 288),
        _within,
        "ln(close / volume-weighted typical price of {0} bars)",
        "volume-weighted average price",
        IDLE,
    ),
    # price action and candles
    *_single(candle.price_in_range, "(close - low) / (high - low)", "stochastic of one bar", STILL),
    *_single(candle.body_in_range, "(close - open) / (high - low)", "TA-Lib BOP", STILL),
    *_single(candle.upper_wick, "(high - higher of open and close) / (high - low)", "candlestick", STILL),
    *_single(candle.lower_wick, "(lower of open and close - low) / (high - low)", "candlestick", STILL),
    *windowed(
        candle.wick_balance,
        (20,),
        _within,
        "(sum of upper - sum of lower wicks) / sum of (high - low), {0} bars",
        "candlestick",
        "no range in any bar of the window",
    ),
    *_single(candle.gap, "ln(open / close before)", "candlestick", lookback=1),
    *_single(candle.bar_range, "ln(high / low)", "candlestick"),
    *windowed(candle.streak, (10,), _across, "closes in one direction in a row, signed, at most {0}", "run length"),
    *_single(
        candle.engulfing,
        "1 where a rising body engulfs a falling one, -1 the other way, .8 where one end is equal, else 0",
        "Nison (1991), Japanese Candlestick Charting Techniques; TA-Lib CDLENGULFING",
        lookback=2,
    ),
    # statistics
    *windowed(
        statistic.z_score,
        (20, 288),
        _within,
        "(close - mean) / population deviation of the last {0} closes",
        "z-score",
        FLAT,
    ),
    *windowed(
        statistic.percentile_rank,
        (60,),
        _within,
        "share of the other {0}-bar closes below the close, ties counted half",
        "percentile rank",
        FLAT,
    ),
    *windowed(
        statistic.skew,
        (60, 288),
        _across,
        "population skewness of the last {0} one-bar log returns",
        "third standardized moment",
        "all one-bar log returns in the window equal",
    ),
    *windowed(
        statistic.kurtosis,
        (288,),
        _across,
        "population excess kurtosis of the last {0} one-bar log returns",
        "fourth standardized moment less 3",
        "all one-bar log returns in the window equal",
    ),
    *windowed(
        statistic.autocorrelation,
        ((288, 1),),
        lambda n, lags: n + lags,
        "correlation of the last {0} one-bar log returns with those {1} bars before",
        "sample autocorrelation",
        "all returns in one of the windows equal",
    ),
    *windowed(
        statistic.absolute_autocorrelation,
        ((288, 1),),
        lambda n, lags: n + lags,
        "correlation of the last {0} absolute one-bar log returns with those {1} bars before",
        "Taylor (1986), Modelling Financial Time Series",
        "all absolute returns in one of the windows equal",
    ),
    *windowed(
        statistic.variance_ratio,
        ((288, 4),),
        _across,
        "variance of {1}-bar log returns / ({1} x variance of one-bar log returns) in {0} bars",
        "Lo & MacKinlay (1988), Stock Market Prices Do Not Follow Random Walks",
        "all one-bar log returns in the window equal",
    ),
    *windowed(
        statistic.hurst,
        (288,),
        _across,
        "slope of ln deviation on ln k for log returns over k = 1, 2, 4, 8, 16, 32 bars, in {0} bars",
        "Hurst (1951); aggregated deviation",
        "no movement at one of the scales",
    ),
    *windowed(
        statistic.permutation_entropy,
        (60,),
        _within,
        "entropy of the order of three neighbouring closes in {0} bars, over ln 6",
        "Bandt & Pompe (2002), Permutation Entropy",
        FLAT,
    ),
    *windowed(
        statistic.fractional_difference,
        ((40, 96),),
        lambda _, window: window - 1,
        "fractional difference of order {0} % of ln(close / oldest of {1} closes)",
        "López de Prado (2018), Advances in Financial Machine Learning, ch. 5",
    ),
    # liquidity
    *windowed(
        liquidity.roll_spread,
        (288,),
        lambda n: n + 1,
        "2 x square root of the negative covariance of {0} neighbouring log returns; 0 where it is positive",
        "Roll (1984), A Simple Implicit Measure of the Effective Bid-Ask Spread",
    ),
    *windowed(
        liquidity.corwin_schultz,
        (20,),
        _across,
        "mean of {0} two-bar spreads from highs and lows, negative ones counted as 0",
        "Corwin & Schultz (2012), A Simple Way to Estimate Bid-Ask Spreads",
    ),
    *windowed(
        liquidity.amihud_ratio,
        ((20, 288),),
        _longest,
        "mean of |log return| / traded value over {0} bars / the same over {1} bars, bars without trade left out",
        "Amihud (2002), Illiquidity and Stock Returns",
        "no volume in the short window, or no movement in the long one",
    ),
    *windowed(
        liquidity.return_volume_correlation,
        (60,),
        _across,
        "correlation of one-bar log return and volume, {0} bars",
        "Karpoff (1987), The Relation Between Price Changes and Trading Volume",
        "all returns or all volumes in the window equal",
    ),
    *windowed(
        liquidity.size_volume_correlation,
        (60,),
        _across,
        "correlation of absolute one-bar log return and volume, {0} bars",
        "Karpoff (1987), The Relation Between Price Changes and Trading Volume",
        "all absolute returns or all volumes in the window equal",
    ),
    *windowed(
        liquidity.unchanged_share,
        (60,),
        _across,
        "share of the last {0} closes equal to the close before",
        "Lesmond, Ogden & Trzcinka (1999), A New Estimate of Transaction Costs",
    ),
    # market structure
    *recursive(
        structure.swing_high_distance,
        {3: 550},
        "ln(close / last swing high, confirmed by a fall of {0} average true ranges)",
        SWINGS,
        "no confirmed swing high in 350 bars",
    ),
    *recursive(
        structure.swing_low_distance,
        {3: 550},
        "ln(close / last swing low, confirmed by a rise of {0} average true ranges)",
        SWINGS,
        "no confirmed swing low in 350 bars",
    ),
    *recursive(
        structure.swing_position,
        {3: 550},
        "(close - last swing low) / (last swing high - last swing low), confirmed by {0} average true ranges",
        SWINGS,
        "no confirmed swing high or no confirmed swing low in 350 bars",
    ),
    *recursive(
        structure.break_of_structure,
        {(3, 20): 569},
        "first closes beyond a swing of {0} average true ranges with the structure, rising - falling, in {1} bars",
        SWINGS,
        "no close beyond a swing in 350 bars",
    ),
    *recursive(
        structure.change_of_character,
        {(3, 20): 569},
        "first closes beyond a swing of {0} average true ranges against the structure, rising - falling, in {1} bars",
        SWINGS,
        "no close beyond a swing in 350 bars",
    ),
    # calendar
    *_single(calendar.hour_sin, "sine of the open time on the circle of the day, UTC", "time of day"),
    *_single(calendar.hour_cos, "cosine of the open time on the circle of the day, UTC", "time of day"),
    *_single(calendar.weekday_sin, "sine of the open time on the circle of the week from Monday, UTC", "time of week"),
    *_single(
        calendar.weekday_cos, "cosine of the open time on the circle of the week from Monday, UTC", "time of week"
    ),
)

FEATURES: Final[Mapping[str, Feature]] = MappingProxyType({feature.name: feature for feature in _ENTRIES})
"""The default set, by name, in the order of the page."""

SETS: Final[Mapping[str, Mapping[str, Feature]]] = MappingProxyType({"default": FEATURES})
"""Named sets an experiment chooses from."""
