"""Gradient boosted trees by LightGBM, on top of the constant forecast."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from nightfold.models.boosting.model import TRAIN_EVERY, BoostingModel
from nightfold.models.boosting.start import Start, best_round, is_splittable
from nightfold.models.contract import ModelSpec, Prediction
from nightfold.models.dataset import Dataset
from nightfold.models.shared import Shared

if TYPE_CHECKING:
    import lightgbm
    from optuna import Trial


class LightGBMSpec(ModelSpec):
    """Small, slow, regularised trees: what little there is in bars drowns in noise otherwise."""

    rounds: NonNegativeInt = 150
    """Most boosting rounds; one tree per class or quantile and round. 0 forecasts a constant."""
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
    """Rounds without a lower validation score after which boosting stops."""


class LightGBMModel(BoostingModel[LightGBMSpec]):
    """Scores start at the constant forecast and each tree adds to them, so no tree at all is a legal result.

    Quantiles have a booster each, grown in step: the round kept is the one with the lowest pinball loss over all.
    """

    spec_type = LightGBMSpec
    libraries = ("lightgbm", "numpy")

    @property
    def rounds(self) -> int:
        """Rounds kept: those with the lowest validation score, 0 where none beat the constant forecast."""
        return self._rounds

    def _shap_values(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        told = [booster.predict(features, pred_contrib=True, num_threads=1) for booster in self._boosters]
        return np.column_stack(told)

    def _importance_learnt(self) -> dict[str, NDArray[np.float64]]:
        return {"gain": np.sum([booster.feature_importance("gain") for booster in self._boosters], axis=0)}

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        self._start = Start.of(train)
        self._rounds, self._losses = 0, {}
        self._boosters: list[lightgbm.Booster] = []
        is_seen = int(self.spec.bagging_fraction * len(train)) > 0  # a tree of no rows is refused by the library
        if is_seen and is_splittable(train, self.spec.rounds, self.spec.min_data_in_leaf):
            self._rounds, self._boosters = _boost(self, self._start, train, validation)

    def _predict(self, features: NDArray[np.float32]) -> Prediction:
        scores = self._start.tile(len(features))
        if self._boosters:
            grown = [booster.predict(features, raw_score=True, num_threads=1) for booster in self._boosters]
            scores += np.column_stack(grown)
        return self._start.forecast(scores)

    def _write(self, folder: Path) -> None:
        self._start.write(folder)
        (folder / "rounds.txt").write_text(f"{self._rounds}\n")
        for number, booster in enumerate(self._boosters):
            (folder / f"trees_{number}.txt").write_text(booster.model_to_string())

    def _read(self, folder: Path) -> None:
        self._start = Start.read(folder, self.objective)
        self._rounds = int((folder / "rounds.txt").read_text())
        files = [folder / f"trees_{number}.txt" for number in range(len(self._start.scores))]
        self._boosters = [_booster(file.read_text()) for file in files if file.exists()]


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
    model: LightGBMModel, start: Start, train: Dataset, validation: Dataset | None
) -> tuple[int, list["lightgbm.Booster"]]:
    """Grow the boosters of all outputs in step, and keep the best round."""
    spec, boosters = model.spec, _boosters(model, start, train, validation)
    sizes = [[0] * len(boosters)]

    def grow() -> Iterator[int]:
        for number in range(1, spec.rounds + 1):
            for booster in boosters:
                booster.update()
            sizes.append([booster.current_iteration() for booster in boosters])
            yield number

    def losses() -> Iterator[float]:
        for number in grow():
            if number % TRAIN_EVERY == 1:
                model.note("train", number, _mean(booster.eval_train() for booster in boosters))
            yield model.note("stopping", number, _mean(booster.eval_valid() for booster in boosters))

    if validation is None:
        kept = len(list(grow()))
    else:
        kept = best_round(losses(), start.loss(validation), spec.early_stopping_rounds)
    if not kept:
        return 0, []
    pairs = zip(boosters, sizes[kept], strict=True)
    return kept, [_booster(booster.model_to_string(num_iteration=size)) for booster, size in pairs]


def _boosters(
    model: LightGBMModel, start: Start, train: Dataset, validation: Dataset | None
) -> list["lightgbm.Booster"]:
    import lightgbm

    shared = model.shared or Shared()
    boosters = []
    rows = None
    for output, (loss, scores) in enumerate(_losses(start)):
        parameters = loss | _parameters(model.spec, model.seed)
        binned = partial(_binned, start=start, scores=scores, parameters=parameters, reference=rows)
        kind = ("lightgbm", output, model.spec.max_bin, model.seed)
        rows = shared.once((*kind, "train"), partial(binned, train))
        booster = lightgbm.Booster(parameters, rows)
        if validation is not None:
            checks = shared.once((*kind, "validation"), partial(binned, validation, reference=rows))
            booster.add_valid(checks, "validation")
        boosters.append(booster)
    return boosters


def _mean(told: Iterable[Any]) -> float:
    return float(np.mean([metrics[0][2] for metrics in told]))


def _losses(start: Start) -> list[tuple[dict[str, Any], NDArray[np.float64]]]:
    """Objective, metric and first score of each booster."""
    task = start.objective.task
    if task == "three_class":
        return [({"objective": "multiclass", "metric": "multi_logloss", "num_class": 3}, start.scores)]
    if task == "binary":
        return [({"objective": "binary", "metric": "binary_logloss"}, start.scores)]
    if task == "regression":
        return [({"objective": "regression", "metric": "rmse"}, start.scores)]
    levels = zip(start.objective.quantiles, start.scores, strict=True)
    return [({"objective": "quantile", "metric": "quantile", "alpha": level}, score[None]) for level, score in levels]


def _booster(text: str) -> "lightgbm.Booster":
    import lightgbm

    return lightgbm.Booster(model_str=text)


def _binned(
    rows: Dataset,
    start: Start,
    scores: NDArray[np.float64],
    parameters: dict[str, Any],
    reference: "lightgbm.Dataset | None",
) -> "lightgbm.Dataset":
    """Put rows into bins; into those of `reference` where it is given.

    What decides the bins are rows, `max_bin` and seed: no feature is left out for the sake of `min_data_in_leaf`, so
    that fits may share them.
    """
    import lightgbm

    tiled = np.tile(scores, (len(rows), 1))
    return lightgbm.Dataset(
        rows.features,
        label=start.target(rows),
        weight=rows.weight,
        init_score=tiled if len(scores) > 1 else tiled[:, 0],
        feature_name=list(rows.names),
        params=parameters,
        reference=reference,
    ).construct()


def _parameters(spec: LightGBMSpec, seed: int) -> dict[str, Any]:
    return {
        "learning_rate": spec.learning_rate,
        "num_leaves": spec.leaves,
        "max_depth": spec.depth or -1,
        "min_data_in_leaf": spec.min_data_in_leaf,
        "feature_fraction": spec.feature_fraction,
        "bagging_fraction": spec.bagging_fraction,
        "bagging_freq": int(spec.bagging_fraction < 1),
        "lambda_l2": spec.l2,
        "max_bin": spec.max_bin,
        "feature_pre_filter": False,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
