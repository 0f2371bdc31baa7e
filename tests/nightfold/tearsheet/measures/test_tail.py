"""Value at risk three ways, against integrals over the quantile and against scipy."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from nightfold.errors import ConfigError, SchemaError
from nightfold.tearsheet import measures

WORKED = [0.01, -0.02, 0.03, 0.0, 0.01]
BENT = np.random.default_rng(6).gamma(2.0, 0.01, 700) - 0.018
METHODS = [
    measures.parametric_value_at_risk,
    measures.parametric_conditional_value_at_risk,
    measures.cornish_fisher_value_at_risk,
    measures.cornish_fisher_conditional_value_at_risk,
]


def expanded(probability: float | np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Return the quantile as Cornish and Fisher bend it, term by term."""
    z, skew, excess = stats.norm.ppf(probability), stats.skew(returns), stats.kurtosis(returns)
    bent = z + (z**2 - 1) / 6 * skew + (z**3 - 3 * z) / 24 * excess - (2 * z**3 - 5 * z) / 36 * skew**2
    return np.asarray(returns.mean() + returns.std(ddof=1) * bent)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_the_parametric_ones_are_those_of_a_normal_law(level: float) -> None:
    law = stats.norm(BENT.mean(), BENT.std(ddof=1))
    assert measures.parametric_value_at_risk(BENT, level) == pytest.approx(law.ppf(1 - level))
    mean, _ = integrate.quad(law.ppf, 0, 1 - level)
    assert measures.parametric_conditional_value_at_risk(BENT, level) == pytest.approx(mean / (1 - level), rel=1e-6)


@pytest.mark.parametrize("returns", [BENT, -BENT, np.array(WORKED)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.975])
def test_the_bent_ones_are_the_expansion_and_its_mean_over_the_tail(returns: np.ndarray, level: float) -> None:
    assert measures.cornish_fisher_value_at_risk(returns, level) == pytest.approx(expanded(1 - level, returns))
    mean, _ = integrate.quad(expanded, 0, 1 - level, args=(returns,))
    found = measures.cornish_fisher_conditional_value_at_risk(returns, level)
    assert found == pytest.approx(mean / (1 - level), rel=1e-6)


def test_fat_tails_deepen_the_worst_percent_as_worked_by_hand() -> None:
    """An eighth of the days at -2 % and at 2 %, the rest at 0: deviation 1 %, excess kurtosis 1.

    At z = -2.3263 the expansion adds (z**3 - 3 z) / 24 = (-12.5900 + 6.9790) / 24 = -.2338.
    """
    returns = np.tile([-0.02, 0.02, 0, 0, 0, 0, 0, 0], 10_000)
    assert measures.cornish_fisher_value_at_risk(returns, 0.99) == pytest.approx(-0.025601, abs=1e-6)


def test_without_skew_and_fat_tails_nothing_is_bent() -> None:
    normal = stats.norm.ppf(np.linspace(0.00005, 0.99995, 10_000)) * 0.02
    plain = measures.parametric_value_at_risk(normal)
    assert measures.cornish_fisher_value_at_risk(normal) == pytest.approx(plain, rel=1e-3)


def test_tails_too_fat_for_the_expansion_are_unknown_instead_of_harmless() -> None:
    """A day of -20 % and one of 20 % among 500 quiet ones: the expansion would put the worst 5 % above the median."""
    quiet = np.concatenate(([0.2, -0.2], np.tile([0.002, -0.001], 250)))
    assert expanded(0.05, quiet) > float(np.median(quiet))
    assert measures.cornish_fisher_value_at_risk(quiet) is None
    assert measures.cornish_fisher_conditional_value_at_risk(quiet) is None


def made_up(seed: int) -> np.ndarray:
    """Days of any shape: skewed to either side, fat-tailed or thin."""
    rng = np.random.default_rng(seed)
    shapes = [rng.gamma(rng.uniform(0.2, 3), 1, 300), rng.standard_t(rng.uniform(2.2, 6), 300), rng.uniform(0, 1, 300)]
    return np.asarray(rng.choice([-0.01, 0.01]) * (shapes[seed % 3] + rng.uniform(0, 2) * shapes[(seed + 1) % 3]))


def test_it_is_given_exactly_where_the_bent_quantile_rises_from_the_level_to_the_median() -> None:
    probabilities = stats.norm.cdf(np.linspace(stats.norm.ppf(0.05), 0, 500))
    rises = {seed: bool((np.diff(expanded(probabilities, made_up(seed))) > 0).all()) for seed in range(400)}
    given = {seed: measures.cornish_fisher_value_at_risk(made_up(seed)) is not None for seed in range(400)}
    assert given == rises
    assert 100 < sum(rises.values()) < 360


@pytest.mark.parametrize("method", METHODS)
def test_too_little_is_unknown_and_nonsense_is_refused(method: type) -> None:
    assert method([]) is method([0.01]) is None
    with pytest.raises(SchemaError, match="null, NaN or infinite"):
        method([0.01, math.nan])
    with pytest.raises(ConfigError, match="`level` is 0"):
        method(WORKED, 0.0)


def test_returns_that_never_vary_are_their_own_worst_and_have_no_shape() -> None:
    still = [0.01] * 10
    assert measures.parametric_value_at_risk(still) == pytest.approx(0.01)
    assert measures.cornish_fisher_value_at_risk(still) is None
