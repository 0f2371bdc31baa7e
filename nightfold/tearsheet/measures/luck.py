"""How much of a Sharpe ratio may be luck: short records, fat tails, and the best of many trials."""

import math
from statistics import NormalDist

import numpy.typing as npt

from nightfold.errors import ConfigError
from nightfold.tearsheet.measures.growth import daily_sharpe_ratio
from nightfold.tearsheet.measures.series import checked_returns, finite
from nightfold.tearsheet.measures.tail import kurtosis, skewness

FEW_TRIALS = 10

_NORMAL = NormalDist()
_EULER = 0.5772156649015329


def probabilistic_sharpe_ratio(returns: npt.ArrayLike, benchmark: float = 0.0) -> float | None:
    """Probability that the true daily Sharpe ratio exceeds ``benchmark``, given length, skewness and fat tails.

    ``benchmark`` is a daily ratio, not annualised. None under two days or where nothing varies.

    References
    ----------
    Bailey and López de Prado (2012), *The Sharpe Ratio Efficient Frontier*.
    """
    values = checked_returns(returns)
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
    values = checked_returns(returns)
    if values.size < 2:
        return None
    spread = 1.0 / (values.size - 1) if variance is None else variance
    return probabilistic_sharpe_ratio(values, expected_max_sharpe(n_trials, spread))


def sharpe_confidence(
    sharpe: float, benchmark: float = 0.0, *, days: float, skewness: float, kurtosis: float
) -> float | None:
    """Probability that the ratio behind an observed daily Sharpe ratio exceeds a benchmark, from its moments.

    ``kurtosis`` is not excess (3 for a normal law). None where the moments leave the ratio without variance.

    Examples
    --------
    >>> round(sharpe_confidence(0.08, days=365, skewness=-0.5, kurtosis=6.0), 4)
    0.932
    """
    variance = _relative_variance(sharpe, skewness, kurtosis)
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


def sharpe_variance(trial_sharpes: npt.ArrayLike, days: float) -> float | None:
    """Variance of the trials' daily Sharpe ratios; under ten of them ``1 / (days - 1)``, None under two days."""
    sharpes = finite(trial_sharpes, "trial_sharpes")
    if sharpes.size >= FEW_TRIALS:
        return float(sharpes.var(ddof=1))
    return 1.0 / (days - 1) if days > 1 else None


def effective_trials(n_trials: int, correlation: float) -> float:
    """Independent trials that ``n_trials`` with a mean correlation amount to; shown beside, never in their place.

    More than there are where they move against each other.

    References
    ----------
    Bailey and López de Prado (2014), *The Deflated Sharpe Ratio*, appendix on the number of independent trials.
    """
    return correlation + (1.0 - correlation) * n_trials


def minimum_track_record(returns: npt.ArrayLike, benchmark: float = 0.0, confidence: float = 0.95) -> float | None:
    """Days of such returns after which the true daily Sharpe ratio would be known to exceed ``benchmark``.

    ``benchmark`` is a daily ratio, not annualised. None under two days, where nothing varies, and where the ratio found
    is not above the benchmark: then no number of days would do.

    Raises
    ------
    ConfigError
        If ``confidence`` is not in [0.5, 1).

    References
    ----------
    Bailey and López de Prado (2012), *The Sharpe Ratio Efficient Frontier*.
    """
    values = checked_returns(returns)
    sharpe, skew, fourth = daily_sharpe_ratio(values), skewness(values), kurtosis(values)
    if sharpe is None or skew is None or fourth is None:
        return None
    return days_to_trust(sharpe, benchmark, skewness=skew, kurtosis=fourth, confidence=confidence)


def days_to_trust(
    sharpe: float, benchmark: float = 0.0, *, skewness: float, kurtosis: float, confidence: float = 0.95
) -> float | None:
    """Observations until a Sharpe ratio with these moments is above a benchmark with some confidence.

    The inverse of `sharpe_confidence`; both ratios are those of one observation. ``kurtosis`` is not excess. None where
    the ratio is not above the benchmark, or the moments leave it without variance.

    Examples
    --------
    >>> years = days_to_trust(2 / 252**0.5, 1 / 252**0.5, skewness=0.0, kurtosis=3.0) / 252
    >>> round(years, 2)
    2.73
    """
    if not 0.5 <= confidence < 1.0:
        raise ConfigError(f"`confidence` is {confidence}; it must lie in [0.5, 1), such as 0.95.")
    variance = _relative_variance(sharpe, skewness, kurtosis)
    if sharpe <= benchmark or variance <= 0.0:
        return None
    return 1.0 + variance * (_NORMAL.inv_cdf(confidence) / (sharpe - benchmark)) ** 2


def minimum_backtest_length(n_trials: int, sharpe: float = 1.0) -> float:
    """Years of data under which the best of ``n_trials`` without any skill is expected to show this Sharpe ratio.

    Parameters
    ----------
    n_trials
        Independent variants tried, the one reported included; one needs no length at all.
    sharpe
        Annual Sharpe ratio, above 0.

    Raises
    ------
    ConfigError
        If ``n_trials`` is under 1, or ``sharpe`` not a number above 0.

    References
    ----------
    Bailey, Borwein, López de Prado and Zhu (2014), Pseudo-Mathematics and Financial Charlatanism, *Notices of the AMS*
    61(5).

    Examples
    --------
    >>> round(minimum_backtest_length(45), 1)
    5.0
    """
    if not 0.0 < sharpe < math.inf:
        raise ConfigError(f"`sharpe` is {sharpe}; it must be an annual Sharpe ratio above 0.")
    return (expected_max_sharpe(n_trials, 1.0) / sharpe) ** 2


def _relative_variance(sharpe: float, skewness: float, kurtosis: float) -> float:
    """Variance of an estimated Sharpe ratio in units of one over its observations less one."""
    return 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
