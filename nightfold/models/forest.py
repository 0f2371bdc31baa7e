"""Random forests and extremely randomised trees: grown by scikit-learn, kept and walked as plain arrays."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveInt

from nightfold.models.constant import with_absent_classes
from nightfold.models.contract import Model, ModelSpec, Prediction
from nightfold.models.dataset import Dataset

if TYPE_CHECKING:
    from optuna import Trial

FILE = "trees.safetensors"


class ForestSpec(ModelSpec):
    """Many shallow trees with large leaves, each on few features."""

    trees: PositiveInt = 100
    """How many trees are averaged."""
    depth: PositiveInt = Field(default=8, le=32)
    """Most splits from root to leaf."""
    min_data_in_leaf: PositiveInt = 100
    """Fewest training rows of a leaf."""
    feature_fraction: float = Field(default=0.1, gt=0, le=1)
    """Share of the features each split may choose from; at least one."""


class RandomForestSpec(ForestSpec):
    """Each tree sees rows drawn with replacement, and splits where it separates best."""


class ExtraTreesSpec(ForestSpec):
    """Each tree sees all rows, and splits at the best of some random thresholds."""


@dataclass(frozen=True, slots=True, eq=False)
class _Trees:
    """Nodes of all trees after each other; see `forest_means`. `present` are the classes that the values are of."""

    roots: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    value: NDArray[np.float64]
    present: NDArray[np.int64]


class ForestModel(Model[ForestSpec]):
    """Averages what the leaves of all trees say: shares of classes, or means."""

    libraries = ("scikit-learn", "numpy")
    kind: ClassVar[Literal["RandomForest", "ExtraTrees"]]

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        from sklearn import ensemble

        classes = bool(train.objective.classes)
        forest = getattr(ensemble, self.kind + ("Classifier" if classes else "Regressor"))(
            n_estimators=self.spec.trees,
            max_depth=self.spec.depth,
            min_samples_leaf=self.spec.min_data_in_leaf,
            max_features=self.spec.feature_fraction,
            random_state=self.seed,
            n_jobs=1,
        )
        forest.fit(train.table, train.codes if classes else train.label, train.weight)
        self._trees = _arrays(forest, forest.classes_ if classes else [])

    def _predict(self, features: NDArray[np.float32]) -> Prediction:
        from nightfold.models.forest_kernel import forest_means

        trees = self._trees
        means = forest_means(
            features, trees.roots, trees.left, trees.right, trees.feature, trees.threshold, trees.value
        )
        classes = len(self.objective.classes)
        return with_absent_classes(means, trees.present, classes) if classes else np.asarray(means)

    def _write(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        save_file({field.name: getattr(self._trees, field.name) for field in fields(_Trees)}, folder / FILE)

    def _read(self, folder: Path) -> None:
        from safetensors.numpy import load_file

        self._trees = _Trees(**load_file(folder / FILE))


class RandomForestModel(ForestModel):
    """A random forest after Breiman (2001)."""

    spec_type = RandomForestSpec
    kind = "RandomForest"


class ExtraTreesModel(ForestModel):
    """Extremely randomised trees after Geurts, Ernst and Wehenkel (2006)."""

    spec_type = ExtraTreesSpec
    kind = "ExtraTrees"


def random_forest_space(trial: "Trial") -> RandomForestSpec:
    """Ask a trial for a configuration."""
    return RandomForestSpec(**_space(trial))


def extra_trees_space(trial: "Trial") -> ExtraTreesSpec:
    """Ask a trial for a configuration."""
    return ExtraTreesSpec(**_space(trial))


def _space(trial: "Trial") -> dict[str, Any]:
    return {
        "depth": trial.suggest_int("depth", 3, 14),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 20, 1000, log=True),
        "feature_fraction": trial.suggest_float("feature_fraction", 0.05, 0.6),
    }


def _arrays(forest: Any, present: Any) -> _Trees:
    trees = [tree.tree_ for tree in forest.estimators_]
    counts = np.array([tree.node_count for tree in trees])
    roots = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int32)

    def joined(name: str, dtype: type[np.generic]) -> NDArray[Any]:
        return np.concatenate([getattr(tree, name) for tree in trees]).astype(dtype)

    left, right = joined("children_left", np.int32), joined("children_right", np.int32)
    first = np.repeat(roots, counts)
    return _Trees(
        roots=roots,
        left=np.where(left < 0, left, left + first).astype(np.int32),
        right=np.where(right < 0, right, right + first).astype(np.int32),
        feature=joined("feature", np.int32),
        threshold=joined("threshold", np.float64),
        value=np.ascontiguousarray(joined("value", np.float64)[:, 0, :]),
        present=np.asarray(present, dtype=np.int64),
    )
