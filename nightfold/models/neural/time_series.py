"""N-HiTS, TFT and PatchTST as models."""

from collections.abc import Sequence
from typing import TypeVar

from nightfold.errors import ConfigError
from nightfold.models.neural.model import NeuralModel
from nightfold.models.neural.series_spec import NHITSSpec, PatchTSTSpec, SeriesSpec, TFTSpec

S = TypeVar("S", bound=SeriesSpec)


class TimeSeriesModel(NeuralModel[S]):
    """A network of neuralforecast, which reads one feature as a series and forecasts the label as its next step."""

    libraries = ("neuralforecast", "numpy", "torch")

    def _read_columns(self, names: Sequence[str]) -> list[int]:
        exogenous = self.spec.exogenous if isinstance(self.spec, NHITSSpec | TFTSpec) else []
        wanted = [self.spec.series, *exogenous]
        if absent := [name for name in wanted if name not in names]:
            said = f"`series` is {self.spec.series}, `exogenous` {exogenous}"
            raise ConfigError(f"{said}; {', '.join(absent)} is not among the {len(names)} features of the experiment.")
        return [names.index(name) for name in wanted]


class NHITSModel(TimeSeriesModel[NHITSSpec]):
    """N-HiTS over the window."""

    spec_type = NHITSSpec


class TFTModel(TimeSeriesModel[TFTSpec]):
    """Temporal fusion transformer over the window."""

    spec_type = TFTSpec


class PatchTSTModel(TimeSeriesModel[PatchTSTSpec]):
    """PatchTST over the window."""

    spec_type = PatchTSTSpec
