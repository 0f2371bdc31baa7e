"""Features on one scale, by what training rows alone say, and as tensors from which windows are cut batch by batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nightfold.models.dataset import Dataset
from nightfold.models.window import Windows


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Mean and standard deviation of each feature.

    They are those of the bars that training windows end at, by the weight of the row; bars that are only looked back
    at have no say. A feature that never varied says nothing and becomes 0.

    Parameters
    ----------
    mean, deviation
        One per feature.
    clip
        Deviations beyond which a value counts as that many.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    clip: float

    @classmethod
    def of(cls, rows: Dataset, clip: float) -> Self:
        """Measure training rows."""
        newest = rows.table.astype(np.float64)
        mean = np.average(newest, axis=0, weights=rows.weight)
        deviation = np.sqrt(np.average((newest - mean) ** 2, axis=0, weights=rows.weight))
        return cls(mean, np.where(deviation > 1e-9 * np.abs(mean), deviation, 0.0), clip)

    def apply(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale and clip rows; what is unknown stays so."""
        inverse = np.divide(1, self.deviation, out=np.zeros_like(self.deviation), where=self.deviation > 0)
        with np.errstate(over="ignore"):  # beyond the clip all the same
            scaled = (rows - self.mean.astype(np.float32)) * inverse.astype(np.float32)
        return np.asarray(np.clip(scaled, -self.clip, self.clip, out=scaled))

    def windows(self, windows: Windows, device: torch.device) -> "Batches":
        """Scale the bars that windows cover, once for all of them."""
        first = int(windows.ends.min()) + 1 - windows.length
        rows = self.apply(windows.rows[first : int(windows.ends.max()) + 1])
        starts = torch.from_numpy(windows.ends + 1 - windows.length - first)
        return Batches(torch.from_numpy(rows).to(device), starts.to(device), windows.length)

    def tensors(self) -> dict[str, Tensor]:
        """Return what `restored` takes."""
        return {"mean": torch.from_numpy(self.mean), "deviation": torch.from_numpy(self.deviation)}

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor], clip: float) -> Self:
        """Read what `tensors` gave."""
        return cls(tensors["mean"].numpy(), tensors["deviation"].numpy(), clip)


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """Windows over one table of scaled bars; a batch is the only copy."""

    rows: Tensor
    starts: Tensor
    length: int

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.starts)

    def batch(self, chosen: Tensor | slice) -> Tensor:
        """Copy some windows out: (windows, bars, features)."""
        starts = self.starts[chosen]
        return self.rows[starts[:, None] + torch.arange(self.length, device=starts.device)]
