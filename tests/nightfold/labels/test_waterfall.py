"""The picture of lost samples says what the account says."""

import re
import xml.etree.ElementTree as ET

import polars as pl

from nightfold.labels.account import KEPT, REASONS
from nightfold.labels.waterfall import waterfall_svg

SVG = "{http://www.w3.org/2000/svg}"
ACCOUNTS = pl.DataFrame(
    [
        *(("BTCUSDT", reason, rows) for reason, rows in (("warm-up", 30), ("purge", 10), ("filter", 0), (KEPT, 60))),
        *(("ETHUSDT", reason, rows) for reason, rows in (("warm-up", 0), ("purge", 50), ("filter", 0), (KEPT, 150))),
    ],
    {"symbol": pl.String, "reason": pl.Enum([*REASONS, KEPT]), "rows": pl.Int64},
    orient="row",
)


def drawn(**options):
    return ET.fromstring(waterfall_svg(ACCOUNTS, "an experiment", is_simulated=False, **options))


def test_every_step_is_named_and_counted_and_a_reason_that_took_none_is_left_out():
    words = [each.text for each in drawn().iter(f"{SVG}text")]
    for symbol, numbers in (("BTCUSDT", ["100", "−30", "−10", "60"]), ("ETHUSDT", ["200", "0", "−50", "150"])):
        at = words.index(symbol)
        chart = words[at:]
        names = ["bars", "warm-up", "purge", "trained on"]
        assert [chart[chart.index(name) + 1] for name in names] == numbers
    assert "filter" not in words


def test_each_bar_begins_where_the_one_before_it_ended():
    bars = [each.attrib for each in drawn().iter(f"{SVG}rect") if "x" in each.attrib][:4]
    edges = [(float(bar["x"]), float(bar["x"]) + float(bar["width"])) for bar in bars]
    unit = (edges[0][1] - edges[0][0]) / 100
    assert abs(edges[1][1] - edges[0][1]) < 0.11
    assert abs(edges[2][1] - edges[1][0]) < 0.11
    assert abs(edges[3][1] - edges[2][0]) < 0.11
    assert [round((high - low) / unit) for low, high in edges] == [100, 30, 10, 60]


def test_a_simulated_market_is_named_on_it():
    assert "simulated market" in waterfall_svg(ACCOUNTS, "an experiment", is_simulated=True)
    assert not re.search("simulated", waterfall_svg(ACCOUNTS, "an experiment", is_simulated=False))
