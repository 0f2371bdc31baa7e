"""Liquidity: what trading costs, read from prices and volume alone."""

import numpy as np

from nightfold.features.lazy import formula, rolling
from nightfold.features.segment import Array, Segment, log


def roll_spread(bars: Segment, window: int) -> Array:
    """Relative spread of Roll from the covariance of neighbouring log returns; 0 where it is positive."""
    return formula.root(np.maximum(-bars.returns.autocovariance(window, 1), 0), 4.0)


def corwin_schultz(bars: Segment, window: int) -> Array:
    """Mean relative spread from the ranges of one and of two bars; negative two-bar estimates count 0."""
    joint = log(formula.two_bar_range(bars.high, bars.low))
    spread = np.tanh(formula.corwin_schultz(bars.squared_log_range, joint))
    return rolling.total(np.maximum(spread, 0), window) * (2 / window)


def amihud_ratio(bars: Segment, fast: int, slow: int) -> Array:
    """Mean absolute log return a unit of traded value: a short window over a long one; bars without trade left out."""
    impact, traded = map(rolling.Windows, formula.impact(bars.absolute_return, bars.value, bars.volume))
    return formula.growth_of_ratio(impact.total(fast), traded.total(fast), impact.total(slow), traded.total(slow))


def return_volume_correlation(bars: Segment, window: int) -> Array:
    """Correlation of one-bar log return and volume."""
    return bars.returns.correlation(bars.volumes, window)


def size_volume_correlation(bars: Segment, window: int) -> Array:
    """Correlation of the size of the one-bar log return and volume."""
    return bars.sizes.correlation(bars.volumes, window)


def unchanged_share(bars: Segment, window: int) -> Array:
    """Share of bars whose close equals the close before."""
    return np.asarray(rolling.mean(formula.is_zero(bars.change), window))
