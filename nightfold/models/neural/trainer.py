"""Epoch after epoch until validation says stop, with a checkpoint after each."""

import logging
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nightfold.models.contract import ModelError
from nightfold.models.dataset import Dataset
from nightfold.models.neural.checkpoint import Checkpoint
from nightfold.models.neural.epoch import Epoch
from nightfold.models.neural.goal import Goal
from nightfold.models.neural.network import Network
from nightfold.models.neural.optimizer import AdamW
from nightfold.models.neural.scale import Batches
from nightfold.models.neural.spec import NetworkSpec
from nightfold.models.score import row_losses

LOG = logging.getLogger("nightfold.neural")
LONGEST_GRADIENT = 1.0
FORECAST_BATCH = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Rows of a split as a network sees them."""

    windows: Batches
    rows: Dataset

    def score(self, network: Network, goal: Goal) -> float:
        """Weighted mean of the task's proper loss."""
        forecast = goal.forecast(outputs(network, self.windows))
        return float(np.average(row_losses(goal.objective, forecast, self.rows.label), weights=self.rows.weight))


class Trainer:
    """A fit under way.

    Parameters
    ----------
    network, goal
        What learns, and what it aims at.
    train, validation
        Windows and labels; validation only decides when to stop.
    spec
        How it learns.
    source
        What decides the order of windows and what is silenced.
    """

    def __init__(
        self,
        network: Network,
        goal: Goal,
        train: Part,
        validation: Part | None,
        spec: NetworkSpec,
        source: torch.Generator,
    ) -> None:
        self.network = network
        self.goal = goal
        self.train = train
        self.validation = validation
        self.spec = spec
        self.source = source
        self.history: list[Epoch] = []
        self.best = 0
        self.lowest = validation.score(network, goal) if validation else math.inf
        self.kept = self._weights()
        self._optimizer = AdamW(dict(network.named_parameters()), spec.learning_rate, spec.weight_decay)
        device = train.windows.rows.device
        self._targets = goal.targets(train.rows).to(device)
        self._shares = torch.from_numpy(train.rows.weight.astype(np.float32)).to(device)

    def run(self, checkpoint: Checkpoint | None, progress: Callable[[Epoch], None]) -> None:
        """Train to the end, from where a checkpoint broke off; the network then has the weights of the best epoch."""
        if checkpoint and (found := checkpoint.read()):
            self._resume(*found)
        while not self._is_done:
            epoch = self._epoch()
            if checkpoint:
                checkpoint.write(*self._state())
            progress(epoch)
        if checkpoint:
            checkpoint.remove()
        if self.validation:
            self.network.load_state_dict(self.kept)
        self.network.eval()

    @property
    def epochs(self) -> int:
        """Epochs in force."""
        return self.best if self.validation else len(self.history)

    @property
    def _is_done(self) -> bool:
        patience = self.spec.early_stopping_epochs if self.validation else math.inf
        return len(self.history) >= self.spec.epochs or len(self.history) - self.best >= patience

    def _epoch(self) -> Epoch:
        loss = self._pass()
        score = self.validation.score(self.network, self.goal) if self.validation else None
        epoch = Epoch(len(self.history) + 1, self.spec.epochs, loss, score)
        self.history.append(epoch)
        if score is not None and score < self.lowest:
            self.best, self.lowest, self.kept = epoch.number, score, self._weights()
        return epoch

    def _pass(self) -> float:
        self.network.train()
        order = torch.randperm(len(self.train.windows), generator=self.source).to(self._targets.device)
        total = 0.0
        for chosen in order.tensor_split(math.ceil(len(order) / self.spec.batch)):
            losses = self.goal.losses(self.network(self.train.windows.batch(chosen)), self._targets[chosen])
            loss = (losses * self._shares[chosen]).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step(LONGEST_GRADIENT)
            total += loss.item() * len(chosen)
        if not math.isfinite(total):
            raise ModelError(f"`learning_rate` is {self.spec.learning_rate}; training diverged, take a lower one.")
        return total / len(order)

    def _weights(self) -> dict[str, Tensor]:
        return {name: each.detach().clone() for name, each in self.network.state_dict().items()}

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        parts = {
            "now": self._weights(),
            "best": self.kept,
            "first": self._optimizer.first,
            "second": self._optimizer.second,
        }
        tensors = {f"{part}/{name}": each.cpu() for part, named in parts.items() for name, each in named.items()}
        state = {
            "history": [asdict(epoch) for epoch in self.history],
            "best": self.best,
            "lowest": self.lowest,
            "steps": self._optimizer.steps,
        }
        return tensors | {"source": self.source.get_state()}, state

    def _resume(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        def part(wanted: str) -> dict[str, Tensor]:
            device, named = self._targets.device, (name.split("/", 1) for name in tensors if "/" in name)
            return {name: tensors[f"{part}/{name}"].to(device) for part, name in named if part == wanted}

        self.network.load_state_dict(part("now"))
        self.kept = part("best")
        self._optimizer.first, self._optimizer.second = part("first"), part("second")
        self._optimizer.steps = state["steps"]
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self.best, self.lowest = state["best"], state["lowest"]
        self.source.set_state(tensors["source"])
        LOG.info("taken up again after epoch %d", len(self.history))


def outputs(network: Network, windows: Batches) -> NDArray[np.float64]:
    """Numbers of each window, computed in batches: (windows, outputs)."""
    network.eval()
    with torch.inference_mode():
        parts = [
            network(windows.batch(slice(first, first + FORECAST_BATCH)))
            for first in range(0, len(windows), FORECAST_BATCH)
        ]
        return np.asarray(torch.cat(parts).double().cpu().numpy())
