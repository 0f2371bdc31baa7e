"""How well so many days pin a Sharpe ratio down, and how many of them one like this needs."""

from collections.abc import Mapping
from dataclasses import asdict
from math import ceil
from typing import Any

import polars as pl

from nightfold.tearsheet import measures, number


def length_needed(daily: pl.DataFrame, n_trials: int) -> dict[str, Any]:
    """Bound the yearly Sharpe ratio, and say how many days such a one needs; None where that is unknown.

    Parameters
    ----------
    daily
        ``day`` and ``daily_return``.
    n_trials
        Variants whose result on these days was looked at.

    Returns
    -------
    dict
        ``sharpe_interval`` (`nightfold.tearsheet.measures.confidence_interval`, as plain data),
        ``minimum_track_record_days`` and ``minimum_backtest_years``; the latter two are None for a ratio of 0 and less.
    """
    days = daily["daily_return"]
    if measures.is_ruined(days):
        return dict.fromkeys(("sharpe_interval", "minimum_track_record_days", "minimum_backtest_years"))
    found = measures.confidence_interval(measures.sharpe_ratio, days)
    gain = max(found.value or 0.0, 0.0)
    return {
        "sharpe_interval": asdict(found),
        "minimum_track_record_days": measures.minimum_track_record(days),
        "minimum_backtest_years": measures.minimum_backtest_length(n_trials, gain) if gain else None,
    }


def length_rows(needed: Mapping[str, Any], days: int, n_trials: int) -> list[tuple[str, str, str]]:
    """Write that out: name, meaning and value of each.

    Parameters
    ----------
    needed
        As from `length_needed`.
    days, n_trials
        Days there are, and variants looked at on them.
    """
    bounds = needed["sharpe_interval"] or dict.fromkeys(("value", "low", "high", "block_days"))
    track, backtest = needed["minimum_track_record_days"], needed["minimum_backtest_years"]
    drawn = "unknown: too few days, or they do not vary"
    if bounds["low"] is not None:
        drawn = f"at 95 %, days drawn anew in blocks of about {number.count(bounds['block_days'])}"
    had = f"there are {number.days(days)}"
    if track is None:
        had = "unknown" if bounds["value"] is None else "none will do, it is not above 0"
    lucky = f"on less the best of {number.count(n_trials)} trials shows it without skill"
    return [
        ("Sharpe ratio lies between", drawn, _between(bounds["low"], bounds["high"])),
        ("Minimum track record", f"to be above 0 at 95 %; {had}", _days(track)),
        (
            "Minimum backtest length",
            lucky if n_trials > 1 else "one trial needs none",
            _days(backtest and backtest * measures.DAYS_PER_YEAR),
        ),
    ]


def _between(low: float | None, high: float | None) -> str:
    return number.UNKNOWN if low is None else f"{number.ratio(low)} to {number.ratio(high)}"


def _days(length: float | None) -> str:
    return number.days(None if length is None else ceil(length))
