"""A picture of splits: a line each, with what is trained on, tested, and left out between."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import numpy as np

from nightfold.labels.drawing import BLUE, FAINT, GREEN, GRID, RED, SOFT, cell, picture
from nightfold.splits.audit import BINS, LEAK, Codes, SplitAudit
from nightfold.splits.purge import EMBARGOED, OUTSIDE, PURGED, TEST, TRAIN
from nightfold.splits.span import LabelSpans
from nightfold.tearsheet import number
from nightfold.tearsheet.axis import EPOCH, Axis

MOST_LINES = 120
"""Splits drawn, the first ones."""

_COLORS = {TRAIN: BLUE, TEST: GREEN, PURGED: SOFT, EMBARGOED: FAINT, OUTSIDE: GRID, LEAK: RED}
_WIDTH, _HEIGHT, _THICKEST = 960.0, 52.0, 22.0
_TICKS = 6
_CAPTION = (
    "blue: train · green: test · dark: purged · grey: embargo · light: outside · red: training labels that overlap a "
    "test; narrow ones are widened"
)


def audit_picture(audit: SplitAudit, title: str, *, is_simulated: bool) -> str:
    """Draw a line a split, over the rows in the order of their starts.

    Parameters
    ----------
    audit
        What to draw; at most `MOST_LINES` of its splits are.
    title
        The heading.
    is_simulated
        Write *simulated market* on it.

    Returns
    -------
    str
        An SVG file.
    """
    strips = audit.strips[:MOST_LINES]
    thickness = min(_THICKEST, 900 / len(strips))
    every = -(-len(strips) // 20)
    lines = Axis(len(strips), 0, [(at + 0.5, str(at)) for at in range(0, len(strips), every)])
    size = (_WIDTH, _HEIGHT + thickness * len(strips))
    chart = cell(0, 0, size, (Axis(0, BINS, _ticks(audit.spans)), lines))
    drawn = [
        chart.line([(first, at + 0.5), (stop, at + 0.5)], _COLORS[code], 0.8 * thickness)
        for at, strip in enumerate(strips)
        for code, first, stop in _runs(strip)
    ]
    shown = f"the first {len(strips)} of {len(audit.strips)} splits" if len(strips) < len(audit.strips) else "splits"
    return picture(
        size, title, _CAPTION, [chart.frame(f"{shown}, by start of the label"), *drawn], is_simulated=is_simulated
    )


def _runs(strip: Codes) -> Iterator[tuple[int, int, int]]:
    """Code, first and behind the last of each run of equal codes."""
    edges = [0, *(1 + np.flatnonzero(np.diff(strip))).tolist(), strip.size]
    return ((int(strip[first]), first, stop) for first, stop in pairwise(edges))


def _ticks(spans: LabelSpans) -> list[tuple[float, str]]:
    """Name the starts at some places."""
    places = [(at * BINS / _TICKS, at * spans.begins.size // _TICKS) for at in range(_TICKS)]
    return [(across, _name(int(spans.begins[place]), spans)) for across, place in places]


def _name(begin: int, spans: LabelSpans) -> str:
    if not spans.are_times:
        return number.count(begin)
    return number.day((EPOCH + timedelta(milliseconds=begin)).date())
