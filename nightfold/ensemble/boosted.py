"""A stack whose regression is a few small trees on top of the members' plain pool."""

from collections.abc import Iterator
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.blender import Blender
from nightfold.ensemble.rows import OutOfSample, gathered
from nightfold.models.contract import PROBABILITY_FLOOR, Prediction, softmax
from nightfold.models.objective import Objective

Array = NDArray[np.float64]

_ROUNDS = 20
_TREES = {
    "learning_rate": 0.05,
    "num_leaves": 4,
    "max_bin": 63,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}


class BoostedBlender(Blender):
    """Trees that see all columns of all members and correct what the plain pool says of a row.

    The plain pool is that of `StackBlender`. A leaf holds at least as many independent rows as ``spec.ridge`` and is
    shrunk by as many, so few rows grow no tree and leave the pool as it is.
    """

    method: Literal["boosted"] = "boosted"
    trees: list[str]
    """Boosters as LightGBM writes them: one, or of quantiles one per level; none where rows were too few to split."""

    @classmethod
    def fit(cls, rows: OutOfSample, spec: EnsembleSpec) -> Self:
        """Grow the trees."""
        fewest = int(np.ceil(spec.ridge * len(rows) / rows.independent))
        grown = list(_grow(rows, fewest)) if len(rows) >= 2 * fewest else []
        return cls(objective=rows.objective, members=list(rows.names), trees=grown)

    @property
    def weights(self) -> dict[str, float]:
        """Share of each member in what the trees gained, by trust or by distrust; the same for each without trees."""
        gains = np.zeros((len(self.members), len(self.objective.columns)))
        for text in self.trees:
            gains += _booster(text).feature_importance("gain").reshape(gains.shape)
        shares = gains.sum(axis=1) / gains.sum() if gains.any() else np.full(len(gains), 1 / len(gains))
        return dict(zip(self.members, shares.tolist(), strict=True))

    def _blend(self, stacked: Array) -> Array:
        scores = _pool(self.objective, stacked)
        if self.trees:
            inputs = _inputs(self.objective, stacked)
            grown = [_booster(text).predict(inputs, raw_score=True, num_threads=1) for text in self.trees]
            scores = scores + np.column_stack(grown)
        return _forecast(self.objective, scores)


def _grow(rows: OutOfSample, fewest: int) -> Iterator[str]:
    import lightgbm

    objective, stacked = rows.objective, gathered(rows.objective, rows.members)
    inputs, scores = _inputs(objective, stacked), _pool(objective, stacked)
    label = rows.codes if objective.classes else rows.label
    for loss, columns in _losses(objective):
        parameters = {**_TREES, **loss, "min_data_in_leaf": fewest, "lambda_l2": float(fewest)}
        start = scores[:, columns]
        binned = lightgbm.Dataset(
            inputs,
            label=label,
            weight=rows.shares * len(rows),
            init_score=start if start.shape[1] > 1 else start[:, 0],
            params=parameters,
        )
        yield lightgbm.train(parameters, binned, _ROUNDS).model_to_string()


def _losses(objective: Objective) -> list[tuple[dict[str, Any], list[int]]]:
    """Loss of each booster, and the scores it starts from."""
    if objective.task == "three_class":
        return [({"objective": "multiclass", "num_class": 3}, [0, 1, 2])]
    if objective.task == "quantile":
        return [
            ({"objective": "quantile", "alpha": level}, [column]) for column, level in enumerate(objective.quantiles)
        ]
    return [({"objective": "binary" if objective.task == "binary" else "regression"}, [0])]


def _inputs(objective: Objective, stacked: Array) -> Array:
    """Log probabilities or values: rows x (members x columns)."""
    values = np.log(np.maximum(stacked, PROBABILITY_FLOOR)) if objective.classes else stacked
    return np.ascontiguousarray(np.moveaxis(values, 0, 1).reshape(stacked.shape[1], -1))


def _pool(objective: Objective, stacked: Array) -> Array:
    """Scores of the plain pool: mean log probabilities, of two classes their difference; or mean values."""
    if not objective.classes:
        return np.asarray(stacked.mean(axis=0))
    logs = np.log(np.maximum(stacked, PROBABILITY_FLOOR)).mean(axis=0)
    return np.asarray(logs[:, 1:] - logs[:, :1] if objective.task == "binary" else logs)


def _forecast(objective: Objective, scores: Array) -> Prediction:
    if objective.task == "binary":
        return softmax(np.column_stack([np.zeros(len(scores)), scores]))
    return softmax(scores) if objective.classes else scores


def _booster(text: str) -> Any:
    import lightgbm

    return lightgbm.Booster(model_str=text)
