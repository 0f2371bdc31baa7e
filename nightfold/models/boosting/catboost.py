"""Gradient boosted trees by CatBoost, on top of the constant forecast."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from nightfold.errors import ConfigError
from nightfold.models.boosting.model import BoostingModel
from nightfold.models.boosting.start import Start, best_round, is_splittable
from nightfold.models.contract import ModelSpec, Prediction
from nightfold.models.dataset import Dataset

if TYPE_CHECKING:
    import catboost
    from optuna import Trial

TREES = "trees.cbm"
_FEWEST_SAMPLED = 30
"""Rows a tree sees in the mean at least: each is drawn by itself, and the library refuses a draw of none."""


class CatBoostSpec(ModelSpec):
    """Shallow, slow, regularised trees; symmetric ones, with one question a level, unless `leaves` is given."""

    rounds: NonNegativeInt = 150
    """Most boosting rounds; 0 forecasts a constant."""
    learning_rate: PositiveFloat = 0.05
    """Share of each tree that is added."""
    depth: PositiveInt = Field(default=4, le=12)
    """Most splits from root to leaf."""
    leaves: PositiveInt | None = Field(default=None, ge=2, le=64)
    """Most leaves of a tree, the best grown first; none: symmetric trees."""
    min_data_in_leaf: PositiveInt | None = None
    """Fewest training rows of a leaf; only with `leaves`, symmetric trees count none."""
    feature_fraction: float = Field(default=0.3, gt=0, le=1)
    """Share of the features each level may use."""
    bagging_fraction: float = Field(default=1.0, gt=0, le=1)
    """Share of the training rows each tree sees; of few rows so many that it sees some 30."""
    l2: NonNegativeFloat = 10.0
    """Ridge penalty on leaf values."""
    max_bin: PositiveInt = Field(default=63, ge=2, le=255)
    """Most bins of a feature."""
    early_stopping_rounds: PositiveInt = 30
    """Rounds without a lower validation score after which boosting stops."""

    @model_validator(mode="after")
    def _check_leaves(self) -> "CatBoostSpec":
        if self.min_data_in_leaf is not None and self.leaves is None:
            raise ConfigError(
                f"`min_data_in_leaf` is {self.min_data_in_leaf}, but symmetric trees count no rows; set `leaves` too."
            )
        return self


class CatBoostModel(BoostingModel[CatBoostSpec]):
    """Scores start at the constant forecast and each tree adds to them; one tree serves all classes or quantiles."""

    spec_type = CatBoostSpec
    libraries = ("catboost", "numpy")

    @property
    def rounds(self) -> int:
        """Rounds kept: those with the lowest validation score, 0 where none beat the constant forecast."""
        return int(self._trees.tree_count_) if self._trees else 0

    @property
    def _adds_up(self) -> bool:
        # of trees that grow leaf by leaf the library's values are off by up to a tenth of the scores (1.2.10)
        return self.spec.leaves is None

    def _shap_values(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        from catboost import Pool

        rows = Pool(features, feature_names=list(self.names), thread_count=1)
        trees: Any = self._trees
        told = trees.get_feature_importance(rows, type="ShapValues", thread_count=1)
        return np.asarray(told, dtype=np.float64)

    def _importance_learnt(self) -> dict[str, NDArray[np.float64]]:
        trees: Any = self._trees
        told = trees.get_feature_importance(type="PredictionValuesChange", thread_count=1)
        return {"prediction_change": np.asarray(told, dtype=np.float64)}

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        self._start = Start.of(train)
        can_split = is_splittable(train, self.spec.rounds, self.spec.min_data_in_leaf or 1)
        self._losses = {}
        stored = _boost(self, self._start, train, validation) if can_split else None
        self._keep(stored)

    def _predict(self, features: NDArray[np.float32]) -> Prediction:
        scores = self._start.tile(len(features))
        if self._trees:
            grown = np.asarray(self._trees.predict(features, prediction_type="RawFormulaVal", thread_count=1))
            scores = grown.reshape(scores.shape) + (scores if _takes_scores(self._start) else 0.0)
        return self._start.forecast(scores)

    def _write(self, folder: Path) -> None:
        self._start.write(folder)
        if self._stored:
            (folder / TREES).write_bytes(self._stored)

    def _read(self, folder: Path) -> None:
        self._start = Start.read(folder, self.objective)
        self._keep((folder / TREES).read_bytes() if (folder / TREES).exists() else None)

    def _keep(self, stored: bytes | None) -> None:
        """Keep the file beside what it holds, since the library writes what it read in other bytes."""
        from catboost import CatBoost

        self._stored = stored
        self._trees = CatBoost().load_model(blob=stored) if stored else None


def catboost_space(trial: "Trial") -> CatBoostSpec:
    """Ask a trial for a configuration."""
    return CatBoostSpec(
        learning_rate=trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
        depth=trial.suggest_int("depth", 2, 6),
        feature_fraction=trial.suggest_float("feature_fraction", 0.1, 1.0),
        bagging_fraction=trial.suggest_float("bagging_fraction", 0.5, 1.0),
        l2=trial.suggest_float("l2", 0.1, 100.0, log=True),
    )


def _boost(model: CatBoostModel, start: Start, train: Dataset, validation: Dataset | None) -> bytes | None:
    """Grow trees, and return the file of those up to the best round."""
    from catboost import CatBoost

    spec, train = model.spec, _with_all_classes(train)
    trees = CatBoost(_parameters(spec, model.seed, start, len(train)))
    if validation is None:
        trees.fit(_pool(train, start))
    else:
        trees.fit(_pool(train, start), eval_set=_pool(validation, start), use_best_model=False)
        for part, told in {"train": "learn", "stopping": "validation"}.items():
            for number, loss in enumerate(next(iter(trees.get_evals_result()[told].values())), 1):
                model.note(part, number, loss)
        losses = next(iter(trees.get_evals_result()["validation"].values()))
        kept = best_round(losses, start.loss(validation), spec.early_stopping_rounds)
        if not kept:
            return None
        trees.shrink(kept)
    # What tells one fit from another on the same rows goes: the bytes of a model are those of its trees.
    trees.get_metadata()["model_guid"] = ""
    trees.get_metadata()["train_finish_time"] = ""
    with TemporaryDirectory() as folder:
        trees.save_model(str(Path(folder) / TREES))
        return (Path(folder) / TREES).read_bytes()


def _with_all_classes(rows: Dataset) -> Dataset:
    """Add a row that counts next to nothing for each class that is absent: the library takes as many as it sees."""
    absent = [label for label in rows.objective.classes if label not in rows.label]
    if not absent:
        return rows
    copies = rows.take([0] * len(absent))
    return rows.join(replace(copies, label=np.array(absent), weight=np.full(len(absent), 1e-6)))


def _takes_scores(start: Start) -> bool:
    """Tell whether the library adds trees to given scores; its quantiles begin at those that it finds itself."""
    return start.objective.task != "quantile"


def _pool(rows: Dataset, start: Start) -> "catboost.Pool":
    from catboost import Pool

    return Pool(
        rows.features,
        label=start.target(rows),
        weight=rows.weight,
        baseline=start.tile(len(rows)) if _takes_scores(start) else None,
        feature_names=list(rows.names),
        thread_count=1,
    )


def _loss(start: Start) -> dict[str, Any]:
    task = start.objective.task
    if task == "three_class":
        return {"loss_function": "MultiClass", "classes_count": 3}
    if task == "quantile":
        levels = start.objective.quantiles
        several = "Multi" if len(levels) > 1 else ""  # of one level that is refused
        return {"loss_function": f"{several}Quantile:alpha={','.join(map(str, levels))}"}
    return {"loss_function": "Logloss" if task == "binary" else "RMSE"}


def _parameters(spec: CatBoostSpec, seed: int, start: Start, rows: int) -> dict[str, Any]:
    leafwise = {"grow_policy": "Lossguide", "max_leaves": spec.leaves, "min_data_in_leaf": spec.min_data_in_leaf or 1}
    fraction = max(spec.bagging_fraction, _FEWEST_SAMPLED / rows)
    sampled = {"bootstrap_type": "Bernoulli", "subsample": fraction}
    return {
        **_loss(start),
        **(leafwise if spec.leaves else {}),
        **(sampled if fraction < 1 else {"bootstrap_type": "No"}),
        "iterations": spec.rounds,
        "learning_rate": spec.learning_rate,
        "depth": spec.depth,
        "rsm": spec.feature_fraction,
        "l2_leaf_reg": spec.l2,
        "border_count": spec.max_bin,
        "boosting_type": "Plain",
        "od_type": "Iter",
        "od_wait": spec.early_stopping_rounds,
        "random_seed": seed,
        "thread_count": 1,
        "allow_writing_files": False,
        "logging_level": "Silent",
    }
