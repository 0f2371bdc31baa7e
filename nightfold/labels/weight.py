"""How much a label should count: labels that share bars tell the same story."""

import numpy as np
from numpy.typing import ArrayLike

from nightfold.labels.barrier import Outcomes
from nightfold.labels.panel import Floats, Panel
from nightfold.labels.span import read_spans


def average_uniqueness(start: ArrayLike, end: ArrayLike) -> Floats:
    """Average, over the bars of each label, of one over the number of labels alive there.

    Parameters
    ----------
    start, end
        Bar positions of the first and last return of each label, both inside; whole numbers, any order of labels.

    Returns
    -------
    ndarray
        One weight in (0, 1] per label; 1 for a label that shares no bar.

    Raises
    ------
    ConfigError
        If positions are not whole numbers, differ in count, or a label ends before it starts.

    References
    ----------
    López de Prado (2018), *Advances in Financial Machine Learning*, ch. 4.

    Examples
    --------
    >>> average_uniqueness([1, 2, 4], [2, 2, 4])
    array([0.75, 0.5 , 1.  ])
    """
    from nightfold.labels import kernel

    begins, ends = read_spans(start, end)
    if begins.size == 0:
        return np.empty(0)
    count = kernel.concurrency(begins, ends, int(ends.max()) + 1)
    return kernel.mean_share(begins, ends, count, int((ends - begins).max()) + 1)


def stored_weights(panel: Panel, ended: Outcomes, horizon: int) -> tuple[Floats, Floats]:
    """Average uniqueness of each label, and its product with the absolute return attributed to it.

    The label of row t spans the returns of bars t+1 to its deciding bar. A label that is still open counts as alive up
    to the last bar of its stretch, which is what it was at any earlier moment too: so a value, once known, never
    changes when bars are added. To be exact in every bit, a computation on a part of the bars needs
    ``volatility_bars + horizon - 1`` bars before its first row (the oldest label alive beside it, and that one's
    volatility) and ``horizon`` bars after its last.

    Returns
    -------
    tuple of ndarray
        Uniqueness in (0, 1] and weight >= 0, not normalised; NaN where the label is not known.
    """
    from nightfold.labels import kernel

    start = np.arange(1, panel.size + 1)
    until = kernel.alive_until(ended.decided, panel.last)
    count = kernel.concurrency(start, until, panel.size)
    uniqueness = kernel.mean_share(start, ended.decided, count, horizon)
    weight = kernel.attribution(start, ended.decided, count, panel.moves, horizon)
    np.abs(weight, out=weight)
    weight *= uniqueness
    return uniqueness, weight
