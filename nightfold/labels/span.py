"""Label spans as whole bar positions, checked at the door."""

import numpy as np
from numpy.typing import ArrayLike

from nightfold.errors import ConfigError
from nightfold.labels.panel import Rows


def read_spans(start: ArrayLike, end: ArrayLike) -> tuple[Rows, Rows]:
    """Check spans and count their positions from the first one.

    Parameters
    ----------
    start, end
        Bar positions of the first and last return of each label, both inside; whole numbers, any order of labels.

    Returns
    -------
    tuple of ndarray
        The same spans, moved so that the earliest starts at 0.

    Raises
    ------
    ConfigError
        If positions are not whole numbers, differ in count, or a label ends before it starts.

    Examples
    --------
    >>> read_spans([7, 5], [9, 5])
    (array([2, 0]), array([4, 0]))
    """
    begins, ends = np.asarray(start), np.asarray(end)
    if begins.size == ends.size == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    if begins.dtype.kind not in "iu" or ends.dtype.kind not in "iu" or begins.shape != ends.shape:
        raise ConfigError(
            f"`start` and `end` are {begins.dtype} {begins.shape} and {ends.dtype} {ends.shape}; they must be whole "
            "bar positions, one of each per label. For times, count bars first."
        )
    if backward := int(np.count_nonzero(ends < begins)):
        raise ConfigError(f"`end` lies before `start` in {backward} labels; a label spans 1 bar or more.")
    if base := begins.min():
        begins, ends = begins - base, ends - base
    return begins.astype(np.int64, copy=False), ends.astype(np.int64, copy=False)
