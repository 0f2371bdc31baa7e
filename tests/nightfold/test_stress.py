"""Stress replays: windows of curves worked out by hand, and the shipped events beside the baseline they replay."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from nightfold.configuration import load_experiment, load_spec
from nightfold.errors import ConfigError, SchemaError
from nightfold.stress import REPLAYS, StressEvent, held_worth, measure, open_within, replay_row
from nightfold.universe import Universe
from nightfold.window import midnight

CONFIGS = Path(__file__).parents[2] / "configs"
EVENTS = sorted(path.parent for path in CONFIGS.glob("stress/*/event.yaml"))
EVENT = StressEvent(
    name="fall", title="The fall", first_day=date(2024, 1, 3), last_day=date(2024, 1, 4), why="It fell."
)
EIGHT = timedelta(hours=8)


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2024, 1, day, hour, minute, tzinfo=UTC)


def curve(values: Sequence[float], first: datetime) -> pl.DataFrame:
    """Worth at closes eight hours apart."""
    times = [first + EIGHT * n for n in range(len(values))]
    return pl.DataFrame(
        {"close_time": times, "equity": values}, schema_overrides={"close_time": REPLAYS.dtypes["trained_until"]}
    )


def bars(closes: Sequence[float | None], symbol: str, first: datetime) -> pl.DataFrame:
    """Bars of eight hours; None is a hole."""
    times = [first + EIGHT * n for n in range(len(closes))]
    made = pl.DataFrame({"symbol": symbol, "open_time": times, "close": closes})
    return made.drop_nulls().cast({"open_time": REPLAYS.dtypes["trained_until"], "close": pl.Float64})


# ---------------------------------------------------------------------- an event


def test_the_days_of_an_event_begin_and_end_at_midnight() -> None:
    assert (EVENT.start, EVENT.end) == (at(3), at(5))


def test_an_event_cannot_end_before_it_begins() -> None:
    with pytest.raises(
        ValidationError, match="`last_day` is 2024-01-02; it must not be before `first_day`, 2024-01-03"
    ):
        StressEvent.model_validate({**EVENT.model_dump(), "last_day": date(2024, 1, 2)})


# ---------------------------------------------------------------------- a curve within it


def test_a_window_is_measured_as_worked_by_hand() -> None:
    """Worth 100 as it begins, 120, 90, 60, 75, 66, 80 within: -20 % in all, and from 120 to 60 half is lost."""
    worth = curve([500.0, 40.0, 100.0, 120.0, 90.0, 60.0, 75.0, 66.0, 80.0, 1.0, 900.0], at(2, 8))
    assert worth.filter(pl.col("equity") == 100.0)["close_time"][0] == at(3)
    found = measure(worth, EVENT)
    assert found.total_return == pytest.approx(80 / 100 - 1)
    assert found.max_drawdown == pytest.approx(60 / 120 - 1)
    assert found.until == at(5)


def test_what_fell_from_the_worth_before_counts_and_earlier_peaks_do_not() -> None:
    """The peak of 500 a day before is no part of it; the fall from 100, the last close before, is."""
    worth = curve([500.0, 100.0, 70.0, 80.0], at(2, 16))
    assert measure(worth, EVENT).max_drawdown == pytest.approx(-0.3)
    assert measure(curve([100.0, 100.0, 100.0], at(2, 16)), EVENT).max_drawdown == 0.0


def test_where_bars_end_within_the_event_it_ends_with_them() -> None:
    found = measure(curve([100.0, 95.0, 90.0], at(3)), EVENT)
    assert found.total_return == pytest.approx(-0.1)
    assert found.until == at(3, 16)


def test_the_worth_before_is_the_last_there_is_where_a_hole_lies_before() -> None:
    worth = pl.concat([curve([100.0, 50.0], at(1)), curve([55.0], at(3, 8))])
    assert measure(worth, EVENT).total_return == pytest.approx(0.1)


@pytest.mark.parametrize(
    "worth",
    [curve([100.0, 90.0], at(3, 8)), curve([100.0, 90.0], at(2)), curve([100.0, 90.0], at(5, 8)), curve([], at(3))],
    ids=["begins within", "ends before", "begins after", "empty"],
)
def test_a_curve_that_does_not_reach_over_its_beginning_is_refused(worth: pl.DataFrame) -> None:
    with pytest.raises(ConfigError, match=r"The fall is 2024-01-03 to 2024-01-04, and the account .* `first_as_of`"):
        measure(worth, EVENT)


# ---------------------------------------------------------------------- the market beside it


def test_holding_buys_equal_parts_as_the_event_begins() -> None:
    """A: 10, 5, 20 and B: 4, 4, 1, so (.5 + 1) / 2 = .75 and (2 + .25) / 2 = 1.125; what was before is no part."""
    both = pl.concat([bars([99.0, 10.0, 5.0, 20.0], "A", at(2, 8)), bars([1.0, 4.0, 4.0, 1.0], "B", at(2, 8))])
    found = held_worth(both.sample(fraction=1, shuffle=True, seed=3), EVENT, "8h")
    assert found["close_time"].to_list() == [at(3), at(3, 8), at(3, 16)]
    assert found["equity"].to_list() == pytest.approx([1.0, 0.75, 1.125])
    assert measure(found, EVENT).total_return == pytest.approx(0.125)
    assert measure(found, EVENT).max_drawdown == pytest.approx(-0.25)


def test_a_symbol_without_a_bar_keeps_its_last_price() -> None:
    """B has no bar at 08:00 and is worth what it was: (2 + 1) / 2."""
    both = pl.concat([bars([10.0, 20.0, 20.0], "A", at(2, 16)), bars([4.0, None, 8.0], "B", at(2, 16))])
    assert held_worth(both, EVENT, "8h")["equity"].to_list() == pytest.approx([1.0, 1.5, 2.0])
    early = pl.concat([bars([10.0, 20.0], "A", at(2, 16)), bars([4.0, None, 8.0], "B", at(2, 8))])
    assert held_worth(early, EVENT, "8h")["equity"].to_list() == pytest.approx([1.0, 2.0])


def test_a_symbol_that_begins_later_cannot_be_bought() -> None:
    both = pl.concat([bars([10.0, 20.0], "A", at(2, 16)), bars([4.0], "B", at(3))])
    with pytest.raises(SchemaError, match="`bars` of B begin after 2024-01-03 00:00"):
        held_worth(both, EVENT, "8h")


# ---------------------------------------------------------------------- a row of the table


TRADES = pl.DataFrame(
    [
        ("over before", at(1), at(2)),
        ("left as it began", at(1), at(3)),
        ("into it", at(2), at(4)),
        ("within", at(3, 8), at(3, 16)),
        ("out of it", at(4), at(9)),
        ("never left", at(2), None),
        ("entered after", at(5), at(6)),
    ],
    schema=["what", "entry_time", "exit_time"],
    orient="row",
)


def test_trades_of_an_event_are_those_open_within_its_days() -> None:
    kept = open_within(TRADES, EVENT)["what"].to_list()
    assert kept == ["left as it began", "into it", "within", "out of it", "never left"]


def row(equity: Sequence[float], **changes: object) -> dict[str, object]:
    settings: dict[str, object] = {
        "equity": curve(equity, at(3)),
        "trades": TRADES[:2],
        "held": curve([1.0, 0.6, 0.9], at(3)),
        "in_force": [date(2024, 1, 1), date(2024, 1, 4)],
        "trained_until": {date(2024, 1, 1): datetime(2023, 12, 31, 23, tzinfo=UTC), date(2024, 1, 4): at(3, 23)},
    }
    return replay_row(EVENT, "baseline", **{**settings, **changes})  # type: ignore[arg-type]


def test_a_row_says_what_was_in_force_and_what_became_of_the_account() -> None:
    found = row([200.0, 210.0, 190.0])
    expected = {
        "event": "fall",
        "experiment": "baseline",
        "first_day": date(2024, 1, 3),
        "last_day": date(2024, 1, 4),
        "days": pytest.approx(2 / 3),
        "in_force_since": date(2024, 1, 1),
        "trained_until": datetime(2023, 12, 31, 23, tzinfo=UTC),
        "models": 2,
        "total_return": pytest.approx(-0.05),
        "max_drawdown": pytest.approx(190 / 210 - 1),
        "trades": 1,
        "holding_return": pytest.approx(-0.1),
        "holding_drawdown": pytest.approx(-0.4),
        "verdict": "lost",
    }
    assert found == expected
    assert REPLAYS.validate(REPLAYS.conform(pl.DataFrame([found]))).height == 1


@pytest.mark.parametrize(("last", "word"), [(100.0, "flat"), (100.01, "gained"), (99.99, "lost")])
def test_the_verdict_is_the_sign_of_the_return(last: float, word: str) -> None:
    assert row([100.0, last])["verdict"] == word


def test_a_model_that_knows_part_of_the_event_is_no_replay() -> None:
    with pytest.raises(ConfigError, match="knows labels up to 2024-01-03 00:01, and The fall begins on 2024-01-03"):
        row([100.0, 90.0], trained_until={date(2024, 1, 1): at(3, 0, 1), date(2024, 1, 4): at(3, 23)})
    assert row([100.0, 90.0], trained_until={date(2024, 1, 1): at(3)})["trained_until"] == at(3)


def test_without_a_model_in_force_there_is_no_replay() -> None:
    with pytest.raises(ConfigError, match="no model of baseline was in force during The fall"):
        row([100.0, 90.0], in_force=[])


# ---------------------------------------------------------------------- the shipped events


def test_the_shipped_events_are_the_four_asked_for() -> None:
    assert [folder.name for folder in EVENTS] == ["covid", "ftx", "luna", "usdc"]


@pytest.mark.parametrize("folder", EVENTS, ids=lambda folder: folder.name)
def test_a_shipped_replay_is_the_baseline_with_room_before_its_event(folder: Path) -> None:
    """Only dates and the length of training differ; the first model and all it learns from lie before the event."""
    event = load_spec(folder / "event.yaml", StressEvent, name=folder.name)
    universe = load_spec(folder / "universe.yaml", Universe)
    spot, short = (load_experiment(folder / f"experiments/{name}.yaml") for name in ("replay", "replay_short"))
    baseline = load_experiment(CONFIGS / "experiments/baseline.yaml")
    dates = {"name", "description", "first_as_of", "split"}
    assert spot.model_dump(exclude=dates) == baseline.model_dump(exclude=dates)
    assert spot.split.model_copy(update={"expanding": False, "train_days": 60}) == baseline.split
    assert spot.split.train_days == 60 or spot.split.expanding
    rules = {"name", "description", "costs", "limits"}
    assert short.model_dump(exclude=rules) == spot.model_dump(exclude=rules)
    assert (short.limits.instrument, short.costs.funding_rate) == ("perpetual", 0.0001)
    assert midnight(spot.first_as_of) < event.start
    assert universe.start <= spot.first_as_of - timedelta(days=spot.split.train_days)
    assert universe.end is not None
    assert event.end <= midnight(universe.end)
