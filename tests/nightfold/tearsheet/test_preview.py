"""The small picture is a PNG, and the same each time."""

import io
from collections.abc import Callable
from itertools import pairwise

from PIL import Image

from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.preview import SIZE, equity_png

MakeReport = Callable[..., TearsheetInput]


def picture(report: TearsheetInput, *, is_simulated: bool = False) -> Image.Image:
    return Image.open(io.BytesIO(equity_png({"Strategy": report.daily}, is_simulated=is_simulated)))


def test_the_picture_has_its_size_and_is_light(make_report: MakeReport) -> None:
    report = make_report()
    data = equity_png({"Strategy": report.daily, **report.baselines}, is_simulated=True)
    assert Image.open(io.BytesIO(data)).size == SIZE
    assert len(data) < 40_000
    assert data == equity_png({"Strategy": report.daily, **report.baselines}, is_simulated=True)


def test_a_rising_account_is_drawn_rising(make_report: MakeReport) -> None:
    report = make_report(days=100)
    rising = make_report(daily=report.daily.with_columns(daily_return=0.01))
    image = picture(rising).convert("RGB")
    heights = []
    for across in (80, 160, 240, 320, 400):
        column = [image.getpixel((across, down)) for down in range(30, 186)]
        heights.append(min(i for i, (r, g, b) in enumerate(column) if b > r + 60))  # type: ignore[misc]  # RGB
    assert all(later < earlier for earlier, later in pairwise(heights))


def test_a_simulated_market_is_written_on_it(make_report: MakeReport) -> None:
    corner = (300, 4, 424, 28)
    report = make_report()
    plain, marked = (picture(report, is_simulated=made_up).convert("L").crop(corner) for made_up in (False, True))
    assert plain.getextrema() == (255, 255)
    assert marked.getextrema()[0] < 128  # type: ignore[operator]  # one band has one pair


def test_one_flat_day_is_drawn(make_report: MakeReport) -> None:
    assert picture(make_report(days=1, n_trades=0)).size == SIZE


def test_a_legend_of_many_curves_neither_overlaps_the_mark_nor_leaves_the_picture(make_report: MakeReport) -> None:
    report = make_report()
    names = ["Strategy", "Buy and hold at the same mean exposure", "RSI 14 reversal", "Moving averages 50/200"]
    daily = dict.fromkeys(names, report.daily)
    alone, many = (
        Image.open(io.BytesIO(equity_png(curves, is_simulated=True))).convert("L")
        for curves in ({"Strategy": report.daily}, daily)
    )
    ink, more_ink = (sum(image.crop((SIZE[0] - 120, 6, SIZE[0], 26)).histogram()[:230]) for image in (alone, many))
    assert abs(more_ink - ink) < 0.02 * ink, "nothing but the mark"
    assert many.crop((SIZE[0] - 8, 0, SIZE[0], 80)).getextrema() == (255, 255)
