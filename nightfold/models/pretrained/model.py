"""The adapter: a frozen body forecasts a series, and a read-out fitted on training rows makes the objective of it."""

import json
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nightfold.errors import ConfigError
from nightfold.models.contract import Model, ModelError, Prediction, require_features
from nightfold.models.dataset import Dataset
from nightfold.models.pretrained.folder import body_digests, body_files, check_body, offline
from nightfold.models.pretrained.read_out import ReadOut
from nightfold.models.pretrained.spec import PretrainedSpec
from nightfold.models.window import Windows

TENSORS, CARD = "read_out.safetensors", "pretrained.json"

S = TypeVar("S", bound=PretrainedSpec)


class Body(Protocol):
    """A pretrained model: frozen, without a memory of what it was asked."""

    def forecast(self, windows: NDArray[np.float32]) -> ArrayLike:
        """Say what may follow some windows of a series.

        Parameters
        ----------
        windows
            (windows, bars), the newest bar last; finite.

        Returns
        -------
        ArrayLike
            As many numbers for each window, such as quantiles of some steps: (windows, ...), finite. A window's
            numbers hang on no other window.
        """


class PretrainedModel(Model[S]):
    """A body from a folder on disk, whose numbers are read out by a line that training rows decide.

    The body learns nothing, so its own quantile levels and steps bind nobody: any level of any label is served. A
    family is a subclass with `open_body`, and a line of the catalog or an entry point with `pretrained` set. What is
    saved is the read-out and the digests of the body's files; the body itself stays in its folder.
    """

    @abstractmethod
    def open_body(self, folder: Path) -> Body:
        """Read a body from a folder that exists, holds safetensors and no pickle; without the internet."""

    def check_here(self) -> None:
        """Refuse to go on without a folder that may be read."""
        body_files(self._folder())

    def own_folder(self) -> Path | None:
        """Folder of weights that comes with the family's package; none where it carries none."""
        return None

    @property
    def window(self) -> int:
        """Bars each forecast looks at."""
        return self.spec.window

    def _fit(self, train: Dataset, validation: Dataset | None) -> None:
        windows: Any = train.features
        chosen = (windows.ends - windows.ends.max()) % self.spec.stride == 0
        self._series, *self._beside = self._positions(train.names)
        folder = self._folder()
        self._digests = body_digests(folder)
        self._body = self._opened(folder)
        numbers = self._numbers_once(windows[chosen])
        names = tuple(map(str, range(numbers.shape[1])))
        said = replace(train.take(chosen), features=numbers, names=names)
        self._read_out = ReadOut.of(said, self.spec.l2, self.spec.clip)

    def _predict(self, features: Windows) -> Prediction:
        return self._read_out.forecast(self._numbers(features), self.spec.clip)

    def _write(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        save_file({name: getattr(self._read_out, name) for name in ReadOut.__slots__}, folder / TENSORS)
        card = {"body": self._digests, "series": self._series, "beside": self._beside}
        (folder / CARD).write_text(json.dumps(card, indent=1, sort_keys=True) + "\n")

    def _read(self, folder: Path) -> None:
        from safetensors.numpy import load_file

        card = json.loads((folder / CARD).read_text())
        self._digests, self._series, self._beside = card["body"], card["series"], card["beside"]
        self._read_out = ReadOut(**load_file(folder / TENSORS))
        place = self._folder()
        check_body(place, self._digests)
        self._body = self._opened(place)

    def _folder(self) -> Path:
        folder = self.own_folder() if self.spec.folder is None else Path(self.spec.folder).expanduser()
        if folder is None:
            raise ConfigError("`folder` is not set; name the folder on disk that the pretrained model lies in.")
        return folder

    def _opened(self, folder: Path) -> Body:
        with offline():
            return self.open_body(folder)

    def _positions(self, names: tuple[str, ...]) -> list[int]:
        require_features(type(self).__name__, self.spec, names)
        return [names.index(name) for wanted in self.spec.needs.values() for name in wanted]

    def _numbers_once(self, windows: Windows) -> NDArray[np.float32]:
        """Ask the body once for all trials of a search that read the same windows the same way."""
        if self.shared is None:
            return self._numbers(windows)
        read = self.spec.model_copy(update={"l2": 0.0, "clip": 1.0})
        return self.shared.once((type(self), read.fingerprint), lambda: self._numbers(windows))

    def _numbers(self, windows: Windows) -> NDArray[np.float32]:
        """Gather what the body says of each window, and features of its newest bar."""
        said = np.concatenate(list(self._said(windows)))
        if not np.isfinite(said).all():
            raise ModelError(f"the body of {type(self).__name__} forecasts NaN or infinity; it cannot be read out.")
        return np.column_stack([said, windows.newest[:, self._beside]])

    def _said(self, windows: Windows) -> Iterator[NDArray[np.float32]]:
        series = replace(windows, rows=windows.rows[:, [self._series]])
        for first in range(0, len(series), self.spec.batch):
            bars = series.batch(slice(first, first + self.spec.batch))[:, :, 0]
            said = np.asarray(self._body.forecast(_summed(bars) if self.spec.summed else bars), dtype=np.float32)
            if said.ndim < 2 or len(said) != len(bars):
                raise ModelError(
                    f"the body of {type(self).__name__} gives {said.shape} for {len(bars)} windows; "
                    "(windows, numbers) is needed."
                )
            yield said.reshape(len(bars), -1)


def _summed(bars: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sum each row up to every bar, less the whole: what the series was worth, 0 at the newest bar."""
    total = bars.cumsum(axis=1, dtype=np.float64)
    return np.asarray(total - total[:, -1:], dtype=np.float32)
