"""Every model family by name; importing this page imports none of their libraries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nightfold.errors import UnknownNameError
from nightfold.models.baseline import ClassFrequenciesModel, ClassFrequenciesSpec, class_frequencies_space
from nightfold.models.boosting import LightGBMModel, LightGBMSpec, lightgbm_space
from nightfold.models.contract import Capabilities, Model, ModelSpec
from nightfold.models.linear import LogisticRegressionModel, LogisticRegressionSpec, logistic_regression_space

if TYPE_CHECKING:
    from optuna import Trial


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One family: its parameters, its class, what a search may vary, and what it can do."""

    name: str
    family: str
    spec: type[ModelSpec]
    model: type[Model[Any]]
    search_space: Callable[["Trial"], ModelSpec]
    capabilities: Capabilities


_ENTRIES = (
    ModelEntry(
        name="lightgbm",
        family="boosting",
        spec=LightGBMSpec,
        model=LightGBMModel,
        search_space=lightgbm_space,
        capabilities=Capabilities(early_stopping=True),
    ),
    ModelEntry(
        name="logistic_regression",
        family="classical",
        spec=LogisticRegressionSpec,
        model=LogisticRegressionModel,
        search_space=logistic_regression_space,
        capabilities=Capabilities(),
    ),
    ModelEntry(
        name="class_frequencies",
        family="baseline",
        spec=ClassFrequenciesSpec,
        model=ClassFrequenciesModel,
        search_space=class_frequencies_space,
        capabilities=Capabilities(),
    ),
)

MODELS: Mapping[str, ModelEntry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


def find_model(name: str) -> ModelEntry:
    """Look a family up.

    Raises
    ------
    UnknownNameError
        If there is none of that name; the message offers the close ones.

    Examples
    --------
    >>> find_model("lightgbm").family
    'boosting'
    """
    if name not in MODELS:
        raise UnknownNameError("model", name, MODELS)
    return MODELS[name]
