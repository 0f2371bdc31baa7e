"""Cross-validated choice: data whose answer is known, and a slow twin over all halves."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from nightfold.errors import SchemaError
from nightfold.tearsheet import measures


def noise(seed: int, days: int = 480, variants: int = 20) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.01, (days, variants))


def slow_probability(returns: np.ndarray) -> float:
    """Count over all halves of 16 blocks, one by one, with ranks by scipy."""
    blocks = np.split(returns[len(returns) % 16 :], 16)
    failures = total = 0
    for half in combinations(range(16), 8):
        inside = np.concatenate([blocks[number] for number in half])
        outside = np.concatenate([blocks[number] for number in range(16) if number not in half])
        ratios = sharpes(inside)
        best = next(variant for variant, ratio in enumerate(ratios) if ratio == ratios.max())
        rank = stats.rankdata(sharpes(outside))[best]
        failures += rank / (returns.shape[1] + 1) <= 0.5
        total += 1
    return failures / total


def sharpes(days: np.ndarray) -> np.ndarray:
    idle = days.min(axis=0) == days.max(axis=0)
    return np.where(idle, 0.0, days.mean(axis=0) / np.where(idle, 1.0, days.std(axis=0, ddof=1)))


def test_among_variants_without_skill_the_best_is_as_often_under_the_median() -> None:
    found = [measures.probability_of_overfitting(noise(seed)) for seed in range(40)]
    assert np.mean([each for each in found if each is not None]) == pytest.approx(0.5, abs=0.07)


def test_a_variant_that_is_truly_better_is_chosen_and_stays_the_best() -> None:
    for seed in range(5):
        returns = noise(seed)
        returns[:, 7] += 0.005
        found = measures.cross_validate_choice(returns)
        assert found is not None
        assert found.probability < 0.01
        assert found.probability_of_loss < 0.01
        assert np.median(found.logits) == pytest.approx(np.log(20))  # the first of twenty: 20/21 against 1/21


def test_variants_that_all_return_the_same_in_sum_turn_round_on_the_other_half() -> None:
    """What is won on one half is lost on the other: choosing the best is choosing one of the worst."""
    returns = noise(3, variants=10)
    returns -= returns.mean(axis=0)
    found = measures.cross_validate_choice(returns)
    assert found is not None
    assert found.probability > 0.99
    assert found.probability_of_loss == 1.0


def test_all_halves_one_by_one_give_the_same() -> None:
    """163 days: three are left over; one variant is idle, one trades in the first four blocks, two are equal."""
    returns = noise(11, days=163, variants=10)
    returns[:, 2] = 0.0
    returns[43:, 5] = 0.0
    returns[:, 8] = returns[:, 4]
    assert measures.probability_of_overfitting(returns) == slow_probability(returns)


def test_the_ratios_of_the_chosen_are_those_of_its_days() -> None:
    returns = noise(13)
    found = measures.cross_validate_choice(returns)
    assert found is not None
    early, late = sharpes(returns[:240]), sharpes(returns[240:])  # the first way: the first eight blocks choose
    assert found.chosen[0] == pytest.approx(early.max())
    assert found.out_of_sample[0] == pytest.approx(late[early.argmax()])


def test_a_half_without_any_trade_has_a_ratio_of_nothing_and_not_of_its_rounding() -> None:
    returns = noise(14) + 0.003
    returns[240:] = 0.0
    found = measures.cross_validate_choice(returns)
    assert found is not None
    assert found.out_of_sample[0] == 0.0
    assert np.abs(found.out_of_sample).max() < 1


def test_equals_share_their_rank_and_the_first_of_them_is_chosen() -> None:
    """All alike: the middle rank of eleven places is the median, which is not above it."""
    returns = np.repeat(noise(2, variants=1), 10, axis=1)
    found = measures.cross_validate_choice(returns)
    assert found is not None
    assert found.probability == 1.0
    assert np.array_equal(found.logits, np.zeros(12_870))


def test_the_oldest_days_that_fill_no_block_do_not_count() -> None:
    returns = noise(5, days=330)
    wild = returns.copy()
    wild[:10] = 0.9
    assert measures.probability_of_overfitting(wild) == measures.probability_of_overfitting(returns)
    wild[10] = 0.9
    assert measures.probability_of_overfitting(wild) != measures.probability_of_overfitting(returns)


@pytest.mark.parametrize("shape", [(159, 20), (480, 9), (0, 0)])
def test_too_few_variants_or_days_are_unknown(shape: tuple[int, int]) -> None:
    assert measures.probability_of_overfitting(np.zeros(shape)) is None


def test_no_variant_that_trades_is_no_proof_of_skill() -> None:
    assert measures.probability_of_overfitting(np.zeros((160, 10))) == 1.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_what_is_no_return_is_refused(bad: float) -> None:
    returns = noise(1)
    returns[4, 3] = bad
    with pytest.raises(SchemaError, match="on day 4 of variant 3"):
        measures.probability_of_overfitting(returns)
    with pytest.raises(SchemaError, match="1 dimensions"):
        measures.probability_of_overfitting(returns[:, 0])
