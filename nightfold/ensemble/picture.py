"""Pictures of an ensemble: how alike its members are, what each is worth, and how steady their weights were."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.labels.drawing import AMBER, BLUE, FAINT, GREEN, INK, PAPER, RED, SOFT, Cell, cell, picture, text
from nightfold.tearsheet import number
from nightfold.tearsheet.axis import Axis, day_number, linear_axis, time_axis

Array = NDArray[np.float64]

_SIDE, _NAMES, _FOOT = 62.0, 150.0, 66.0
_BARS, _STEP = 520.0, 30.0
_WEIGHTS = (760.0, 300.0)
_CALIBRATION = (440.0, 400.0)
_LEGEND = 166.0
_COLORS = (BLUE, GREEN, RED, AMBER, INK, SOFT, FAINT)
_BLANK = Axis(0.0, 1.0, [])
_AGREEMENT = "1: they always agree · 0: they know nothing of each other"
_PAIRS = {
    "error_correlation": ("Correlation of errors", _AGREEMENT),
    "q_statistic": ("Q statistic", "1: they err together · 0: independently · −1: one where the other does not"),
    "disagreement": ("Disagreement", "share of rows on which just one of the two is right"),
    "double_fault": ("Double fault", "share of rows on which both are wrong"),
}
"""How pairs of members are compared: heading and caption by measure."""


def pair_pictures(pairs: pl.DataFrame, title: str, *, is_simulated: bool) -> list[str]:
    """Draw each measure of how differently members see the same rows.

    Parameters
    ----------
    pairs
        As `nightfold.ensemble.diversity.pairs` gives them; measures that the task lacks are left out.
    title, is_simulated
        As of `correlation_picture`; the measure is named before the title.

    Returns
    -------
    list of str
        An SVG file a measure; none for an ensemble of one.
    """
    if pairs.is_empty():
        return []
    names = list(dict.fromkeys([*pairs["first"], *pairs["second"]]))
    drawn = []
    for measure, (heading, caption) in _PAIRS.items():
        if measure not in pairs.columns:
            continue
        table = np.full((len(names), len(names)), np.nan)
        for first, second, value in pairs.select("first", "second", measure).iter_rows():
            here, there = names.index(first), names.index(second)
            table[here, there] = table[there, here] = np.nan if value is None else value
        drawn.append(correlation_picture(names, table, f"{heading}: {title}", caption, is_simulated=is_simulated))
    return drawn


def correlation_picture(
    names: Sequence[str], correlations: Array, title: str, caption: str = _AGREEMENT, *, is_simulated: bool
) -> str:
    """Draw the correlations between members as a table of tints.

    Parameters
    ----------
    names, correlations
        Members, and a matrix in their order; NaN is left blank.
    title, caption
        The heading, and what the numbers say.
    is_simulated
        Write *simulated market* on it.

    Returns
    -------
    str
        An SVG file: blue where members agree, red where they contradict each other.
    """
    layers = []
    for row, name in enumerate(names):
        top = _FOOT + row * _SIDE
        layers.append(text(_NAMES - 8, top + _SIDE / 2 + 4, _short(name), INK, "end"))
        layers.append(
            text(_NAMES + (row + 0.5) * _SIDE, _FOOT + len(names) * _SIDE + 18, _short(name, 8), INK, "middle")
        )
        for column in range(len(names)):
            value = float(correlations[row, column])
            layers.append(_tint(_NAMES + column * _SIDE, top, value))
    size = (max(_NAMES + len(names) * _SIDE + 24, 430.0), len(names) * _SIDE + _FOOT)
    return picture(size, title, caption, layers, is_simulated=is_simulated)


def ablation_picture(ablation: pl.DataFrame, title: str, *, is_simulated: bool) -> str:
    """Draw what the loss does when a member is left out.

    Parameters
    ----------
    ablation
        ``member``, ``loss_change``, ``low``, ``high`` as `ablate` gives them.
    title, is_simulated
        As of `correlation_picture`.

    Returns
    -------
    str
        An SVG file: a bar a member with its interval; green where leaving it out is worse for certain, red where it is
        better for certain.
    """
    rows = ablation.rows()
    values = [0.0, *(value for _, *numbers in rows for value in numbers if value is not None)]
    height = _STEP * max(len(rows), 1) + 80
    axis = linear_axis(min(values), max(values), number.tick_ratio, 5)
    whole = cell(0, 0, (_BARS, height), (axis, _BLANK))
    here = replace(whole, left=_NAMES, width=_BARS - _NAMES - 30)
    layers = [here.frame("loss without the member, less loss with it")]
    if not rows:
        layers.append(here.note("an ensemble of one"))
    for place, (member, change, low, high) in enumerate(rows):
        layers.append(_bar(here, 1 - (place + 0.5) / len(rows), member, change, None if low is None else (low, high)))
    layers.append(here.line([(0, 0), (0, 1)], SOFT, 1))
    caption = "right of 0: the member helps · line: 95 % interval over blocks of time"
    return picture((_BARS, height), title, caption, layers, is_simulated=is_simulated)


def weights_picture(
    as_ofs: Sequence[datetime], weights: Mapping[str, Sequence[float | None]], title: str, *, is_simulated: bool
) -> str:
    """Draw the weight of every member from as-of to as-of.

    Parameters
    ----------
    as_ofs
        In time order.
    weights
        By member, one per as-of; None where it did not take part.
    title, is_simulated
        As of `correlation_picture`.
    """
    days = [day_number(moment) for moment in as_ofs]
    known = [value for values in weights.values() for value in values if value is not None]
    x = time_axis(min(days, default=0.0), max(days, default=1.0))
    y = linear_axis(min(0.0, *known, 0.0), max(known, default=1.0), number.tick_ratio, 4)
    here = cell(0, 0, _WEIGHTS, (x, y))
    layers = [here.frame("weight")]
    for place, (member, values) in enumerate(weights.items()):
        color = _COLORS[place % len(_COLORS)]
        points = [(day, value) for day, value in zip(days, values, strict=True) if value is not None]
        layers += [here.line(points, color), here.dots(points, color, 5)] if points else []
        left, top = _WEIGHTS[0] + 4, here.top + 18 * place + 10
        layers.append(f'<rect x="{left:.1f}" y="{top - 9:.1f}" width="10" height="10" fill="{color}"/>')
        layers.append(text(left + 16, top, _short(member), INK))
    caption = "how much each member counts, as of each retraining"
    size = (_WEIGHTS[0] + _LEGEND, max(_WEIGHTS[1], 18.0 * len(weights) + 60))
    return picture(size, title, caption, layers, is_simulated=is_simulated)


def calibration_picture(curve: pl.DataFrame, title: str, *, is_simulated: bool) -> str:
    """Draw how often something came against how likely it was said to be.

    Parameters
    ----------
    curve
        ``said``, ``came``, ``error`` as `calibration_curve` gives them.
    title, is_simulated
        As of `correlation_picture`.

    Returns
    -------
    str
        An SVG file: a dot a bin with the standard error it would have by chance; on the line all is as said.
    """
    ends = [value for name in ("said", "came") for value in curve[name].to_list()] or [0.0, 1.0]
    axis = linear_axis(min(ends) - 0.02, max(ends) + 0.02, number.tick_ratio, 5)
    here = cell(0, 0, _CALIBRATION, (axis, axis))
    dots = list(curve.select("said", "came").iter_rows())
    bars = [
        (said, came - error, came + error) for said, came, error in curve.select("said", "came", "error").iter_rows()
    ]
    layers = [here.frame("share that came"), here.line([(axis.low, axis.low), (axis.high, axis.high)], FAINT, 1, "4 4")]
    layers += [here.sticks(bars, SOFT), here.dots(dots, BLUE, 7)]
    caption = "across: probability that was said · on the dashed line it was right"
    return picture(_CALIBRATION, title, caption, layers, is_simulated=is_simulated)


def _tint(left: float, top: float, value: float) -> str:
    if not np.isfinite(value):
        return text(left + _SIDE / 2, top + _SIDE / 2 + 4, "–", SOFT, "middle")
    ink = PAPER if abs(value) > 0.6 else INK
    size = f'width="{_SIDE - 2:.0f}" height="{_SIDE - 2:.0f}"'
    color = f'fill="{BLUE if value >= 0 else RED}" fill-opacity="{min(abs(value), 1):.2f}"'
    square = f'<rect x="{left + 1:.1f}" y="{top + 1:.1f}" {size} {color}/>'
    return square + text(left + _SIDE / 2, top + _SIDE / 2 + 4, f"{value:.2f}".replace("-", "−"), ink, "middle")


def _bar(here: Cell, y: float, member: str, change: float, ends: tuple[float, float] | None) -> str:
    color = FAINT if ends is None or ends[0] <= 0 <= ends[1] else GREEN if change > 0 else RED
    middle = here.top + here.height * (1 - y)
    drawn = [text(here.left - 8, middle + 4, _short(member), INK, "end")]
    drawn.append(here.line([(0, y), (change, y)], color, 12))
    if ends is not None:
        drawn.append(here.line([(end, y) for end in ends], INK, 1.5))
        drawn.append(here.sticks([(end, y - 0.1, y + 0.1) for end in ends], INK, 1.5))
    return "".join(drawn)


def _short(name: str, letters: int = 20) -> str:
    return name if len(name) <= letters else f"{name[: letters - 1]}…"
