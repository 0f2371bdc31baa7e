"""A picture of a search: the score of each trial as it went, and the best so far."""

from collections.abc import Iterator, Mapping

from nightfold.labels.drawing import BLUE, FAINT, GREEN, RED, cell, picture
from nightfold.tearsheet import number
from nightfold.tearsheet.axis import linear_axis
from nightfold.tuning.search import Search
from nightfold.tuning.selection import best_so_far

_SIZE = (720.0, 230.0)
_CAPTION = "blue: trials run to the end · grey: pruned, on fewer rows · green: best so far · red ring: chosen"


def tuning_picture(searches: Mapping[str, Search], title: str, *, is_simulated: bool) -> str:
    """Draw a chart a search: its metric by trial.

    Parameters
    ----------
    searches
        By model.
    title
        The heading.
    is_simulated
        Write *simulated market* on it.

    Returns
    -------
    str
        An SVG file.
    """
    drawn = [layer for row, (name, search) in enumerate(searches.items()) for layer in _chart(name, search, row)]
    size = (_SIZE[0], len(searches) * _SIZE[1])
    return picture(size, title, _CAPTION, drawn, is_simulated=is_simulated)


def _chart(name: str, search: Search, row: int) -> Iterator[str]:
    values = {trial.number: trial.outcome.metrics.get(search.metric) for trial in search.trials}
    known = {trial: value for trial, value in values.items() if value is not None}
    complete = {trial.number for trial in search.trials if trial.state == "complete"}
    across = linear_axis(0, max(len(search.trials), 1), number.tick_count)
    chart = cell(row, 0, _SIZE, (across, linear_axis(min(known.values()), max(known.values()), number.tick_ratio, 4)))
    yield chart.frame(f"{name}: {search.metric.replace('_', ' ')}, by trial")
    yield chart.dots(((trial, value) for trial, value in known.items() if trial not in complete), FAINT, 4)
    yield chart.dots(((trial, value) for trial, value in known.items() if trial in complete), BLUE, 5)
    yield chart.line(_steps(best_so_far(search.trials, search.metric), len(search.trials)), GREEN)
    yield chart.ring((search.best.number, known[search.best.number]), RED)


def _steps(best: list[tuple[int, float]], trials: int) -> Iterator[tuple[float, float]]:
    """Walk along the best so far: level from one improvement to the next."""
    level = best[0][1]
    for trial, value in best:
        yield trial, level
        yield trial, value
        level = value
    yield trials, level
