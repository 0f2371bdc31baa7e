"""Small charts as one SVG file that stands by itself: cells side by side, each with its axes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap

from nightfold.tearsheet.axis import Axis

INK, SOFT, FAINT, GRID, PAPER = "#1b1e24", "#5d6470", "#b9bdc6", "#e3e3dd", "#ffffff"
BLUE, GREEN, RED, AMBER = "#3554d1", "#0f8b8d", "#c2410c", "#b7791f"

_MARGIN = (58.0, 30.0, 26.0, 26.0)
_HEADING = 48.0
_LINE = 17.0
_MARK = "simulated market"

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Cell:
    """One chart: its place in the picture, and what its edges mean."""

    left: float
    top: float
    width: float
    height: float
    x: Axis
    y: Axis

    def place(self, point: Point) -> str:
        """Where a point lies, as SVG coordinates."""
        across, up = self.x.at(point[0]), self.y.at(point[1])
        return f"{_number(self.left + self.width * across)} {_number(self.top + self.height * (1 - up))}"

    def line(self, points: Iterable[Point], color: str, width: float = 1.5, dash: str = "") -> str:
        """Draw a line through points."""
        path = "M" + "L".join(self.place(point) for point in points)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        return f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{width}"{dashes}/>'

    def sticks(self, ends: Iterable[tuple[float, float, float]], color: str, width: float = 1.0) -> str:
        """Draw upright strokes, each at its x from one value to another."""
        path = "".join(f"M{self.place((x, low))}L{self.place((x, high))}" for x, low, high in ends)
        return f'<path d="{path}" stroke="{color}" stroke-width="{width}"/>' if path else ""

    def dots(self, points: Iterable[Point], color: str, size: float = 3.0) -> str:
        """Draw round dots."""
        path = "".join(f"M{self.place(point)}h0" for point in points)
        stroke = f'stroke="{color}" stroke-width="{size}" stroke-linecap="round"'
        return f'<path d="{path}" {stroke}/>' if path else ""

    def block(self, low: Point, high: Point, color: str, strength: float) -> str:
        """Fill a rectangle between two points, the stronger the more of the colour there is, 0 to 1."""
        (x, bottom), (right, y) = (map(float, self.place(point).split()) for point in (low, high))
        size = f'width="{_number(right - x)}" height="{_number(bottom - y)}"'
        return f'<rect x="{_number(x)}" y="{_number(y)}" {size} fill="{color}" fill-opacity="{strength:.2f}"/>'

    def ring(self, point: Point, color: str, radius: float = 6.0) -> str:
        """Draw a circle around a point."""
        x, y = self.place(point).split()
        return f'<circle cx="{x}" cy="{y}" r="{radius}" fill="none" stroke="{color}" stroke-width="2"/>'

    def note(self, words: str) -> str:
        """Write into the middle."""
        return text(self.left + self.width / 2, self.top + self.height / 2, words, SOFT, "middle")

    def frame(self, title: str) -> str:
        """Draw the title, and ticks with their grid."""
        drawn = [text(self.left, self.top - 10, title, INK)]
        for value, label in self.y.ticks:
            drawn.append(self.line([(self.x.low, value), (self.x.high, value)], GRID, 1))
            y = self.place((self.x.low, value)).split()[1]
            drawn.append(text(self.left - 6, float(y) + 4, label, SOFT, "end"))
        for value, label in self.x.ticks:
            x = self.place((value, self.y.low)).split()[0]
            drawn.append(text(float(x), self.top + self.height + 15, label, SOFT, "middle"))
        return "".join(drawn)


def cell(row: int, column: int, size: Point, axes: tuple[Axis, Axis]) -> Cell:
    """Place a chart into a grid of cells of equal size, under the picture's heading."""
    left, top, right, bottom = _MARGIN
    width, height = size
    return Cell(
        column * width + left,
        _HEADING + row * height + top,
        width - left - right,
        height - top - bottom,
        *axes,
    )


def picture(size: Point, title: str, caption: str, layers: Sequence[str], *, is_simulated: bool) -> str:
    """Put layers into one file, under a heading that also tells whether the market is simulated.

    Parameters
    ----------
    size
        Width and height of all cells together.
    title
        The heading, also read aloud.
    caption
        What is what, under the heading; both are broken into lines where they are too long.
    layers
        What was drawn.
    is_simulated
        Write *simulated market* on it.
    """
    titles = _lines(title, size[0] - (125 if is_simulated else 0), 8.4)
    captions = _lines(caption, size[0], 6.4)
    more = _LINE * (len(titles) + len(captions) - 2)
    width, height = size[0], size[1] + _HEADING + more
    heading = [text(16, 22 + _LINE * line, words, INK, size=15) for line, words in enumerate(titles)]
    under = 24 + _LINE * len(titles)
    heading += [text(16, under + _LINE * line, words, SOFT) for line, words in enumerate(captions)]
    mark = text(width - 16, 22, _MARK, INK, "end") if is_simulated else ""
    moved = f'<g transform="translate(0 {_number(more)})">{"".join(layers)}</g>' if more else "".join(layers)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_number(width)} {_number(height)}" '
        f'width="{_number(width)}" height="{_number(height)}" role="img" font-family="system-ui, sans-serif" '
        f'font-size="12"><title>{escape(title)}</title><rect width="100%" height="100%" fill="{PAPER}"/>'
        f"{''.join(heading)}{mark}{moved}</svg>\n"
    )


def _lines(words: str, width: float, letter: float) -> list[str]:
    """Break words into lines that fit between the margins, at so many pixels a letter."""
    return wrap(words, max(int((width - 32) / letter), 20)) or [""]


def text(x: float, y: float, words: str, color: str, anchor: str = "start", size: int | None = None) -> str:
    """Write words at a place."""
    large = f' font-size="{size}"' if size else ""
    place = f'x="{_number(x)}" y="{_number(y)}"'
    return f'<text {place} fill="{color}" text-anchor="{anchor}"{large}>{escape(words)}</text>'


def _number(value: float) -> str:
    rounded = f"{value:.1f}".removesuffix(".0")
    return "0" if rounded == "-0" else rounded
