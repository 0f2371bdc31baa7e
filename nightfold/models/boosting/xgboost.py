"""Gradient boosted trees by XGBoost, on top of the constant forecast."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from nightfold.models.boosting.model import TRAIN_EVERY, BoostingModel
from nightfold.models.boosting.start import Start, best_round, is_splittable
from nightfold.models.contract import ModelSpec, Prediction
from nightfold.models.dataset import Dataset

if TYPE_CHECKING:
    import xgboost
    from optuna import Trial

TREES = "trees.ubj"


class XGBoostSpec(ModelSpec):
    """Shallow, slow, regularised trees."""

    rounds: NonNegativeInt = 150
    """Most boosting rounds; one tree per class or quantile and round. 0 forecasts a constant."""
    learning_rate: PositiveFloat = 0.05
    """Share of each tree that is added."""
    depth: PositiveInt = Field(default=3, le=12)
    """Most splits from root to leaf."""
    leaves: PositiveInt | None = Field(default=None, ge=2)
    """Most leaves of a tree, the best grown first; none: only `depth` bounds it."""
    min_data_in_leaf: PositiveInt = 200
    """Fewest training rows of a leaf, counted by weight and by how sharply the loss bends at a row as it begins."""
    feature_fraction: float = Field(default=0.3, gt=0, le=1)
    """Share of the features each tree may use."""
    bagging_fraction: float = Field(default=1.0, gt=0, le=1)
    """Share of the training rows each tree sees."""
    l2: NonNegativeFloat = 10.0
    """Ridge penalty on leaf values."""
    max_bin: PositiveInt = Field(default=63, ge=2, le=255)
    """Most bins of a feature."""
    early_stopping_rounds: PositiveInt = 30
    """Rounds without a lower validation score after which boosting stops."""


class XGBoostModel(BoostingModel[XGBoostSpec]):
    """Scores start at the constant forecast and each tree adds to them; one booster forecasts all quantiles."""

    spec_type = XGBoostSpec
    libraries = ("xgboost-cpu", "numpy")

    @property
    def rounds(self) -> int:
        """Rounds kept: those with the lowest validation score, 0 where none beat the constant forecast."""
        return self._booster.num_boosted_rounds() if self._booster else 0

    def _shap_values(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        import xgboost

        booster: Any = self._booster
        none = np.zeros((len(features), len(self._start.scores)), dtype=np.float32)
        rows = xgboost.DMatrix(features, base_margin=none, feature_names=list(self.names), nthread=1)
        return np.asarray(booster.predict(rows, pred_contribs=True), dtype=np.float64)

    def _importance_learnt(self) -> dict[str, NDArray[np.float64]]:
        booster: Any = self._booster
        told = booster.get_score(importance_type="total_gain")
        return {"gain": np.array([told.get(name, 0.0) for name in self.names])}

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        self._start = Start.of(train)
        can_split = is_splittable(train, self.spec.rounds, self.spec.min_data_in_leaf)
        self._losses = {}
        self._booster = _boost(self, self._start, train, validation) if can_split else None

    def _predict(self, features: NDArray[np.float32]) -> Prediction:
        scores = self._start.tile(len(features))
        if self._booster:
            none = np.zeros_like(scores, dtype=np.float32)
            grown = self._booster.inplace_predict(features, predict_type="margin", base_margin=none)
            scores += grown.reshape(scores.shape)
        return self._start.forecast(scores)

    def _write(self, folder: Path) -> None:
        self._start.write(folder)
        if self._booster:
            (folder / TREES).write_bytes(self._booster.save_raw("ubj"))

    def _read(self, folder: Path) -> None:
        self._start = Start.read(folder, self.objective)
        trees = folder / TREES
        self._booster = _booster(trees.read_bytes()) if trees.exists() else None


def xgboost_space(trial: "Trial") -> XGBoostSpec:
    """Ask a trial for a configuration."""
    return XGBoostSpec(
        learning_rate=trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
        depth=trial.suggest_int("depth", 2, 6),
        min_data_in_leaf=trial.suggest_int("min_data_in_leaf", 50, 1000, log=True),
        feature_fraction=trial.suggest_float("feature_fraction", 0.1, 1.0),
        bagging_fraction=trial.suggest_float("bagging_fraction", 0.5, 1.0),
        l2=trial.suggest_float("l2", 0.1, 100.0, log=True),
    )


def _boost(model: XGBoostModel, start: Start, train: Dataset, validation: Dataset | None) -> "xgboost.Booster | None":
    import xgboost

    spec = model.spec
    rows = _binned(train, start, spec)
    later = None if validation is None else _binned(validation, start, spec, rows)
    booster = xgboost.Booster(_parameters(spec, model.seed, start), [rows] if later is None else [rows, later])

    def grow() -> Iterator[int]:
        for number in range(spec.rounds):
            booster.update(rows, number)
            yield number + 1

    def losses(later: "xgboost.DMatrix") -> Iterator[float]:
        for number in grow():
            if number % TRAIN_EVERY == 1:
                model.note("train", number, _loss(booster, rows))
            yield model.note("stopping", number, _loss(booster, later))

    if validation is None or later is None:
        kept = len(list(grow()))
    else:
        kept = best_round(losses(later), start.loss(validation), spec.early_stopping_rounds)
    return _booster(bytes(booster[:kept].save_raw("ubj"))) if kept else None


def _loss(booster: "xgboost.Booster", rows: "xgboost.DMatrix") -> float:
    return float(booster.eval(rows).rsplit(":", 1)[1])


def _booster(trees: bytes) -> "xgboost.Booster":
    import xgboost

    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(trees))
    return booster


def _binned(
    rows: Dataset, start: Start, spec: XGBoostSpec, reference: "xgboost.DMatrix | None" = None
) -> "xgboost.QuantileDMatrix":
    """Rows in bins; those of `reference` where it is given."""
    import xgboost

    return xgboost.QuantileDMatrix(
        rows.features,
        label=start.target(rows),
        weight=rows.weight,
        base_margin=start.tile(len(rows)),
        feature_names=list(rows.names),
        max_bin=spec.max_bin,
        nthread=1,
        ref=reference,
    )


def _losses(start: Start) -> tuple[dict[str, Any], float]:
    """Objective and metric, and how sharply the loss bends at a row before the first tree."""
    task = start.objective.task
    if task == "three_class":
        share = np.exp(start.scores)
        bend = float((2 * share * (1 - share)).mean())
        return {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": 3}, bend
    if task == "binary":
        yes = float(start.forecast(start.tile(1))[0, 1])
        return {"objective": "binary:logistic", "eval_metric": "logloss"}, yes * (1 - yes)
    if task == "regression":
        return {"objective": "reg:squarederror", "eval_metric": "rmse"}, 1.0
    return {
        "objective": "reg:quantileerror",
        "eval_metric": "quantile",
        "quantile_alpha": list(start.objective.quantiles),
    }, 1.0


def _parameters(spec: XGBoostSpec, seed: int, start: Start) -> dict[str, Any]:
    loss, bend = _losses(start)
    return {
        **loss,
        "tree_method": "hist",
        "learning_rate": spec.learning_rate,
        "max_depth": spec.depth,
        "max_leaves": spec.leaves or 0,
        "grow_policy": "lossguide" if spec.leaves else "depthwise",
        "min_child_weight": spec.min_data_in_leaf * bend,
        "colsample_bytree": spec.feature_fraction,
        "subsample": spec.bagging_fraction,
        "lambda": spec.l2,
        "max_bin": spec.max_bin,
        "base_score": 0.5,  # not looked at beside margins of one's own; set, lest it be estimated
        "seed": seed,
        "nthread": 1,
        "verbosity": 0,
    }
