"""Slow twins of the splits: rows are chosen one by one, by comparing each with every test row."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

Twin = Callable[..., tuple[list[int], list[int]]]


@pytest.fixture(scope="session")
def twin() -> Twin:
    """Choose train rows (and those only purged) beside blocks of test rows, all in bars."""

    def choose(
        start: np.ndarray,
        end: np.ndarray,
        blocks: Sequence[Sequence[int]],
        candidates: Sequence[int],
        purge: int = 0,
        before: int = 0,
        after: int = 0,
    ) -> tuple[list[int], list[int]]:
        kept, purged = [], []
        tested = {row for block in blocks for row in block}
        for row in sorted(set(candidates) - tested):
            meets = any(start[row] <= end[test] and end[row] >= start[test] for test in tested)
            is_near = is_embargoed = False
            for block in blocks:
                first, last = min(start[test] for test in block), max(start[test] for test in block)
                latest = max(end[test] for test in block)
                is_near |= first - purge <= start[row] < first or last < start[row] <= last + purge
                is_embargoed |= first - purge - before <= start[row] < first
                is_embargoed |= last < start[row] <= max(latest, last + purge) + after
            if meets or is_near:
                purged.append(row)
            elif not is_embargoed:
                kept.append(row)
        return kept, purged

    return choose
