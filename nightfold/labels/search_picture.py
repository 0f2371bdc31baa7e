"""A picture of a month's barrier search: how it went trial by trial, and the front of what it found."""

from collections.abc import Iterator, Mapping

import polars as pl

from nightfold.labels.choice import FIXED, OBJECTIVES, BarrierSearch
from nightfold.labels.drawing import BLUE, FAINT, GREEN, RED, SOFT, cell, picture
from nightfold.tearsheet import number
from nightfold.tearsheet.axis import linear_axis

_SIZE = (260.0, 180.0)
"""Two side by side fit into the column that the UI leaves for a picture."""
_BPS = 1e4
_CAPTION = (
    "height: basis points per bar · dots: feasible trials, blue with enough entropy · green: best so far, and the "
    "front · red ring: chosen · grey ring: fixed barriers"
)


def search_picture(
    searches: Mapping[int, BarrierSearch], least_entropy: float, title: str, *, is_simulated: bool
) -> str:
    """Draw two charts a horizon: objective (a) by trial with the best so far, and (a) against (b) with the front.

    Parameters
    ----------
    searches
        By horizon.
    least_entropy
        Entropy from which on barriers may be chosen.
    title
        The heading.
    is_simulated
        Write *simulated market* on it.

    Returns
    -------
    str
        An SVG file.
    """
    drawn = [
        layer
        for row, (horizon, search) in enumerate(searches.items())
        for layer in _charts(search, f"{horizon} bars", least_entropy, row)
    ]
    size = (2 * _SIZE[0], len(searches) * _SIZE[1])
    return picture(size, title, _CAPTION, drawn, is_simulated=is_simulated)


def _charts(search: BarrierSearch, horizon: str, least_entropy: float, row: int) -> Iterator[str]:
    gain, spread = OBJECTIVES
    in_bps = pl.col(gain) * _BPS
    feasible, fixed = (frame.with_columns(in_bps) for frame in (search.trials.filter("feasible"), search.fixed))
    gains = [0.0, *feasible[gain], *fixed[gain]]
    value = linear_axis(min(gains), max(gains), number.tick_ratio, 4)
    count = linear_axis(0, max(search.trials.height, 1), number.tick_count, 4)
    entropy = linear_axis(min(least_entropy, *feasible[spread], *fixed[spread], 1.0), 1.0, number.tick_ratio, 4)
    left, right = (cell(row, column, _SIZE, (x, value)) for column, x in enumerate((count, entropy)))

    yield left.frame(f"{horizon}: by trial")
    yield right.frame(f"{horizon}: by entropy")
    if search.tried.is_empty():
        yield left.note("history too short")
        return
    if feasible.is_empty():
        yield left.note(f"none of {search.trials.height} trials is feasible")
    yield right.line([(least_entropy, value.low), (least_entropy, value.high)], SOFT, 1, "4 3")
    chosen = pl.col("trial") == (FIXED if search.chosen is None else search.chosen)
    for chart, place in ((left, "trial"), (right, spread)):
        yield chart.line([(chart.x.low, 0), (chart.x.high, 0)], SOFT, 1)
        for offered, color in ((False, FAINT), (True, BLUE)):
            yield chart.dots(feasible.filter(pl.col("offered") == offered).select(place, gain).iter_rows(), color, 4)
        yield from (chart.ring(point, RED) for point in feasible.filter(chosen).select(place, gain).iter_rows())
    best = search.convergence.drop_nulls()
    if best.height:
        yield left.line(_steps(best.with_columns(pl.col("best_so_far") * _BPS), search.trials.height), GREEN)
    front = search.front
    if front.height:
        yield right.line(front.select(spread, in_bps).iter_rows(), GREEN)
    yield from (right.ring(point, SOFT) for point in fixed.select(spread, gain).iter_rows())


def _steps(best: pl.DataFrame, trials: int) -> Iterator[tuple[float, float]]:
    """Walk along the best so far: level from one improvement to the next."""
    level = best["best_so_far"][0]
    for trial, value in best.filter(pl.col("best_so_far").rle_id().is_first_distinct()).iter_rows():
        yield trial, level
        yield trial, value
        level = value
    yield trials, level
