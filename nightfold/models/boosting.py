"""Gradient boosted trees by LightGBM, on top of the class frequencies."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from nightfold.models.contract import Model, ModelSpec, Probabilities, class_prior, softmax
from nightfold.models.dataset import CLASSES, Dataset

if TYPE_CHECKING:
    import lightgbm
    from optuna import Trial


class LightGBMSpec(ModelSpec):
    """Small, slow, regularised trees: what little there is in bars drowns in noise otherwise."""

    rounds: NonNegativeInt = 150
    """Most boosting rounds; one tree per class and round. 0 forecasts the class frequencies."""
    learning_rate: PositiveFloat = 0.05
    """Share of each tree that is added."""
    leaves: PositiveInt = Field(default=15, ge=2)
    """Most leaves of a tree."""
    depth: PositiveInt | None = None
    """Most splits from root to leaf; none: only `leaves` bounds it."""
    min_data_in_leaf: PositiveInt = 200
    """Fewest training rows of a leaf."""
    feature_fraction: float = Field(default=0.3, gt=0, le=1)
    """Share of the features each tree may use."""
    bagging_fraction: float = Field(default=1.0, gt=0, le=1)
    """Share of the training rows each tree sees."""
    l2: NonNegativeFloat = 10.0
    """Ridge penalty on leaf values."""
    max_bin: PositiveInt = Field(default=63, ge=2, le=255)
    """Most bins of a feature."""
    early_stopping_rounds: PositiveInt = 30
    """Rounds without a lower validation log loss after which boosting stops."""


class LightGBMModel(Model[LightGBMSpec]):
    """Scores start at the log class frequencies and each tree adds to them, so no tree at all is a legal result."""

    spec_type = LightGBMSpec
    libraries = ("lightgbm", "numpy")

    @property
    def rounds(self) -> int:
        """Rounds kept: those with the lowest validation log loss, 0 where none beat the class frequencies."""
        return self._booster.current_iteration() if self._booster else 0

    @property
    def refit_spec(self) -> LightGBMSpec:
        """The spec with the rounds that early stopping found."""
        return self.spec.model_copy(update={"rounds": self.rounds})

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        prior = class_prior(train)
        can_split = self.spec.rounds and len(train) >= 2 * self.spec.min_data_in_leaf
        self._booster = _boost(self.spec, self.seed, prior, train, validation) if can_split else None
        self._prior = prior

    def _predict(self, features: NDArray[np.float32]) -> Probabilities:
        scores = np.tile(np.log(self._prior), (len(features), 1))
        if self._booster:
            scores += np.asarray(self._booster.predict(features, raw_score=True, num_threads=1))
        return softmax(scores)

    def _write(self, folder: Path) -> None:
        (folder / "prior.json").write_text(json.dumps(self._prior.tolist()) + "\n")
        if self._booster:
            (folder / "trees.txt").write_text(self._booster.model_to_string())

    def _read(self, folder: Path) -> None:
        trees = folder / "trees.txt"
        self._booster = _booster(trees.read_text()) if trees.exists() else None
        self._prior = np.array(json.loads((folder / "prior.json").read_text()), dtype=np.float64)


def lightgbm_space(trial: "Trial") -> LightGBMSpec:
    """Ask a trial for a configuration."""
    return LightGBMSpec(
        learning_rate=trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
        leaves=trial.suggest_int("leaves", 4, 63, log=True),
        min_data_in_leaf=trial.suggest_int("min_data_in_leaf", 50, 1000, log=True),
        feature_fraction=trial.suggest_float("feature_fraction", 0.1, 1.0),
        bagging_fraction=trial.suggest_float("bagging_fraction", 0.5, 1.0),
        l2=trial.suggest_float("l2", 0.1, 100.0, log=True),
    )


def _boost(
    spec: LightGBMSpec, seed: int, prior: NDArray[np.float64], train: Dataset, validation: Dataset | None
) -> "lightgbm.Booster | None":
    import lightgbm

    parameters = _parameters(spec, seed)
    rows = _binned(train, prior, parameters)
    if validation is None:
        return _booster(lightgbm.train(parameters, rows, spec.rounds).model_to_string())
    fitted = lightgbm.train(
        parameters,
        rows,
        spec.rounds,
        valid_sets=[_binned(validation, prior, parameters, rows)],
        valid_names=["validation"],
        callbacks=[lightgbm.early_stopping(spec.early_stopping_rounds, verbose=False)],
    )
    start = -np.average(np.log(prior)[validation.codes], weights=validation.weight)
    if fitted.best_score["validation"]["multi_logloss"] >= start:
        return None
    return _booster(fitted.model_to_string(num_iteration=fitted.best_iteration))


def _booster(text: str) -> "lightgbm.Booster":
    import lightgbm

    return lightgbm.Booster(model_str=text)


def _binned(
    rows: Dataset, prior: NDArray[np.float64], parameters: dict[str, Any], reference: "lightgbm.Dataset | None" = None
) -> "lightgbm.Dataset":
    import lightgbm

    return lightgbm.Dataset(
        rows.features,
        label=rows.codes,
        weight=rows.weight,
        init_score=np.tile(np.log(prior), (len(rows), 1)),
        feature_name=list(rows.names),
        params=parameters,
        reference=reference,
    )


def _parameters(spec: LightGBMSpec, seed: int) -> dict[str, Any]:
    return {
        "objective": "multiclass",
        "metric": "multi_logloss",
        "num_class": len(CLASSES),
        "learning_rate": spec.learning_rate,
        "num_leaves": spec.leaves,
        "max_depth": spec.depth or -1,
        "min_data_in_leaf": spec.min_data_in_leaf,
        "feature_fraction": spec.feature_fraction,
        "bagging_fraction": spec.bagging_fraction,
        "bagging_freq": int(spec.bagging_fraction < 1),
        "lambda_l2": spec.l2,
        "max_bin": spec.max_bin,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
