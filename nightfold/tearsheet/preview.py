"""A small picture of the equity curve for places that show images but no pages."""

import io
from collections.abc import Callable, Mapping, Sequence

import polars as pl

from nightfold.tearsheet import number
from nightfold.tearsheet.axis import linear_axis, time_axis
from nightfold.tearsheet.charts import growth_curves

SIZE = (440, 220)

_FINE = 2
_SHADES = 64
_MARGIN = (64, 34, 24, 34)
_LINE, _APART = 18, 16
_MARK = "simulated market"
_INK, _SOFT, _GRID, _PAPER = "#1b1e24", "#5d6470", "#e3e3dd", "#ffffff"
_COLORS = ("#3554d1", "#b7791f", "#0f8b8d", "#8e44ad", "#c2410c", "#64748b")


def equity_png(daily: Mapping[str, pl.DataFrame], *, is_simulated: bool) -> bytes:
    """Draw the worth of 1 put in at the start as a PNG; equal input gives equal bytes.

    Parameters
    ----------
    daily
        Name to ``day`` and ``daily_return``; the first is the strategy and drawn on top. At least one day.
    is_simulated
        Write *simulated market* on it.
    """
    from PIL import Image, ImageDraw, ImageFont

    times, curves = growth_curves(daily)
    lows, highs = zip(*((float(curve.min()), float(curve.max())) for curve in curves.values()), strict=True)
    x, y = time_axis(times[0], times[-1]), linear_axis(min(lows), max(highs), number.tick_ratio, 4)
    font = ImageFont.load_default(size=13 * _FINE)
    width, height = (_FINE * side for side in SIZE)
    names = [f"{name} {float(curve[-1]):.2f}" for name, curve in curves.items()]
    legend = _legend(names, width - 2 * _APART * _FINE, font.getlength(_MARK) if is_simulated else 0.0, font.getlength)
    left, top, right, bottom = (_FINE * side for side in _MARGIN)
    top += _FINE * _LINE * max(line for line, _ in legend)

    def across(time: float) -> float:
        return left + x.at(time) * (width - left - right)

    def down(value: float) -> float:
        return height - bottom - y.at(value) * (height - top - bottom)

    image = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(image)
    for value, label in y.ticks:
        draw.line([(left, down(value)), (width - right, down(value))], fill=_GRID, width=_FINE)
        draw.text((left - 8 * _FINE, down(value)), label, fill=_SOFT, font=font, anchor="rm")
    for time, label in x.ticks:
        draw.text((across(time), height - bottom + 8 * _FINE), label, fill=_SOFT, font=font, anchor="mt")
    named = list(zip(curves.items(), _COLORS * len(curves), strict=False))
    for (_, curve), color in reversed(named):
        points = [(across(time), down(float(value))) for time, value in zip(times, curve, strict=True)]
        draw.line(points, fill=color, width=2 * _FINE, joint="curve")
    for name, (line, place), (_, color) in zip(names, legend, named, strict=True):
        draw.text((_FINE * _APART + place, _FINE * (10 + _LINE * line)), name, fill=color, font=font, anchor="lt")
    if is_simulated:
        draw.text((width - _FINE * _APART, 10 * _FINE), _MARK, fill=_INK, font=font, anchor="rt")
    file = io.BytesIO()
    small = image.resize(SIZE, Image.Resampling.LANCZOS)
    small.quantize(_SHADES, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _legend(names: Sequence[str], width: float, kept: float, length: Callable[[str], float]) -> list[tuple[int, float]]:
    """Line and place of each name, in lines of a width of which the first leaves something free at its end."""
    placed, line, place = [], 0, 0.0
    for name in names:
        room = width - (kept + _FINE * _APART if kept and line == 0 else 0.0)
        if place > 0 and place + length(name) > room:
            line, place = line + 1, 0.0
        placed.append((line, place))
        place += length(name) + _FINE * _APART
    return placed
