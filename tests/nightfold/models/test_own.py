"""Families from files of one's own, from installed packages, and the file to begin with."""

import sys
from collections.abc import Callable
from importlib import invalidate_caches
from pathlib import Path

import pytest

from nightfold.errors import ConfigError, UnknownNameError
from nightfold.models.catalog import MODELS, find_model, model_names
from nightfold.models.checks import run_checks
from nightfold.models.own import load_entry
from nightfold.models.starter import starter_text

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make a package that offers a family under a name, from a module of the same name as the file's."""

    def make(name: str, target: str) -> None:
        (tmp_path / "other_models.py").write_text(starter_text("other_ridge"))
        info = tmp_path / "other_models-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-models\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[nightfold.models]\n{name} = {target}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "other_models", raising=False)
        invalidate_caches()

    return make


def test_the_starter_passes_every_check(tmp_path: Path) -> None:
    file = tmp_path / "my_model.py"
    file.write_text(starter_text("my_model"))
    entry = load_entry(f"{file}:ENTRY")
    assert entry.place == f"{file}:ENTRY"
    assert set(run_checks(entry, "regression").values()) == {None}


def test_a_bare_class_is_taken_with_its_tasks(tmp_path: Path) -> None:
    file = tmp_path / "my_model.py"
    file.write_text(starter_text("my_model"))
    entry = load_entry(f"{file}:MyModelModel", ["regression"])
    able = entry.capabilities
    assert (entry.name, able.tasks, able.inputs) == ("MyModelModel", ("regression",), "rows")
    with pytest.raises(ConfigError, match="bare class"):
        load_entry(f"{file}:MyModelModel")


def test_a_broken_promise_of_an_own_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "my_model.py"
    file.write_text(starter_text("my_model").replace("return self._center +", "return 0 * self._center + 0 *"))
    found = run_checks(load_entry(f"{file}:ENTRY"), "regression")
    assert {name for name, fault in found.items() if fault} == {"weights_count", "effect_is_found"}


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("json", r"`NAME` is .*my_model.py:json', a module; it must be a ModelEntry"),
        ("nothing", "has no model `nothing`"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, name: str, fault: str) -> None:
    file = tmp_path / "my_model.py"
    file.write_text(starter_text("my_model"))
    with pytest.raises(ConfigError, match=fault):
        load_entry(f"{file}:{name}")


def test_a_name_of_the_catalog_is_found_too() -> None:
    assert load_entry("ridge") is MODELS["ridge"]


@pytest.mark.parametrize("name", ["My_Model", "3d", "a-b", ""])
def test_a_starter_takes_small_python_names(name: str) -> None:
    with pytest.raises(ConfigError, match="small letters"):
        starter_text(name)


def test_an_installed_package_adds_a_family(install: Install) -> None:
    install("other_ridge", "other_models:ENTRY")
    assert find_model("other_ridge").capabilities.tasks == ("regression",)
    assert model_names() == [*MODELS, "other_ridge"]
    with pytest.raises(UnknownNameError, match="did you mean other_ridge"):
        find_model("other_rigde")


def test_a_package_cannot_replace_what_the_catalog_has(install: Install) -> None:
    install("ridge", "other_models:ENTRY")
    assert find_model("ridge") is MODELS["ridge"]
    assert model_names() == list(MODELS)


@pytest.mark.parametrize(
    ("name", "target", "fault"),
    [
        ("another", "other_models:ENTRY", "is the entry `other_ridge`"),
        ("another", "other_models:OtherRidgeModel", "must be a ModelEntry of that name"),
        ("another", "other_models:NOTHING", "cannot be loaded from other_models:NOTHING: AttributeError"),
        ("another", "no_such_module:ENTRY", "ModuleNotFoundError"),
    ],
)
def test_a_package_with_a_fault_is_told(install: Install, name: str, target: str, fault: str) -> None:
    install(name, target)
    with pytest.raises(ConfigError, match=fault):
        find_model(name)
