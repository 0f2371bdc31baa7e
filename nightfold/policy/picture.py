"""Pictures of a policy's search: how it went, and how much depends on its two thresholds."""

from collections.abc import Iterator

import polars as pl

from nightfold.labels.drawing import BLUE, FAINT, GREEN, RED, SOFT, Cell, cell, picture, text
from nightfold.policy.choice import PolicySearch
from nightfold.policy.spec import PolicySpec
from nightfold.tearsheet import number
from nightfold.tearsheet.axis import linear_axis

_SIZE = (360.0, 260.0)
_CAPTION = (
    "left: daily Sharpe ratio of each policy, grey with too few trades, red ring: the best · right: the same over "
    "both thresholds at its sizing, green above 0, red below, the number of trades written in"
)


def policy_picture(
    search: PolicySearch, swept: pl.DataFrame, spec: PolicySpec, title: str, *, is_simulated: bool
) -> str:
    """Draw the trials of a search, and the grid of `nightfold.policy.search.sweep` as a heat map.

    Returns
    -------
    str
        An SVG file.
    """
    drawn = [*_trials(search), *_heat_map(swept, spec)]
    return picture((2 * _SIZE[0], _SIZE[1]), title, _CAPTION, drawn, is_simulated=is_simulated)


def _trials(search: PolicySearch) -> Iterator[str]:
    known = [(trial, trial.sharpe) for trial in search.trials if trial.sharpe is not None]
    ratios = [0.0, *(sharpe for _, sharpe in known)]
    across = linear_axis(0, max(len(search.trials), 1), number.tick_count, 4)
    chart = cell(0, 0, _SIZE, (across, linear_axis(min(ratios), max(ratios), number.tick_ratio, 4)))
    yield chart.frame("Sharpe ratio by trial")
    yield chart.line([(chart.x.low, 0), (chart.x.high, 0)], SOFT, 1)
    for feasible, color in ((False, FAINT), (True, BLUE)):
        yield chart.dots(((t.number, sharpe) for t, sharpe in known if t.is_feasible == feasible), color, 5)
    if search.best is not None and search.best.sharpe is not None:
        yield chart.ring((search.best.number, search.best.sharpe), RED)


def _heat_map(swept: pl.DataFrame, spec: PolicySpec) -> Iterator[str]:
    edges, confidences = (swept[name].unique().sort() for name in ("min_edge", "min_confidence"))
    across = linear_axis(*_around(edges), number.tick_ratio, 4)
    chart = cell(0, 1, _SIZE, (across, linear_axis(*_around(confidences), number.tick_ratio, 4)))
    unit = "round trips" if spec.edge_unit == "cost" else "log return"
    yield chart.frame(f"least confidence, by least edge ({unit})")
    largest = max((abs(ratio) for ratio in swept["sharpe_ratio"].drop_nulls()), default=0.0) or 1.0
    half = (_half_step(edges), _half_step(confidences))
    for row in swept.iter_rows(named=True):
        yield from _tile(chart, row, half, largest)


def _tile(chart: Cell, row: dict[str, float], half: tuple[float, float], largest: float) -> Iterator[str]:
    x, y, ratio = row["min_edge"], row["min_confidence"], row["sharpe_ratio"]
    color = FAINT if ratio is None else GREEN if ratio > 0 else RED
    strength = 0.15 if ratio is None else 0.1 + 0.7 * abs(ratio) / largest
    yield chart.block((x - half[0], y - half[1]), (x + half[0], y + half[1]), color, strength)
    left, top = map(float, chart.place((x, y)).split())
    yield text(left, top + 4, f"{row['trades']:,}", "#1b1e24", "middle")


def _around(values: pl.Series) -> tuple[float, float]:
    half = _half_step(values)
    return float(values[0]) - half, float(values[-1]) + half


def _half_step(values: pl.Series) -> float:
    """Half the distance of two values of a grid; of a single one, a little."""
    return float(values[-1] - values[0]) / (len(values) - 1) / 2 if len(values) > 1 else max(0.05 * values[0], 0.01)
