"""An experiment: one file that says what is predicted, from what, by which models, and how it is judged."""

import re
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, SerializeAsAny, field_validator, model_validator

from nightfold.backtest.cost import Costs
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.signal import Strategy
from nightfold.bars.symbol import normalize_symbol
from nightfold.ensemble.blend import EnsembleSpec
from nightfold.errors import ConfigError, UnknownNameError
from nightfold.features.select import FeatureSelection
from nightfold.interval import Interval
from nightfold.models.catalog import MODELS
from nightfold.models.contract import ModelSpec
from nightfold.spec import Spec
from nightfold.splits.as_of import SplitSpec
from nightfold.tearsheet.gates import Gates
from nightfold.window import Length

NAME = re.compile(r"[a-z][a-z0-9_]*")
STAGES = frozenset(
    {
        *("raw_bars", "bars", "features", "labels", "barrier_params", "splits", "tuning", "ensemble", "predictions"),
        *("policy", "backtest", "tearsheet", "comparison", "leaderboard", "champion", "drift"),
        *("market_data", "operations", "nightfold", "exchange"),
    }
)


class Target(Spec):
    """What the models learn."""

    kind: Literal["barrier"] = "barrier"
    """`barrier`: the triple-barrier label, three classes."""
    label_set: str = "labels"
    """The label set of `configs/labels.yaml` it comes from."""
    horizons: list[PositiveInt] = Field(default=[5, 10, 15, 20], min_length=1)
    """Bars to the vertical barrier; one model each."""


class ModelChoice(Spec):
    """One member: an entry of the model catalog with its settings."""

    model: str
    """Name in the catalog; `nightfold models` lists them."""
    spec: SerializeAsAny[ModelSpec]
    """The entry's own settings."""


def choose_model(name: str, value: Any) -> ModelChoice:
    """Build a member from its lines in the file: settings of the entry named `model`, by default the member's name."""
    if isinstance(value, ModelChoice):
        return value
    settings = dict(value or {})
    model = settings.pop("model", name)
    if model not in MODELS:
        raise UnknownNameError("model", model, MODELS)
    return ModelChoice(model=model, spec=MODELS[model].spec.model_validate(settings))


class Experiment(Spec):
    """The settings of one file in `configs/experiments/`."""

    name: str
    """`[a-z0-9_]+`, by default the file's name; it names the group of assets."""
    description: str = ""
    """One or two sentences for the report and the asset graph."""
    owner: str | None = None
    """An e-mail address, or `team:name`."""
    interval: Interval | None = None
    """Bars used; none: the universe's default interval. Horizons count these bars."""
    symbols: list[str] | None = None
    """A part of the universe; none: all of it."""
    pooling: Literal["pooled", "per_symbol"] = "pooled"
    """One model over all symbols, or one each."""
    target: Target = Target()
    features: FeatureSelection = FeatureSelection()
    split: SplitSpec = SplitSpec()
    retrain: Length = "day"
    """How often a new model comes into force, at 00:00 UTC of the day, the Monday or the first."""
    first_as_of: date
    """The first model comes into force here; it trains on what was known before."""
    max_model_age: PositiveInt = 10
    """Days after which a model that was not replaced stops predicting."""
    models: dict[str, ModelChoice] = Field(min_length=1)
    """Members by name."""
    ensemble: EnsembleSpec = EnsembleSpec()
    strategy: Strategy = Strategy()
    costs: Costs = Costs()
    limits: RiskLimits = RiskLimits()
    gates: Gates = Gates()
    capital: Annotated[float, Field(gt=0)] = 10_000.0
    """Equity the simulated account starts with, in quote currency."""
    seed: NonNegativeInt = 7
    """Behind every random choice of the members."""

    @field_validator("models", mode="before")
    @classmethod
    def _choose_models(cls, models: Any) -> Any:
        if not isinstance(models, dict):
            return models
        return {name: choose_model(name, value) for name, value in models.items()}

    @field_validator("symbols")
    @classmethod
    def _spell_symbols(cls, symbols: list[str] | None) -> list[str] | None:
        return None if symbols is None else sorted({normalize_symbol(symbol) for symbol in symbols})

    @model_validator(mode="after")
    def _check(self) -> "Experiment":
        for kind, name in [("experiment", self.name), *(("model", name) for name in self.models)]:
            if not NAME.fullmatch(name) or name in STAGES:
                raise ConfigError(
                    f"the {kind} name is {name!r}; it must be lower-case letters, digits and _, start with a letter, "
                    "and not be the name of a stage or a data group."
                )
        if self.strategy.horizon not in self.target.horizons:
            raise ConfigError(
                f"`strategy.horizon` is {self.strategy.horizon}; it must be one of `target.horizons`, "
                f"{self.target.horizons}."
            )
        return self

    def universe_keys(self, symbols: list[str]) -> list[str]:
        """Keys of the `universe` dimension: one pooled key, or one a symbol."""
        return ["pooled"] if self.pooling == "pooled" else self.traded(symbols)

    def traded(self, symbols: list[str]) -> list[str]:
        """The part of the universe's symbols that this experiment uses.

        Raises
        ------
        ConfigError
            If it names a symbol which the universe lacks.
        """
        for symbol in self.symbols or []:
            if symbol not in symbols:
                raise UnknownNameError("symbol", symbol, symbols)
        return self.symbols or list(symbols)

    def members(self, universe_key: str, symbols: list[str]) -> list[str]:
        """Symbols behind one key of the `universe` dimension."""
        return self.traded(symbols) if universe_key == "pooled" else [universe_key]

    @property
    def model_lifetime(self) -> timedelta:
        """`max_model_age` as a length of time."""
        return timedelta(days=self.max_model_age)


