"""What people choose of the time-series networks that neuralforecast brings."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field, PositiveInt, model_validator

from nightfold.models.neural.spec import NetworkSpec, check_heads

if TYPE_CHECKING:
    from optuna import Trial


class SeriesSpec(NetworkSpec):
    """A network that reads one feature as a series and forecasts what becomes of it, here the label, in one step."""

    window: PositiveInt = 64
    """Bars each forecast looks at, the newest included."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of what the network says that is silenced at random before it is read out, in training."""
    series: str = "log_return_1"
    """The feature that is read as the series."""

    @property
    def needs(self) -> Mapping[str, Sequence[str]]:
        """The series, and further features that it reads."""
        return {"series": [self.series], "exogenous": getattr(self, "exogenous", [])}


class NHITSSpec(SeriesSpec):
    """N-HiTS: blocks that read the series at several rates, each what the ones before it left unexplained."""

    depth: PositiveInt = 2
    """Layers of the small network in each block."""
    pools: list[PositiveInt] = Field(default=[8, 4, 1], min_length=1)
    """Bars that are pooled before they are read, one entry per block."""
    exogenous: list[str] = []
    """Further features whose history it reads; each costs as much as the series."""


class TFTSpec(SeriesSpec):
    """Temporal fusion transformer: gates that select among features, a recurrent encoder and attention."""

    hidden: PositiveInt = 16
    """Width of the hidden state."""
    heads: PositiveInt = 2
    """Attention heads; they share the width."""
    exogenous: list[str] = []
    """Further features whose history it reads; each costs as much as the series."""

    @model_validator(mode="after")
    def _check_heads(self) -> "TFTSpec":
        check_heads(self.hidden, self.heads)
        return self


class PatchTSTSpec(SeriesSpec):
    """PatchTST: attention between patches of the series, which is all it reads."""

    depth: PositiveInt = 2
    """Encoder layers."""
    heads: PositiveInt = 4
    """Attention heads; they share the width."""
    patch: PositiveInt = 8
    """Bars of a patch, and twice the step to the next; windows that are shorter are one patch."""

    @model_validator(mode="after")
    def _check_heads(self) -> "PatchTSTSpec":
        check_heads(self.hidden, self.heads)
        return self


def nhits_space(trial: "Trial") -> NHITSSpec:
    """Ask a trial for N-HiTS."""
    return NHITSSpec(**_common(trial), depth=trial.suggest_int("depth", 1, 3))


def tft_space(trial: "Trial") -> TFTSpec:
    """Ask a trial for a temporal fusion transformer."""
    return TFTSpec(**_common(trial), hidden=trial.suggest_categorical("hidden", [8, 16, 32]))


def patchtst_space(trial: "Trial") -> PatchTSTSpec:
    """Ask a trial for PatchTST."""
    return PatchTSTSpec(
        **_common(trial), depth=trial.suggest_int("depth", 1, 3), patch=trial.suggest_categorical("patch", [4, 8, 16])
    )


def _common(trial: "Trial") -> dict[str, Any]:
    return {
        "window": trial.suggest_categorical("window", [32, 64, 128]),
        "learning_rate": trial.suggest_float("learning_rate", 3e-4, 3e-3, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-3, 0.3, log=True),
    }
