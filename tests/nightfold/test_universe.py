"""What is traded and stored."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from nightfold.source import FolderSource, SimulatedSource
from nightfold.universe import Universe

SMALLEST = {"source": "simulated", "symbols": ["BTCUSDT"], "start": "2024-01-01"}


def universe(**settings: Any) -> Universe:
    return Universe.model_validate({**SMALLEST, **settings})


def test_the_smallest_universe_has_five_minute_bars_in_months() -> None:
    made = universe()
    assert (made.interval, made.intervals, made.grain, made.end) == ("5m", ["5m"], "month", None)
    assert made.is_simulated


def test_a_source_is_a_string_or_a_mapping() -> None:
    assert universe(source="folder:bars").source == FolderSource(path="bars")
    assert universe(source={"kind": "simulated", "seed": 3}).source == SimulatedSource(seed=3)
    assert not universe(source="folder:bars").is_simulated


def test_symbols_in_any_spelling_are_kept_in_one_sorted_and_once() -> None:
    spelled = ["SOL/USDT", "binance:btcusdt", "BTCUSDT", "BTC/USDT:USDT", "ETH-USD"]
    assert universe(symbols=spelled).symbols == ["BTCUSDT", "BTCUSDT.P", "ETHUSD", "SOLUSDT"]


def test_a_leader_in_any_spelling_is_one_of_the_symbols() -> None:
    assert universe().leader is None
    assert universe(leader="btc/usdt").leader == "BTCUSDT"


def test_the_first_interval_is_the_default_one() -> None:
    assert universe(intervals=["1h", "5m"]).interval == "1h"


@pytest.mark.parametrize(
    ("end", "now", "horizon"),
    [
        (None, datetime(2024, 5, 1, 12, tzinfo=UTC), datetime(2024, 5, 1, 12, tzinfo=UTC)),
        ("2024-07-01", datetime(2024, 5, 1, 12, tzinfo=UTC), datetime(2024, 5, 1, 12, tzinfo=UTC)),
        ("2024-04-01", datetime(2024, 5, 1, 12, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)),
    ],
)
def test_nothing_exists_after_the_end_or_after_now(end: str | None, now: datetime, horizon: datetime) -> None:
    assert universe(end=end).horizon(now) == horizon


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"symbols": []}, "at least 1"),
        ({"symbols": ["BTC"]}, "no known quote currency"),
        ({"end": "2024-01-01"}, "`end` is 2024-01-01; it must be after `start`, 2024-01-01"),
        ({"intervals": []}, "at least 1"),
        ({"intervals": ["5m", "1h", "5m"]}, "each may stand there once"),
        ({"intervals": ["7m"]}, "'1m', '5m'"),
        ({"source_interval": "15m"}, "5m cannot be made of it"),
        ({"intervals": ["1h", "15m"], "source_interval": "1h"}, "15m cannot be made of it"),
        ({"grain": "week"}, "'month' or 'day'"),
        ({"venues": {"merge": "mean"}}, "'primary' or 'consolidated'"),
        ({"cleaning": {"max_fill_bars": 0}}, "greater than 0"),
        ({"leader": "ETHUSDT"}, "`leader` is ETHUSDT; it must be one of `symbols`, BTCUSDT"),
    ],
)
def test_what_does_not_fit_together_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        universe(**settings)


def test_a_finer_source_makes_every_interval() -> None:
    assert universe(intervals=["5m", "1h", "1d"], source_interval="1m").source_interval == "1m"


def test_every_setting_changes_the_fingerprint() -> None:
    others: list[dict[str, Any]] = [
        {"source": {"kind": "simulated", "seed": 8}},
        {"symbols": ["ETHUSDT"]},
        {"start": date(2024, 1, 2)},
        {"end": date(2024, 2, 1)},
        {"intervals": ["5m", "1h"]},
        {"source_interval": "1m"},
        {"grain": "day"},
        {"cleaning": {"max_fill_bars": 5}},
        {"venues": {"order": ["kraken"]}},
        {"leader": "BTCUSDT"},
        {"funding": {"BTCUSDT": "rates.csv"}},
    ]
    prints = {universe(**settings).fingerprint for settings in [{}, *others]}
    assert len(prints) == len(others) + 1
    assert set(SMALLEST) | {next(iter(each)) for each in others} == set(Universe.model_fields)
