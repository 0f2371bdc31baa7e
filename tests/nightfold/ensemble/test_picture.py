"""Pictures are whole SVG files that show what they are given."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import numpy as np
import polars as pl

from nightfold.ensemble.picture import (
    ablation_picture,
    calibration_picture,
    correlation_picture,
    pair_pictures,
    weights_picture,
)
from nightfold.labels.drawing import FAINT, GREEN, RED

SVG = "{http://www.w3.org/2000/svg}"


def words(svg: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(svg).iter(f"{SVG}text")]


def test_correlations_are_written_into_their_squares() -> None:
    told = correlation_picture(["a<b", "c"], np.array([[1.0, -0.25], [-0.25, np.nan]]), "Errors", is_simulated=True)
    assert [word for word in words(told) if word in {"1.00", "−0.25", "–"}] == ["1.00", "−0.25", "−0.25", "–"]
    assert words(told).count("a<b") == 2
    assert "simulated market" in words(told)
    assert len(list(ET.fromstring(told).iter(f"{SVG}rect"))) == 1 + 3


def test_bars_are_coloured_by_what_is_certain() -> None:
    columns = {
        "loss_change": [0.02, -0.02, 0.01, 0.01],
        "low": [0.01, -0.03, -0.01, None],
        "high": [0.03, -0.01, 0.03, None],
    }
    told = ablation_picture(
        pl.DataFrame({"member": ["good", "bad", "open", "short"], **columns}), "x", is_simulated=False
    )
    bars = [path.get("stroke") for path in ET.fromstring(told).iter(f"{SVG}path") if path.get("stroke-width") == "12"]
    assert bars == [GREEN, RED, FAINT, FAINT]
    assert {"good", "bad", "open", "short"} <= set(words(told))
    empty = ablation_picture(
        pl.DataFrame(schema=dict.fromkeys(["member", "loss_change", "low", "high"], pl.Float64)),
        "x",
        is_simulated=False,
    )
    assert "an ensemble of one" in words(empty)


def test_weights_are_lines_over_time_without_the_unknown() -> None:
    days = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(weeks=week) for week in range(4)]
    told = weights_picture(days, {"a": [0.5, 0.6, 0.4, 0.5], "b": [None, None, -0.1, 0.5]}, "x", is_simulated=False)
    lines = [path.get("d") or "" for path in ET.fromstring(told).iter(f"{SVG}path") if path.get("fill") == "none"]
    assert [line.count("L") for line in lines][-2:] == [3, 1]
    assert {"a", "b"} <= set(words(told))
    assert "weight" in words(weights_picture(days[:1], {"a": [1.0]}, "x", is_simulated=False))


def test_a_calibration_has_a_dot_a_bin_and_the_line_where_all_is_as_said() -> None:
    curve = pl.DataFrame({"said": [0.4, 0.5, 0.6], "came": [0.45, 0.5, 0.52], "error": [0.02, 0.02, 0.03]})
    drawn = calibration_picture(curve, "Confidence", is_simulated=False)
    assert drawn.count("h0") == 3
    assert "stroke-dasharray" in drawn
    assert "Confidence" in words(drawn)
    assert calibration_picture(curve.clear(), "None", is_simulated=False).count("h0") == 0


def test_every_measure_of_a_pair_has_its_picture_with_both_names() -> None:
    pairs = pl.DataFrame(
        {
            "first": ["a", "a", "b"],
            "second": ["b", "c", "c"],
            "forecast_correlation": [0.9, 0.8, 0.7],
            "error_correlation": [0.11, -0.22, 0.33],
            "q_statistic": [0.44, None, 0.55],
            "disagreement": [0.05, 0.06, 0.07],
            "double_fault": [0.15, 0.16, 0.17],
        }
    )
    drawn = [words(each) for each in pair_pictures(pairs, "as of X", is_simulated=False)]
    titles = ["Correlation of errors", "Q statistic", "Disagreement", "Double fault"]
    assert [[title for title in titles if f"{title}: as of X" in each] for each in drawn] == [[each] for each in titles]
    errors, q_statistic, *_ = drawn
    assert [errors.count(each) for each in ("0.11", "−0.22", "0.33", "–")] == [2, 2, 2, 3]
    assert [q_statistic.count(each) for each in ("0.44", "0.55", "–")] == [2, 2, 5]
    assert all(each.count(name) == 2 for each in drawn for name in "abc")
    assert len(pair_pictures(pairs.drop("q_statistic", "disagreement", "double_fault"), "x", is_simulated=True)) == 1
    assert pair_pictures(pl.DataFrame(), "x", is_simulated=True) == []
