"""The account of samples as a picture: from the bars that came in down to the rows that train."""

import polars as pl

from nightfold.labels.account import KEPT
from nightfold.labels.drawing import BLUE, FAINT, INK, RED, SOFT, cell, picture, text
from nightfold.tearsheet.axis import Axis, linear_axis

_WIDTH = 260.0
_STEP = 30.0
_ROOM = 70.0
_PER_ROW = 2
"""So many fit into the column that the UI leaves for a picture."""


def waterfall_svg(accounts: pl.DataFrame, title: str, *, is_simulated: bool) -> str:
    """Draw what became of every bar, a chart a symbol.

    Parameters
    ----------
    accounts
        ``symbol``, ``reason``, ``rows`` as `account` gives them.
    title
        What the samples are for.
    is_simulated
        Write *simulated market* on it.

    Returns
    -------
    str
        An SVG file: the bars that came in, each reason that took some of them where the ones before it ended, and the
        rows that train. Reasons that took none of any symbol are left out.
    """
    lost = accounts.filter(pl.col("reason") != KEPT)
    reasons = [str(reason) for reason in lost.filter(pl.col("rows") > 0)["reason"].unique(maintain_order=True).sort()]
    symbols = accounts["symbol"].unique(maintain_order=True).to_list()
    height = _STEP * (len(reasons) + 2) + _ROOM
    layers = []
    for place, symbol in enumerate(symbols):
        rows = {str(reason): count for _, reason, count in accounts.filter(pl.col("symbol") == symbol).iter_rows()}
        layers.append(_chart(symbol, rows, reasons, (place // _PER_ROW, place % _PER_ROW), height))
    size = (_WIDTH * min(len(symbols), _PER_ROW), height * (1 + (len(symbols) - 1) // _PER_ROW))
    caption = "bars that came in, what took some of them, and the rows left to train on"
    return picture(size, title, caption, layers, is_simulated=is_simulated)


def _chart(symbol: str, rows: dict[str, int], reasons: list[str], place: tuple[int, int], height: float) -> str:
    bars = sum(rows.values())
    steps = [("bars", 0, bars, FAINT)]
    left = bars
    for reason in reasons:
        steps.append((reason, left - rows[reason], left, RED))
        left -= rows[reason]
    steps.append(("trained on", 0, left, BLUE))
    x = linear_axis(0.0, float(max(bars, 1)), lambda value, _: f"{value:,.0f}", 2)
    here = cell(*place, (_WIDTH, height), (x, Axis(0.0, 1.0, [])))
    drawn = [here.frame(symbol)]
    for number, (name, low, high, color) in enumerate(steps):
        top = here.top + number * _STEP
        first, last = (here.left + here.width * x.at(edge) for edge in (low, high))
        drawn.append(text(here.left, top + 11, name, INK))
        sign = "−" if color == RED and high > low else ""
        drawn.append(text(here.left + here.width, top + 11, f"{sign}{high - low:,}", SOFT, "end"))
        drawn.append(
            f'<rect x="{first:.1f}" y="{top + 15:.1f}" width="{max(last - first, 1):.1f}" height="9" fill="{color}"/>'
        )
    return "".join(drawn)
