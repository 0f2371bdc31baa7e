"""The newest bars of one symbol, as arrays that grow by a bar at a time."""

from collections.abc import Iterable, Sequence

import numpy as np

from nightfold.features.checked import NUMBERS
from nightfold.features.segment import Segment

_ROOM = 8
"""Times the kept bars that fit before they are moved to the front."""


class NewestBars:
    """Bars since the last hole, in arrays long enough to seldom move them."""

    def __init__(self, columns: Sequence[str], rows: int) -> None:
        self._rows, self._more = rows, columns[len(NUMBERS) :]
        self._time = np.empty(_ROOM * rows, dtype=np.int64)
        self._numbers = np.empty((len(columns), _ROOM * rows))
        self.clear()

    def clear(self) -> None:
        """Forget all bars."""
        self._first = self._end = 0

    @property
    def filled(self) -> int:
        """Bars that are here."""
        return self._end - self._first

    @property
    def newest(self) -> int:
        """Open time of the newest bar."""
        return int(self._time[self._end - 1])

    def append(self, time: int, numbers: Iterable[float]) -> None:
        """Put a bar behind the others; the oldest goes where there are more than fit."""
        if self._end == len(self._time):
            kept = slice(self._first, self._end)
            self._time[: self.filled] = self._time[kept]
            self._numbers[:, : self.filled] = self._numbers[:, kept]
            self._first, self._end = 0, self.filled
        self._time[self._end] = time
        self._numbers[:, self._end] = tuple(numbers)
        self._end += 1
        self._first = max(self._first, self._end - self._rows)

    def segment(self) -> Segment:
        """View the bars; good until the next one comes."""
        kept = slice(self._first, self._end)
        numbers = [row[kept] for row in self._numbers]
        more = dict(zip(self._more, numbers[len(NUMBERS) :], strict=True))
        return Segment(self._time[kept], *numbers[: len(NUMBERS)], more=more)
