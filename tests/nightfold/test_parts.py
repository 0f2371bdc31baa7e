"""The parts of a split as tables a person can open."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from nightfold.errors import ConfigError
from nightfold.parts import scaled_parts, scaled_rows
from nightfold.schema import TIME
from nightfold.splits.as_of import SplitSpec
from nightfold.target import Target
from nightfold.training import sample

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = ["a", "still"]
TARGET = Target(kind="return", horizons=[2])


def rows(count: int = 600, begin: datetime = START) -> pl.DataFrame:
    random = np.random.default_rng(5)
    times = pl.Series([begin + n * HOUR for n in range(count)], dtype=TIME)
    return pl.DataFrame(
        {
            "symbol": "A",
            "open_time": times,
            "volatility": 0.01,
            "a": pl.Series(random.normal(3, 2, count), dtype=pl.Float32),
            "still": pl.Series(np.ones(count), dtype=pl.Float32),
            "forward_log_return_2": random.normal(size=count),
            "forward_end_2": times + 3 * HOUR,
        }
    )


@pytest.fixture(scope="module")
def taken():
    split = SplitSpec(train_days=25, purge=2, embargo=3)
    return sample(rows(), NAMES, TARGET, 2, START + 600 * HOUR, split, "1h", 0)


def test_features_are_in_deviations_of_the_training_rows_alone(taken) -> None:
    parts = dict(scaled_parts(taken))
    assert list(parts) == ["train", "stopping", "validation"]
    train = parts["train"]
    assert train["a"].mean() == pytest.approx(0, abs=1e-6)
    assert train["a"].std(ddof=0) == pytest.approx(1, abs=1e-6)
    assert (train["still"] == 0).all()
    raw = rows().join(train.select("open_time"), on="open_time", how="semi")["a"].to_numpy()
    later = parts["validation"]
    wanted = rows().join(later, on="open_time", how="semi")["a"].to_numpy()
    np.testing.assert_allclose(later["a"], (wanted - raw.mean()) / raw.std(), rtol=1e-4, atol=1e-5)
    assert train["label_end"].max() < later["open_time"].min()


def test_weights_of_all_parts_are_scaled_alike() -> None:
    uniqueness = np.linspace(0.1, 0.9, 600)
    labelled = (
        rows()
        .select("symbol", "open_time", "volatility", *NAMES)
        .with_columns(
            label_2=pl.int_range(pl.len()) % 3 - 1,
            label_end_2=pl.col("open_time") + 3 * HOUR,
            uniqueness_2=uniqueness,
        )
    )
    split = SplitSpec(train_days=25, purge=2, embargo=3)
    made = sample(labelled, NAMES, Target(horizons=[2]), 2, START + 600 * HOUR, split, "1h", 0)
    assert made.train.weight.mean() == pytest.approx(1)
    for name, part in made.parts.items():
        np.testing.assert_allclose(part.weight / made.keys[name]["weight"], 1 / made.keys["train"]["weight"].mean())
    assert made.validation.weight.mean() > 1.5


def test_later_rows_are_scaled_alike_and_unknown_ones_left_out(taken) -> None:
    later = rows(5, START + 700 * HOUR).with_columns(
        forward_log_return_2=pl.when(pl.int_range(pl.len()) < 3).then(pl.col("forward_log_return_2"))
    )
    test = scaled_rows(taken, later, TARGET, 2)
    assert test.height == 3
    assert test.columns == dict(scaled_parts(taken))["train"].columns
    mean, deviation = (taken.scaler[key][0] for key in ("mean", "standard_deviation"))
    assert test["a"].to_list() == pytest.approx([(value - mean) / deviation for value in later["a"][:3]], abs=1e-5)


def test_a_stride_keeps_the_same_bars_whenever_the_window_begins() -> None:
    split = SplitSpec(train_days=20, purge=2, embargo=3)
    target = TARGET.model_copy(update={"stride": 4})
    kept = [
        set(sample(rows(), NAMES, target, 2, START + hours * HOUR, split, "1h", 0).keys["train"]["open_time"])
        for hours in (597, 600)
    ]
    common = kept[0] & kept[1]
    assert len(common) > 80
    hours = {moment.hour % 4 for moments in kept for moment in moments}
    assert len(hours) == 1


def test_rows_without_a_whole_window_are_left_out_for_all_members(taken) -> None:
    split = SplitSpec(train_days=25, purge=2, embargo=3)
    holed = rows().filter(pl.col("open_time") != START + 100 * HOUR)
    windowed = sample(holed, NAMES, TARGET, 2, START + 600 * HOUR, split, "1h", 0, window=5)
    times = set(windowed.keys["train"]["open_time"])
    assert {START + n * HOUR for n in (0, 1, 2, 3, 101, 102, 103, 104)}.isdisjoint(times)
    assert {START + n * HOUR for n in (4, 105)} <= times
    windows = windowed.windowed(5)["train"].features
    place = windowed.keys["train"]["open_time"].to_list().index(START + 105 * HOUR)
    expected = holed.filter(pl.col("open_time").is_between(START + 101 * HOUR, START + 105 * HOUR))["a"]
    assert windows.batch([place])[0, :, 0].tolist() == pytest.approx(expected.to_list())
    assert windowed.fingerprint != taken.fingerprint


def test_rows_that_a_stride_leaves_are_worth_as_many_as_do_not_overlap() -> None:
    """Labels of two bars take the time of two moments, of one where there is one in two bars, or fewer."""
    known = pl.col("open_time") + 3 * HOUR - timedelta(milliseconds=1)
    labelled = rows().with_columns(label_2=pl.int_range(pl.len()) % 3 - 1, label_end_2=known, uniqueness_2=0.25)
    split = SplitSpec(train_days=25, purge=2, embargo=3)
    for stride, worth in ((1, 0.5), (2, 1.0), (4, 1.0)):
        target = Target(horizons=[2], stride=stride)
        made = sample(labelled, NAMES, target, 2, START + 600 * HOUR, split, "1h", 0)
        assert made.effective_rows == pytest.approx(worth * len(made.train), rel=0.02)


def test_a_validation_part_too_short_for_two_halves_is_refused_in_its_own_words() -> None:
    split = SplitSpec(train_days=25, purge=20, embargo=0, train=0.95, validation=0.05)
    with pytest.raises(ConfigError, match="leaves 27 rows for validation, 0 to stop fits by and 14 to score them"):
        sample(rows(), NAMES, TARGET, 2, START + 600 * HOUR, split, "1h", 0)
