"""A fit under way, on disk after every epoch: taken up again it ends in the same bytes as one that was never broken."""

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

LOG = logging.getLogger("nightfold.neural")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One file in a scratch folder.

    Parameters
    ----------
    folder
        Made as needed.
    key
        Of everything that decides what is learnt: spec, seed, rows, libraries.
    """

    folder: Path
    key: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.folder / f"{self.key}.safetensors"

    def write(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Put weights and numbers in place of those of the epoch before, both or neither."""
        self.folder.mkdir(parents=True, exist_ok=True)
        written = self.path.with_suffix(f".{os.getpid()}")
        save_file(tensors, written, metadata={"state": json.dumps(state)})
        written.replace(self.path)

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return what was written last; None where there is nothing, or it cannot be read: then all starts anew."""
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as stored:
                state: dict[str, Any] = json.loads(stored.metadata()["state"])
                return {name: stored.get_tensor(name) for name in stored.keys()}, state  # noqa: SIM118  # no mapping
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            LOG.warning("The checkpoint %s cannot be read and is left out: %s", self.path, error)
            return None

    def remove(self) -> None:
        """Forget it, once the fit is whole."""
        self.path.unlink(missing_ok=True)
