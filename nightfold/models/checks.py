"""What every model family keeps to, as checks that run on any entry: those of the catalog, and anybody's own."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from nightfold.errors import NightfoldError, SchemaError
from nightfold.models.bundle import save_bundle
from nightfold.models.catalog import ModelEntry
from nightfold.models.contract import Model, ModelError, Prediction, UnfittedError
from nightfold.models.dataset import Dataset, Features
from nightfold.models.objective import CLASSES, Objective, Task
from nightfold.models.own import load_entry
from nightfold.models.pickles import holds_pickle, pickling
from nightfold.models.score import constant_forecast, row_losses
from nightfold.models.train import train_model
from nightfold.models.window import Windows

NAMES = ("log_return_1", "calm", "noise_1", "noise_2", "noise_3")
"""Features of made-up rows; the first moves the label up or down, the second makes flat likelier, the rest nothing."""
_FEWER_CLASSES: dict[Task, tuple[tuple[int, ...], ...]] = {
    "three_class": ((-1, 1), (0, 1), (0,)),
    "binary": ((0,), (1,)),
}
TRAIN_ROWS, VALIDATION_ROWS, LATER_ROWS = 600, 200, 120


class ContractError(NightfoldError, AssertionError):
    """A model family does not keep to what every family keeps to."""


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and the function that raises a `ContractError` where it is broken."""

    name: str
    meaning: str
    run: Callable[[ModelEntry, Task], None]


def made_up(entry: ModelEntry, task: Task, rows: int = TRAIN_ROWS, seed: int = 0, effect: float = 1.0) -> Dataset:
    """Make labelled rows, or windows where the entry takes those, whose predictability is known.

    Parameters
    ----------
    entry, task
        Decide on rows or windows, and on the label.
    rows
        Labelled rows.
    seed
        Start of every random number.
    effect
        How much the features of the newest bar say about the label; 0 for nothing.
    """
    random = np.random.default_rng(seed)
    window = _new(entry).window
    table = random.normal(size=(rows + (window or 1) - 1, len(NAMES))).astype(np.float32)
    newest = table[len(table) - rows :]
    direction, calm = effect * newest[:, 0].astype(np.float64), effect * newest[:, 1].astype(np.float64)
    if task == "three_class":
        label = (np.column_stack([-direction, calm, direction]) + random.gumbel(size=(rows, 3))).argmax(axis=1) - 1
    elif task == "binary":
        label = (2 * direction + random.logistic(size=rows) > 0).astype(np.int8)
    else:
        label = direction + random.normal(size=rows)
    weight = random.uniform(0.5, 1.5, rows)
    features = Windows(table, np.arange(len(table) - rows, len(table)), window) if window else newest
    return Dataset(features, NAMES, label, weight, Objective(task=task))


def run_checks(entry: ModelEntry, task: Task) -> dict[str, str | None]:
    """Run every check.

    Returns
    -------
    dict
        For each check by name what is wrong, or None.
    """
    found: dict[str, str | None] = {}
    for check in CHECKS:
        try:
            check.run(entry, task)
            found[check.name] = None
        except Exception as error:
            kind = "" if isinstance(error, ContractError) else f"{type(error).__name__}: "
            found[check.name] = f"{kind}{error}"
    return found


def digests(place: str, tasks: list[Task]) -> dict[Task, str]:
    """Fit an entry for some tasks and hash the files of each model."""
    entry = load_entry(place, tasks)
    return {task: _digest(_saved(_fit(entry, task))) for task in tasks}


def _same_bytes(entry: ModelEntry, task: Task) -> None:
    here = _digest(_saved(_fitted(entry, task)))
    _require(_digest(_saved(_fit(entry, task))) == here, "two fits on the same rows and seed give different files")
    _require(_fresh_digests(entry)[task] == here, "a fit in a fresh process gives different files")


def _loaded_is_the_same(entry: ModelEntry, task: Task) -> None:
    model, later = _fitted(entry, task), _later(entry, task)
    with _folder() as folder:
        model.save(folder)
        loaded = entry.model.load(folder)
    _same(loaded.predict(later), model.predict(later), 0, "the loaded model forecasts something else")
    _require(_saved(loaded) == _saved(model), "the loaded model saves other files")
    ours = (model.names, model.seed, model.spec, model.rounds, model.objective, model.window)
    theirs = (loaded.names, loaded.seed, loaded.spec, loaded.rounds, loaded.objective, loaded.window)
    _require(ours == theirs, "the loaded model has another spec, seed, objective, window, rounds or features")


def _no_pickle(entry: ModelEntry, task: Task) -> None:
    model = _fitted(entry, task)
    files = _saved(model)
    with _folder() as folder:
        model.save(folder)
        entry.model.load(folder)  # what libraries do when they are first used is not the model's doing
        for doing, act in {"save": model.save, "load": entry.model.load}.items():
            with pickling() as calls:
                act(folder)
            _require(not calls, f"{doing} calls {', '.join(calls)}; what is pickled runs code when it is read")
    for name, content in files.items():
        _require(not holds_pickle(content), f"{name} is or holds a pickle, which runs code when it is read")


def _damage_is_refused(entry: ModelEntry, task: Task) -> None:
    with _folder() as folder:
        _refused(lambda: entry.model.load(folder), ModelError, "an empty folder")
        _fitted(entry, task).save(folder)
        card = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps(card | {"spec": {"no_such_field": 1}}))
        _refused(lambda: entry.model.load(folder), ModelError, "a spec with an unknown field")
        (folder / "model.json").write_text(json.dumps(card))
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name != "model.json":
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
                _refused(lambda: entry.model.load(folder), ModelError, f"half of {path.name}")


def _forecasts_are_whole(entry: ModelEntry, task: Task) -> None:
    model, later = _fitted(entry, task), _later(entry, task)
    for features in (later, _times(later, 1e6)):
        _whole(model, model.predict(features), len(later))
    _require(model.predict(later[0:0]).shape == (0, len(model.objective.columns)), "no rows give no empty forecast")


def _rows_stand_alone(entry: ModelEntry, task: Task) -> None:
    model, later = _fitted(entry, task), _later(entry, task)
    together, reversed_order = model.predict(later), np.arange(len(later))[::-1]
    alone = np.vstack([model.predict(later[row : row + 1]) for row in range(len(later))])
    _same(alone, together, 1e-6, "a row forecast alone differs from the same row among others")
    _same(model.predict(later[reversed_order]), together[::-1], 1e-6, "the order of rows changes forecasts")


def _predict_changes_nothing(entry: ModelEntry, task: Task) -> None:
    model, later = _fitted(entry, task), _later(entry, task)
    before, copied = _saved(model), _array(later).copy()
    first = model.predict(later)
    model.predict(made_up(entry, task, LATER_ROWS, seed=8).features)
    _same(model.predict(later), first, 0, "the same rows forecast again give something else")
    _require(_saved(model) == before, "predict changed the model")
    _require(np.array_equal(_array(later), copied), "predict changed its input")


def _fit_changes_no_rows(entry: ModelEntry, task: Task) -> None:
    train, validation = _parts(entry, task)
    before = train.fingerprint, validation.fingerprint
    _new(entry).fit(train, validation)
    _require((train.fingerprint, validation.fingerprint) == before, "fit changed its rows")


def _unfitted_says_so(entry: ModelEntry, task: Task) -> None:
    model, later = _new(entry), _later(entry, task)
    _refused(lambda: model.predict(later), UnfittedError, "predict before fit")
    with _folder() as folder:
        _refused(lambda: model.save(folder / "nothing"), UnfittedError, "save before fit")
        _require(not (folder / "nothing").exists(), "save before fit leaves a folder")


def _interrupted_is_unfitted(entry: ModelEntry, task: Task) -> None:
    class Interrupted(entry.model):  # type: ignore[name-defined,misc]  # a base known at run time
        stop = False

        def _fit(self, train: Dataset, validation: Dataset | None) -> None:
            super()._fit(train, validation)
            if self.stop:
                raise KeyboardInterrupt

    model = Interrupted(_small(entry), 1).fit(*_parts(entry, task))
    model.stop = True
    try:
        model.fit(*_parts(entry, task))
    except KeyboardInterrupt:
        _refused(lambda: model.predict(_later(entry, task)), UnfittedError, "predict after an interrupted fit")
    else:
        raise ContractError("fit swallows an interruption")


def _unknown_values_are_refused(entry: ModelEntry, task: Task) -> None:
    model, later = _fitted(entry, task), _later(entry, task)

    def forecast_with(value: float) -> None:  # windows refuse it themselves, before a model sees them
        model.predict(_spoilt(later, value))

    for value in (np.nan, np.inf, -np.inf):
        _refused(partial(forecast_with, value), SchemaError, str(value))


def _other_columns_are_refused(entry: ModelEntry, task: Task) -> None:
    train, validation = _parts(entry, task)
    model, later = _fitted(entry, task), _later(entry, task)
    _refused(lambda: model.predict(_columns(later, 4)), SchemaError, "a column too few")
    moved = replace(validation, names=(*NAMES[1:], NAMES[0]))
    _refused(lambda: _new(entry).fit(train, moved), SchemaError, "validation rows with columns in another order")
    with _folder() as folder:
        bundle = save_bundle(folder, {1: train_model(entry, _small(entry), train, validation, refit=False)})
        frame = pl.DataFrame(_array(later), schema=list(NAMES))
        for wrong, fault in (
            (frame.rename({"calm": "z"}), "an unknown and a missing column"),
            (frame.drop("calm"), "a missing column"),
            (frame.with_columns(z=pl.lit(0.0, pl.Float32)), "an unknown column"),
            (frame.select(*NAMES[1:], NAMES[0]), "columns in another order"),
        ):
            _refused(partial(bundle.predict, wrong, 1), SchemaError, fault)


def _other_inputs_are_refused(entry: ModelEntry, task: Task) -> None:
    model, later = _fitted(entry, task), _later(entry, task)
    table = _array(later)
    other: Features = table if isinstance(later, Windows) else Windows(table, np.arange(3, len(table)), 4)
    _refused(lambda: model.predict(other), SchemaError, "rows in place of windows, or the reverse")
    rows = replace(made_up(entry, task, len(other)), features=other, label=made_up(entry, task, len(other)).label)
    _refused(lambda: _new(entry).fit(rows), SchemaError, "fit on rows in place of windows, or the reverse")
    expected = "windows" if isinstance(later, Windows) else "rows"
    _require(entry.capabilities.inputs == expected, f"it declares {entry.capabilities.inputs} and takes {expected}")


def _no_weight_is_absence(entry: ModelEntry, task: Task) -> None:
    train, validation = _parts(entry, task)
    kept = np.random.default_rng(0).random(len(train)) < 0.7
    silenced = replace(train, weight=np.where(kept, train.weight, 0))
    later = _later(entry, task)
    with_silent = _new(entry).fit(silenced, validation).predict(later)
    without = _new(entry).fit(train.take(kept), validation).predict(later)
    _same(with_silent, without, 0, "rows of weight 0 have a say")


def _weights_count(entry: ModelEntry, task: Task) -> None:
    if not entry.capabilities.weights:
        return
    train, later = made_up(entry, task), _later(entry, task)
    high = train.label > (np.median(train.label) if not train.objective.classes else 0)
    heavy = replace(train, weight=np.where(high, 6 * train.weight, train.weight))
    plain, pulled = _new(entry).fit(train).predict(later), _new(entry).fit(heavy).predict(later)
    gain = (pulled - plain)[:, -1 if train.objective.classes else len(train.objective.columns) // 2].mean()
    _require(gain > 0.02, f"six times the weight on high labels moves the mean forecast by {gain:.4f}, not up")


def _weight_scale_is_free(entry: ModelEntry, task: Task) -> None:
    train, later = made_up(entry, task), _later(entry, task)
    scaled = _new(entry).fit(replace(train, weight=1024 * train.weight)).predict(later)
    _same(scaled, _new(entry).fit(train).predict(later), 1e-9, "weights times 1024 change forecasts")


def _classes_keep_their_columns(entry: ModelEntry, task: Task) -> None:
    for present in _FEWER_CLASSES.get(task, ()):
        rows = made_up(entry, task)
        model = _new(entry).fit(rows.take(np.isin(rows.label, present)))
        forecast = model.predict(_later(entry, task))
        _whole(model, forecast, LATER_ROWS)
        missing = [column for column, label in enumerate(CLASSES[task]) if label not in present]
        _require(bool((forecast[:, missing] < 0.02).all()), f"classes never seen are likely, after {present} alone")
        _require(bool((forecast > 0).all()), f"classes never seen are impossible, after {present} alone")


def _empty_rows_are_refused(entry: ModelEntry, task: Task) -> None:
    rows = made_up(entry, task, 10)
    for empty in (rows.take([]), replace(rows, weight=np.zeros(10))):
        _refused(partial(_new(entry).fit, empty), SchemaError, "training rows without weight")
        _refused(partial(_new(entry).fit, rows, empty), SchemaError, "validation rows without weight")


def _few_rows_are_enough(entry: ModelEntry, task: Task) -> None:
    for count in (1, 7):
        rows = made_up(entry, task, count)
        model = _new(entry).fit(rows)
        _whole(model, model.predict(rows.features), count)


def _shuffled_labels_teach_nothing(entry: ModelEntry, task: Task) -> None:
    random = np.random.default_rng(4)
    parts = *_parts(entry, task), made_up(entry, task, 1000, seed=6)
    gain, error = _gain(entry, *(replace(part, label=random.permutation(part.label)) for part in parts))
    if entry.capabilities.weights:
        _require(gain < 4 * error, f"after shuffled labels it beats the constant forecast by {gain:.4f} ± {error:.4f}")


def _effect_is_found(entry: ModelEntry, task: Task) -> None:
    if entry.family == "baseline":
        return
    gain, error = _gain(entry, *_parts(entry, task), made_up(entry, task, 1000, seed=6))
    _require(gain > 4 * error, f"it gains {gain:.4f} ± {error:.4f} on the constant forecast where much can be known")


def _gain(entry: ModelEntry, train: Dataset, validation: Dataset, later: Dataset) -> tuple[float, float]:
    """How much lower its loss is than that of the constant forecast on later rows, and the error of that mean."""
    forecast = _new(entry).fit(train, validation).predict(later.features)
    constant = np.tile(constant_forecast(train), (len(later), 1))
    gain = row_losses(later.objective, constant, later.label) - row_losses(later.objective, forecast, later.label)
    return float(gain.mean()), float(gain.std() / np.sqrt(len(gain)))


def _search_gives_specs(entry: ModelEntry, task: Task) -> None:
    import optuna

    told = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    optuna.logging.set_verbosity(told)
    for _ in range(10):
        spec = entry.search_space(study.ask())
        _require(isinstance(spec, entry.spec), f"its search space gives a {type(spec).__name__}")
        _require(entry.spec.model_validate(spec.model_dump()) == spec, "a searched spec does not survive storing")


def _refit_knows_its_rounds(entry: ModelEntry, task: Task) -> None:
    model = _fitted(entry, task)
    _require(isinstance(model.refit_spec, entry.spec), "`refit_spec` is not of the entry's kind")
    if entry.capabilities.early_stopping:
        again = _refitted(entry, task)
        _require(model.rounds is not None, "it stops early and does not say after how many rounds")
        _require(
            again.rounds == model.rounds, f"it found {model.rounds} rounds; refitted with them it has {again.rounds}"
        )


def _validation_is_not_learnt(entry: ModelEntry, task: Task) -> None:
    later, found = _later(entry, task), "with the rounds found" if entry.capabilities.early_stopping else "without them"
    _same(
        _refitted(entry, task).predict(later),
        _fitted(entry, task).predict(later),
        1e-6,
        f"validation rows change more than when to stop: a fit {found} on the training rows alone forecasts otherwise",
    )


def _one_level_is_enough(entry: ModelEntry, task: Task) -> None:
    later = _later(entry, task)
    for level in (0.05, 0.5) if task == "quantile" else ():
        objective = Objective(task=task, quantiles=[level])
        model = _new(entry).fit(*(replace(part, objective=objective) for part in _parts(entry, task)))
        forecast = model.predict(later)
        _whole(model, forecast, len(later))
        with _folder() as folder:
            model.save(folder)
            _same(entry.model.load(folder).predict(later), forecast, 0, "the loaded model forecasts something else")


CHECKS: tuple[Check, ...] = (
    Check("same_bytes", "the same seed and rows give the same files, in a fresh process too", _same_bytes),
    Check("loaded_is_the_same", "a loaded model forecasts and saves the same", _loaded_is_the_same),
    Check("no_pickle", "no file is or holds a pickle; neither save nor load makes or reads one", _no_pickle),
    Check("damage_is_refused", "files that are missing or cut are refused", _damage_is_refused),
    Check("forecasts_are_whole", "finite; probabilities sum to 1, quantiles ascend", _forecasts_are_whole),
    Check("rows_stand_alone", "a row's forecast depends on no other row", _rows_stand_alone),
    Check("predict_changes_nothing", "predict changes neither the model nor its input", _predict_changes_nothing),
    Check("fit_changes_no_rows", "fit leaves its rows as they were", _fit_changes_no_rows),
    Check("unfitted_says_so", "use before fit is a clear error", _unfitted_says_so),
    Check("interrupted_is_unfitted", "an interrupted fit leaves an unfitted model", _interrupted_is_unfitted),
    Check("unknown_values_are_refused", "NaN and infinity are refused", _unknown_values_are_refused),
    Check("other_columns_are_refused", "missing, unknown, misplaced columns are refused", _other_columns_are_refused),
    Check(
        "other_inputs_are_refused", "windows for a row model are refused, and the reverse", _other_inputs_are_refused
    ),
    Check("no_weight_is_absence", "a row of weight 0 is as good as absent", _no_weight_is_absence),
    Check("weights_count", "heavier rows pull forecasts toward their labels", _weights_count),
    Check("weight_scale_is_free", "only ratios of weights matter", _weight_scale_is_free),
    Check("classes_keep_their_columns", "a class never seen keeps a small probability", _classes_keep_their_columns),
    Check("empty_rows_are_refused", "rows without any weight are refused", _empty_rows_are_refused),
    Check("few_rows_are_enough", "one row is enough to fit, and to forecast", _few_rows_are_enough),
    Check("shuffled_labels_teach_nothing", "shuffled labels give no edge", _shuffled_labels_teach_nothing),
    Check("effect_is_found", "a large planted effect is found, but by baselines", _effect_is_found),
    Check("search_gives_specs", "the search space gives valid specs", _search_gives_specs),
    Check("refit_knows_its_rounds", "a fit with the rounds found has as many", _refit_knows_its_rounds),
    Check("validation_is_not_learnt", "validation rows say when to stop, and no more", _validation_is_not_learnt),
    Check("one_level_is_enough", "a single quantile is forecast as well as several", _one_level_is_enough),
)


def _small(entry: ModelEntry) -> Any:
    return entry.spec(**entry.small)


def _new(entry: ModelEntry, seed: int = 1) -> Model[Any]:
    return entry.model(_small(entry), seed)


def _parts(entry: ModelEntry, task: Task) -> tuple[Dataset, Dataset]:
    return made_up(entry, task), made_up(entry, task, VALIDATION_ROWS, seed=1)


def _fit(entry: ModelEntry, task: Task) -> Model[Any]:
    return _new(entry).fit(*_parts(entry, task))


@lru_cache(maxsize=8)
def _fitted(entry: ModelEntry, task: Task) -> Model[Any]:
    return _fit(entry, task)


@lru_cache(maxsize=8)
def _refitted(entry: ModelEntry, task: Task) -> Model[Any]:
    """Fit on the training rows alone, as long as the fit that was stopped by validation rows."""
    return entry.model(_fitted(entry, task).refit_spec, 1).fit(made_up(entry, task))


def _later(entry: ModelEntry, task: Task) -> Features:
    return made_up(entry, task, LATER_ROWS, seed=2).features


@lru_cache(maxsize=64)
def _fresh_digests(entry: ModelEntry) -> dict[Task, str]:
    code = (
        "import json, sys; from nightfold.models.checks import digests; "
        "print(json.dumps(digests(sys.argv[1], sys.argv[2:])))"
    )
    place, tasks = entry.place or entry.name, entry.capabilities.tasks
    ran = subprocess.run([sys.executable, "-c", code, place, *tasks], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise ContractError(f"a fresh process cannot fit it: {ran.stderr.strip().splitlines()[-1]}")
    found: dict[Task, str] = json.loads(ran.stdout.splitlines()[-1])
    return found


@contextmanager
def _folder() -> Any:
    with TemporaryDirectory() as name:
        yield Path(name)


def _saved(model: Model[Any]) -> dict[str, bytes]:
    with _folder() as folder:
        model.save(folder)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _digest(files: dict[str, bytes]) -> str:
    return hashlib.sha256(b"".join(name.encode() + hashlib.sha256(files[name]).digest() for name in files)).hexdigest()


def _array(features: Features) -> np.ndarray[Any, np.dtype[np.float32]]:
    return features.rows if isinstance(features, Windows) else features


def _with_array(features: Features, table: Any) -> Features:
    return replace(features, rows=table) if isinstance(features, Windows) else table


def _times(features: Features, factor: float) -> Features:
    return _with_array(features, factor * _array(features))


def _columns(features: Features, count: int) -> Features:
    return _with_array(features, _array(features)[:, :count])


def _spoilt(features: Features, value: float) -> Features:
    table = _array(features).copy()
    table[-2, 2] = value
    return _with_array(features, table)


def _whole(model: Model[Any], forecast: Prediction, rows: int) -> None:
    shape = (rows, len(model.objective.columns))
    _require(forecast.shape == shape, f"forecasts have the shape {forecast.shape}, not {shape}")
    _require(forecast.dtype == np.float64, f"forecasts are {forecast.dtype}, not float64")
    _require(bool(np.isfinite(forecast).all()), "forecasts are NaN or infinite")
    if model.objective.classes:
        _require(bool((forecast >= 0).all()), "probabilities are negative")
        _same(forecast.sum(axis=1), np.ones(rows), 1e-9, "probabilities do not sum to 1")
    if model.objective.task == "quantile":
        _require(bool((np.diff(forecast, axis=1) >= 0).all()), "quantiles cross")


def _same(found: Any, expected: Any, tolerance: float, otherwise: str) -> None:
    off = float(np.abs(found - expected).max(initial=0))
    _require(off <= tolerance, f"{otherwise}: by up to {off:.2g}")


def _require(kept: bool, otherwise: str) -> None:
    if not kept:
        raise ContractError(otherwise)


def _refused(action: Callable[[], object], error: type[Exception], what: str) -> None:
    try:
        action()
    except error:
        return
    except Exception as other:
        raise ContractError(f"{what}: expected {error.__name__}, met {type(other).__name__}: {other}") from other
    raise ContractError(f"{what}: accepted; expected {error.__name__}")
