"""Bundles vouch for every byte."""

import json
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nightfold.errors import ConfigError
from nightfold.models.boosting.lightgbm import LightGBMSpec
from nightfold.models.bundle import Bundle, Manifest, VersionWarning, load_bundle, save_bundle
from nightfold.models.catalog import MODELS
from nightfold.models.contract import ModelError, corrected
from nightfold.models.dataset import Dataset
from nightfold.models.train import Trained, train_model

Make = Callable[..., Dataset]


@pytest.fixture(scope="module")
def trained(make_rows: Make) -> dict[int, Trained]:
    """LightGBM models of two horizons."""
    entry = MODELS["lightgbm"]
    return {
        horizon: train_model(entry, LightGBMSpec(rounds=20), make_rows(seed=horizon), make_rows(800, seed=1), seed=3)
        for horizon in (20, 5)
    }


@pytest.fixture
def stored(trained: dict[int, Trained], tmp_path: Path) -> Path:
    """A folder with their bundle."""
    save_bundle(tmp_path / "bundle", trained)
    return tmp_path / "bundle"


def frame(make_rows: Make) -> pl.DataFrame:
    """Twenty rows of features."""
    return pl.DataFrame(make_rows(20, seed=9).features, schema=["a", "b", "c", "d", "e"])


def test_what_is_loaded_is_what_was_saved(trained: dict[int, Trained], make_rows: Make, tmp_path: Path) -> None:
    saved = save_bundle(tmp_path / "bundle", trained)
    loaded = load_bundle(tmp_path / "bundle")
    assert loaded.manifest == saved.manifest
    assert loaded.digest == saved.digest
    assert len(saved.digest) == 64
    assert (loaded.horizons, loaded.names) == ((5, 20), ("a", "b", "c", "d", "e"))
    for horizon in (5, 20):
        forecast = loaded.predict(frame(make_rows), horizon)
        assert np.array_equal(forecast, saved.predict(frame(make_rows), horizon))
        raw = trained[horizon].model.predict(make_rows(20, seed=9).features)
        assert np.array_equal(forecast, corrected(raw, trained[horizon].correction))
    assert not np.array_equal(loaded.predict(frame(make_rows), 5), loaded.predict(frame(make_rows), 20))


def test_the_manifest_tells_where_the_models_come_from(trained: dict[int, Trained], stored: Path) -> None:
    manifest = load_bundle(stored).manifest
    assert manifest.model == "lightgbm"
    assert manifest.seed == 3
    assert manifest.spec["rounds"] == 20
    assert manifest.datasets == {5: trained[5].dataset, 20: trained[20].dataset}
    assert manifest.metrics[5] == trained[5].metrics
    assert manifest.rounds == {5: trained[5].rounds, 20: trained[20].rounds}
    assert set(manifest.versions) == {"lightgbm", "numpy"}
    assert manifest.objective.classes == (-1, 0, 1)


def test_a_bundle_may_be_moved_and_holds_no_place_or_time(stored: Path, tmp_path: Path) -> None:
    shutil.move(stored, tmp_path / "elsewhere")
    assert load_bundle(tmp_path / "elsewhere").horizons == (5, 20)
    for path in (tmp_path / "elsewhere").rglob("*"):
        assert path.is_dir() or str(tmp_path).encode() not in path.read_bytes()


def test_keys_beside_the_features_are_passed_over(stored: Path, make_rows: Make) -> None:
    bundle: Bundle = load_bundle(stored)
    keyed = frame(make_rows).with_columns(symbol=pl.lit("BTCUSDT"), open_time=pl.lit(0))
    assert np.array_equal(bundle.predict(keyed, 5), bundle.predict(frame(make_rows), 5))


def test_an_unknown_horizon_is_refused(stored: Path, make_rows: Make) -> None:
    with pytest.raises(ConfigError, match="`horizon` is 7; this bundle has 5, 20"):
        load_bundle(stored).predict(frame(make_rows), 7)


def flip(path: Path) -> None:
    """Change one digit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [flip, Path.unlink])
@pytest.mark.parametrize("name", ["h05/trees_0.txt", "h20/model.json", "h05/start.json"])
def test_a_changed_or_lost_model_file_is_refused(damage: Callable[[Path], None], name: str, stored: Path) -> None:
    damage(stored / name)
    with pytest.raises(ModelError, match=f"differs from its manifest in {name}"):
        load_bundle(stored)


def test_an_added_model_file_is_refused_and_files_beside_the_models_are_not(stored: Path) -> None:
    (stored / "oof.parquet").write_bytes(b"something the lake keeps")
    assert load_bundle(stored).horizons == (5, 20)
    (stored / "h05" / "extra").write_bytes(b"")
    with pytest.raises(ModelError, match="h05/extra"):
        load_bundle(stored)


def test_a_changed_manifest_is_refused(stored: Path) -> None:
    manifest = json.loads((stored / "bundle.json").read_text())
    manifest["features"] = ["b", "a", "c", "d", "e"]
    (stored / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="was changed after it was written"):
        load_bundle(stored)


def fitted_by(stored: Path, **versions: str) -> None:
    """Write other versions into a manifest, as a fit by those libraries would have."""
    settings = json.loads((stored / "bundle.json").read_text())
    del settings["digest"]
    settings["versions"] |= versions
    manifest = Manifest.model_validate(settings)
    text = json.dumps({"digest": manifest.digest, **manifest.model_dump(mode="json")})
    (stored / "bundle.json").write_text(text)


def test_another_major_version_of_a_library_is_refused_with_the_way_out(stored: Path) -> None:
    fitted_by(stored, lightgbm="0.0.1")
    with pytest.raises(
        ModelError, match=r"fitted by lightgbm 0\.0\.1 \(installed: .* or train it again with `--force`"
    ):
        load_bundle(stored)


def test_another_version_of_the_same_major_one_is_read_and_told(stored: Path) -> None:
    own = version("lightgbm")
    other = f"{own.split('.')[0]}.999.0"
    fitted_by(stored, lightgbm=other)
    with pytest.warns(VersionWarning, match=rf"fitted by lightgbm {other} \(installed: {own}\); forecasts may differ"):
        assert load_bundle(stored).horizons == (5, 20)


@pytest.mark.parametrize(("fitted", "installed"), [("0.1.4", "0.2.0"), ("1.9", "2.0"), ("0.3", "1.3")])
def test_behind_a_zero_the_second_number_is_the_major_one(
    fitted: str, installed: str, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted_by(stored, lightgbm=fitted)
    found = {"lightgbm": installed, "numpy": version("numpy")}
    monkeypatch.setattr("nightfold.models.bundle.version", found.__getitem__)
    with pytest.raises(ModelError, match="across major versions"):
        load_bundle(stored)
    fitted_by(stored, lightgbm=f"{installed}.post1")
    with pytest.warns(VersionWarning):
        load_bundle(stored)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"digest": "x", "unknown": 1}'])
def test_a_damaged_or_missing_manifest_is_refused(text: str, stored: Path, tmp_path: Path) -> None:
    (stored / "bundle.json").write_text(text)
    for folder in (stored, tmp_path / "nowhere"):
        with pytest.raises(ModelError, match="holds no whole bundle"):
            load_bundle(folder)


def test_a_used_folder_is_refused(stored: Path, trained: dict[int, Trained]) -> None:
    with pytest.raises(ModelError, match="is not empty"):
        save_bundle(stored, trained)


def test_models_that_do_not_belong_together_are_refused(
    trained: dict[int, Trained], make_rows: Make, tmp_path: Path
) -> None:
    entry = MODELS["class_frequencies"]
    other = train_model(entry, entry.spec(), make_rows(), make_rows(800, seed=1))
    for mixed in ({5: trained[5], 20: other}, {}):
        with pytest.raises(ModelError, match="one family"):
            save_bundle(tmp_path / "mixed", mixed)
    assert not (tmp_path / "mixed").exists()
