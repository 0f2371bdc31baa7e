"""Which model speaks for which bar."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from nightfold.errors import SchemaError
from nightfold.forecast import forecast, predictions_table
from nightfold.models.objective import Objective
from nightfold.schema import TIME

HOUR = timedelta(hours=1)
CLASSES = Objective()
START = datetime(2024, 3, 4, tzinfo=UTC)


@dataclass
class Fixed:
    """Says the same for every row, and notes which rows it was asked about."""

    as_of: datetime
    up: float
    version: str = "v1"
    asked: list[datetime] = field(default_factory=list)

    def predict(self, rows, horizon):
        self.asked += [START + int(hour) * HOUR for hour in rows.chosen]
        said = np.tile([1 - self.up, 0.0, self.up], (len(rows), 1))
        return said, {"member": said[:, ::-1]}


def rows(hours, **columns):
    frame = pl.DataFrame(
        {
            "symbol": ["A"] * hours,
            "open_time": [START + n * HOUR for n in range(hours)],
            "volatility": [0.01] * hours,
            "signal": [1.0] * hours,
            **columns,
        }
    )
    return frame.with_columns(pl.col("open_time").cast(TIME))


def test_each_bar_is_spoken_for_by_the_model_in_force_as_it_opened():
    old, new = Fixed(START - 24 * HOUR, 0.2), Fixed(START + 3 * HOUR, 0.9)
    made = forecast(
        rows(5), [(old, START, new.as_of), (new, new.as_of, START + 99 * HOUR)], CLASSES, [5], ["signal"], "1h"
    )
    assert made["p_up_5"].to_list() == pytest.approx([0.2, 0.2, 0.2, 0.9, 0.9])
    assert made["as_of"].to_list() == [old.as_of] * 3 + [new.as_of] * 2
    assert made["member_p_down_5"].to_list() == pytest.approx([0.2, 0.2, 0.2, 0.9, 0.9])
    assert new.asked == [START + 3 * HOUR, START + 4 * HOUR]


def test_no_bar_has_a_model_that_came_into_force_after_it_closed():
    models = [(Fixed(START + n * HOUR, 0.5), START + n * HOUR, START + (n + 1) * HOUR) for n in range(6)]
    made = forecast(rows(6), models, CLASSES, [5], ["signal"], "1h")
    assert made.filter(pl.col("as_of") > pl.col("open_time") + HOUR).is_empty()


def test_a_row_without_a_model_or_with_an_unknown_feature_has_no_prediction_but_stays():
    frame = rows(4, signal=[1.0, None, 1.0, 1.0])
    made = forecast(frame, [(Fixed(START, 0.5), START, START + 3 * HOUR)], CLASSES, [5], ["signal"], "1h")
    assert made["p_up_5"].is_null().to_list() == [False, True, False, True]
    assert made["as_of"].is_null().to_list() == [False, True, False, True]
    assert made.select("symbol", "open_time", "volatility").equals(frame.select("symbol", "open_time", "volatility"))


def test_without_any_model_the_table_still_conforms_with_nulls():
    table = predictions_table("e/predictions", CLASSES, [5, 10], ["member"])
    made = table.validate(table.conform(forecast(rows(3), [], CLASSES, [5, 10], ["signal"], "1h")))
    assert made.height == 3
    assert made["p_up_10"].null_count() == 3


def test_the_table_names_every_class_of_every_horizon_for_the_ensemble_and_each_member():
    names = list(predictions_table("e/predictions", CLASSES, [5, 20], ["a", "b"]).columns)
    assert names[:5] == ["symbol", "open_time", "as_of", "version", "volatility"]
    assert set(names[5:]) == {
        f"{who}{side}_{h}" for who in ("", "a_", "b_") for side in CLASSES.columns for h in (5, 20)
    }


def test_a_probability_beyond_one_is_refused_by_the_table():
    table = predictions_table("e/predictions", CLASSES, [5], ["member"])
    made = forecast(rows(2), [(Fixed(START, 1.5), START, START + 9 * HOUR)], CLASSES, [5], ["signal"], "1h")
    with pytest.raises(SchemaError, match="p_up_5"):
        table.validate(table.conform(made))


def test_a_window_needs_every_bar_of_it_known_and_none_beyond_a_hole():
    frame = rows(6, signal=[1.0, None, 1.0, 1.0, 1.0, 1.0])
    model = [(Fixed(START, 0.5), START, START + 9 * HOUR)]
    made = forecast(frame, model, CLASSES, [5], ["signal"], "1h", window=2)
    assert made["p_up_5"].is_null().to_list() == [True, True, True, False, False, False]
    with_hole = frame.filter(pl.col("open_time") != START + 4 * HOUR)
    made = forecast(with_hole, model, CLASSES, [5], ["signal"], "1h", window=2)
    assert made["p_up_5"].is_null().to_list() == [True, True, True, False, True]
