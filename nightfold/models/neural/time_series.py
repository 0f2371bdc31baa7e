"""N-HiTS, TFT and PatchTST as models."""

from collections.abc import Sequence
from typing import TypeVar

from nightfold.models.contract import require_features
from nightfold.models.neural.model import NeuralModel
from nightfold.models.neural.series_spec import NHITSSpec, PatchTSTSpec, SeriesSpec, TFTSpec

S = TypeVar("S", bound=SeriesSpec)


class TimeSeriesModel(NeuralModel[S]):
    """A network of neuralforecast, which reads one feature as a series and forecasts the label as its next step."""

    libraries = ("neuralforecast", "numpy", "torch")

    def _read_columns(self, names: Sequence[str]) -> list[int]:
        require_features(type(self).__name__, self.spec, names)
        return [names.index(name) for wanted in self.spec.needs.values() for name in wanted]


class NHITSModel(TimeSeriesModel[NHITSSpec]):
    """N-HiTS over the window."""

    spec_type = NHITSSpec


class TFTModel(TimeSeriesModel[TFTSpec]):
    """Temporal fusion transformer over the window."""

    spec_type = TFTSpec


class PatchTSTModel(TimeSeriesModel[PatchTSTSpec]):
    """PatchTST over the window."""

    spec_type = PatchTSTSpec
