"""Charts draw what the tables hold: places are read back from the paths."""

import json
import re
from datetime import date, timedelta
from html import unescape
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightfold.schema import TIME
from nightfold.tearsheet.axis import Axis, day_number
from nightfold.tearsheet.charts import (
    drawdown_chart,
    equity_chart,
    exposure_chart,
    fold_chart,
    growth_curves,
)
from nightfold.tearsheet.plot import HEIGHT, WIDTH, Plot, bars, line
from nightfold.tearsheet.score_charts import direction_charts, loss_charts
from nightfold.tearsheet.trade_charts import histogram, trade_scatter

UNIT = Axis(0.0, 1.0, [(0.0, "0"), (1.0, "1")])


def days(returns: Any, first: date = date(2024, 1, 1)) -> pl.DataFrame:
    return pl.DataFrame(
        {"day": [first + timedelta(days=n) for n in range(len(returns))], "daily_return": list(returns)}
    )


def hovering(plot: Plot) -> dict[str, Any]:
    found = re.search(r'data-hover="([^"]*)"', plot.__html__())
    assert found is not None
    values: dict[str, Any] = json.loads(unescape(found[1]))
    return values


def test_a_line_runs_from_corner_to_corner() -> None:
    assert f'd="M0 {HEIGHT}L{WIDTH} 0"' in line(UNIT, UNIT, [(0, 0), (1, 1)], "s1")


def test_a_line_breaks_where_a_value_is_unknown_and_a_lone_point_is_a_dot() -> None:
    drawn = line(UNIT, UNIT, [(0, 0), (0.25, 1), (0.5, None), (1, 1)], "s1")
    assert 'class="line s1" d="M0 400L250 0"' in drawn
    assert 'class="dots s1" d="M1000 0h0"' in drawn


def test_a_bar_stands_on_its_base() -> None:
    assert 'd="M0 200L0 100L500 100L500 200Z"' in bars(UNIT, UNIT, [(0, 0.5, 0.75)], "up", base=0.5)


def test_growth_starts_at_one_the_day_before_and_fills_days_that_another_lacks() -> None:
    times, curves = growth_curves({"a": days([0.1, -0.5]), "b": days([9.0, 1.0], date(2023, 12, 31))})
    assert times == [day_number(date(2024, 1, n)) for n in (1, 2, 3)]
    assert curves["a"].tolist() == pytest.approx([1.0, 1.1, 0.55])
    assert curves["b"].tolist() == pytest.approx([1.0, 2.0, 2.0])


def test_hovering_tells_the_day_and_the_worth_of_each_series() -> None:
    times, curves = growth_curves({"Strategy": days([0.1, -0.5]), "Held": days([0.0, 1.0])})
    told = hovering(equity_chart(times, curves))
    assert told["when"] == ["start", "2024-01-01", "2024-01-02"]
    assert told["at"] == [0, 0.5, 1]
    assert [(one["name"], one["words"]) for one in told["series"]] == [
        ("Strategy", ["1.00", "1.10", "0.55"]),
        ("Held", ["1.00", "1.00", "2.00"]),
    ]


def test_a_long_history_is_thinned_but_keeps_its_extremes() -> None:
    returns = np.zeros(5000)
    returns[[1233, 1234, 3777, 3778]] = [-0.6, 1.5, 4.0, -0.8]
    times, curves = growth_curves({"Strategy": days(returns)})
    words = hovering(equity_chart(times, curves))["series"][0]["words"]
    assert len(words) < 700
    assert {"0.40", "5.00"} <= set(words)


def test_drawdowns_of_each_curve_are_from_its_own_peak() -> None:
    times, curves = growth_curves({"Strategy": days([0.25, -0.2, 0.0]), "Held": days([-0.5, 0.0, 1.0])})
    told = hovering(drawdown_chart(times, curves))
    words = [[" ".join(word.split()) for word in one["words"]] for one in told["series"]]
    minus = "\N{MINUS SIGN}"
    assert words[0] == ["0.0 %", "0.0 %", f"{minus}20.0 %", f"{minus}20.0 %"]
    assert words[1] == ["0.0 %", f"{minus}50.0 %", f"{minus}50.0 %", "0.0 %"]


@settings(max_examples=200)
@given(st.lists(st.floats(-0.9, 5.0), min_size=1, max_size=300))
def test_a_histogram_counts_every_value_once_and_parts_losses_from_gains(values: list[float]) -> None:
    drawn = histogram("x", "X", values, "days")
    total = {"up": 0.0, "down": 0.0}
    for style in total:
        path = re.search(rf'class="bars {style}" d="([^"]*)"', "".join(drawn.layers))
        assert path is not None
        for base, top in re.findall(r"M[\d.-]+ ([\d.-]+)L[\d.-]+ ([\d.-]+)", path[1]):
            total[style] += (float(base) - float(top)) / HEIGHT * drawn.y.high
    slack = 0.05 / HEIGHT * drawn.y.high * 120
    assert total["down"] == pytest.approx(sum(value < 0 for value in values), abs=slack)
    assert total["up"] == pytest.approx(sum(value >= 0 for value in values), abs=slack)


def test_exposure_is_one_line_where_nothing_is_short() -> None:
    frame = pl.DataFrame(
        {
            "close_time": pl.Series([1, 2], dtype=pl.Int64).cast(TIME),
            "equity": [100.0, 200.0],
            "gross_exposure": [50.0, 50.0],
            "net_exposure": [50.0, 50.0],
        }
    )
    told = hovering(exposure_chart(frame))
    assert [one["name"] for one in told["series"]] == ["Long"]
    assert [" ".join(word.split()) for word in told["series"][0]["words"]] == ["50.0 %", "25.0 %"]
    short = hovering(exposure_chart(frame.with_columns(net_exposure=-pl.col("gross_exposure"))))
    assert [one["name"] for one in short["series"]] == ["Gross", "Net"]


def test_many_bars_of_exposure_become_few_stretches() -> None:
    n = 10_001
    frame = pl.DataFrame(
        {
            "close_time": pl.Series(range(n), dtype=pl.Int64).cast(TIME),
            "equity": [1.0] * n,
            "gross_exposure": [0.5] * n,
            "net_exposure": [0.5] * n,
        }
    )
    assert 100 < len(hovering(exposure_chart(frame))["at"]) <= 200


def test_a_long_list_of_trades_is_thinned_and_says_so() -> None:
    trades = pl.DataFrame({"bars": list(range(4000)), "return_": [0.01, -0.01] * 2000})
    drawn = trade_scatter(trades)
    assert drawn.description == "1,334 of 4,000 closed trades."
    assert sum(layer.count("h0") for layer in drawn.layers) == 1334


def test_windows_are_named_by_their_as_of() -> None:
    folds = pl.DataFrame({"as_of": [date(2024, 1, 1), date(2024, 1, 8)], "days": [7, 7], "fold_return": [0.1, -0.2]})
    drawn = fold_chart(folds)
    assert drawn.description == "1 of 2 windows gained."
    assert hovering(drawn)["when"] == ["from 2024-01-01", "from 2024-01-08"]


METRICS = pl.DataFrame(
    {
        "as_of": [date(2024, 1, 1), date(2024, 1, 8), date(2024, 1, 8), date(2024, 1, 8)],
        "model": ["a", "a", "b", "b"],
        "horizon": [5, 5, 5, 20],
        "metric": ["log_loss"] * 4,
        "loss": [1.0, 1.1, 1.2, 1.3],
        "constant_loss": [1.09, 1.08, 1.08, 1.07],
        "direction_gain": [0.1, 0.2, 0.3, None],
    }
)


def test_log_loss_has_a_chart_a_horizon_with_class_frequencies_beside() -> None:
    short, long = loss_charts(METRICS)
    assert (short.title, long.title) == ("Log loss at 5 bars", "Log loss at 20 bars")
    assert [(one["name"], one["words"]) for one in hovering(short)["series"]] == [
        ("a", ["1.0000", "1.1000"]),
        ("b", ["\N{EN DASH}", "1.2000"]),
        ("class frequencies", ["1.0900", "1.0800"]),
    ]


def test_direction_leaves_out_what_is_unknown_and_shows_zero() -> None:
    (chart,) = direction_charts(METRICS)
    assert chart.title == "Direction gain at 5 bars"
    assert chart.y.low <= 0 <= chart.y.high
    assert hovering(chart)["when"] == ["2024-01-01", "2024-01-08"]
