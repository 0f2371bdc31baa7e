"""What every entry of the catalog keeps to; a new entry is under these tests without a line here."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.errors import SchemaError
from nightfold.models.bundle import load_bundle, save_bundle
from nightfold.models.catalog import MODELS, ModelEntry
from nightfold.models.contract import Model, ModelError, UnfittedError
from nightfold.models.dataset import Dataset
from nightfold.models.train import train_model

Make = Callable[..., Dataset]

pytestmark = pytest.mark.parametrize("entry", MODELS.values(), ids=lambda entry: entry.name)


def fitted(entry: ModelEntry, rows: Dataset, validation: Dataset | None = None, seed: int = 1) -> Model[Any]:
    """A model of the entry with its default spec."""
    return entry.model(entry.spec(), seed).fit(rows, validation)


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its path within."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_and_rows_give_the_same_bytes(entry: ModelEntry, make_rows: Make, tmp_path: Path) -> None:
    for folder in ("once", "twice"):
        trained = train_model(entry, entry.spec(), make_rows(), make_rows(800, seed=1), seed=5)
        save_bundle(tmp_path / folder, {5: trained})
    assert files(tmp_path / "once") == files(tmp_path / "twice")
    assert load_bundle(tmp_path / "once").digest == load_bundle(tmp_path / "twice").digest


def test_other_rows_give_another_digest(entry: ModelEntry, make_rows: Make, tmp_path: Path) -> None:
    digests = set()
    for seed in (0, 1):
        trained = train_model(entry, entry.spec(), make_rows(seed=seed), make_rows(800, seed=9))
        digests.add(save_bundle(tmp_path / str(seed), {5: trained}).digest)
    assert len(digests) == 2


def test_a_loaded_model_predicts_the_same_and_saves_the_same(
    entry: ModelEntry, make_rows: Make, tmp_path: Path
) -> None:
    model = fitted(entry, make_rows(), make_rows(800, seed=1))
    model.save(tmp_path / "first")
    loaded = entry.model.load(tmp_path / "first")
    loaded.save(tmp_path / "second")
    features = make_rows(500, seed=2).features
    assert np.array_equal(loaded.predict(features), model.predict(features))
    assert files(tmp_path / "first") == files(tmp_path / "second")
    assert (loaded.names, loaded.seed, loaded.spec, loaded.rounds) == (model.names, 1, model.spec, model.rounds)


def test_nothing_is_stored_as_a_pickle(entry: ModelEntry, make_rows: Make, tmp_path: Path) -> None:
    fitted(entry, make_rows()).save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".txt", ".safetensors"}


def test_probabilities_are_three_and_sum_to_one(entry: ModelEntry, make_rows: Make) -> None:
    features = make_rows(500, seed=2).features
    extreme = np.vstack([features, 1e6 * features])
    probabilities = fitted(entry, make_rows()).predict(extreme)
    assert probabilities.shape == (1000, 3)
    assert probabilities.dtype == np.float64
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=0, atol=1e-12)


def test_a_row_is_forecast_by_itself(entry: ModelEntry, make_rows: Make) -> None:
    model, features = fitted(entry, make_rows()), make_rows(300, seed=2).features
    together = model.predict(features)
    one_by_one = np.vstack([model.predict(features[row : row + 1]) for row in range(300)])
    np.testing.assert_allclose(one_by_one, together, rtol=0, atol=1e-6)
    np.testing.assert_allclose(model.predict(features[::-1]), together[::-1], rtol=0, atol=1e-6)
    assert model.predict(features[:0]).shape == (0, 3)


def test_prediction_changes_neither_the_model_nor_its_input(entry: ModelEntry, make_rows: Make, tmp_path: Path) -> None:
    model, features = fitted(entry, make_rows()), make_rows(300, seed=2).features
    before = features.copy()
    model.save(tmp_path / "before")
    first = model.predict(features)
    model.predict(make_rows(300, seed=3).features)
    assert np.array_equal(model.predict(features), first)
    model.save(tmp_path / "after")
    assert files(tmp_path / "before") == files(tmp_path / "after")
    assert np.array_equal(features, before)


def test_fitting_leaves_the_rows_as_they_were(entry: ModelEntry, make_rows: Make) -> None:
    train, validation = make_rows(), make_rows(800, seed=1)
    before = train.fingerprint, validation.fingerprint
    fitted(entry, train, validation)
    assert (train.fingerprint, validation.fingerprint) == before


def test_an_unfitted_model_says_so(entry: ModelEntry, make_rows: Make, tmp_path: Path) -> None:
    model = entry.model(entry.spec())
    with pytest.raises(UnfittedError, match="has not been fitted"):
        model.predict(make_rows(5).features)
    with pytest.raises(UnfittedError, match="has not been fitted"):
        model.save(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_fit_that_fails_leaves_the_model_unfitted(
    entry: ModelEntry, make_rows: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    model = entry.model(entry.spec())
    monkeypatch.setattr(entry.model, "_fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(make_rows())
    with pytest.raises(UnfittedError):
        model.predict(make_rows(5).features)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused(entry: ModelEntry, make_rows: Make, value: float) -> None:
    model, features = fitted(entry, make_rows()), make_rows(5).features.copy()
    features[3, 2] = value
    with pytest.raises(SchemaError, match="NaN or infinity"):
        model.predict(features)


def test_another_number_of_columns_is_refused(entry: ModelEntry, make_rows: Make) -> None:
    model, features = fitted(entry, make_rows()), make_rows(5).features
    for wrong in (features[:, :4], features[0]):
        with pytest.raises(SchemaError, match="rows of 5 columns"):
            model.predict(wrong)


def test_unknown_missing_and_misplaced_columns_are_refused(entry: ModelEntry, make_rows: Make, tmp_path: Path) -> None:
    trained = train_model(entry, entry.spec(), make_rows(), make_rows(800, seed=1))
    bundle = save_bundle(tmp_path / "bundle", {5: trained})
    frame = pl.DataFrame(make_rows(20, seed=2).features, schema=["a", "b", "c", "d", "e"])
    assert bundle.predict(frame, 5).shape == (20, 3)
    for wrong, fault in (
        (frame.rename({"c": "z"}), "missing c; unknown z"),
        (frame.drop("e"), "missing e"),
        (frame.with_columns(z=pl.lit(0.0, pl.Float32)), "unknown z"),
        (frame.select("b", "a", "c", "d", "e"), "b stands where a belongs"),
        (frame.with_columns(pl.col("a").cast(pl.Float64)), "a is Float64"),
        (frame.with_columns(a=pl.lit(None, pl.Float32)), "a holds nulls"),
    ):
        with pytest.raises(SchemaError, match=fault):
            bundle.predict(wrong, 5)


def test_validation_with_other_features_is_refused(entry: ModelEntry, make_rows: Make) -> None:
    other = replace(make_rows(800, seed=1), names=("b", "a", "c", "d", "e"))
    with pytest.raises(SchemaError, match="`validation` has other features"):
        fitted(entry, make_rows(), other)


def test_a_row_without_weight_is_as_good_as_absent(entry: ModelEntry, make_rows: Make) -> None:
    rows = make_rows()
    kept = np.random.default_rng(0).random(len(rows)) < 0.7
    silenced = replace(rows, weight=np.where(kept, rows.weight, 0))
    features = make_rows(500, seed=2).features
    whole = fitted(entry, rows).predict(features)
    without = fitted(entry, rows.take(kept)).predict(features)
    assert np.array_equal(fitted(entry, silenced).predict(features), without)
    assert not np.array_equal(whole, without)


def test_more_weight_on_a_class_makes_it_likelier(entry: ModelEntry, make_rows: Make) -> None:
    rows, features = make_rows(), make_rows(500, seed=2).features
    heavy = replace(rows, weight=np.where(rows.label == 1, 4 * rows.weight, rows.weight))
    gain = fitted(entry, heavy).predict(features)[:, 2] - fitted(entry, rows).predict(features)[:, 2]
    assert gain.mean() > 0.1


def test_the_scale_of_weights_does_not_matter(entry: ModelEntry, make_rows: Make) -> None:
    rows, features = make_rows(), make_rows(500, seed=2).features
    scaled = replace(rows, weight=1024 * rows.weight)
    np.testing.assert_allclose(
        fitted(entry, scaled).predict(features), fitted(entry, rows).predict(features), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("present", [(-1, 1), (0, 1), (0,)])
def test_a_class_missing_in_training_keeps_its_column(
    entry: ModelEntry, make_rows: Make, present: tuple[int, ...]
) -> None:
    rows = make_rows()
    model = fitted(entry, rows.take(np.isin(rows.label, present)))
    probabilities = model.predict(make_rows(500, seed=2).features)
    missing = [column for column in range(3) if column - 1 not in present]
    assert probabilities.shape == (500, 3)
    assert (probabilities[:, missing] < 1e-5).all()
    assert (probabilities > 0).all()


def test_training_without_a_weighted_row_is_refused(entry: ModelEntry, make_rows: Make) -> None:
    rows = make_rows(10)
    for empty in (rows.take([]), replace(rows, weight=np.zeros(10))):
        with pytest.raises(SchemaError, match="none with a weight over 0"):
            fitted(entry, empty)
        with pytest.raises(SchemaError, match="`validation`"):
            fitted(entry, rows, empty)


def test_one_row_is_enough_to_fit(entry: ModelEntry, make_rows: Make) -> None:
    rows = make_rows(1)
    assert fitted(entry, rows).predict(rows.features)[0, rows.codes[0]] > 0.99


def test_a_damaged_folder_is_refused(entry: ModelEntry, make_rows: Make, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no whole"):
        entry.model.load(tmp_path)
    fitted(entry, make_rows()).save(tmp_path)
    card = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**card, "spec": {"no_such_field": 1}}))
    with pytest.raises(ModelError, match="no_such_field"):
        entry.model.load(tmp_path)
