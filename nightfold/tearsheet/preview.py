"""A small picture of the equity curve for places that show images but no pages."""

import io
from collections.abc import Mapping

import polars as pl

from nightfold.tearsheet import number
from nightfold.tearsheet.axis import linear_axis, time_axis
from nightfold.tearsheet.charts import growth_curves

SIZE = (440, 200)

_FINE = 2
_SHADES = 64
_MARGIN = (64, 44, 24, 34)
_INK, _SOFT, _GRID, _PAPER = "#1b1e24", "#5d6470", "#e3e3dd", "#ffffff"
_COLORS = ("#3554d1", "#b7791f", "#0f8b8d", "#8e44ad", "#c2410c", "#64748b")


def equity_png(daily: Mapping[str, pl.DataFrame], *, is_simulated: bool) -> bytes:
    """Draw the worth of 1 put in at the start as a PNG of 960 x 320 pixels; equal input gives equal bytes.

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
    left, top, right, bottom = (_FINE * side for side in _MARGIN)
    width, height = (_FINE * side for side in SIZE)

    def across(time: float) -> float:
        return left + x.at(time) * (width - left - right)

    def down(value: float) -> float:
        return height - bottom - y.at(value) * (height - top - bottom)

    image = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=13 * _FINE)
    for value, label in y.ticks:
        draw.line([(left, down(value)), (width - right, down(value))], fill=_GRID, width=_FINE)
        draw.text((left - 8 * _FINE, down(value)), label, fill=_SOFT, font=font, anchor="rm")
    for time, label in x.ticks:
        draw.text((across(time), height - bottom + 8 * _FINE), label, fill=_SOFT, font=font, anchor="mt")
    named = list(zip(curves.items(), _COLORS * len(curves), strict=False))
    for (_, curve), color in reversed(named):
        points = [(across(time), down(float(value))) for time, value in zip(times, curve, strict=True)]
        draw.line(points, fill=color, width=2 * _FINE, joint="curve")
    place = float(left)
    for (name, curve), color in named:
        text = f"{name} {float(curve[-1]):.2f}"
        draw.text((place, 16 * _FINE), text, fill=color, font=font, anchor="lt")
        place += draw.textlength(text, font=font) + 18 * _FINE
    if is_simulated:
        draw.text((width - right, 16 * _FINE), "simulated market", fill=_INK, font=font, anchor="rt")
    file = io.BytesIO()
    small = image.resize(SIZE, Image.Resampling.LANCZOS)
    small.quantize(_SHADES, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()
