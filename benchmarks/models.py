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
from nightfold.models.train import train_model

_ROUNDS = 30
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
        "min_data_in_leaf": spec.min_data_in_leaf,
        "feature_fraction": spec.feature_fraction,
        "lambda_l2": spec.l2,
        "max_bin": spec.max_bin,
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


@cache
def _parts(market: Market) -> tuple[Dataset, Dataset]:
    """Features with labels at horizon 20, the first 70 % and the last 15 % of them."""
    bars = market.seed_scale
    labels = barrier_labels(bars, TripleBarrier(horizon=20), "5m").select("symbol", "open_time", "label")
    rows = compute_features(bars, interval="5m").join(labels, on=["symbol", "open_time"]).drop_nulls()
    first, last = rows.head(rows.height * 70 // 100), rows.tail(rows.height * 15 // 100)
    return Dataset.from_frame(first, list(FEATURES), "label"), Dataset.from_frame(last, list(FEATURES), "label")
