"""LightGBM's settings that make it fast against slower ones, on the same recorded bars out of sample.

`python -m benchmarks.defaults` prints the table of `docs/models.md`.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from benchmarks.barriers import recorded
from benchmarks.entry import labels_of, weekly_error
from benchmarks.market import SYMBOLS, Market
from nightfold.features.catalog import FEATURES
from nightfold.features.compute import compute_features
from nightfold.models.boosting.lightgbm import LightGBMModel, LightGBMSpec
from nightfold.models.dataset import Dataset
from nightfold.schema import KEY
from nightfold.splits.purge import PurgedSplit

Split = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]
"""Rows to train on, to stop by, and to test."""

SHIPPED = "as shipped"
SETTINGS: dict[str, dict[str, Any]] = {
    SHIPPED: {},
    "all features": {"feature_fraction": 1.0},
    "all features, 255 bins": {"feature_fraction": 1.0, "max_bin": 255},
}
_FIRST, _LAST, _STEP = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 6, 20, tzinfo=UTC), timedelta(days=14)
_TRAINED, _VALIDATED, _GAP, _TESTED = timedelta(days=90), timedelta(days=16), timedelta(days=1), timedelta(days=7)


def nightly(rows: pl.DataFrame) -> Iterator[Split]:
    """90 days before an as-of, the last 16 to stop by, every other row of them; the week after it."""
    as_of = _FIRST
    while as_of < _LAST:
        known = rows.filter(pl.col("label_end_close") <= as_of, pl.col("open_time") >= as_of - _TRAINED)
        border = as_of - _VALIDATED
        train = known.filter(pl.col("label_end_close") <= border - _GAP)
        validation = known.filter(pl.col("open_time") >= border)
        week = pl.col("open_time").is_between(as_of, as_of + _TESTED, closed="left")
        yield train[::2], validation[::2], rows.filter(week)
        as_of += _STEP


def whole(rows: pl.DataFrame) -> Iterator[Split]:
    """One purged split of all rows, every fourth row of what is learnt from."""
    parts = PurgedSplit().split(rows["open_time"], rows["label_end_close"], "5m")
    yield rows[parts.train[::4]], rows[parts.validation[::4]], rows[parts.test]


def compare(splits: Iterator[Split]) -> list[dict[str, Any]]:
    """Mean log loss of each setting over all tests, and how far behind what is shipped."""
    tests: list[pl.DataFrame] = []
    losses: dict[str, list[np.ndarray]] = {name: [] for name in SETTINGS}
    seconds = dict.fromkeys(SETTINGS, 0.0)
    for train, validation, test in splits:
        learnt, stopped = (Dataset.from_frame(part, list(FEATURES), "label_close") for part in (train, validation))
        features, label = test.select(FEATURES.keys()).to_numpy(order="c"), test["label_close"].to_numpy()
        for name, changed in SETTINGS.items():
            began = time.process_time()
            model = LightGBMModel(LightGBMSpec(**changed), seed=0).fit(learnt, stopped)
            seconds[name] += time.process_time() - began
            losses[name].append(-np.log(model.predict(features)[np.arange(len(label)), label + 1]))
        tests.append(test)
    rows, told = pl.concat(tests), {name: np.concatenate(each) for name, each in losses.items()}
    return [
        {
            "settings": name,
            "log_loss": each.mean(),
            "behind": (each - told[SHIPPED]).mean(),
            "error": weekly_error(rows, each - told[SHIPPED]),
            "cpu_seconds": seconds[name] / len(tests),
        }
        for name, each in told.items()
    ]


def main() -> None:
    """Print a table for each way to split."""
    market = Market.find()
    bars = {symbol: recorded(market, symbol) for symbol in SYMBOLS}
    features = compute_features(pl.concat(bars.values()), interval="5m")
    labels = pl.concat(labels_of(each) for each in bars.values())
    rows = features.join(labels, on=KEY, validate="1:1").drop_nulls().sort("open_time", "symbol")
    with pl.Config(tbl_cols=-1, tbl_rows=-1, tbl_width_chars=400, tbl_formatting="MARKDOWN", float_precision=4):
        for splits in (nightly(rows), whole(rows)):
            print(pl.DataFrame(compare(splits)), flush=True)


if __name__ == "__main__":
    main()
