"""What every model keeps to: fit, predict, save and load, with the checks of their doors in one place."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from nightfold.errors import ConfigError, NightfoldError, SchemaError
from nightfold.models.class_weight import weighed
from nightfold.models.dataset import Dataset, Features
from nightfold.models.objective import Objective, Task
from nightfold.models.shared import Shared
from nightfold.models.window import Windows
from nightfold.spec import Spec

Prediction = NDArray[np.float64]
"""One row per bar, one column per entry of `Objective.columns`; quantiles do not fall within a row."""
Probabilities = Prediction
"""Of classes: rows sum to 1."""

CARD = "model.json"
"""File beside what a family writes: spec, seed, features, objective, and digests of the other files."""

Curves = Mapping[str, Mapping[int, float]]
"""Proper score after some rounds or epochs, by their number, of the rows named: ``train``, ``stopping``."""
Importance = Mapping[str, NDArray[np.float64]]
"""How much each feature counts, 0 or more and in the order of the names, by one or several measures."""

PROBABILITY_FLOOR = 1e-6
"""What a class is given that no training row showed: nothing is impossible, and log loss stays finite."""


class ModelError(NightfoldError, ValueError):
    """A stored model is damaged, or is not what it is taken for."""


class UnfittedError(NightfoldError, RuntimeError):
    """A model is used before it has learnt anything."""


class ModelSpec(Spec):
    """Parameters of one model family."""

    @property
    def needs(self) -> Mapping[str, Sequence[str]]:
        """Features it cannot do without, by the setting that names them; a family that needs some says so here."""
        return {}


S = TypeVar("S", bound=ModelSpec)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a family can do; an experiment that asks for more is refused before anything is fitted."""

    tasks: tuple[Task, ...]
    inputs: Literal["rows", "windows"] = "rows"
    weights: bool = True
    early_stopping: bool = False
    extra: str | None = None
    """The extra of the package that its library comes with, where the core lacks it."""
    pretrained: bool = False
    """Whether it comes with knowledge of its own, whose end the user declares."""


class Model(ABC, Generic[S]):
    """A forecaster of one objective.

    A family gives four hooks, `_fit`, `_predict`, `_write` and `_read`; what they are handed has been checked, and
    `objective` is set. The same spec, seed, rows, threads and machine give the same files, byte for byte.

    Parameters
    ----------
    spec
        Parameters of the family.
    seed
        Start of every random choice.
    """

    spec_type: ClassVar[type[ModelSpec]]
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    """Distributions whose version may change what is learnt."""

    def __init__(self, spec: S, seed: int = 0) -> None:
        self.spec = spec
        self.seed = seed
        self.objective = Objective()
        self.shared: Shared | None = None
        """What fits on the very same rows share; set by a search, which fits many."""
        self.scratch: Path | None = None
        """Folder for checkpoints of families that have them; none: a fit that is broken off begins anew."""
        self._names: tuple[str, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in the order they are predicted from.

        Raises
        ------
        UnfittedError
            Before `fit` or `load`.
        """
        if self._names is None:
            raise UnfittedError(f"This {type(self).__name__} has not been fitted; call `fit`, or `load` a saved one.")
        return self._names

    def check_here(self) -> None:
        """Refuse settings that a fit on this machine must fail with: a folder, GPU or library that is not here.

        Asked where an experiment is checked or run, not where its file is loaded: that may be another machine.

        Raises
        ------
        NightfoldError
            With what is missing, and the way out.
        """

    @property
    def window(self) -> int | None:
        """Bars of the window each forecast looks at; None where it looks at one row."""
        return None

    @property
    def rounds(self) -> int | None:
        """Boosting rounds or epochs in force; None where a family has none."""
        return None

    @property
    def refit_spec(self) -> S:
        """The spec with what early stopping found, for a fit on all rows without a validation part."""
        return self.spec

    @property
    def curves(self) -> Curves:
        """How the score went while it was fitted with early stopping; none otherwise, and none after `load`."""
        return {}

    def importance(self, features: Features) -> Importance:
        """Tell which features forecasts hang on; nothing where a family cannot.

        Parameters
        ----------
        features
            What to explain, as `predict` takes it; some hundred rows are enough.
        """
        return {}

    def fit(self, train: Dataset, validation: Dataset | None = None) -> Self:
        """Learn from rows.

        Parameters
        ----------
        train
            Rows to learn from, and the objective; rows of weight 0 are left out, classes weighed alike where the rows
            are ``balanced``.
        validation
            Later rows with the same features, for early stopping where the family has it; never learnt from.

        Returns
        -------
        Self
            This model, fitted.

        Raises
        ------
        SchemaError
            If no row has weight, or the two parts differ in their features.
        """
        rows = _weighted(weighed(train, train), "train")
        checks = None if validation is None else _weighted(weighed(validation, train), "validation")
        if checks is not None and (checks.names, checks.objective) != (rows.names, rows.objective):
            raise SchemaError("`validation` has other features than `train`, in another order, or another objective.")
        self._check_window(rows.features)
        self._names, self.objective = None, rows.objective
        self._fit(rows, checks)
        self._names = rows.names
        return self

    def predict(self, features: Features) -> Prediction:
        """Forecast rows; the model stays as it is and each row is forecast by itself.

        Parameters
        ----------
        features
            One row per bar, columns in the order of `names`, finite; or windows of as many bars as the model has.

        Returns
        -------
        Prediction
            One row per bar, with the columns of the objective; quantiles that cross are rearranged.

        Raises
        ------
        UnfittedError
            Before `fit` or `load`.
        SchemaError
            If the number of columns differs or a value is NaN or infinite.
        """
        rows = features if isinstance(features, Windows) else np.ascontiguousarray(features, dtype=np.float32)
        if rows.shape[-1] != len(self.names) or (isinstance(rows, np.ndarray) and rows.ndim != 2):
            raise SchemaError(f"Features have shape {rows.shape}; rows of {len(self.names)} columns are needed.")
        if isinstance(rows, np.ndarray) and not np.isfinite(rows).all():
            raise SchemaError("Features hold NaN or infinity; leave such rows out, their forecast is unknown.")
        self._check_window(rows)
        if not len(rows):
            return np.empty((0, len(self.objective.columns)))
        forecast = self._predict(rows)
        return np.sort(forecast, axis=1) if self.objective.task == "quantile" else forecast

    def _check_window(self, features: Features) -> None:
        found = features.length if isinstance(features, Windows) else None
        if found != self.window:
            wanted, given = (f"windows of {n} bars" if n else "rows" for n in (self.window, found))
            raise SchemaError(f"{type(self).__name__} takes {wanted}; it was given {given}.")

    def save(self, folder: Path) -> None:
        """Write the fitted model into a folder, in files that are the same for the same model."""
        card: dict[str, Any] = {"spec": self.spec.model_dump(mode="json"), "seed": self.seed}
        card["features"] = list(self.names)
        card["objective"] = self.objective.model_dump(mode="json")
        folder.mkdir(parents=True, exist_ok=True)
        self._write(folder)
        card["files"] = _file_digests(folder)
        (folder / CARD).write_text(json.dumps(card, indent=1, sort_keys=True) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved model.

        Raises
        ------
        ModelError
            If the folder holds no whole model of this family: what a library would make of a damaged file is not tried.
        """
        try:
            card = json.loads((folder / CARD).read_text())
            if card["files"] != _file_digests(folder):
                raise ModelError("its files are not those that were saved")
            model = cls(cls.spec_type.model_validate(card["spec"]), card["seed"])  # type: ignore[arg-type]
            model.objective = Objective.model_validate(card["objective"])
            model._read(folder)
            model._names = tuple(card["features"])
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{folder} holds no whole {cls.__name__}: {error}; train it again.") from error
        return model

    @abstractmethod
    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        """Learn from rows whose weights are positive with mean 1."""

    @abstractmethod
    def _predict(self, features: Any) -> Prediction:
        """Forecast one or more finite rows, or windows where `window` is set."""

    @abstractmethod
    def _write(self, folder: Path) -> None:
        """Write what was learnt."""

    @abstractmethod
    def _read(self, folder: Path) -> None:
        """Read what was learnt."""


def _file_digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / CARD)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def softmax(scores: NDArray[np.float64]) -> Probabilities:
    """Turn scores (rows, classes) into probabilities that sum to 1 in each row."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def class_prior(rows: Dataset) -> NDArray[np.float64]:
    """Weighted share of each class, none under `PROBABILITY_FLOOR`, summing to 1."""
    shares = np.bincount(rows.codes, rows.weight, minlength=len(rows.objective.classes)) / rows.weight.sum()
    floored = np.maximum(shares, PROBABILITY_FLOOR)
    return np.asarray(floored / floored.sum())


def class_shares(rows: Dataset) -> NDArray[np.float64]:
    """Share of each class with every row of positive weight counted once, none under `PROBABILITY_FLOOR`."""
    return class_prior(replace(rows, weight=(rows.weight > 0).astype(np.float64)))


def correction(train: Dataset) -> tuple[float, ...]:
    """Tell what undoes the weights of a fit's rows: `class_shares` over `class_prior` by class; nothing for values."""
    if not train.objective.classes:
        return ()
    return tuple((class_shares(train) / class_prior(weighed(train, train))).tolist())


def corrected(probabilities: Probabilities, correction: Sequence[float]) -> Probabilities:
    """Undo what weights did to the frequency of classes: scale each class, then let rows sum to 1 again.

    Parameters
    ----------
    probabilities
        Of a model that was fitted on weighted rows.
    correction
        As of `correction`, of those rows; without any, forecasts stay as they are.

    References
    ----------
    Saerens, Latinne and Decaestecker (2002), Adjusting the outputs of a classifier to new a priori probabilities,
    *Neural Computation* 14, eq. 2.4.
    """
    if not correction:
        return probabilities
    scaled = probabilities * np.asarray(correction)
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))


def _weighted(rows: Dataset, part: str) -> Dataset:
    counted = rows.weight > 0
    if not counted.any():
        raise SchemaError(f"`{part}` has {len(rows)} rows and none with a weight over 0; at least one is needed.")
    kept = rows if counted.all() else rows.take(counted)
    return replace(kept, weight=kept.weight / kept.weight.mean())


def require_task(name: str, capabilities: Capabilities, task: Task) -> None:
    """Refuse a task that a family lacks.

    Raises
    ------
    ConfigError
        With the tasks it has.
    """
    if task not in capabilities.tasks:
        raise ConfigError(f"model `{name}` does not forecast the task {task}; it has {', '.join(capabilities.tasks)}.")


def require_features(name: str, spec: ModelSpec, chosen: Sequence[str]) -> None:
    """Refuse settings that name a feature which is not among those a model is given.

    Raises
    ------
    ConfigError
        With all of them, the settings that name them, and what is close among those that were chosen.
    """
    absent = {each: setting for setting, needed in spec.needs.items() for each in needed if each not in chosen}
    if absent:
        said = ", ".join(f"{feature} (`{setting}`)" for feature, setting in absent.items())
        close = [match for feature in absent for match in get_close_matches(feature, chosen, n=1)]
        raise ConfigError(
            f"model `{name}` needs {said}, not among the {len(chosen)} features chosen; choose it in `features` too, "
            f"or name one that is{', such as ' + close[0] if close else ''}."
        )
