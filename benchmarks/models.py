"""Fitting and asking models: LightGBM through us beside LightGBM alone."""

from functools import cache

import lightgbm
import numpy as np

from benchmarks.market import Market
from benchmarks.measure import measure
from benchmarks.row import Beside, Row
from nightfold.features.catalog import FEATURES
from nightfold.features.compute import compute_features
from nightfold.labels.barrier import TripleBarrier, barrier_labels
from nightfold.models.boosting.lightgbm import LightGBMModel, LightGBMSpec
from nightfold.models.catalog import MODELS
from nightfold.models.dataset import Dataset
from nightfold.models.metrics import log_loss
from nightfold.models.train import train_model
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
