"""Windows put together from parts whose lengths are powers of two.

A window of 20 rows is its newest 4 joined to the 16 before them; a part of 16 is two of 8 joined, and so on down to
single rows. So any window takes a handful of passes over whole arrays, and windows over one series share their parts.
Nothing is ever taken out of a window again: a value that has left it is gone to the last bit, a NaN spoils just the
windows it lies in, and a row is the same to the last bit wherever its array begins.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

Part = TypeVar("Part")
Join = Callable[[Part, Part, int, int], Part]
"""From older rows, newer rows and the length of each to both as one, NaN where the array begins too late for that."""


class Parts(Generic[Part]):
    """Parts of 1, 2, 4, 8 ... rows, each ending at its row, made when a window first needs them.

    Parameters
    ----------
    rows
        What stands for each row by itself: an array or a tuple of arrays.
    join
        Makes one part of two neighbouring ones.
    """

    def __init__(self, rows: Part, join: Join[Part]) -> None:
        self._parts = [rows]
        self._join = join

    def over(self, window: int) -> Part:
        """Join the ``window`` rows that end at each row; not to be written to."""
        length = window & -window
        joined = self._part(length)
        while length < window:
            older = (window - length) & (length - window)
            joined = self._join(self._part(older), joined, older, length)
            length += older
        return joined

    def _part(self, length: int) -> Part:
        while (half := 1 << len(self._parts) - 1) < length:
            self._parts.append(self._join(self._parts[-1], self._parts[-1], half, half))
        return self._parts[length.bit_length() - 1]
