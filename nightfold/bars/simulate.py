"""A seeded market without a memory of prices, to try everything on before real bars are there.

The price is a Brownian motion run on a random clock. The clock is the variance of each hour: a fast and a slow
autoregression in its logarithm, calm and stormy regimes, hours of the day and week, and rare jumps (minutes with a
large variance of their own). It never looks at the price, so given the clock all log returns are independent and
normal with mean minus half their variance: the price is an exact martingale, at every interval. A symbol shares part
of its variance with the market, which correlates symbols.

Hours are summed from a fixed origin; the minutes of an hour are drawn only when asked for, conditional on its sum. So
any range of any symbol is the same view of one path, and a month costs a month.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from math import cos, exp, log, pi, sin, sqrt

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from nightfold.interval import milliseconds
from nightfold.schema import FLOW, PRICES, TIME
from nightfold.source import ORIGIN, SimulatedSource

_COLUMNS = (*PRICES, "volume", *FLOW)
_SIGNIFICANT_DIGITS = 10
_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_HOURS_IN_YEAR = 365 * 24
_FIVE_MINUTES_IN_HOUR = 12

_FAST_MEMORY, _FAST_SPREAD = 0.9, 0.7  # log variance: half gone after 7 hours
_SLOW_MEMORY, _SLOW_SPREAD = 0.997, 0.6  # half gone after 10 days
_STORM_BEGINS, _STORM_ENDS = 1 / (30 * 24), 1 / (6 * 24)
_CALM_VARIANCE, _STORM_VARIANCE = 2 / 3, 8 / 3  # mean 1: storms last a sixth of the time
_WEEKEND, _WEEKDAY = 0.6, 1.16  # mean 1 over a week
_JUMP_CHANCE, _JUMP_SHARE = 1 / 96, 0.1  # of an hour; of all variance
_MINUTE_SPREAD = 0.5
_TREND_TURNS = 1 / 72

_MINUTES_FROM = 1 << 40  # places of minutes and of traits lie where no hour comes, so that they share no draws
_TRAITS_AT = 1 << 50
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_LANES = np.uint64(8)

_Floats = NDArray[np.float64]


def simulate_bars(
    symbols: Iterable[str], interval: str, start: datetime, end: datetime, spec: SimulatedSource
) -> pl.DataFrame:
    """Make the bars of a simulated market.

    Parameters
    ----------
    symbols
        Any names; each has its own price, volume and tie to the market, drawn from its name and the seed. A perpetual
        (``.P``) trades as its spot does.
    interval
        Any whole number of minutes that divides a day; all are views of one path of minutes.
    start, end
        Bars open at ``start`` or later and before ``end``, UTC. There are none before `ORIGIN`.
    spec
        Seed, yearly volatility and planted trend. With ``trend_strength`` above 0 every symbol has a hidden sign that
        holds for 3 days on average, and a 5-minute bar's mean log return is sign x strength x the root mean square
        5-minute return of its hour. Nothing else, and at 0 nothing at all, can be predicted in the mean.

    Returns
    -------
    DataFrame
        ``symbol``, ``open_time``, prices, volume and flow columns, without nulls; sorted by symbol and time. A bar
        opens at the close of the one before. Numbers carry ten significant digits, too fine to look like a tick.
    """
    length = milliseconds(interval)
    origin = _stamp(ORIGIN)
    first = max(-(-_stamp(start) // length) * length, origin)
    count = max(-(-(_stamp(end) - first) // length), 0)
    times = (
        pl.Series("open_time", first + length * np.arange(count)).cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")
    )
    frames = []
    for symbol in sorted(set(symbols)):
        values = _path(symbol, (first - origin) // _MINUTE_MS, count, length // _MINUTE_MS, spec)
        columns = pl.DataFrame(values, schema=list(_COLUMNS), orient="row").with_columns(
            pl.exclude("trades").round_sig_figs(_SIGNIFICANT_DIGITS), pl.col("trades").cast(pl.Int64)
        )
        frames.append(columns.select(pl.lit(symbol).alias("symbol"), times.cast(TIME), *_COLUMNS))
    return pl.concat(frames)


def _stamp(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _key(seed: int, name: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big"))


def _path(symbol: str, first_minute: int, count: int, bar_minutes: int, spec: SimulatedSource) -> _Floats:
    """Values of ``count`` bars in the order of `_COLUMNS`."""
    market, own = _key(spec.seed, "market"), _key(spec.seed, symbol.removesuffix(".P"))
    price, share, money = _traits(own)
    first_hour, end_hour = first_minute // 60, -(-(first_minute + count * bar_minutes) // 60)
    variance = spec.annual_volatility**2 / _HOURS_IN_YEAR
    shared, alone = share * _clock(market, end_hour, variance), (1 - share) * _clock(own, end_hour, variance)
    totals = shared.sum(axis=1) + alone.sum(axis=1)
    drifts = spec.trend_strength * np.sqrt(_FIVE_MINUTES_IN_HOUR * totals) * _trend_signs(own, end_hour)
    moves = _hour_moves(market, shared) + _hour_moves(own, alone) - totals / 2 + drifts
    opens = np.log(price) + np.concatenate(([0.0], np.cumsum(moves)))
    minutes = _minutes(first_hour, market, own, shared, alone, drifts, opens)
    return _bars(own, first_minute, minutes[first_minute % 60 :], count, bar_minutes, variance / 60, money)


@njit(cache=True)
def _uniform(key: np.uint64, place: int, lane: int) -> float:
    """Draw from (0, 1), always the same for one key, place (hour or minute) and lane (0 to 7): SplitMix64."""
    bits = key + _GOLDEN * (np.uint64(place) * _LANES + np.uint64(lane) + np.uint64(1))
    bits = (bits ^ (bits >> np.uint64(30))) * _MIX_1
    bits = (bits ^ (bits >> np.uint64(27))) * _MIX_2
    bits = bits ^ (bits >> np.uint64(31))
    return (float(bits >> np.uint64(11)) + 0.5) / 9007199254740992.0


@njit(cache=True)
def _normals(key: np.uint64, place: int, lane: int) -> tuple[float, float]:
    """Two independent standard normals from two lanes (Box and Muller)."""
    radius = sqrt(-2.0 * log(_uniform(key, place, lane)))
    angle = 2.0 * pi * _uniform(key, place, lane + 1)
    return radius * cos(angle), radius * sin(angle)


@njit(cache=True)
def _traits(key: np.uint64) -> tuple[float, float, float]:
    """First price, share of variance that is the market's, and typical quote volume of a minute."""
    price = 10.0 ** (4.5 * _uniform(key, _TRAITS_AT, 0))
    share = 0.5 + 0.3 * _uniform(key, _TRAITS_AT, 1)
    money = 10.0 ** (4.5 + 1.5 * _uniform(key, _TRAITS_AT, 2))
    return price, share, money


@njit(cache=True)
def _clock(key: np.uint64, hours: int, variance: float) -> _Floats:
    """Variance of each hour since the origin, (hours, 2): spread over its minutes, and of its one jump."""
    out = np.zeros((hours, 2))
    fast, slow = _normals(key, 0, 4)
    storm = False
    centre = (_FAST_SPREAD**2 + _SLOW_SPREAD**2) / 2
    for hour in range(hours):
        new_fast, new_slow = _normals(key, hour, 0)
        fast = _FAST_MEMORY * fast + sqrt(1 - _FAST_MEMORY**2) * new_fast
        slow = _SLOW_MEMORY * slow + sqrt(1 - _SLOW_MEMORY**2) * new_slow
        storm = _uniform(key, hour, 2) >= _STORM_ENDS if storm else _uniform(key, hour, 2) < _STORM_BEGINS
        level = exp(_FAST_SPREAD * fast + _SLOW_SPREAD * slow - centre)
        regime = _STORM_VARIANCE if storm else _CALM_VARIANCE
        out[hour, 0] = (1 - _JUMP_SHARE) * variance * level * regime * _season(hour)
        if _uniform(key, hour, 3) < _JUMP_CHANCE:
            out[hour, 1] = _JUMP_SHARE / _JUMP_CHANCE * variance
    return out


@njit(cache=True)
def _season(hour: int) -> float:
    """Hours of the day (most at 15:00 UTC) and days of the week; 2020-01-01 was a Wednesday."""
    weekend = (hour // 24 + 2) % 7 >= 5
    return (_WEEKEND if weekend else _WEEKDAY) * (1.0 + 0.5 * sin(2.0 * pi * (hour % 24 - 9) / 24.0))


@njit(cache=True)
def _hour_moves(key: np.uint64, clock: _Floats) -> _Floats:
    """Random part of each hour's log return."""
    out = np.empty(len(clock))
    for hour in range(len(clock)):
        out[hour] = sqrt(clock[hour, 0] + clock[hour, 1]) * _normals(key, hour, 6)[0]
    return out


@njit(cache=True)
def _trend_signs(key: np.uint64, hours: int) -> _Floats:
    """Hidden direction of each hour: 1 or -1, changing at random once in three days."""
    out = np.empty(hours)
    sign = 1.0 if _uniform(key, _TRAITS_AT, 3) < 0.5 else -1.0
    for hour in range(hours):
        if _uniform(key, _TRAITS_AT + 1 + hour, 0) < _TREND_TURNS:
            sign = -sign
        out[hour] = sign
    return out


@njit(cache=True)
def _bridge(key: np.uint64, hour: int, clock: _Floats, normals: _Floats, variances: _Floats, moves: _Floats) -> None:
    """Add one hour's random minute moves, drawn so that they sum to the hour's, and their variances.

    On entry ``variances`` holds each minute's share of the quiet variance; on exit the minute's variance.
    """
    total = clock[0] + clock[1]
    variances *= clock[0]
    if clock[1] > 0.0:
        variances[int(60 * _uniform(key, _TRAITS_AT + 1 + hour, 1))] += clock[1]
    missing = sqrt(total) * _normals(key, hour, 6)[0]
    for minute in range(60):
        missing -= sqrt(variances[minute]) * normals[minute]
    for minute in range(60):
        moves[minute] += sqrt(variances[minute]) * normals[minute] + variances[minute] / total * missing


@njit(cache=True)
def _minutes(
    first_hour: int,
    market: np.uint64,
    own: np.uint64,
    shared: _Floats,
    alone: _Floats,
    drifts: _Floats,
    opens: _Floats,
) -> _Floats:
    """Log price at the start and the end of each minute from ``first_hour`` on, and its variance: (minutes, 3)."""
    out = np.empty(((len(drifts) - first_hour) * 60, 3))
    market_normals, own_normals, weights, moves = np.empty(60), np.empty(60), np.empty(60), np.empty(60)
    row = 0
    for hour in range(first_hour, len(drifts)):
        for minute in range(60):
            place = _MINUTES_FROM + hour * 60 + minute
            market_normals[minute], activity = _normals(market, place, 0)
            own_normals[minute] = _normals(own, place, 0)[0]
            weights[minute] = exp(_MINUTE_SPREAD * activity)
        weights /= weights.sum()
        variances, own_variances = weights.copy(), weights.copy()
        moves[:] = drifts[hour] / 60
        _bridge(market, hour, shared[hour], market_normals, variances, moves)
        _bridge(own, hour, alone[hour], own_normals, own_variances, moves)
        variances += own_variances
        at = opens[hour]
        for minute in range(60):
            after = at + moves[minute] - variances[minute] / 2
            out[row] = at, after, variances[minute]
            at, row = after, row + 1
    return out


@njit(cache=True)
def _bars(
    own: np.uint64,
    first_minute: int,
    minutes: _Floats,
    count: int,
    bar_minutes: int,
    usual_variance: float,
    usual_money: float,
) -> _Floats:
    """Gather minutes into bars; the extremes of a minute are those of a Brownian bridge between its ends.

    Money turned over grows with the minute's volatility and the size of its move, as the takers' side leans with the
    move: all of it known from the minute itself, none of it from a later one.
    """
    out = np.zeros((count, 9))
    for bar in range(count):
        high, low = -np.inf, np.inf
        for row in range(bar * bar_minutes, (bar + 1) * bar_minutes):
            at, after, variance = minutes[row]
            place = _MINUTES_FROM + first_minute + row
            reach = 2.0 * variance
            high = max(high, (at + after + sqrt((after - at) ** 2 - reach * log(_uniform(own, place, 4)))) / 2)
            low = min(low, (at + after - sqrt((after - at) ** 2 - reach * log(_uniform(own, place, 5)))) / 2)
            move = (after - at) / sqrt(variance)
            noise, lean = _normals(own, place, 2)
            money = usual_money * sqrt(variance / usual_variance) * (0.6 + 0.5 * abs(move)) * exp(0.5 * noise - 0.125)
            bought = 0.5 + min(max(0.1 * move + 0.05 * lean, -0.45), 0.45)
            base = money / exp((at + after) / 2)
            out[bar, 4] += base
            out[bar, 5] += money
            out[bar, 6] += 1 + int(money / usual_money * 200)
            out[bar, 7] += bought * base
            out[bar, 8] += bought * money
        out[bar, 0] = exp(minutes[bar * bar_minutes, 0])
        out[bar, 1] = exp(high)
        out[bar, 2] = exp(low)
        out[bar, 3] = exp(minutes[(bar + 1) * bar_minutes - 1, 1])
    return out
