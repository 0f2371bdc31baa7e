"""Dots of forecasts lie where their values say, and tell them."""

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import polars as pl
import pytest

from nightfold.models.calibration_curve import calibration_curve
from nightfold.tearsheet.outcome_charts import MOST_SPOTS, outcome_chart, reliability_chart, telling
from nightfold.tearsheet.plot import Plot

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def log(rows: int) -> pl.DataFrame:
    """Forecasts that rise by the minute, one symbol right and the other wrong."""
    moves = [0.001 * (row - rows / 2) for row in range(rows)]
    return pl.DataFrame(
        {
            "symbol": ["A<b>", "B"] * (rows // 2),
            "open_time": [NOW + timedelta(minutes=row) for row in range(rows)],
            "expected_move": moves,
            "actual_move": [move if row % 2 == 0 else -move for row, move in enumerate(moves)],
            "confidence": [0.6, None] * (rows // 2),
        }
    )


def told(plot: Plot) -> list[list[object]]:
    found = re.search(r'data-points="([^"]*)"', plot.__html__())
    assert found is not None
    values: list[list[object]] = json.loads(unescape(found[1]))
    return values


def test_each_dot_tells_its_forecast_and_what_came() -> None:
    drawn = outcome_chart(log(4))
    left, up, style, *words = told(drawn)[3]
    assert (left, up) == (round(drawn.x.at(0.001), 4), round(drawn.y.at(-0.001), 4))
    assert style == "s2"
    assert [" ".join(str(word).split()) for word in words] == [
        "B 2024-01-01 00:03",
        "forecast +0.10 %",
        "came \N{MINUS SIGN}0.10 %",
    ]
    assert str(told(drawn)[0][-1]).startswith("confidence 60.0")
    assert "<b>" not in drawn.__html__()


@pytest.mark.parametrize("rows", [2, 1000, 9000])
def test_few_are_drawn_evenly_and_the_rest_is_counted(rows: int) -> None:
    drawn, extreme = telling(log(rows))
    assert 0 < drawn.height <= MOST_SPOTS
    steps = drawn["open_time"].diff().drop_nulls()
    assert steps.n_unique() <= 1
    inside = rows - extreme
    assert drawn.height == -(-inside // max(1, -(-inside // MOST_SPOTS)))
    assert extreme <= 0.01 * rows + 2


def test_reliability_has_a_dot_a_bin_and_the_line_of_what_was_said() -> None:
    curve = calibration_curve([0.5] * 4 + [0.7] * 4, [True, False] * 2 + [True, True, True, False], bins=2)
    drawn = reliability_chart(curve)
    assert drawn.values["said"] == pytest.approx([0.5, 0.7])
    assert drawn.values["came"] == pytest.approx([0.5, 0.75])
    assert len(told(drawn)) == 2
    assert 'class="line frequencies" d="M0 400L1000 0"' in drawn.__html__()
