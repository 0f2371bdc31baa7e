"""What may lie in the folder of a pretrained model."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from nightfold.errors import ConfigError
from nightfold.models.contract import ModelError
from nightfold.models.pretrained.folder import OFFLINE, body_digests, check_body, offline
from nightfold.models.pretrained.spec import PretrainedSpec


def test_a_body_is_its_safetensors_and_json(weights: Path) -> None:
    assert list(body_digests(weights)) == ["config.json", "model.safetensors"]


def test_a_folder_that_is_not_there_is_refused_and_not_fetched(weights: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such folder, and nothing is downloaded"):
        body_digests(weights / "other")
    with pytest.raises(ConfigError, match="there is no such folder"):
        body_digests(weights / "model.safetensors")


def test_a_folder_without_safetensors_is_refused(weights: Path) -> None:
    (weights / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"holds no \.safetensors"):
        body_digests(weights)


@pytest.mark.parametrize("name", ["model.bin", "model.pt", "model.pkl", "deep/model.pth", "last.ckpt"])
def test_a_pickle_beside_the_safetensors_is_refused_by_its_ending(weights: Path, name: str) -> None:
    (weights / name).parent.mkdir(exist_ok=True)
    (weights / name).write_bytes(b"weights")
    with pytest.raises(ConfigError, match=f"{name}; pickles run code"):
        body_digests(weights)


def test_a_pickle_under_another_name_is_refused_by_how_it_begins(weights: Path) -> None:
    hidden = weights / "weights.safetensors"
    hidden.write_bytes(pickle.dumps({"line": [1.0]}))
    with pytest.raises(ConfigError, match=r"weights\.safetensors; pickles"):
        body_digests(weights)
    with zipfile.ZipFile(hidden, "w") as archive:  # as torch keeps them
        archive.writestr("archive/data.pkl", pickle.dumps([1.0]))
    with pytest.raises(ConfigError, match=r"weights\.safetensors; pickles"):
        body_digests(weights)


def test_safetensors_that_begin_with_the_length_of_a_protocol_are_no_pickle(weights: Path) -> None:
    size = (640).to_bytes(8, "little")  # 80 02, as protocol 2 begins
    content = next(each for n in range(700) if (each := save({"a": np.ones(3)}, {"a": "x" * n}))[:8] == size)
    (weights / "model.safetensors").write_bytes(content)
    assert list(body_digests(weights)) == ["config.json", "model.safetensors"]


def test_a_body_that_changed_by_a_byte_grew_or_shrank_is_told_by_file(weights: Path) -> None:
    wanted = body_digests(weights)
    (weights / "README.md").write_text("Other words.")
    check_body(weights, wanted)
    (weights / "more.json").write_text("{}")
    with pytest.raises(ModelError, match=r"fitted on in more\.json"):
        check_body(weights, wanted)
    (weights / "more.json").unlink()
    (weights / "config.json").write_text("{ }")
    with pytest.raises(ModelError, match=r"fitted on in config\.json"):
        check_body(weights, wanted)
    (weights / "config.json").unlink()
    with pytest.raises(ModelError, match=r"fitted on in config\.json"):
        check_body(weights, wanted)


def test_libraries_are_told_to_stay_offline_and_all_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    with offline(), offline():
        assert {name: os.environ[name] for name in OFFLINE} == OFFLINE
    assert os.environ["HF_HUB_OFFLINE"] == "0"
    assert "TRANSFORMERS_OFFLINE" not in os.environ


@pytest.mark.parametrize("folder", ["ztxtech/fracast-0", "models/tiny", ""])
def test_a_name_or_a_relative_folder_is_refused_as_the_file_is_read(folder: str) -> None:
    with pytest.raises(ValueError, match="it must be a path from `/` or `~`"):
        PretrainedSpec(folder=folder)
