"""The columns of the default set in pandas and TA-Lib, as one would write them by hand; all but the five of swings."""

import sys
import time

import numpy as np
import pandas as pd
import talib


def compute(bars: pd.DataFrame, times: np.ndarray) -> pd.DataFrame:
    open_, high, low, close, volume = (bars[name] for name in ("open", "high", "low", "close", "volume"))
    before, change, typical = close.shift(), close.diff(), (high + low + close) / 3
    spread, value = high - low, typical * volume
    level, returns, body, ranges = np.log(close), np.log(close / before), np.log(close / open_), np.log(high / low)
    size, squares = returns.abs(), returns**2
    true_range = talib.TRANGE(high, low, close)
    volume_20, volume_288 = volume.rolling(20).sum(), volume.rolling(288).sum()
    high_14, low_14 = high.rolling(14).max(), low.rolling(14).min()
    deviation = {window: returns.rolling(window).std() for window in (5, 20, 60, 288)}
    columns: dict[str, pd.Series] = {}

    for window in (1, 3, 5, 10, 20, 60, 288):
        columns[f"log_return_{window}"] = np.log(close / close.shift(window))
    for window in (5, 10):
        columns[f"momentum_{window}"] = talib.ROCP(close, window)
    for window in (60, 288):
        columns[f"standardized_return_{window}"] = columns[f"log_return_{window}"] / (
            deviation[window] * np.sqrt(window)
        )
    columns["momentum_change_10"] = columns["log_return_10"].diff(10)
    columns["positive_share_20"] = (change > 0).rolling(20).mean()

    for window in (7, 14, 28):
        columns[f"rsi_{window}"] = talib.RSI(close, window)
    rsi = columns["rsi_14"].rolling(14)
    columns["stochastic_rsi_14"] = 100 * (columns["rsi_14"] - rsi.min()) / (rsi.max() - rsi.min())
    columns["stochastic_k_14_3"], columns["stochastic_d_14_3_3"] = talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
    columns["williams_r_28"] = talib.WILLR(high, low, close, 28)
    columns["cci_20"] = talib.CCI(high, low, close, 20)
    columns["mfi_14"] = talib.MFI(high, low, close, volume, 14)
    columns["ultimate_oscillator_7_14_28"] = talib.ULTOSC(high, low, close, 7, 14, 28)

    columns["sma_distance_60"] = np.log(close / talib.SMA(close, 60))
    for window in (12, 26, 50):
        columns[f"ema_distance_{window}"] = np.log(close / talib.EMA(close, window))
    columns["kama_distance_10"] = np.log(close / talib.KAMA(close, 10))
    macd, _, histogram = talib.MACD(close, 12, 26, 9)
    columns["macd_12_26"], columns["macd_histogram_12_26_9"] = macd / close, histogram / close
    columns["plus_di_14"] = talib.PLUS_DI(high, low, close, 14)
    columns["minus_di_14"] = talib.MINUS_DI(high, low, close, 14)
    columns["adx_14"] = talib.ADX(high, low, close, 14)
    columns["aroon_oscillator_25"] = talib.AROONOSC(high, low, 25)
    columns["parabolic_distance_2_20"] = np.log(close / talib.SAR(high, low, 0.02, 0.2))
    vortex = (high - low.shift()).abs() - (low - high.shift()).abs()
    columns["vortex_14"] = vortex.rolling(14).sum() / true_range.rolling(14).sum()
    columns["efficiency_ratio_10"] = close.diff(10) / change.abs().rolling(10).sum()
    columns["trend_slope_60"] = talib.LINEARREG_SLOPE(level, 60)
    number = pd.Series(np.arange(len(close), dtype=float), close.index)
    for window in (20, 60):
        correlation = talib.CORREL(number, level, window)
        columns[f"trend_fit_{window}"] = correlation * correlation.abs()

    for window in (5, 20, 60, 288):
        columns[f"volatility_{window}"] = deviation[window]
    satchell = np.log(high / close) * np.log(high / open_) + np.log(low / close) * np.log(low / open_)
    satchell_20 = satchell.rolling(20).mean()
    columns["parkinson_20"] = np.sqrt((ranges**2).rolling(20).mean() / (4 * np.log(2)))
    columns["garman_klass_20"] = np.sqrt((ranges**2 / 2 - (2 * np.log(2) - 1) * body**2).rolling(20).mean())
    columns["rogers_satchell_20"] = np.sqrt(satchell_20)
    share = 0.34 / (1.34 + 21 / 19)
    gap = np.log(open_ / before)
    variance = gap.rolling(20).var() + share * body.rolling(20).var() + (1 - share) * satchell_20
    columns["yang_zhang_20"] = np.sqrt(variance)
    falls = returns.clip(upper=0) ** 2
    columns["semi_deviation_20"] = np.sqrt(falls.rolling(20).mean())
    squares_60 = squares.rolling(60).sum()
    columns["downside_share_60"] = falls.rolling(60).sum() / squares_60
    columns["volatility_of_volatility_20"] = deviation[20].rolling(20).std() / deviation[20].rolling(20).mean()
    columns["volatility_ratio_5_60"] = deviation[5] / deviation[60]
    columns["volatility_ratio_20_288"] = deviation[20] / deviation[288]
    bipower = (size * size.shift()).rolling(59).sum() * (np.pi / 2 * 60 / 59)
    columns["jump_share_60"] = (1 - bipower / squares_60).clip(lower=0)
    average_range = talib.ATR(high, low, close, 14)
    columns["atr_14"] = average_range / close
    columns["true_range_ratio_14"] = true_range / average_range
    columns["keltner_position_20_14"] = (close - talib.EMA(close, 20)) / average_range
    upper, middle, lower = talib.BBANDS(close, 20, 2, 2)
    columns["bollinger_position_20"] = (close - lower) / (upper - lower)
    columns["bollinger_width_20"] = (upper - lower) / middle
    lowest, highest = low.rolling(288).min(), high.rolling(288).max()
    columns["donchian_position_288"] = (close - lowest) / (highest - lowest)
    columns["choppiness_14"] = np.log(true_range.rolling(14).sum() / (high_14 - low_14)) / np.log(14)

    columns["volume_ratio_20"], columns["volume_ratio_288"] = 20 * volume / volume_20, 288 * volume / volume_288
    columns["volume_z_score_288"] = (volume - volume_288 / 288) / volume.rolling(288).std(ddof=0)
    columns["volume_trend_5_20"] = 4 * volume.rolling(5).sum() / volume_20
    columns["volume_concentration_20"] = volume.rolling(20).max() / volume_20
    columns["obv_change_20"] = talib.OBV(close, volume).diff(20) / volume_20
    columns["force_13"] = (returns * volume).rolling(13).sum() / volume.rolling(13).sum()
    columns["money_flow_20"] = ((2 * close - high - low) / spread * volume).rolling(20).sum() / volume_20
    columns["vwap_distance_20"] = np.log(close * volume_20 / value.rolling(20).sum())
    columns["vwap_distance_288"] = np.log(close * volume_288 / value.rolling(288).sum())

    columns["price_in_range"] = (close - low) / spread
    columns["body_in_range"] = talib.BOP(open_, high, low, close)
    columns["upper_wick"] = (high - np.maximum(open_, close)) / spread
    columns["lower_wick"] = (np.minimum(open_, close) - low) / spread
    columns["wick_balance_20"] = (high + low - open_ - close).rolling(20).sum() / spread.rolling(20).sum()
    columns["gap"], columns["bar_range"] = gap, ranges
    sign = np.sign(change)
    columns["streak_10"] = (sign * sign.groupby((sign != sign.shift()).cumsum()).cumcount().add(1)).clip(-10, 10)
    columns["engulfing"] = talib.CDLENGULFING(open_, high, low, close) / 100

    for window in (20, 288):
        rolling = close.rolling(window)
        columns[f"z_score_{window}"] = (close - rolling.mean()) / rolling.std(ddof=0)
    columns["percentile_rank_60"] = (close.rolling(60).rank() - 1) / 59
    columns["skew_60"], columns["skew_288"] = returns.rolling(60).skew(), returns.rolling(288).skew()
    columns["kurtosis_288"] = returns.rolling(288).kurt()
    columns["autocorrelation_288_1"] = returns.rolling(288).corr(returns.shift())
    columns["absolute_autocorrelation_288_1"] = size.rolling(288).corr(size.shift())
    columns["variance_ratio_288_4"] = level.diff(4).rolling(285).var() / (4 * returns.rolling(288).var())
    scales = np.log([1, 2, 4, 8, 16, 32])
    slopes = (scales - scales.mean()) / ((scales - scales.mean()) ** 2).sum()
    columns["hurst_288"] = sum(
        slope * np.log(level.diff(2**k).rolling(289 - 2**k).std()) for k, slope in enumerate(slopes)
    )
    orders = (close.shift(2) > before) * 4 + (before > close) * 2 + (close.shift(2) > close)
    shares = [(orders == order).rolling(58).mean() for order in (0, 2, 3, 4, 5, 7)]
    columns["permutation_entropy_60"] = -sum(part * np.log(part.clip(lower=1e-12)) for part in shares) / np.log(6)
    weights = np.concatenate(([1.0], np.cumprod((np.arange(95) - 0.4) / np.arange(1, 96))))
    difference = pd.Series(np.convolve(level, weights)[: len(level)], level.index)
    columns["fractional_difference_40_96"] = difference - level.shift(95) * weights.sum()

    columns["roll_spread_288"] = 2 * np.sqrt((-returns.rolling(288).cov(returns.shift())).clip(lower=0))
    beta, joint = ranges**2 + ranges.shift() ** 2, np.log(high.rolling(2).max() / low.rolling(2).min())
    root = 3 - 2 * np.sqrt(2)
    alpha = (np.sqrt(2) - 1) * np.sqrt(beta) / root - joint / np.sqrt(root)
    columns["corwin_schultz_20"] = (2 * np.tanh(alpha / 2)).clip(lower=0).rolling(20).mean()
    impact = size / value
    columns["amihud_ratio_20_288"] = impact.rolling(20).mean() / impact.rolling(288).mean()
    columns["return_volume_correlation_60"] = returns.rolling(60).corr(volume)
    columns["size_volume_correlation_60"] = size.rolling(60).corr(volume)
    columns["unchanged_share_60"] = (change == 0).rolling(60).mean()

    for name, length in (("hour", 86_400_000), ("weekday", 7 * 86_400_000)):
        angle = 2 * np.pi * ((times - 4 * 86_400_000) % length) / length
        columns[f"{name}_sin"] = pd.Series(np.sin(angle), close.index)
        columns[f"{name}_cos"] = pd.Series(np.cos(angle), close.index)
    return pd.DataFrame({name: column.astype(np.float32) for name, column in columns.items()})


def main() -> None:
    bars = np.load(sys.argv[1])
    frame = pd.DataFrame({name: bars[name] for name in ("open", "high", "low", "close", "volume")})
    compute(frame.head(2_000), bars["open_time"][:2_000])
    runs = []
    for _ in range(3):
        started = time.process_time()
        with np.errstate(all="ignore"):
            compute(frame, bars["open_time"])
        runs.append(time.process_time() - started)
    print(sorted(runs)[1])


main()
