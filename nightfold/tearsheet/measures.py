"""What a strategy did, as numbers: functions of daily simple returns, of trade profits and of equity.

Returns are fractions of equity from UTC day to UTC day, flat days included; a year has 365 days, a standard
deviation divides by n - 1, skewness and kurtosis are those of the population. A value that lacks its denominator
or has too little data is None, never infinity and never a quiet 0.
"""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from nightfold.errors import ConfigError, SchemaError

DAYS_PER_YEAR = 365
FEW_TRIALS = 10

_NORMAL = NormalDist()
_EULER = 0.5772156649015329
_LARGEST_EXPONENT = 700.0

Values = npt.NDArray[np.float64]


def total_return(returns: npt.ArrayLike) -> float | None:
    """Return over the whole range, as a fraction; None for no days.

    Raises
    ------
    SchemaError
        As every measure of returns: if one is null, NaN, infinite, or -1 and less (nothing is left to trade with).

    Examples
    --------
    >>> round(total_return([0.1, -0.1]), 6)
    -0.01
    """
    values = _returns(returns)
    return float(np.prod(1.0 + values) - 1.0) if values.size else None


def cagr(returns: npt.ArrayLike) -> float | None:
    """Compound return a year by calendar time, ``(1 + total) ** (365 / days) - 1``; None for no days.

    Also None where a few days of huge gains, raised to a year, leave what a float can hold.
    """
    values = _returns(returns)
    if not values.size:
        return None
    exponent = float(np.log1p(values).sum()) * DAYS_PER_YEAR / values.size
    return math.expm1(exponent) if exponent < _LARGEST_EXPONENT else None


def volatility(returns: npt.ArrayLike) -> float | None:
    """Yearly standard deviation: that of daily returns times sqrt(365); None under two days."""
    values = _returns(returns)
    return float(values.std(ddof=1)) * math.sqrt(DAYS_PER_YEAR) if values.size > 1 else None


def sharpe_ratio(returns: npt.ArrayLike) -> float | None:
    """Mean over standard deviation, times sqrt(365); None under two days or where nothing varies.

    Examples
    --------
    >>> round(sharpe_ratio([0.01, -0.02, 0.03, 0.0, 0.01]), 4)
    6.3102
    """
    daily = daily_sharpe_ratio(returns)
    return None if daily is None else daily * math.sqrt(DAYS_PER_YEAR)


def daily_sharpe_ratio(returns: npt.ArrayLike) -> float | None:
    """Mean over standard deviation, not annualised: the unit of every deflated figure and of the trial ledger."""
    values = _returns(returns)
    return float(values.mean() / values.std(ddof=1)) if _varies(values) else None


def sortino_ratio(returns: npt.ArrayLike) -> float | None:
    """Mean over the root mean square of losses (over all days), times sqrt(365); None without a losing day.

    Examples
    --------
    >>> round(sortino_ratio([0.01, -0.02, 0.03, 0.0, 0.01]), 4)
    12.816
    """
    values = _returns(returns)
    downside = math.sqrt(float(np.mean(np.minimum(values, 0.0) ** 2))) if _varies(values) else 0.0
    return float(values.mean()) / downside * math.sqrt(DAYS_PER_YEAR) if downside else None


def calmar_ratio(returns: npt.ArrayLike) -> float | None:
    """CAGR over the size of the largest drawdown; None without one."""
    growth, drawdown = cagr(returns), max_drawdown(returns)
    return growth / -drawdown if growth is not None and drawdown else None


def omega(returns: npt.ArrayLike, threshold: float = 0.0) -> float | None:
    """Sum of returns above a threshold over the sum below it; None where none lies below.

    ``threshold`` is a daily return.
    """
    excess = _returns(returns) - threshold
    losses = -float(np.minimum(excess, 0.0).sum())
    return float(np.maximum(excess, 0.0).sum()) / losses if losses else None


def tail_ratio(returns: npt.ArrayLike) -> float | None:
    """Size of the 95 % quantile over that of the 5 % quantile; None unless the latter is a loss."""
    values = _returns(returns)
    if values.size < 2:
        return None
    low, high = np.quantile(values, (0.05, 0.95))
    return float(abs(high) / -low) if low < 0.0 else None


def drawdowns(returns: npt.ArrayLike) -> Values:
    """Distance of equity from its peak so far at the end of each day, as fractions <= 0.

    The money put in on the first day counts as a peak.
    """
    equity: Values = np.cumprod(1.0 + _returns(returns), dtype=np.float64)
    if equity.size:
        equity /= np.maximum(np.maximum.accumulate(equity), 1.0)
    return equity - 1.0


def max_drawdown(returns: npt.ArrayLike) -> float | None:
    """Deepest drawdown, a fraction <= 0; None for no days."""
    below = drawdowns(returns)
    return float(below.min()) if below.size else None


def drawdown_length(returns: npt.ArrayLike) -> int | None:
    """Longest run of days under the peak, one still open counted; None for no days.

    Examples
    --------
    >>> drawdown_length([0.1, -0.05, 0.01, 0.2, -0.1])
    2
    """
    below = drawdowns(returns) < 0.0
    if not below.size:
        return None
    edges = np.flatnonzero(np.diff(np.concatenate(([False], below, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def ulcer_index(returns: npt.ArrayLike) -> float | None:
    """Root mean square of the drawdowns, a fraction >= 0; None for no days."""
    below = drawdowns(returns)
    return math.sqrt(float(np.mean(below**2))) if below.size else None


def value_at_risk(returns: npt.ArrayLike, level: float = 0.95) -> float | None:
    """Daily return that ``level`` of the days exceed, by linear quantile: negative for a loss; None for no days.

    Raises
    ------
    ConfigError
        If ``level`` is not in [0.5, 1).

    Examples
    --------
    >>> round(value_at_risk([0.01, -0.02, 0.03, 0.0, 0.01]), 6)
    -0.016
    """
    values = _returns(returns)
    return float(np.quantile(values, _tail(level))) if values.size else None


def conditional_value_at_risk(returns: npt.ArrayLike, level: float = 0.95) -> float | None:
    """Mean of the returns at or under the value at risk: negative for a loss; None for no days."""
    values = _returns(returns)
    return float(values[values <= np.quantile(values, _tail(level))].mean()) if values.size else None


def skewness(returns: npt.ArrayLike) -> float | None:
    """Third standardised moment of the population; None under two days or where nothing varies."""
    return _standard_moment(_returns(returns), 3)


def kurtosis(returns: npt.ArrayLike) -> float | None:
    """Fourth standardised moment of the population, 3 for a normal law; None under two days or without variance."""
    return _standard_moment(_returns(returns), 4)


def probabilistic_sharpe_ratio(returns: npt.ArrayLike, benchmark: float = 0.0) -> float | None:
    """Probability that the true daily Sharpe ratio exceeds ``benchmark``, given length, skewness and fat tails.

    ``benchmark`` is a daily ratio, not annualised. None under two days or where nothing varies.

    References
    ----------
    Bailey and López de Prado (2012), *The Sharpe Ratio Efficient Frontier*.
    """
    values = _returns(returns)
    sharpe, skew, fourth = daily_sharpe_ratio(values), skewness(values), kurtosis(values)
    if sharpe is None or skew is None or fourth is None:
        return None
    return sharpe_confidence(sharpe, benchmark, days=values.size, skewness=skew, kurtosis=fourth)


def deflated_sharpe_ratio(returns: npt.ArrayLike, n_trials: int = 1, variance: float | None = None) -> float | None:
    """Probability that the true Sharpe ratio exceeds what the best of ``n_trials`` shows by luck alone.

    Parameters
    ----------
    returns
        Daily returns of the variant that is reported.
    n_trials
        All variants whose result on the same range was looked at, this one included.
    variance
        Variance of their daily Sharpe ratios. None: that of one ratio without any skill, ``1 / (days - 1)``, which
        is the rule for under ten trials.

    Raises
    ------
    ConfigError
        If ``n_trials`` is under 1 or ``variance`` is negative or not finite.

    References
    ----------
    Bailey and López de Prado (2014), *The Deflated Sharpe Ratio*.
    """
    values = _returns(returns)
    if values.size < 2:
        return None
    spread = 1.0 / (values.size - 1) if variance is None else variance
    return probabilistic_sharpe_ratio(values, expected_max_sharpe(n_trials, spread))


def sharpe_confidence(
    sharpe: float, benchmark: float = 0.0, *, days: int, skewness: float, kurtosis: float
) -> float | None:
    """Probability that the ratio behind an observed daily Sharpe ratio exceeds a benchmark, from its moments.

    ``kurtosis`` is not excess (3 for a normal law). None where the moments leave the ratio without variance.

    Examples
    --------
    >>> round(sharpe_confidence(0.08, days=365, skewness=-0.5, kurtosis=6.0), 4)
    0.932
    """
    variance = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt((days - 1) / variance)) if variance > 0.0 else None


def expected_max_sharpe(n_trials: int, variance: float) -> float:
    """Daily Sharpe ratio that the best of ``n_trials`` without skill is expected to show; 0 for one trial.

    Examples
    --------
    >>> round(expected_max_sharpe(50, 0.0025), 5)
    0.11382
    """
    if n_trials < 1:
        raise ConfigError(f"`n_trials` is {n_trials}; it must be 1 or more: the reported variant counts.")
    if not 0.0 <= variance < math.inf:
        raise ConfigError(f"`variance` is {variance}; it must be a variance of daily Sharpe ratios, 0 or more.")
    if n_trials == 1:
        return 0.0
    first = _NORMAL.inv_cdf(1.0 - 1.0 / n_trials)
    second = _NORMAL.inv_cdf(1.0 - 1.0 / (n_trials * math.e))
    return math.sqrt(variance) * ((1.0 - _EULER) * first + _EULER * second)


def sharpe_variance(trial_sharpes: npt.ArrayLike, days: int) -> float | None:
    """Variance of the trials' daily Sharpe ratios; under ten of them ``1 / (days - 1)``, None under two days."""
    sharpes = finite(trial_sharpes, "trial_sharpes")
    if sharpes.size >= FEW_TRIALS:
        return float(sharpes.var(ddof=1))
    return 1.0 / (days - 1) if days > 1 else None


def effective_trials(n_trials: int, correlation: float) -> float:
    """Independent trials that ``n_trials`` with a mean correlation amount to; shown beside, never in their place."""
    return correlation + (1.0 - correlation) * n_trials


def win_rate(profits: npt.ArrayLike) -> float | None:
    """Share of trades with a profit after costs; a trade of exactly 0 counts and is no win; None without trades."""
    values = finite(profits, "profits")
    return float(np.mean(values > 0.0)) if values.size else None


def profit_factor(profits: npt.ArrayLike) -> float | None:
    """Sum of profits over the sum of losses, both after costs; None without a losing trade."""
    values = finite(profits, "profits")
    losses = -float(values[values < 0.0].sum())
    return float(values[values > 0.0].sum()) / losses if losses else None


def expectancy(profits: npt.ArrayLike) -> float | None:
    """Mean profit of a trade after costs, in the unit of ``profits``; None without trades."""
    values = finite(profits, "profits")
    return float(values.mean()) if values.size else None


def payoff_ratio(profits: npt.ArrayLike) -> float | None:
    """Mean win over the size of the mean loss; None unless there are both."""
    values = finite(profits, "profits")
    wins, losses = values[values > 0.0], values[values < 0.0]
    return float(wins.mean() / -losses.mean()) if wins.size and losses.size else None


def exposure(gross: npt.ArrayLike) -> float | None:
    """Mean gross exposure over bars, as a fraction of equity; None for no bars."""
    values = finite(gross, "gross")
    return float(np.abs(values).mean()) if values.size else None


def time_in_market(gross: npt.ArrayLike) -> float | None:
    """Share of bars with any position; None for no bars."""
    values = finite(gross, "gross")
    return float(np.mean(values != 0.0)) if values.size else None


def turnover(notionals: npt.ArrayLike, equity: npt.ArrayLike) -> float | None:
    """How many times mean equity was traded, buys and sells both counted; None for no bars.

    Parameters
    ----------
    notionals
        Quantity times price of each fill, of either sign, in quote currency.
    equity
        Equity at the close of each bar, in quote currency.
    """
    traded, worth = finite(notionals, "notionals"), finite(equity, "equity")
    return float(np.abs(traded).sum() / worth.mean()) if worth.size and worth.mean() > 0.0 else None


def is_ruined(returns: npt.ArrayLike) -> bool:
    """Whether a day lost all there was: such a series has an end, but no measures."""
    return bool((finite(returns, "returns") <= -1.0).any())


def finite(numbers: npt.ArrayLike, name: str) -> Values:
    """Take one series of numbers as an array, refusing null, NaN and infinity.

    Raises
    ------
    SchemaError
        Naming the series, the first bad value and its place.
    """
    values = np.asarray(numbers, dtype=np.float64)
    if values.ndim != 1:
        raise SchemaError(f"`{name}` has {values.ndim} dimensions; it must be one series of numbers.")
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise SchemaError(
            f"`{name}` holds {bad.size} values that are null, NaN or infinite, first {values[bad[0]]} at {bad[0]}; "
            "leave out what is unknown, or repair what it was made from."
        )
    return values


def _returns(returns: npt.ArrayLike) -> Values:
    values = finite(returns, "returns")
    lost = np.flatnonzero(values <= -1.0)
    if lost.size:
        raise SchemaError(
            f"`returns` is {values[lost[0]]:g} at {lost[0]}; it must be above -1: with no equity left there is "
            "nothing to measure, see `is_ruined`."
        )
    return values


def _varies(values: Values) -> bool:
    return values.size > 1 and bool(values.max() > values.min())


def _standard_moment(values: Values, order: int) -> float | None:
    if not _varies(values):
        return None
    deviations = values - values.mean()
    return float(np.mean((deviations / deviations.std()) ** order))


def _tail(level: float) -> float:
    if not 0.5 <= level < 1.0:
        raise ConfigError(f"`level` is {level}; it must lie in [0.5, 1), such as 0.95 for the worst 5 % of days.")
    return 1.0 - level
