"""What people choose of a pretrained model: where it lies, until when it knows the world, and how it is read."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator

from nightfold.errors import ConfigError
from nightfold.models.contract import ModelSpec

if TYPE_CHECKING:
    from optuna import Trial


class PretrainedSpec(ModelSpec):
    """A frozen body that reads one feature as a series, and a linear read-out of what it says."""

    folder: str | None = None
    """Folder of its weights, from `/` or `~`: safetensors and JSON, no pickles; nothing is ever downloaded. None: that
    of the package the family comes from, where it carries one."""
    knowledge_until: date | None = None
    """Last day of the data it was pretrained on; tests up to it are marked as possibly seen. None: nobody knows, and
    every test is."""
    window: PositiveInt = 512
    """Bars each forecast looks at, the newest included."""
    series: str = "log_return_1"
    """The feature that is read as the series."""
    summed: bool = True
    """Whether the body is handed the running sum of the series, 0 at the newest bar: of log returns the log price."""
    beside: list[str] = []
    """Features of the newest bar that the read-out sees beside what the body says."""
    stride: PositiveInt = 1
    """Only windows that end so many bars apart are learnt from; every bar is forecast all the same."""
    batch: PositiveInt = 16
    """Windows the body is handed at once."""
    l2: NonNegativeFloat = 1.0
    """Ridge penalty on the slopes of the read-out, in standard deviations: it means the same for any row count."""
    clip: PositiveFloat = 5.0
    """Standard deviations of the training rows beyond which an input of the read-out counts as that many."""

    @property
    def needs(self) -> Mapping[str, Sequence[str]]:
        """The series, and what the read-out sees beside it."""
        return {"series": [self.series], "beside": self.beside}

    @field_validator("folder")
    @classmethod
    def _check_folder(cls, folder: str | None) -> str | None:
        if folder is not None and not Path(folder).expanduser().is_absolute():
            raise ConfigError(
                f"`folder` is {folder!r}; it must be a path from `/` or `~`, the same wherever a command is started. "
                "Names of models on the internet are not taken: nothing is downloaded."
            )
        return folder


class FracastSpec(PretrainedSpec):
    """Fracast-0, a convolutional model of 85,001 weights: quantiles .1 to .9 of the next 48 steps, up to 2,048 bars."""

    window: PositiveInt = Field(default=512, ge=8, le=2048)
    """Bars each forecast looks at, the newest included; the cost is the same for any."""
    steps: list[PositiveInt] = Field(default=[1, 4, 12, 48], min_length=1)
    """Steps ahead whose quantiles are read out; beyond 48 it forecasts on from its own median, at the price of another
    forecast per 48."""


def fracast_space(trial: "Trial") -> FracastSpec:
    """Ask a trial for a read-out; the body stays as it is."""
    return FracastSpec(l2=trial.suggest_float("l2", 1e-3, 100.0, log=True))
