"""Sequential bootstrap: draw samples that tell as little of the same story as chance allows."""

import numpy as np
from numpy.typing import ArrayLike

from nightfold.errors import ConfigError
from nightfold.labels.panel import Rows
from nightfold.labels.span import read_spans


def sequential_bootstrap(start: ArrayLike, end: ArrayLike, draws: int | None = None, seed: int = 0) -> Rows:
    """Draw labels with replacement, each by how unique it would be among those drawn before.

    The chance of a label is proportional to the average, over its bars, of ``1 / (1 + labels drawn there so far)``.
    Only the labels that share a bar with the last draw are weighed anew, so a draw costs about as much as the labels
    around it.

    Parameters
    ----------
    start, end
        Bar positions of the first and last return of each label, both inside; whole numbers, any order of labels.
    draws
        How many to draw; as many as there are labels where not given.
    seed
        Of ``numpy.random.default_rng``; one uniform number a draw, laid along the labels in order of their start.

    Returns
    -------
    ndarray
        Positions of the labels drawn, in the order of drawing.

    Raises
    ------
    ConfigError
        If spans are no whole positions, differ in count or end before they start; if ``draws`` is negative, or above 0
        without labels.

    References
    ----------
    López de Prado (2018), *Advances in Financial Machine Learning*, ch. 4.5.

    Examples
    --------
    >>> sequential_bootstrap([0, 2, 4], [2, 3, 5], draws=4, seed=3).tolist()
    [0, 1, 2, 1]
    """
    from nightfold.labels import draw

    begins, ends = read_spans(start, end)
    draws = begins.size if draws is None else draws
    if draws < 0 or (draws and not begins.size):
        raise ConfigError(f"`draws` is {draws} from {begins.size} labels; it must be 0 or more, and 0 without labels.")
    order = np.argsort(begins, kind="stable")
    uniforms = np.random.default_rng(seed).random(draws)
    return order[draw.draw_in_sequence(begins[order], ends[order], uniforms)]
