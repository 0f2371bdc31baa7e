"""Fracast-0 as a body: quantiles of the next steps of a series."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nightfold.models.contract import ModelError
from nightfold.models.neural.extra import MissingExtraError, require_neural
from nightfold.models.pretrained.model import Body, PretrainedModel
from nightfold.models.pretrained.spec import FracastSpec


class FracastModel(PretrainedModel[FracastSpec]):
    """Fracast-0 under a read-out."""

    spec_type = FracastSpec
    libraries = ("fracast", "numpy", "torch")

    def check_here(self) -> None:
        """Refuse to go on without a folder that may be read, or the package."""
        super().check_here()
        _require_fracast()

    def own_folder(self) -> Path:
        """Weights that the installed package carries."""
        _require_fracast()
        found: Any = find_spec("fracast")
        return Path(found.origin).parent / "weights"

    def open_body(self, folder: Path) -> Body:
        """Read `model.safetensors` and `config.json`; of a folder that exists the package looks nowhere else."""
        _require_fracast()
        fracast: Any = import_module("fracast")
        try:
            inner = fracast.FracastModel.from_pretrained(folder, weights="fp32", device="cpu")
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(f"{folder} holds no whole Fracast model: {error}") from error
        return _Quantiles(inner, [step - 1 for step in self.spec.steps])


class _Quantiles:
    """Its quantiles of some steps, on one thread; a window's numbers are the same in any batch."""

    def __init__(self, inner: Any, steps: list[int]) -> None:
        self._inner = inner
        self._steps = steps

    def forecast(self, windows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Give (windows, steps, 9 levels)."""
        import torch

        from nightfold.models.neural.alone import alone

        with alone(torch.device("cpu")):
            said = self._inner.forecast_batch(windows, horizon=max(self._steps) + 1)
        return np.asarray(said[:, self._steps])


def _require_fracast() -> None:
    require_neural("FracastModel", "torch")
    if find_spec("fracast") is None:
        raise MissingExtraError(
            "FracastModel needs fracast, not installed here: pip install --no-deps fracast==0.1.0. Of what it names as "
            "needed, that which is not here serves downloads alone, and none is made."
        )
