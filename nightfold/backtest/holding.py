"""How long a favoured side is held: one compiled pass."""

import numpy as np
import numpy.typing as npt
from numba import njit

Sides = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]


def hold(favoured: Sides, first: Flags, bars: int, renew: bool) -> tuple[Sides, Flags]:
    """Hold each favoured side for a number of bars, or until the other side is favoured.

    Parameters
    ----------
    favoured
        1, -1, or 0 for neither, one element a row, symbols one after another.
    first
        Whether the row is the first of its symbol.
    bars
        Rows a side is held, the one that enters included.
    renew
        Whether a side still favoured when its time is over is held on; otherwise that row is flat.

    Returns
    -------
    tuple
        The side held after each row, and whether the row entered it.

    Examples
    --------
    >>> favoured = np.array([1, 1, 1, 1, -1, 0, 0], dtype=np.int8)
    >>> hold(favoured, np.arange(7) == 0, bars=2, renew=False)[0].tolist()
    [1, 1, 0, 1, -1, -1, 0]
    """
    held, entered = np.zeros_like(favoured), np.zeros_like(first)
    _hold(favoured.copy(), first.copy(), bars, renew, held, entered)  # copies: numba compiles anew for read-only ones
    return held, entered


@njit(cache=True)
def _hold(favoured: Sides, first: Flags, bars: int, renew: bool, held: Sides, entered: Flags) -> None:
    side, left = 0, 0
    for row in range(len(favoured)):
        side, left = (0, 0) if first[row] else (side, left - 1)
        wanted = favoured[row]
        if wanted != 0 and wanted != side:
            side, left = wanted, bars
            entered[row] = True
        elif left <= 0 and side != 0:
            side, left = (side, bars) if renew and wanted == side else (0, 0)
        held[row] = side
