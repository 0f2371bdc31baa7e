"""The folder a pretrained model lies in: what may be in it, its digests, and a door without a way to the internet."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from nightfold.errors import ConfigError
from nightfold.models.contract import ModelError
from nightfold.models.pickles import begins_like_pickle

READ = frozenset({".safetensors", ".json"})
"""Endings of the files that make up a body."""
PICKLED = frozenset({".bin", ".ckpt", ".joblib", ".npy", ".npz", ".pickle", ".pkl", ".pt", ".pth"})
"""Endings under which pickles are kept: one of them in the folder, and it is refused."""
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
"""Told to libraries that would fetch what they do not find."""

_LOCK = RLock()


def body_files(folder: Path) -> list[Path]:
    """List the files a body is made of.

    Raises
    ------
    ConfigError
        If there is no such folder, it holds no safetensors, or a pickle lies in it.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"`folder` is {folder}; there is no such folder, and nothing is downloaded. Put the model there."
        )
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    pickled = [path.relative_to(folder).as_posix() for path in files if _is_pickle(path)]
    if pickled:
        raise ConfigError(
            f"`folder` is {folder}, which holds {', '.join(pickled)}; pickles run code when they are read. Keep the "
            "safetensors in a folder of their own."
        )
    if not any(path.suffix == ".safetensors" for path in files):
        raise ConfigError(f"`folder` is {folder}, which holds no .safetensors; weights are read from no other format.")
    return [path for path in files if path.suffix in READ]


def body_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file a body is made of, by its path within the folder; errors as of `body_files`."""
    return {path.relative_to(folder).as_posix(): _digest(path) for path in body_files(folder)}


def check_body(folder: Path, wanted: Mapping[str, str]) -> None:
    """See that a folder holds the body that a model was fitted on, to the last byte.

    Raises
    ------
    ModelError
        If a file was changed, lost or added.
    ConfigError
        If the folder is refused altogether.
    """
    found = body_digests(folder)
    changed = sorted({path for path, _ in found.items() ^ wanted.items()})
    if changed:
        raise ModelError(
            f"the body in {folder} differs from the one it was fitted on in {', '.join(changed)} (the old files put "
            "back would do)"
        )


@contextmanager
def offline() -> Iterator[None]:
    """Tell libraries to stay off the internet while a body is opened; one thread at a time."""
    with _LOCK:
        before = {name: os.environ.get(name) for name in OFFLINE}
        os.environ.update(OFFLINE)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def _is_pickle(path: Path) -> bool:
    """Tell pickles by their ending and by how they begin; torch's are zip archives."""
    with path.open("rb") as file:
        start = file.read(3)
    return path.suffix in PICKLED or start[:2] == b"PK" or begins_like_pickle(start)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
