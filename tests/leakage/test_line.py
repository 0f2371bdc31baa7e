"""Nothing that came later reaches a split, a model or a prediction, all the way through the line."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

pytestmark = pytest.mark.xdist_group("line")

HOUR = timedelta(hours=1)
MOMENT = datetime(2024, 2, 20, 12, tzinfo=UTC)
BEFORE, AFTER = ("2024-02-12", "2024-02-19"), "2024-02-26"
EXPERIMENTS = {"pooled_one": ("pooled",), "single": ("AAAUSDT", "BBBUSDT")}
TRAINED = ("splits", "class_frequencies", "logistic_regression", "ensemble")
PRICES = ("open", "high", "low", "close")


def rows(deployment, key, symbol="*"):
    return pl.read_parquet(sorted((deployment.lake / key).glob(f"symbol={symbol}/*.parquet"))).sort(
        "symbol", "open_time"
    )


def retrain(deployment):
    with deployment.workshop() as workshop:
        for layer in ("splits", "class_frequencies", "logistic_regression", "ensemble"):
            for experiment in EXPERIMENTS:
                workshop.backfill(f"{experiment}/{layer}", force=layer not in ("splits", "ensemble"))
        workshop.backfill("predict")


# ---------------------------------------------------------------------- another future


@pytest.fixture(scope="module")
def other_future(finished, tmp_path_factory):
    """The same past, and noise for bars from a moment on; everything below the bars made again, models by force."""
    ours = finished.copy(tmp_path_factory.mktemp("future"))
    chance = np.random.default_rng(1)
    for path in (ours.lake / "bars").rglob("2024-02-01.parquet"):
        bars = pl.read_parquet(path)
        later = (bars["open_time"] >= MOMENT).to_numpy()
        price = pl.Series(np.where(later, np.exp(chance.normal(0, 0.05, bars.height)), 1.0))
        volume = pl.Series(np.where(later, np.exp(chance.normal(0, 2, bars.height)), 1.0))
        bars.with_columns(*(pl.col(name) * price for name in PRICES), pl.col("volume") * volume).write_parquet(path)
    with ours.workshop() as workshop:
        workshop.backfill("research", "2024-01", "2024-02")
    retrain(ours)
    return ours


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("stage", TRAINED)
def test_another_future_changes_no_byte_of_splits_and_models_before_it(finished, other_future, experiment, stage):
    for universe in EXPERIMENTS[experiment]:
        key = f"{experiment}/{stage}/universe={universe}"
        for as_of in BEFORE:
            assert other_future.files(f"{key}/{as_of}") == finished.files(f"{key}/{as_of}")
        assert other_future.files(f"{key}/{AFTER}") != finished.files(f"{key}/{AFTER}")


@pytest.mark.parametrize("key", ["features", "pooled_one/predictions", "single/predictions"])
def test_another_future_changes_no_value_known_before_it(finished, other_future, key):
    ours, theirs = (rows(each, key) for each in (finished, other_future))
    before = pl.col("open_time") + HOUR <= MOMENT
    assert ours.filter(before).equals(theirs.filter(before))
    assert not ours.filter(~before).equals(theirs.filter(~before))


def test_another_future_changes_no_label_that_was_known_before_it(finished, other_future):
    ours, theirs = (rows(each, "labels") for each in (finished, other_future))
    known = (ours["label_end_5"] <= MOMENT).fill_null(value=False)
    columns = ("label_5", "label_end_5", "touch_5", "log_return_5", "weight_5", "uniqueness_5")
    assert ours.filter(known).select(columns).equals(theirs.filter(known).select(columns))
    assert known.sum() > 2_000


# ---------------------------------------------------------------------- who knew what when


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_each_bar_is_predicted_by_a_model_that_was_in_force_when_it_opened(finished, experiment):
    spoken = rows(finished, f"{experiment}/predictions").drop_nulls("as_of")
    assert (spoken["as_of"] <= spoken["open_time"]).all()
    assert (spoken["open_time"] - spoken["as_of"] < timedelta(days=7)).all()
    assert spoken.height == 2 * 18 * 24


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("as_of", [*BEFORE, AFTER])
def test_a_model_knew_only_labels_that_had_ended_an_hour_before_it_came_into_force(finished, experiment, as_of):
    begins = datetime.fromisoformat(as_of).replace(tzinfo=UTC)
    for universe in EXPERIMENTS[experiment]:
        symbol = "*" if universe == "pooled" else universe
        (path,) = (finished.lake / experiment / "splits" / f"universe={universe}" / as_of).glob("*/split.json")
        split = json.loads(path.read_text())["5"]
        span = {name: datetime.fromisoformat(moment) for name, moment in split["span"].items()}
        assert span["known_until"] == begins - HOUR
        usable = rows(finished, "features", symbol).join(rows(finished, "labels", symbol), on=["symbol", "open_time"])
        usable = usable.drop_nulls([*split["features"], "volatility", "label_5", "weight_5"])
        ends = {"train": span["stopping_from"], "stopping": span["validation_from"], "validation": span["known_until"]}
        ended = {
            part: usable.filter(
                pl.col("open_time").is_between(span[f"{part}_from"], span[f"{part}_to"]), pl.col("label_end_5") <= end
            ).height
            for part, end in ends.items()
        }
        assert split["rows"]["train"] == ended["train"]
        assert split["rows"]["stopping"] <= ended["stopping"]  # the border lies up to a bar before `validation_from`
        assert split["rows"]["validation"] == ended["validation"]
        assert span["stopping_from"] - span["train_to"] > 10 * HOUR  # purge and embargo, 5 bars each
        assert span["validation_from"] - span["stopping_to"] > 5 * HOUR


# ---------------------------------------------------------------------- labels that mean nothing


@pytest.fixture(scope="module")
def trending(deploy):
    """A market with a planted trend, one model of all symbols, all layers made."""
    made = deploy(
        universe={"source": {"kind": "simulated", "trend_strength": 0.8}, "start": "2023-11-01"},
        experiments={"pooled_one": {"split": {"train_days": 90, "purge": 5, "embargo": 5}}},
    )
    with made.workshop() as workshop:
        for layer in ("ingest", "research", "train", "predict"):
            workshop.backfill(layer)
    return made


def gain(deployment, labels):
    """Mean gain in nats of the ensemble over class frequencies out of sample, in standard errors of daily means."""
    said = rows(deployment, "pooled_one/predictions").drop_nulls("as_of")
    known = said.join(labels.select("symbol", "open_time", "label_5"), on=["symbol", "open_time"]).drop_nulls("label_5")

    def loss(prefix):
        sides = [pl.col(f"{prefix}{side}_5") for side in ("p_down", "p_flat", "p_up")]
        chosen = pl.when(pl.col("label_5") == -1).then(sides[0]).when(pl.col("label_5") == 0).then(sides[1])
        return -chosen.otherwise(sides[2]).log()

    daily = (
        known.group_by(pl.col("open_time").dt.date().alias("day"))
        .agg((loss("class_frequencies_") - loss("")).mean().alias("gain"))["gain"]
        .to_numpy()
    )
    return daily.mean() / (daily.std(ddof=1) / np.sqrt(daily.size))


def test_a_line_that_learns_true_labels_of_a_market_with_a_trend_knows_something(trending):
    assert gain(trending, rows(trending, "labels")) > 4


def test_a_line_that_learns_permuted_labels_knows_nothing(trending, tmp_path):
    ours = trending.copy(tmp_path)
    chance = np.random.default_rng(3)
    for path in sorted((ours.lake / "labels").rglob("*.parquet")):
        labels = pl.read_parquet(path)
        blocks = np.array_split(np.arange(labels.height), max(labels.height // 48, 1))
        order = np.concatenate([blocks[place] for place in chance.permutation(len(blocks))])
        labels.with_columns(labels["label_5"][order]).write_parquet(path)
    with ours.workshop() as workshop:
        for layer in ("train", "predict"):
            workshop.backfill(layer)
    assert gain(ours, rows(ours, "labels")) < 2
