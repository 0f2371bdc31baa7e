"""Every model family by name; importing this page imports none of their libraries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nightfold.errors import ConfigError, UnknownNameError
from nightfold.models.baseline import (
    ConstantModel,
    ConstantSpec,
    LastReturnModel,
    LastReturnSpec,
    ZeroModel,
    ZeroSpec,
    constant_space,
    last_return_space,
    zero_space,
)
from nightfold.models.boosting.catboost import CatBoostModel, CatBoostSpec, catboost_space
from nightfold.models.boosting.lightgbm import LightGBMModel, LightGBMSpec, lightgbm_space
from nightfold.models.boosting.xgboost import XGBoostModel, XGBoostSpec, xgboost_space
from nightfold.models.contract import Capabilities, Model, ModelSpec
from nightfold.models.forest import (
    ExtraTreesModel,
    ExtraTreesSpec,
    RandomForestModel,
    RandomForestSpec,
    extra_trees_space,
    random_forest_space,
)
from nightfold.models.linear import (
    LogisticRegressionModel,
    LogisticRegressionSpec,
    RidgeModel,
    RidgeSpec,
    logistic_regression_space,
    ridge_space,
)
from nightfold.models.neural.model import GRUModel, LSTMModel, NextBarModel, TCNModel, TransformerModel
from nightfold.models.neural.series_spec import (
    NHITSSpec,
    PatchTSTSpec,
    TFTSpec,
    nhits_space,
    patchtst_space,
    tft_space,
)
from nightfold.models.neural.spec import (
    GRUSpec,
    LSTMSpec,
    NextBarSpec,
    TCNSpec,
    TransformerSpec,
    gru_space,
    lstm_space,
    next_bar_space,
    tcn_space,
    transformer_space,
)
from nightfold.models.neural.time_series import NHITSModel, PatchTSTModel, TFTModel
from nightfold.models.objective import Task
from nightfold.models.pretrained.fracast import FracastModel
from nightfold.models.pretrained.spec import FracastSpec, fracast_space
from nightfold.models.svm import SvmModel, SvmSpec, svm_space

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
    small: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Parameters with which the checks of the contract fit it in a moment."""
    place: str | None = None
    """File and name it was loaded from; none: the catalog, or a package that is installed."""


_CLASSES: tuple[Task, ...] = ("three_class", "binary")
_VALUES: tuple[Task, ...] = ("regression", "quantile")
_SMALL_TREES = {"rounds": 40, "learning_rate": 0.2, "min_data_in_leaf": 20, "early_stopping_rounds": 5}
_SMALL_NETWORK = {"window": 4, "hidden": 8, "depth": 1, "epochs": 6, "batch": 100, "learning_rate": 0.05}
_SMALL_SERIES = {**_SMALL_NETWORK, "heads": 2}
_NETWORK = Capabilities((*_CLASSES, *_VALUES), inputs="windows", early_stopping=True, extra="neural")
_SERIES = replace(_NETWORK, tasks=_VALUES)

_PRETRAINED = Capabilities(_VALUES, inputs="windows", extra="neural", pretrained=True)

_SMALL_FOREST = {"trees": 20, "min_data_in_leaf": 10, "feature_fraction": 0.6}

_ENTRIES = (
    ModelEntry(
        name="lightgbm",
        family="boosting",
        spec=LightGBMSpec,
        model=LightGBMModel,
        search_space=lightgbm_space,
        capabilities=Capabilities((*_CLASSES, *_VALUES), early_stopping=True),
        small=_SMALL_TREES,
    ),
    ModelEntry(
        name="xgboost",
        family="boosting",
        spec=XGBoostSpec,
        model=XGBoostModel,
        search_space=xgboost_space,
        capabilities=Capabilities((*_CLASSES, *_VALUES), early_stopping=True),
        small=_SMALL_TREES,
    ),
    ModelEntry(
        name="catboost",
        family="boosting",
        spec=CatBoostSpec,
        model=CatBoostModel,
        search_space=catboost_space,
        capabilities=Capabilities((*_CLASSES, *_VALUES), early_stopping=True),
        small={"rounds": 40, "learning_rate": 0.2, "early_stopping_rounds": 5},
    ),
    ModelEntry(
        name="logistic_regression",
        family="classical",
        spec=LogisticRegressionSpec,
        model=LogisticRegressionModel,
        search_space=logistic_regression_space,
        capabilities=Capabilities(_CLASSES),
    ),
    ModelEntry(
        name="ridge",
        family="classical",
        spec=RidgeSpec,
        model=RidgeModel,
        search_space=ridge_space,
        capabilities=Capabilities(("regression",)),
    ),
    ModelEntry(
        name="random_forest",
        family="classical",
        spec=RandomForestSpec,
        model=RandomForestModel,
        search_space=random_forest_space,
        capabilities=Capabilities((*_CLASSES, "regression")),
        small=_SMALL_FOREST,
    ),
    ModelEntry(
        name="extra_trees",
        family="classical",
        spec=ExtraTreesSpec,
        model=ExtraTreesModel,
        search_space=extra_trees_space,
        capabilities=Capabilities((*_CLASSES, "regression")),
        small=_SMALL_FOREST,
    ),
    ModelEntry(
        name="svm",
        family="classical",
        spec=SvmSpec,
        model=SvmModel,
        search_space=svm_space,
        capabilities=Capabilities((*_CLASSES, "regression")),
        small={"exact_rows": 700, "landmarks": 50},
    ),
    ModelEntry(
        name="class_frequencies",
        family="baseline",
        spec=ConstantSpec,
        model=ConstantModel,
        search_space=constant_space,
        capabilities=Capabilities(_CLASSES),
    ),
    ModelEntry(
        name="training_mean",
        family="baseline",
        spec=ConstantSpec,
        model=ConstantModel,
        search_space=constant_space,
        capabilities=Capabilities(("regression",)),
    ),
    ModelEntry(
        name="climatological_quantiles",
        family="baseline",
        spec=ConstantSpec,
        model=ConstantModel,
        search_space=constant_space,
        capabilities=Capabilities(("quantile",)),
    ),
    ModelEntry(
        name="zero",
        family="baseline",
        spec=ZeroSpec,
        model=ZeroModel,
        search_space=zero_space,
        capabilities=Capabilities(("regression",), weights=False),
    ),
    ModelEntry(
        name="last_return",
        family="baseline",
        spec=LastReturnSpec,
        model=LastReturnModel,
        search_space=last_return_space,
        capabilities=Capabilities(("regression",), weights=False),
    ),
    ModelEntry("lstm", "neural", LSTMSpec, LSTMModel, lstm_space, _NETWORK, _SMALL_NETWORK),
    ModelEntry("gru", "neural", GRUSpec, GRUModel, gru_space, _NETWORK, _SMALL_NETWORK),
    ModelEntry("tcn", "neural", TCNSpec, TCNModel, tcn_space, _NETWORK, _SMALL_NETWORK),
    ModelEntry("transformer", "neural", TransformerSpec, TransformerModel, transformer_space, _NETWORK, _SMALL_NETWORK),
    ModelEntry(
        name="next_bar_transformer",
        family="neural",
        spec=NextBarSpec,
        model=NextBarModel,
        search_space=next_bar_space,
        capabilities=replace(_NETWORK, tasks=("next_bar",)),
        small={**_SMALL_NETWORK, "stride": 1},
    ),
    ModelEntry("nhits", "time series", NHITSSpec, NHITSModel, nhits_space, _SERIES, _SMALL_NETWORK),
    ModelEntry("tft", "time series", TFTSpec, TFTModel, tft_space, _SERIES, _SMALL_SERIES),
    ModelEntry("patchtst", "time series", PatchTSTSpec, PatchTSTModel, patchtst_space, _SERIES, _SMALL_SERIES),
    ModelEntry(
        name="fracast",
        family="pretrained",
        spec=FracastSpec,
        model=FracastModel,
        search_space=fracast_space,
        capabilities=_PRETRAINED,
        small={"window": 8, "steps": [1], "beside": ["log_return_1"], "stride": 4, "l2": 0.1},
    ),
)

MODELS: Mapping[str, ModelEntry] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


GROUP = "nightfold.models"
"""Entry points of this group add families of other installed packages."""


def find_model(name: str) -> ModelEntry:
    """Look a family up: in the catalog, then among the entry points of installed packages.

    Raises
    ------
    UnknownNameError
        If there is none of that name; the message offers the close ones.
    ConfigError
        If a package offers it and it cannot be loaded, or is no `ModelEntry` of that name.

    Examples
    --------
    >>> find_model("lightgbm").family
    'boosting'
    """
    if name in MODELS:
        return MODELS[name]
    points = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        raise UnknownNameError("model", name, [*MODELS, *points])
    return _loaded(points[name])


def model_names() -> list[str]:
    """Names of the catalog in its order, then those that installed packages add."""
    return list(dict.fromkeys([*MODELS, *sorted(point.name for point in entry_points(group=GROUP))]))


def _loaded(point: EntryPoint) -> ModelEntry:
    try:
        found = point.load()
    except Exception as error:
        raise ConfigError(
            f"model `{point.name}` cannot be loaded from {point.value}: {type(error).__name__}: {error}."
        ) from error
    if not isinstance(found, ModelEntry) or found.name != point.name:
        what = f"the entry `{found.name}`" if isinstance(found, ModelEntry) else f"a {type(found).__name__}"
        raise ConfigError(f"model `{point.name}` is {what} at {point.value}; it must be a ModelEntry of that name.")
    return found
