"""Features of one's own: taken as they are written, and audited like any other."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nightfold.errors import ConfigError
from nightfold.features.audit import audit_features
from nightfold.features.compute import compute_features
from nightfold.features.own import load_feature, own_feature


def centred_mean(bars: pl.DataFrame) -> pl.Series:
    return bars["close"].pct_change().rolling_mean(5, center=True)


def whole_sample_z_score(bars: pl.DataFrame) -> pl.Series:
    moves = bars["close"].log().diff()
    return (moves - moves.mean()) / moves.std()


def shifted_by_minus_one(bars: pl.DataFrame) -> pl.Series:
    return bars["close"].log().diff().shift(-1)


def scaled_by_everything(bars: pl.DataFrame) -> np.ndarray:
    volume = bars["volume"].to_numpy()
    return (volume - volume.min()) / np.ptp(volume)


def unfinished_hour(bars: pl.DataFrame) -> pl.Series:
    hourly = bars.group_by_dynamic("open_time", every="1h").agg(pl.col("close").last().alias("hourly"))
    return bars.join_asof(hourly, on="open_time").select(pl.col("hourly") / pl.col("close")).to_series()


def finished_hour(bars: pl.DataFrame) -> pl.Series:
    closed = pl.col("open_time").dt.offset_by("1h").alias("known")
    hourly = bars.group_by_dynamic("open_time", every="1h").agg(pl.col("close").last().alias("hourly"))
    known = bars.with_columns(pl.col("open_time").dt.offset_by("5m").alias("known"))
    joined = known.join_asof(hourly.select(closed, "hourly"), on="known")
    return joined.select(pl.col("hourly") / pl.col("close")).to_series()


def momentum(bars: pl.DataFrame) -> list[float | None]:
    return (bars["close"] / bars["close"].shift(10) - 1).to_list()


@pytest.mark.parametrize(
    "peek", [centred_mean, whole_sample_z_score, shifted_by_minus_one, scaled_by_everything, unfinished_hour]
)
def test_a_planted_peek_is_caught(lively: pl.DataFrame, peek: Callable[[pl.DataFrame], object]) -> None:
    found = audit_features(lively, [own_feature(peek, 40)], own_cuts=40).row(0, named=True)
    assert (found["feature"], found["moved_by_future"]) == (peek.__name__, True)


@pytest.mark.parametrize(("honest", "lookback"), [(momentum, 10), (finished_hour, 23)])
def test_an_honest_one_passes(lively: pl.DataFrame, honest: Callable[[pl.DataFrame], object], lookback: int) -> None:
    found = audit_features(lively, [own_feature(honest, lookback)], own_cuts=100)
    assert found.select("moved_by_future", "needs_more_than_lookback").row(0) == (False, False)


def test_a_lookback_one_bar_too_short_is_caught(lively: pl.DataFrame) -> None:
    assert audit_features(lively, [own_feature(momentum, 9)], own_cuts=4)["needs_more_than_lookback"].item()


def test_a_function_from_a_file_gives_what_it_says(tmp_path: Path, lively: pl.DataFrame) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def body(bars):\n    return (bars['close'] - bars['open']) / bars['open']\n")
    made = compute_features(lively, [load_feature(f"{file}:body", 0)])
    expected = ((lively["close"] - lively["open"]) / lively["open"]).cast(pl.Float32)
    assert made["body"].equals(expected.alias("body"))


KEEPS_ITS_SCALER = """
known = []

def scaled(bars):
    volume = bars["volume"]
    if not known:
        known.extend([volume.mean(), volume.std()])
    return (volume - known[0]) / known[1]
"""


def test_a_scaler_that_is_fitted_by_the_first_call_and_kept_is_caught(tmp_path: Path, lively: pl.DataFrame) -> None:
    file = tmp_path / "mine.py"
    file.write_text(KEEPS_ITS_SCALER)
    assert audit_features(lively, [load_feature(f"{file}:scaled", 0)], own_cuts=4)["moved_by_future"].item()


RAISES = """
def spread(bars):
    if bars.height < 50:
        raise ValueError("too few bars")
    return bars["high"] - bars["low"]

def misspelt(bars):
    return bars["hihg"]
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "spread",
            r"mine\.py, line 4, raised ValueError: too few bars\. It was given 11 bars, and must give one number",
        ),
        ("misspelt", r'mine\.py, line 8, raised ColumnNotFoundError: "hihg" not found\. It was given 2000 bars'),
    ],
)
def test_what_a_function_raises_is_told(tmp_path: Path, lively: pl.DataFrame, name: str, message: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(RAISES)
    with pytest.raises(ConfigError, match=message):
        audit_features(lively, [load_feature(f"{file}:{name}", 10)], own_cuts=4)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("mine.py", "must be a file and a function"),
        ("nosuch.py:body", "nosuch.py, which is no Python file"),
        ("mine.py:nosuch", "has no function `nosuch`"),
        ("broken.py:body", "broken.py cannot be executed: ZeroDivisionError"),
    ],
)
def test_what_cannot_be_loaded_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("def body(bars):\n    return bars['close']\n")
    Path("broken.py").write_text("1 / 0\n")
    with pytest.raises(ConfigError, match=message):
        load_feature(place, 0)


def test_a_negative_lookback_is_refused() -> None:
    with pytest.raises(ConfigError, match="`lookback` is -1; it must be 0 or more"):
        own_feature(momentum, -1)


def test_words_instead_of_numbers_are_refused(lively: pl.DataFrame) -> None:
    with pytest.raises(ConfigError, match="feature `words` gives list, not one number a bar"):
        compute_features(lively, [own_feature(lambda bars: ["up"] * bars.height, 0, "words")])
