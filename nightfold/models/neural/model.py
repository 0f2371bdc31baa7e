"""Networks as models: what they share with every family, and the files they are kept in."""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from nightfold.models.contract import Curves, Model, ModelError, Prediction
from nightfold.models.dataset import Dataset
from nightfold.models.neural.epoch import Epoch
from nightfold.models.neural.extra import require_neural
from nightfold.models.neural.spec import GRUSpec, LSTMSpec, NetworkSpec, NextBarSpec, TCNSpec, TransformerSpec
from nightfold.models.window import Windows
from nightfold.spec import fingerprint

if TYPE_CHECKING:
    import torch

    from nightfold.models.neural.checkpoint import Checkpoint
    from nightfold.models.neural.goal import Goal
    from nightfold.models.neural.scale import Scale
    from nightfold.models.neural.trainer import Part

LOG = logging.getLogger("nightfold.neural")
FORMAT = 1
"""Raised when the same spec and rows come to learn something else, so that no old checkpoint is taken up."""
TENSORS, CARD = "network.safetensors", "network.json"

S = TypeVar("S", bound=NetworkSpec)


class NeuralModel(Model[S]):
    """A network over windows that starts at the constant forecast and stops where validation is best.

    A fit with the same spec, seed, rows and CPU gives the same files, also where it was broken off and taken up again
    from its `scratch`; on a GPU it need not, and the files say where it was.
    """

    libraries: ClassVar[tuple[str, ...]] = ("numpy", "torch")
    progress: Callable[[Epoch], None] | None = None
    """Told of each epoch, beside the log."""

    @property
    def window(self) -> int:
        """Bars each forecast looks at."""
        return self.spec.window

    @property
    def rounds(self) -> int:
        """Epochs in force: up to the best validation score, 0 where none beat the constant."""
        return self._epochs

    @property
    def refit_spec(self) -> S:
        """The spec with the epochs that early stopping found."""
        return self.spec.model_copy(update={"epochs": self.rounds})

    @property
    def history(self) -> tuple[Epoch, ...]:
        """Every epoch of the fit, also those after the best; none after `load`."""
        return self._history

    @property
    def curves(self) -> Curves:
        """Scores by epoch; those of ``train`` as weights move, and not for the next bar, whose loss is another."""
        stopping = {e.number: self._goal.score(e.score, 1.0) for e in self._history if e.score is not None}
        if not stopping or self.objective.task == "next_bar":
            return {"stopping": stopping} if stopping else {}
        train = {epoch.number: self._goal.score(epoch.loss, self._goal.unit) for epoch in self._history}
        return {"train": train, "stopping": stopping}

    @property
    def device(self) -> str:
        """Where it was trained: ``cpu``, whose bytes repeat themselves, or ``cuda``."""
        return self._device

    def check_here(self) -> None:
        """Refuse to go on without the libraries, or a GPU that is asked for."""
        require_neural(type(self).__name__, *self.libraries)
        if self.spec.device == "cuda":  # else torch, which takes its time, is not needed to tell
            from nightfold.models.neural.device import find_device

            find_device(self.spec.device)

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        require_neural(type(self).__name__, *self.libraries)
        import torch

        from nightfold.models.neural.alone import alone
        from nightfold.models.neural.device import find_device
        from nightfold.models.neural.network import Network
        from nightfold.models.neural.scale import Scale
        from nightfold.models.neural.trainer import Trainer

        device, rows = find_device(self.spec.device), self._chosen(train)
        source = torch.Generator().manual_seed(self.seed)
        scale, goal, columns = Scale.of(rows, self.spec.clip), self._aim(rows), self._read_columns(train.names)
        with alone(device):
            network = Network(self.spec, len(train.names), len(goal.start), source, columns).to(device)
            parts = _part(rows, scale, device), None if validation is None else _part(validation, scale, device)
            trainer = Trainer(network, goal, *parts, self.spec, source)
            trainer.run(self._checkpoint(train, validation, device.type), self._tell)
        self._network, self._scale, self._goal, self._columns = network, scale, goal, columns
        self._epochs, self._history, self._device = trainer.epochs, tuple(trainer.history), device.type

    def _predict(self, features: Windows) -> Prediction:
        from nightfold.models.neural.alone import alone
        from nightfold.models.neural.trainer import outputs

        device = self._network.head.weight.device
        with alone(device):
            return self._goal.forecast(outputs(self._network, self._scale.windows(features, device)))

    def _write(self, folder: Path) -> None:
        from safetensors.torch import save_file

        weights = {f"network/{name}": each.cpu() for name, each in self._network.state_dict().items()}
        save_file(weights | self._scale.tensors() | self._goal.tensors(), folder / TENSORS)
        card = {"device": self._device, "epochs": self._epochs, "columns": self._columns}
        (folder / CARD).write_text(json.dumps(card) + "\n")

    def _read(self, folder: Path) -> None:
        require_neural(type(self).__name__, *self.libraries)
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from nightfold.models.neural.device import find_device
        from nightfold.models.neural.goal import Goal
        from nightfold.models.neural.network import Network
        from nightfold.models.neural.scale import Scale

        card = json.loads((folder / CARD).read_text())
        try:
            tensors = load_file(folder / TENSORS)
            scale, goal = Scale.restored(tensors, self.spec.clip), Goal.restored(self.objective, tensors)
            network = Network(self.spec, len(scale.mean), len(goal.start), torch.Generator(), card["columns"])
            network.load_state_dict({name[8:]: each for name, each in tensors.items() if name.startswith("network/")})
        except (SafetensorError, RuntimeError) as error:
            raise ModelError(f"{TENSORS} is damaged or of another spec: {error}") from error
        self._network, self._scale, self._goal = network.to(find_device(self.spec.device)).eval(), scale, goal
        self._columns = list(card["columns"])
        self._epochs, self._history, self._device = int(card["epochs"]), (), str(card["device"])

    def _chosen(self, train: Dataset) -> Dataset:
        """Rows that are learnt from."""
        return train

    def _aim(self, rows: Dataset) -> "Goal":
        from nightfold.models.neural.goal import Goal

        return Goal.of(rows)

    def _read_columns(self, names: Sequence[str]) -> list[int]:
        """Positions of the features a time-series network reads; networks of our own read all."""
        return []

    def _tell(self, epoch: Epoch) -> None:
        score = "" if epoch.score is None else f", validation {epoch.score:.6g}"
        LOG.info("%s epoch %d of %d: loss %.6g%s", type(self).__name__, epoch.number, epoch.of, epoch.loss, score)
        if self.progress:
            self.progress(epoch)

    def _checkpoint(self, train: Dataset, validation: Dataset | None, device: str) -> "Checkpoint | None":
        if self.scratch is None:
            return None
        import torch

        from nightfold.models.neural.checkpoint import Checkpoint

        rows = [train.fingerprint, None if validation is None else validation.fingerprint]
        fit = [FORMAT, type(self).__name__, self.spec.fingerprint, self.seed, self.objective.fingerprint]
        return Checkpoint(self.scratch, fingerprint([*fit, *rows, device, str(torch.__version__)]))


class LSTMModel(NeuralModel[LSTMSpec]):
    """Long short-term memory over the window."""

    spec_type = LSTMSpec


class GRUModel(NeuralModel[GRUSpec]):
    """Gated recurrent units over the window."""

    spec_type = GRUSpec


class TCNModel(NeuralModel[TCNSpec]):
    """Causal convolutions over the window."""

    spec_type = TCNSpec


class TransformerModel(NeuralModel[TransformerSpec]):
    """Causal attention over the window."""

    spec_type = TransformerSpec


class NextBarModel(NeuralModel[NextBarSpec]):
    """The next-bar Transformer: log change of the next close, and the probability that its sign is right.

    The change is learnt in standard deviations of the training labels under a Huber loss, so it lies between their
    conditional mean and median. Whether a sign was right is judged on the forecast as it stands: the confidence learns
    from that, and the forecast does not learn to be easy to judge.
    """

    spec_type = NextBarSpec

    def _chosen(self, train: Dataset) -> Dataset:
        windows: Any = train.features
        ends: NDArray[np.int64] = windows.ends
        return train.take((ends - ends.max()) % self.spec.stride == 0)

    def _aim(self, rows: Dataset) -> "Goal":
        from nightfold.models.neural.goal import Goal

        return Goal.of(rows, self.spec.confidence_weight)


def _part(rows: Dataset, scale: "Scale", device: "torch.device") -> "Part":
    from nightfold.models.neural.trainer import Part

    windows: Any = rows.features
    return Part(scale.windows(windows, device), rows)
