"""What a strategy did, as numbers: functions of daily simple returns, of trade profits and of equity.

Returns are fractions of equity from UTC day to UTC day, flat days included; a year has 365 days, a standard
deviation divides by n - 1, skewness and kurtosis are those of the population. A value that lacks its denominator
or has too little data is None, never infinity and never a quiet 0.

`series` holds what all of them check, `growth` returns and ratios, `drawdown` falls, `tail` the worst days, `luck` what
short records and many trials do to a Sharpe ratio, `correlation` how much trials move together, `decay` ratios in which
older days count less, `overfitting` what choosing does, `bootstrap` intervals around any of them, `relation` the
market's part, `trade` single trades and positions.
"""

from nightfold.tearsheet.measures.bootstrap import ConfidenceInterval, confidence_interval
from nightfold.tearsheet.measures.correlation import mean_correlation
from nightfold.tearsheet.measures.decay import (
    decayed_deflated_sharpe_ratio,
    decayed_sharpe_ratio,
    effective_days,
)
from nightfold.tearsheet.measures.drawdown import drawdown_length, drawdowns, max_drawdown, ulcer_index
from nightfold.tearsheet.measures.growth import (
    cagr,
    calmar_ratio,
    daily_sharpe_ratio,
    omega,
    sharpe_ratio,
    sortino_ratio,
    total_return,
    volatility,
)
from nightfold.tearsheet.measures.luck import (
    FEW_TRIALS,
    days_to_trust,
    deflated_sharpe_ratio,
    effective_trials,
    expected_max_sharpe,
    minimum_backtest_length,
    minimum_track_record,
    probabilistic_sharpe_ratio,
    sharpe_confidence,
    sharpe_variance,
)
from nightfold.tearsheet.measures.overfitting import Overfitting, cross_validate_choice, probability_of_overfitting
from nightfold.tearsheet.measures.relation import alpha, beta
from nightfold.tearsheet.measures.series import DAYS_PER_YEAR, Values, finite, is_ruined
from nightfold.tearsheet.measures.tail import (
    conditional_value_at_risk,
    cornish_fisher_conditional_value_at_risk,
    cornish_fisher_value_at_risk,
    kurtosis,
    parametric_conditional_value_at_risk,
    parametric_value_at_risk,
    skewness,
    tail_ratio,
    value_at_risk,
)
from nightfold.tearsheet.measures.trade import (
    expectancy,
    exposure,
    payoff_ratio,
    profit_factor,
    time_in_market,
    turnover,
    win_rate,
)

__all__ = [
    "DAYS_PER_YEAR",
    "FEW_TRIALS",
    "ConfidenceInterval",
    "Overfitting",
    "Values",
    "alpha",
    "beta",
    "cagr",
    "calmar_ratio",
    "conditional_value_at_risk",
    "confidence_interval",
    "cornish_fisher_conditional_value_at_risk",
    "cornish_fisher_value_at_risk",
    "cross_validate_choice",
    "daily_sharpe_ratio",
    "days_to_trust",
    "decayed_deflated_sharpe_ratio",
    "decayed_sharpe_ratio",
    "deflated_sharpe_ratio",
    "drawdown_length",
    "drawdowns",
    "effective_days",
    "effective_trials",
    "expectancy",
    "expected_max_sharpe",
    "exposure",
    "finite",
    "is_ruined",
    "kurtosis",
    "max_drawdown",
    "mean_correlation",
    "minimum_backtest_length",
    "minimum_track_record",
    "omega",
    "parametric_conditional_value_at_risk",
    "parametric_value_at_risk",
    "payoff_ratio",
    "probabilistic_sharpe_ratio",
    "probability_of_overfitting",
    "profit_factor",
    "sharpe_confidence",
    "sharpe_ratio",
    "sharpe_variance",
    "skewness",
    "sortino_ratio",
    "tail_ratio",
    "time_in_market",
    "total_return",
    "turnover",
    "ulcer_index",
    "value_at_risk",
    "volatility",
    "win_rate",
]
