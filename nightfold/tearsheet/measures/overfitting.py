"""Does choosing the best variant help at all? Combinatorially symmetric cross-validation over blocks of days."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from nightfold.errors import SchemaError
from nightfold.tearsheet.measures.series import Values

BLOCKS = 16
FEWEST_VARIANTS = 10
FEWEST_DAYS = 160


@dataclass(frozen=True, slots=True)
class Overfitting:
    """What became of the variant that looked best on one half of the blocks, in every way to halve them.

    Parameters
    ----------
    probability
        Share of the ways in which it did not beat the median of all variants on the other half.
    logits
        Log odds of its relative rank on the other half, one a way; 0 is the median, above is better.
    chosen, out_of_sample
        Its daily Sharpe ratio on the half that chose it, and on the other, one a way.
    """

    probability: float
    logits: Values
    chosen: Values
    out_of_sample: Values

    @property
    def probability_of_loss(self) -> float:
        """Share of the ways in which it lost on the other half."""
        return float(np.mean(self.out_of_sample < 0.0))


def probability_of_overfitting(returns: npt.ArrayLike) -> float | None:
    """Probability of backtest overfitting alone, see `cross_validate_choice`; None for too few variants or days."""
    found = cross_validate_choice(returns)
    return None if found is None else found.probability


def cross_validate_choice(returns: npt.ArrayLike) -> Overfitting | None:
    """Choose the best variant on half of the days, look at its rank on the others, in all ways to halve 16 blocks.

    Parameters
    ----------
    returns
        Days by variants: after-cost daily returns on one range. The oldest days that do not fill a block are left out.

    Returns
    -------
    Overfitting or None
        None under ten variants or 160 days. Of variants that are equal on a half the first is chosen; on the other
        half equals share their mean rank. A variant that does not vary on a half has a Sharpe ratio of 0 there.

    Raises
    ------
    SchemaError
        If ``returns`` are not days by variants, or hold null, NaN, infinity, or -1 and less.

    References
    ----------
    Bailey, Borwein, López de Prado and Zhu (2017), The Probability of Backtest Overfitting, *Journal of Computational
    Finance* 20(4).
    """
    values = _checked(returns)
    days, variants = values.shape
    if variants < FEWEST_VARIANTS or days < FEWEST_DAYS:
        return None
    sharpes = _sharpes_of_halves(values[days % BLOCKS :].reshape(BLOCKS, -1, variants))
    others = sharpes[::-1]  # halves come in lexicographic order, so that the last is the complement of the first
    best = sharpes.argmax(axis=1)[:, None]
    chosen, after = (np.take_along_axis(each, best, axis=1) for each in (sharpes, others))
    rank = (others < after).sum(axis=1) + ((others == after).sum(axis=1) + 1) / 2
    relative = rank / (variants + 1)
    return Overfitting(
        probability=float(np.mean(relative <= 0.5)),
        logits=np.log(relative / (1.0 - relative)),
        chosen=chosen[:, 0],
        out_of_sample=after[:, 0],
    )


def _sharpes_of_halves(blocks: Values) -> Values:
    """Daily Sharpe ratio of each variant on each half of the blocks: ways by variants.

    Sums are added up block by block and not as a matrix product, so that equal variants stay equal to the last bit.
    """
    n_blocks, length, _ = blocks.shape
    halves = np.array(list(combinations(range(n_blocks), n_blocks // 2)))
    n_days = length * halves.shape[1]
    centre = blocks.mean(axis=(0, 1))
    away = blocks - centre
    total, squares = (_over_halves(part.sum(axis=1), halves, np.add) for part in (away, away**2))
    highest = _over_halves(blocks.max(axis=1), halves, np.maximum)
    lowest = _over_halves(blocks.min(axis=1), halves, np.minimum)
    varies = highest > lowest
    spread = np.maximum(squares - total**2 / n_days, 0.0) / (n_days - 1)
    known = varies & (spread > 0.0)
    return np.where(known, (total / n_days + centre) / np.sqrt(np.where(known, spread, 1.0)), 0.0)


def _over_halves(by_block: Values, halves: npt.NDArray[np.int64], join: np.ufunc) -> Values:
    """Join what each block holds, over the blocks of each half."""
    joined = by_block[halves[:, 0]]
    for column in halves.T[1:]:
        join(joined, by_block[column], out=joined)
    return np.asarray(joined)


def _checked(returns: npt.ArrayLike) -> Values:
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 2:
        raise SchemaError(f"`returns` has {values.ndim} dimensions; it must be a table of days by variants.")
    bad = np.argwhere(~(np.isfinite(values) & (values > -1.0)))
    if bad.size:
        day, variant = bad[0]
        raise SchemaError(
            f"`returns` holds {len(bad)} values that are null, NaN, infinite, or -1 and less, first "
            f"{values[day, variant]} on day {day} of variant {variant}; leave out variants that lack days or lost all."
        )
    return values
