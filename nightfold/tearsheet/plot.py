"""A chart as inline SVG that stretches to its place, with labels as text beside it and values on hover."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup

from nightfold.tearsheet.axis import Axis

WIDTH = 1000
HEIGHT = 400

Point = tuple[float, float | None]
Box = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Series:
    """A named line: its points by rising x, the style class that colours it, and what hovering says at each point.

    A point without a value breaks the line.
    """

    name: str
    style: str
    points: Sequence[Point]
    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Spot:
    """A dot that tells of itself: where it lies, the style class of its group, and what is said of it."""

    x: float
    y: float
    style: str
    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Plot:
    """What goes into one chart; ``title`` and ``description`` are read aloud in place of the picture.

    Hovering tells of `hover` what lies nearest across, of `points` the nearest one; `told` is for programs.
    """

    name: str
    title: str
    description: str
    x: Axis
    y: Axis
    layers: Sequence[Markup]
    legend: Sequence[tuple[str, str]] = ()
    hover: Sequence[Series] = ()
    moments: Sequence[str] = ()
    size: str = ""
    place: str = ""
    told: Mapping[str, Any] | None = None
    points: Sequence[Spot] = ()

    @property
    def values(self) -> Any:
        """What it was drawn from, as plain data: what is told of it, else its lines with their moments."""
        if self.told is not None:
            return dict(self.told)
        lines = {series.name: [value for _, value in series.points] for series in self.hover}
        return {"moments": list(self.moments), **lines}

    def __html__(self) -> str:
        """Render the figure."""
        return _FIGURE.format(
            name=self.name,
            title=self.title,
            description=self.description,
            size=self.size,
            legend=Markup("").join(_KEY.format(style=style, name=name) for name, style in self.legend),
            hover=self._hover() + self._points(),
            grid=grid(self.x, self.y),
            layers=Markup("").join(self.layers),
            width=WIDTH,
            height=HEIGHT,
            y_labels=Markup("").join(
                _Y_LABEL.format(place=_number(100 - 100 * self.y.at(value)), text=text) for value, text in self.y.ticks
            ),
            x_labels=Markup("").join(
                _X_LABEL.format(place=_number(100 * self.x.at(value)), text=text, spare=" spare" if odd % 2 else "")
                for odd, (value, text) in enumerate(self.x.ticks)
            ),
        )

    def _hover(self) -> Markup:
        if not self.hover:
            return Markup("")
        values = {
            "at": [round(self.x.at(x), 4) for x, _ in self.hover[0].points],
            "when": list(self.moments),
            "series": [{"name": s.name, "style": s.style, "words": list(s.words)} for s in self.hover],
        }
        return Markup(' data-hover="{}"').format(json.dumps(values, ensure_ascii=False, separators=(",", ":")))

    def _points(self) -> Markup:
        if not self.points:
            return Markup("")
        told = [[round(self.x.at(one.x), 4), round(self.y.at(one.y), 4), one.style, *one.words] for one in self.points]
        return Markup(' data-points="{}"').format(json.dumps(told, ensure_ascii=False, separators=(",", ":")))


def line(x: Axis, y: Axis, points: Sequence[Point], style: str) -> Markup:
    """Draw a line through points; one that stands alone becomes a dot."""
    runs = [list(run) for known, run in groupby(points, key=lambda point: point[1] is not None) if known]
    lone = [run[0] for run in runs if len(run) == 1]
    path = "".join(_path(x, y, run) for run in runs if len(run) > 1)
    drawn = Markup('<path class="line {}" d="{}"/>').format(style, path) if path else Markup("")
    return drawn + dots(x, y, lone, style) if lone else drawn


def area(x: Axis, y: Axis, points: Sequence[Point], style: str, base: float = 0.0) -> Markup:
    """Fill between points, each with a value, and a base."""
    if not points:
        return Markup("")
    closed = [(points[0][0], base), *points, (points[-1][0], base)]
    return Markup('<path class="area {}" d="{}Z"/>').format(style, _path(x, y, closed))


def dots(x: Axis, y: Axis, points: Iterable[Point], style: str) -> Markup:
    """Draw points as round dots, which stay round however the picture stretches."""
    return Markup('<path class="dots {}" d="{}"/>').format(style, "".join(f"M{_place(x, y, p)}h0" for p in points))


def bars(x: Axis, y: Axis, boxes: Iterable[Box], style: str, base: float = 0.0) -> Markup:
    """Draw upright bars, each from its left edge to its right edge and from a base value to its own."""
    shapes = (
        f"M{_place(x, y, (left, base))}L{_place(x, y, (left, value))}"
        f"L{_place(x, y, (right, value))}L{_place(x, y, (right, base))}Z"
        for left, right, value in boxes
    )
    return Markup('<path class="bars {}" d="{}"/>').format(style, "".join(shapes))


def level(x: Axis, y: Axis, value: float, style: str) -> Markup:
    """Draw a horizontal line at a value, where the chart reaches it."""
    if not y.low <= value <= y.high:
        return Markup("")
    return Markup('<path class="level {}" d="{}"/>').format(style, _path(x, y, [(x.low, value), (x.high, value)]))


def mark(x: Axis, y: Axis, value: float, style: str) -> Markup:
    """Draw a vertical line at a value, where the chart reaches it."""
    if not x.low <= value <= x.high:
        return Markup("")
    return Markup('<path class="level {}" d="{}"/>').format(style, _path(x, y, [(value, y.low), (value, y.high)]))


def grid(x: Axis, y: Axis) -> Markup:
    """Draw one thin line for each tick of the y axis."""
    return Markup("").join(level(x, y, value, "grid") for value, _ in y.ticks)


def _path(x: Axis, y: Axis, points: Iterable[Point]) -> str:
    return "M" + "L".join(_place(x, y, point) for point in points)


def _place(x: Axis, y: Axis, point: Point) -> str:
    across, value = point
    up = y.at(value) if value is not None else 0.0
    return f"{_number(WIDTH * x.at(across))} {_number(HEIGHT - HEIGHT * up)}"


def _number(value: float) -> str:
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


_FIGURE = Markup(
    '<figure class="chart {size}"><figcaption><span class="name">{title}</span><span class="legend">{legend}</span>'
    '</figcaption><div class="plot"{hover}>'
    '<svg role="img" aria-labelledby="{name}-title {name}-desc" viewBox="0 0 {width} {height}" '
    'preserveAspectRatio="none"><title id="{name}-title">{title}</title><desc id="{name}-desc">{description}</desc>'
    "{grid}{layers}</svg>{y_labels}{x_labels}</div></figure>"
)
_KEY = Markup('<span class="key {style}">{name}</span>')
_Y_LABEL = Markup('<span class="y-label" style="top:{place}%" aria-hidden="true">{text}</span>')
_X_LABEL = Markup('<span class="x-label{spare}" style="left:{place}%" aria-hidden="true">{text}</span>')
