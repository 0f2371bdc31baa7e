"""Fitting and asking models: LightGBM through us beside LightGBM alone, and nights of it beside FreqAI's."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import lightgbm
import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.market import Market
from benchmarks.measure import measure
from benchmarks.peer import beside
from benchmarks.row import Beside, Row
from nightfold.features.catalog import FEATURES
from nightfold.features.compute import compute_features
from nightfold.labels.barrier import TripleBarrier, barrier_labels
from nightfold.labels.table import LabelSet, label_table
from nightfold.models.boosting.lightgbm import LightGBMModel, LightGBMSpec
from nightfold.models.catalog import MODELS
from nightfold.models.contract import Model, Prediction
from nightfold.models.dataset import Dataset
from nightfold.models.metrics import log_loss
from nightfold.models.train import train_model
from nightfold.splits.as_of import SplitSpec
from nightfold.target import Target
from nightfold.training import Sample, join_rows, sample
from nightfold.tuning.fold import TuningRows, inner_folds
from nightfold.tuning.search import Search, tune
from nightfold.tuning.spec import Range, TuningSpec, Value

_ROUNDS = 30
_GRID: dict[str, Range | list[Value]] = {
    "learning_rate": [0.05, 0.1, 0.2],
    "leaves": [15, 31, 63],
    "depth": [3, 6, 9],
    "min_data_in_leaf": [50, 100, 200],
}
_NIGHT_ROWS = 7_739
_NIGHTS, _DAY = 10, 288
_LABELS = LabelSet(name="labels", horizons=[20])
_TARGET, _SPLIT = Target(horizons=[20]), SplitSpec(train_days=30)


def same_trees(market: Market) -> Row:
    """Fit at seed scale; beside it the library alone, with the same parameters on the same rows."""
    train, _ = _parts(market)
    spec = LightGBMSpec(rounds=_ROUNDS)
    alone = measure(lambda: _library(train, spec), runs=3)
    return Row(
        f"LightGBM, {_ROUNDS} rounds, 3 classes, {len(train):,} rows x {len(FEATURES)} features",
        measure(lambda: LightGBMModel(spec, seed=0).fit(train), runs=3),
        beside=(Beside("lightgbm alone", alone.median),),
    )


def nightly_retrain(market: Market) -> Row:
    """Train as a night does: stop on validation rows, score, and fit again on all."""
    train, validation = (part.take(np.arange(len(part))[-rows:]) for part, rows in _shares(market))
    seconds = measure(lambda: train_model(MODELS["lightgbm"], LightGBMSpec(), train, validation), runs=3)
    return Row(f"one nightly retrain, {len(train) + len(validation):,} rows", seconds, promise=4.0)


def ten_retrains(market: Market) -> list[Row]:
    """Walk forward through ten nights: features, labels, a split and a fit each, and forecasts of the day after.

    Beside it FreqAI, which is handed features and labels, so that these cost it nothing: with the same settings of the
    trees, and with the library's own bins and share of features in place of our fast ones.
    """
    bars, spec = market.seed_scale, LightGBMSpec()
    newest: datetime = bars["open_time"].to_list()[-1]
    last = newest.replace(hour=0, minute=0)
    bars = bars.filter(pl.col("open_time") <= last).tail((30 + _NIGHTS + 5) * _DAY)
    nights = [last - timedelta(days=_NIGHTS - night) for night in range(_NIGHTS)]
    once = measure(lambda: _walk(bars, nights, _fit_once), runs=3)
    refitted = measure(lambda: _walk(bars, nights, _train), runs=1)
    trees = np.array([spec.rounds, spec.learning_rate, spec.leaves, spec.min_data_in_leaf, spec.l2])
    settings = {"the same settings": (spec.feature_fraction, spec.max_bin), "all features, 255 bins": (1.0, 255)}
    given = {"features": _features(bars), "label": _labels(bars), "nights": np.array([float(_NIGHTS)])}
    peers = [
        Beside(f"{each.name.split(',')[0]}, {name}", each.seconds)
        for name, fast in settings.items()
        for each in beside("freqai_retrains", bars, **given, trees=np.append(trees, fast))
    ]
    what = f"{_NIGHTS} nightly retrains, 30 days of one symbol x {len(FEATURES)} features, {spec.rounds} rounds"
    return [
        Row(f"{what}: one fit each", once, beside=tuple(peers)),
        Row(f"{what}: stopped early, scored, fitted again on all", refitted),
    ]


def _walk(bars: pl.DataFrame, nights: list[datetime], fit: Callable[[Sample], Model[Any]]) -> list[Prediction]:
    """Make features and labels once, then a model at each night, which forecasts the day after it."""
    labels = label_table(bars, _LABELS, interval="5m")
    rows = join_rows(compute_features(bars, interval="5m"), labels, list(FEATURES))
    lookback = max(feature.lookback for feature in FEATURES.values())
    told = []
    for night in nights:
        known = rows.filter(pl.col("open_time") < night)
        model = fit(sample(known, list(FEATURES), _TARGET, 20, night, _SPLIT, "5m", lookback))
        day = rows.filter(pl.col("open_time").is_between(night, night + timedelta(days=1), closed="left"))
        told.append(model.predict(day.select(FEATURES.keys()).to_numpy(order="c")))
    return told


def _fit_once(rows: Sample) -> Model[Any]:
    return LightGBMModel(LightGBMSpec(), seed=0).fit(rows.train.join(rows.stopping).join(rows.validation))


def _train(rows: Sample) -> Model[Any]:
    return train_model(MODELS["lightgbm"], LightGBMSpec(), rows.train, rows.validation, stopping=rows.stopping).model


def _features(bars: pl.DataFrame) -> NDArray[np.float64]:
    return compute_features(bars, interval="5m").select(FEATURES.keys()).cast(pl.Float64).to_numpy()


def _labels(bars: pl.DataFrame) -> NDArray[np.float64]:
    return label_table(bars, _LABELS, interval="5m")["label_20"].cast(pl.Float64).to_numpy()


def twelve_trials(market: Market) -> Row:
    """Search the user's grid; beside it a loop that bins anew and fits every trial to the end."""
    table, purge, embargo = _tuning_rows(market), 60, 288
    entry, spec = MODELS["lightgbm"], LightGBMSpec(rounds=100, early_stopping_rounds=100)
    tuning = TuningSpec(method="random", trials=12, folds=1, tested=15 / 85, stopping=0.02, space=_GRID)

    def search() -> Search:
        return tune(entry, spec, tuning, table, purge=purge, embargo=embargo, workers=2)

    fold = inner_folds(table, tuning, purge, embargo, stops=True)[0]
    train, test = table.rows.take(fold.train), table.rows.take(fold.test)
    found = search()
    losses: dict[int, float] = {}

    def loop() -> None:
        for trial in found.trials:
            forecast = _library(train, LightGBMSpec.model_validate(trial.spec.model_dump())).predict(test.features)
            losses[trial.number] = log_loss(np.asarray(forecast), test.label) or 0.0

    seconds, alone = measure(search, runs=1), measure(loop, runs=1)
    behind = losses[found.best.number] - min(losses.values())
    return Row(
        f"12 tuning trials x 100 rounds, {len(train):,} rows; the choice is {behind:.4f} behind the loop's best",
        seconds,
        beside=(Beside("the naive loop", alone.median),),
    )


def one_prediction(market: Market) -> Row:
    """Class probabilities of one bar from 900 trees."""
    train, validation = _parts(market)
    model = LightGBMModel(LightGBMSpec(rounds=300), seed=0).fit(train.take(np.arange(20_000)))
    row = validation.features[:1]
    return Row("one prediction, 900 trees", measure(lambda: model.predict(row)), promise=0.0002)


def _library(train: Dataset, spec: LightGBMSpec) -> lightgbm.Booster:
    parameters = {
        "objective": "multiclass",
        "num_class": 3,
        "learning_rate": spec.learning_rate,
        "num_leaves": spec.leaves,
        "max_depth": spec.depth or -1,
        "min_data_in_leaf": spec.min_data_in_leaf,
        "feature_fraction": spec.feature_fraction,
        "lambda_l2": spec.l2,
        "max_bin": spec.max_bin,
        "seed": 0,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    return lightgbm.train(parameters, lightgbm.Dataset(train.features, train.codes, params=parameters), spec.rounds)


def _shares(market: Market) -> tuple[tuple[Dataset, int], tuple[Dataset, int]]:
    train, validation = _parts(market)
    kept = _NIGHT_ROWS * 85 // 100
    return (train, kept), (validation, _NIGHT_ROWS - kept)


def _tuning_rows(market: Market) -> TuningRows:
    """Rows at seed scale without the last 15 %."""
    bars = market.seed_scale
    wanted = ("symbol", "open_time", "label", "label_end", "log_return")
    labels = barrier_labels(bars, TripleBarrier(horizon=20), "5m").select(wanted)
    rows = compute_features(bars, interval="5m").join(labels, on=["symbol", "open_time"]).drop_nulls()
    rows = rows.head(rows.height * 85 // 100)
    return TuningRows(
        Dataset.from_frame(rows, list(FEATURES), "label"),
        rows["open_time"],
        rows["label_end"],
        rows["log_return"].to_numpy(),
        horizon=20,
        interval="5m",
    )


@cache
def _parts(market: Market) -> tuple[Dataset, Dataset]:
    """Features with labels at horizon 20, the first 70 % and the last 15 % of them."""
    bars = market.seed_scale
    labels = barrier_labels(bars, TripleBarrier(horizon=20), "5m").select("symbol", "open_time", "label")
    rows = compute_features(bars, interval="5m").join(labels, on=["symbol", "open_time"]).drop_nulls()
    first, last = rows.head(rows.height * 70 // 100), rows.tail(rows.height * 15 // 100)
    return Dataset.from_frame(first, list(FEATURES), "label"), Dataset.from_frame(last, list(FEATURES), "label")
