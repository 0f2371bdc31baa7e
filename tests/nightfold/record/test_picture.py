"""The picture of fits."""

from xml.etree import ElementTree

import polars as pl

from nightfold.record.picture import curve_picture
from nightfold.record.table import CURVES


def test_a_picture_has_a_chart_a_horizon_and_a_ring_at_the_rounds_in_force() -> None:
    rows = [
        (5, "stopping", 1, 0.6),
        (5, "stopping", 2, 0.5),
        (5, "stopping", 3, 0.55),
        (5, "train", 1, 0.6),
        (20, "stopping", 1, 0.9),
    ]
    curves = pl.DataFrame(rows, schema=CURVES.dtypes, orient="row")
    drawn = curve_picture(curves, {5: 2, 20: 0}, "log_loss", "e/m", is_simulated=True)
    root = ElementTree.fromstring(drawn)
    words = [element.text for element in root.iter() if element.text]
    assert "log loss, 5 bars ahead" in words
    assert "log loss, 20 bars ahead" in words
    assert "simulated market" in words
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 1
    assert "simulated" not in curve_picture(curves, {5: 2, 20: None}, "rmse", "e/m", is_simulated=False)
