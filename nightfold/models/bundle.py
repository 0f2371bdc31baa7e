"""What a model partition stores: one fitted model per horizon, what it must be fed, and where it comes from."""

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import polars as pl

from nightfold.errors import ConfigError, SchemaError
from nightfold.models.catalog import find_model
from nightfold.models.contract import Model, ModelError, Prediction, corrected
from nightfold.models.dataset import Features
from nightfold.models.objective import Objective
from nightfold.models.train import Trained
from nightfold.schema import KEY
from nightfold.spec import Spec

MANIFEST = "bundle.json"


class VersionWarning(UserWarning):
    """A model is read by another version of a library than fitted it."""


class Manifest(Spec):
    """Everything known of a bundle, without times or places: equal training gives equal bytes."""

    format: Literal[2] = 2
    model: str
    """Name in the catalog."""
    spec: dict[str, Any]
    """Parameters that were asked for."""
    seed: int
    features: list[str]
    """Columns a forecast needs, in this order."""
    dtype: Literal["Float32"] = "Float32"
    """Type of every feature column."""
    objective: Objective
    """What is forecast; its classes are the labels in the order of the probability columns."""
    horizons: list[int]
    """Bars ahead; one model each."""
    rounds: dict[int, int | None]
    """Boosting rounds or epochs in force, per horizon."""
    corrections: dict[int, tuple[float, ...]]
    """What the probabilities of the classes are scaled by, per horizon; empty where values are forecast."""
    datasets: dict[int, str]
    """Fingerprint of the rows behind each model."""
    metrics: dict[int, dict[str, float | None]]
    """Scores on validation rows, per horizon."""
    versions: dict[str, str]
    """Libraries that fitted the models."""
    files: dict[str, str]
    """SHA-256 of each model file, by its path within the bundle."""

    @property
    def digest(self) -> str:
        """SHA-256 over all of the above and so over every byte of the models."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """Fitted models by horizon, with the manifest that vouches for them."""

    manifest: Manifest
    models: Mapping[int, Model[Any]]

    @property
    def digest(self) -> str:
        """The version of this bundle: 64 hex digits."""
        return self.manifest.digest

    @property
    def names(self) -> tuple[str, ...]:
        """Feature columns in order."""
        return tuple(self.manifest.features)

    @property
    def horizons(self) -> tuple[int, ...]:
        """Bars ahead, ascending."""
        return tuple(self.manifest.horizons)

    @property
    def window(self) -> int | None:
        """Bars each forecast looks at; None where it looks at one row."""
        return next(iter(self.models.values())).window

    def predict_features(self, features: Features, horizon: int) -> Prediction:
        """Forecast rows or windows whose columns are known to be those of `names`."""
        if horizon not in self.models:
            known = ", ".join(map(str, self.horizons))
            raise ConfigError(f"`horizon` is {horizon}; this bundle has {known}.")
        return corrected(self.models[horizon].predict(features), self.manifest.corrections[horizon])

    def predict(self, frame: pl.DataFrame, horizon: int) -> Prediction:
        """Forecast the rows of a frame.

        Parameters
        ----------
        frame
            The features as Float32 columns in the order of `names`, without nulls; `symbol` and `open_time` may
            stand beside them.
        horizon
            Bars ahead; one of `horizons`.

        Returns
        -------
        Prediction
            One row per row of the frame, with the columns of the objective.

        Raises
        ------
        ConfigError
            If there is no model for the horizon.
        SchemaError
            If columns are missing, unknown, misplaced or of another type, or hold null, NaN or infinity.
        """
        features = frame.select(pl.exclude(KEY))
        _check_columns(features, self.names)
        return self.predict_features(features.to_numpy(order="c"), horizon)


def save_bundle(folder: Path, trained: Mapping[int, Trained]) -> Bundle:
    """Write trained models of one family into a folder.

    Parameters
    ----------
    folder
        New or empty; whoever hands it in makes it appear at once.
    trained
        One per horizon, of the same family, spec, seed and features.

    Returns
    -------
    Bundle
        The same that `load_bundle` reads.

    Raises
    ------
    ModelError
        If the folder holds something already, or the models do not belong together.
    """
    by_horizon = dict(sorted(trained.items()))
    first = _common(by_horizon)
    if folder.exists() and any(folder.iterdir()):
        raise ModelError(f"{folder} is not empty; a bundle is written into a new folder.")
    for horizon, item in by_horizon.items():
        item.model.save(folder / _part(horizon))
    manifest = Manifest(
        model=first.name,
        spec=first.spec.model_dump(mode="json"),
        seed=first.model.seed,
        features=list(first.model.names),
        objective=first.model.objective,
        horizons=list(by_horizon),
        rounds={horizon: item.rounds for horizon, item in by_horizon.items()},
        corrections={horizon: item.correction for horizon, item in by_horizon.items()},
        datasets={horizon: item.dataset for horizon, item in by_horizon.items()},
        metrics={horizon: item.metrics for horizon, item in by_horizon.items()},
        versions={library: version(library) for library in first.model.libraries},
        files=_hashes(folder, list(by_horizon)),
    )
    text = json.dumps({"digest": manifest.digest, **manifest.model_dump(mode="json")}, indent=1, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n")
    return Bundle(manifest, {horizon: item.model for horizon, item in by_horizon.items()})


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle, after proof that every byte is as it was written.

    Raises
    ------
    ModelError
        If the manifest is missing or damaged, a model file was changed, lost or added, or a library that fitted the
        models is installed in another major version.

    Warns
    -----
    VersionWarning
        If one is installed in another version of the same major one.
    """
    manifest = read_manifest(folder)
    _check_versions(folder, manifest.versions)
    found = _hashes(folder, manifest.horizons)
    if found != manifest.files:
        changed = sorted(path for path, _ in found.items() ^ manifest.files.items())
        raise ModelError(f"{folder} differs from its manifest in {', '.join(dict.fromkeys(changed))}; train it again.")
    model = find_model(manifest.model).model
    return Bundle(manifest, {horizon: model.load(folder / _part(horizon)) for horizon in manifest.horizons})


def _check_versions(folder: Path, fitted: Mapping[str, str]) -> None:
    """Compare the libraries that fitted models with those installed; one that is absent is named where it is needed."""
    installed = {library: found for library in fitted if (found := _installed(library)) is not None}
    other = {library for library, found in installed.items() if found != fitted[library]}
    apart = sorted(library for library in other if _major(installed[library]) != _major(fitted[library]))
    if apart:
        said = ", ".join(f"{library} {fitted[library]} (installed: {installed[library]})" for library in apart)
        raise ModelError(
            f"{folder} was fitted by {said}; across major versions nothing says that a file is read as it was meant. "
            "Install the version that fitted it, or train it again with `--force`."
        )
    if other:
        said = ", ".join(f"{library} {fitted[library]} (installed: {installed[library]})" for library in sorted(other))
        warnings.warn(f"a bundle was fitted by {said}; forecasts may differ.", VersionWarning, stacklevel=3)


def _installed(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _major(version: str) -> list[str]:
    """Take the part of a version that keeps its formats: the first number, and behind a 0 the second too."""
    first, *others = version.split(".")
    return [first, *others[:1]] if first == "0" else [first]


def read_manifest(folder: Path) -> Manifest:
    """Read what is known of a stored bundle without loading its models.

    Raises
    ------
    ModelError
        If there is none, or it was changed after it was written.
    """
    try:
        stored = json.loads((folder / MANIFEST).read_text())
        digest = stored.pop("digest")
        manifest = Manifest.model_validate(stored)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder} holds no whole bundle: {error}; train it again.") from error
    if digest != manifest.digest:
        raise ModelError(f"The manifest of {folder} was changed after it was written; train it again.")
    return manifest


def _common(trained: Mapping[int, Trained]) -> Trained:
    kinds = {
        (item.name, item.spec.fingerprint, item.model.seed, item.model.names, item.model.objective.fingerprint)
        for item in trained.values()
    }
    if len(kinds) != 1:
        raise ModelError(f"A bundle takes models of one family, spec, seed, feature list and task, not {len(kinds)}.")
    return next(iter(trained.values()))


def _part(horizon: int) -> str:
    return f"h{horizon:02d}"


def _hashes(folder: Path, horizons: list[int]) -> dict[str, str]:
    files = sorted(path for horizon in horizons for path in (folder / _part(horizon)).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _check_columns(features: pl.DataFrame, names: tuple[str, ...]) -> None:
    columns = features.columns
    faults = [f"missing {name}" for name in names if name not in columns]
    faults += [f"unknown {name}" for name in columns if name not in names]
    if not faults:
        pairs = zip(columns, names, strict=True)
        faults = [f"{found} stands where {wanted} belongs" for found, wanted in pairs if found != wanted]
    faults += [f"{name} is {dtype}" for name, dtype in features.schema.items() if dtype != pl.Float32]
    faults += [f"{name} holds nulls" for name in columns if features[name].null_count()]
    if faults:
        raise SchemaError(f"Features do not fit the model: {'; '.join(faults)}. Select `names` and cast to Float32.")
