"""An experiment: one file that says what is predicted, from what, by which models, and how it is judged."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, NonNegativeInt, PositiveInt, SerializeAsAny, field_validator, model_validator

from nightfold.backtest.cost import Costs
from nightfold.backtest.limit import RiskLimits
from nightfold.backtest.signal import Strategy
from nightfold.bars.symbol import normalize_symbol
from nightfold.ensemble.blend import EnsembleSpec
from nightfold.errors import ConfigError, NightfoldError, UnknownNameError
from nightfold.features.catalog import CATALOG
from nightfold.features.select import FeatureSelection, by_set, max_lookback
from nightfold.idle import refuse_idle, refuse_idle_ensemble
from nightfold.interval import Interval, duration
from nightfold.labels.searched import data_names
from nightfold.labels.table import LabelSet
from nightfold.models.catalog import find_model
from nightfold.models.contract import ModelSpec, require_features, require_task
from nightfold.policy.spec import PolicySpec
from nightfold.rehearsal import Rehearsal
from nightfold.source import records_flow
from nightfold.spec import Spec
from nightfold.splits.as_of import SplitSpec, known_before, reach
from nightfold.splits.room import check_room
from nightfold.target import Target
from nightfold.tearsheet.gates import Gates
from nightfold.tuning.selection import check_metric
from nightfold.tuning.space import candidates, check_space, longest_window
from nightfold.tuning.spec import TuningSpec
from nightfold.universe import Universe
from nightfold.window import LONGEST, Length, Window, midnight, window_of

NAME = re.compile(r"[a-z][a-z0-9_]*")
OWNER = r"^(team:[A-Za-z0-9._-]+|[^@\s:]+@[^@\s:]+\.[^@\s:]+)$"
STAGES = frozenset(
    {
        *("raw_bars", "bars", "features", "order_flow", "cross_asset", "barrier_trials", "barrier_params", "labels"),
        *("splits", "tuning", "ensemble", "predictions"),
        *("forecast_log", "policy", "backtest", "tearsheet", "comparison", "leaderboard", "champion", "drift"),
        *("market_data", "operations", "nightfold", "exchange"),
    }
)
"""Stages and groups of assets: no experiment and no model may be called so."""
CATALOGS = frozenset({"main", "memory", "temp", "system", "information_schema", "pg_catalog"})
"""What SQL calls its own: an experiment is a schema there."""

_GRACE_DAYS = 3
"""Days a model goes on after its period where its successor failed."""


class ModelChoice(Spec):
    """One member: an entry of the model catalog with its settings, which stand beside its name in the file."""

    model: str
    """Name in the model catalog."""
    spec: SerializeAsAny[ModelSpec]
    """The entry's own settings."""
    tuning: TuningSpec | None = None
    """A search for those settings; none: they are used as they stand."""
    retrain: Length | None = None
    """How often it is fitted anew, where that is less often than the experiment retrains: in between it goes on."""

    @model_validator(mode="before")
    @classmethod
    def _read_settings(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "model" not in value or isinstance(value.get("spec"), ModelSpec):
            return value
        settings = dict(value)
        entry = find_model(settings.pop("model"))
        own = {name: settings.pop(name, None) for name in ("tuning", "retrain")}
        return {"model": entry.name, "spec": entry.spec.model_validate(settings), **own}

    @property
    def window(self) -> int | None:
        """Bars it looks at; none: one row."""
        return find_model(self.model).model(self.spec).window

    @property
    def longest_window(self) -> int | None:
        """Most bars it may come to look at: its own window, or the longest that its search tries."""
        if self.tuning is None:
            return self.window
        return longest_window(find_model(self.model), self.spec, self.tuning)


class TunedChoice(NamedTuple):
    """A member whose settings are searched."""

    model: str
    spec: ModelSpec
    tuning: TuningSpec


class Experiment(Spec):
    """The settings of one file in `configs/experiments/`."""

    name: str
    """Letters, digits and _, by default the file's name; it names the group of assets."""
    description: str = ""
    """One or two sentences for the report and the asset graph."""
    owner: Annotated[str, Field(pattern=OWNER)] | None = None
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
    retune: Literal["once"] | Length = "once"
    """How often models with `tuning` get a new search, on rows known before: for the first as-of, or again each."""
    max_model_age: PositiveInt | None = None
    """Days after which a model that was not replaced stops predicting; none: its own period and three more."""
    models: dict[str, ModelChoice] = Field(min_length=1)
    """Members by name."""
    ensemble: EnsembleSpec = EnsembleSpec()
    strategy: Strategy = Strategy()
    policy: PolicySpec | None = None
    """A search for thresholds and sizes on earlier predictions; none: `strategy` says what is traded, and how large."""
    costs: Costs = Costs()
    limits: RiskLimits = RiskLimits()
    gates: Gates = Gates()
    capital: Annotated[float, Field(gt=0)] = 10_000.0
    """Equity the simulated account starts with, in quote currency."""
    seed: NonNegativeInt = 7
    """Behind every random choice of the members."""

    @field_validator("models", mode="before")
    @classmethod
    def _name_models(cls, models: Any) -> Any:
        """Let a member without a `model` line be the entry of its own name."""
        if not isinstance(models, dict):
            return models
        return {
            name: {"model": name, **(value or {})} if isinstance(value, dict | None) else value
            for name, value in models.items()
        }

    @field_validator("symbols")
    @classmethod
    def _spell_symbols(cls, symbols: list[str] | None) -> list[str] | None:
        return None if symbols is None else sorted({normalize_symbol(symbol) for symbol in symbols})

    @model_validator(mode="after")
    def _check(self) -> "Experiment":
        taken = {"experiment": STAGES | CATALOGS, "model": STAGES}
        for kind, name in [("experiment", self.name), *(("model", name) for name in self.models)]:
            if not NAME.fullmatch(name) or name in taken[kind]:
                raise ConfigError(
                    f"the {kind} name is {name!r}; it must be lower-case letters, digits and _, begin with a letter, "
                    f"and be none of {', '.join(sorted(taken[kind]))}."
                )
        self.ensemble.chosen(self.models)
        if self.max_model_age is not None and self.max_model_age < LONGEST[self.retrain]:
            raise ConfigError(
                f"`max_model_age` is {self.max_model_age}; models that are replaced each {self.retrain} must live "
                f"{LONGEST[self.retrain]} days or more, or bars would be left without a prediction."
            )
        if self.strategy.horizon not in self.target.horizons:
            raise ConfigError(
                f"`strategy.horizon` is {self.strategy.horizon}; it must be one of `target.horizons`, "
                f"{self.target.horizons}."
            )
        if self.strategy.exit == "barrier" and not self.target.has_barriers:
            raise ConfigError(f"`strategy.exit` is barrier; the target {self.target.kind} has none, take `exit: time`.")
        weights, objective = self.strategy.quantile_weights, self.target.objective
        if weights is not None and (objective.task != "quantile" or len(weights) != len(objective.quantiles)):
            said = len(objective.quantiles) if objective.task == "quantile" else "no"
            raise ConfigError(
                f"`strategy.quantile_weights` has {len(weights)} weights and the target forecasts {said} quantiles; "
                "give one for each, or leave it out."
            )
        refuse_idle(self.strategy, self.policy, self.costs, self.limits)
        refuse_idle_ensemble(self.ensemble)
        if self.policy is not None and not self.target.is_traded:
            raise ConfigError(
                f"`policy` is given; the target {self.target.kind} names no side and is not traded: leave it out."
            )
        if self.target.objective.task == "next_bar" and self.ensemble.method != "mean":
            raise ConfigError(
                f"`ensemble.method` is {self.ensemble.method}; forecasts of the next bar come with a confidence, and "
                "are blended by mean."
            )
        if self.ensemble.adapt is not None and objective.task != "quantile":
            raise ConfigError(
                f"`ensemble.adapt` is {self.ensemble.adapt:g}; only levels of quantiles can follow what came, and the "
                f"target forecasts {objective.task}: take `target.task: quantile`, or leave it out."
            )
        for name, choice in self.models.items():
            if choice.retrain is not None and LONGEST[choice.retrain] <= LONGEST[self.retrain]:
                raise ConfigError(
                    f"`retrain` of model `{name}` is {choice.retrain}; the experiment retrains each {self.retrain}, "
                    "and a member may only be fitted less often."
                )
            require_task(name, find_model(choice.model).capabilities, self.target.objective.task)
        self._check_tuning()
        self._check_needs()
        return self

    def _check_tuning(self) -> None:
        if self.retune not in {"once", self.retrain} and self.retrain != "day":
            raise ConfigError(
                f"`retune` is {self.retune} and `retrain` {self.retrain}; searches must be made where models come into "
                f"force: take `once` or {self.retrain}."
            )
        for choice in self.tuned.values():
            check_space(find_model(choice.model), choice.spec, choice.tuning)
            if choice.tuning.metric is not None:
                check_metric(choice.tuning.metric, self.target.objective)

    def _check_needs(self) -> None:
        """See that features which settings name are chosen, also those that a search may come to name."""
        chosen = self.features.resolve()
        for name, choice in self.models.items():
            require_features(name, choice.spec, chosen)
            if choice.tuning is not None and choice.spec.needs:
                for spec in candidates(find_model(choice.model), choice.spec, choice.tuning):
                    require_features(name, spec, chosen)

    def check_against(self, universe: Universe, label_sets: Mapping[str, LabelSet]) -> None:
        """See that what the experiment asks for is there.

        Raises
        ------
        ConfigError
            If a symbol, its costs, an interval, label set, horizon or what a feature needs is not, the first as-of lies
            outside the range, or a part of its split, a fold of a search or a block of the ensemble must be empty.
        """
        self.costs.check_symbols(self.traded(universe.symbols), universe.symbols)
        if self.name in data_names(label_sets):
            raise ConfigError(f"the experiment name is {self.name!r}, which is a label set's; give it one of its own.")
        if self.interval not in {None, *universe.intervals}:
            raise ConfigError(f"`interval` is {self.interval!r}; the universe has {', '.join(universe.intervals)}.")
        if self.target.label_set not in label_sets:
            raise UnknownNameError("`target.label_set`", self.target.label_set, label_sets)
        self.target.check_label_set(label_sets[self.target.label_set])
        self._check_sets(universe)
        if not universe.start < self.first_as_of < (universe.end or date.max):
            raise ConfigError(
                f"`first_as_of` is {self.first_as_of}; bars run from {universe.start} to {universe.end or 'now'}, and "
                "it must lie between, with the days before it to train on. Set it so, or give these bars a folder of "
                "settings and experiments of their own (NIGHTFOLD_CONFIG)."
            )
        self._check_split(universe, label_sets[self.target.label_set])

    def check_here(self) -> None:
        """See that this machine has what fits of the members need: folders, libraries, a GPU that is asked for.

        Raises
        ------
        ConfigError
            With the member, what is missing, and the way out.
        """
        for name, choice in self.models.items():
            entry = find_model(choice.model)
            tried = [choice.spec] if choice.tuning is None else candidates(entry, choice.spec, choice.tuning)
            for spec in tried:
                try:
                    entry.model(spec).check_here()
                except NightfoldError as error:
                    raise ConfigError(f"model `{name}`: {error}") from error

    def _check_split(self, universe: Universe, label_set: LabelSet) -> None:
        """See that the first as-of can have rows in every part of its split, and in the folds it is cut into."""
        interval = self.interval or universe.interval
        as_of = window_of(midnight(self.first_as_of), self.retrain).start
        first = self._first_row(universe, label_set, as_of)
        check_room(self.split, first, known_before(self.split, as_of), interval, self.target.least_span)
        if self.ensemble.refits:
            self._rehearse(first, as_of, interval, self.target.least_span).check_blocks(self.ensemble)
        if self.tuned:
            as_of = self.tuning_window(midnight(self.first_as_of)).start
            span = 1 if self.target.has_barriers else self.strategy.horizon
            rows = self._rehearse(self._first_row(universe, label_set, as_of), as_of, interval, span)
            for name, choice in self.tuned.items():
                stops = find_model(choice.model).capabilities.early_stopping
                rows.check_search(name, choice.tuning, stops=stops)

    def _first_row(self, universe: Universe, label_set: LabelSet, as_of: datetime) -> datetime:
        """Earliest bar of which features, volatility and windows can be known, within reach of an as-of."""
        bar = duration(self.interval or universe.interval)
        unknown = max(max_lookback(self.features.resolve()), label_set.volatility_bars)
        first = midnight(universe.start) + unknown * bar
        if (length := reach(self.split)) is not None:
            first = max(first, as_of - length)
        return first + (self.window - 1) * bar

    def _rehearse(self, first: datetime, as_of: datetime, interval: Interval, span: int) -> Rehearsal:
        return Rehearsal.of(self.split, first, as_of, interval, span, self.target.stride)

    def _check_sets(self, universe: Universe) -> None:
        """See that the universe can feed the sets that features are chosen from."""
        chosen = by_set(self.features.resolve())
        if "cross_asset" in chosen and (universe.leader is None or len(universe.symbols) == 1):
            raise ConfigError(
                f"`features` has {chosen['cross_asset'][0]}, which looks at other symbols; the universe has "
                f"{', '.join(universe.symbols)} and the `leader` {universe.leader}. Name one of several symbols in "
                "`universe.yaml`, such as `leader: BTCUSDT`, or leave the set `cross_asset` out."
            )
        if "order_flow" in chosen and records_flow(universe.source) is False:
            name = chosen["order_flow"][0]
            raise ConfigError(
                f"`features` has {name}, which needs {', '.join(CATALOG[name].needs)}; the source "
                f"`{universe.source.kind}` gives prices and volume alone. Take `binance_archive` or recorded bars in a "
                "folder, or leave the set `order_flow` out."
            )

    def universe_keys(self, symbols: list[str]) -> list[str]:
        """Keys of the `universe` dimension: one pooled key, or one a symbol."""
        return ["pooled"] if self.pooling == "pooled" else self.traded(symbols)

    def traded(self, symbols: list[str]) -> list[str]:
        """Choose the part of the universe's symbols that this experiment uses.

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
    def tuned(self) -> dict[str, TunedChoice]:
        """Members whose settings are searched."""
        return {
            name: TunedChoice(choice.model, choice.spec, choice.tuning)
            for name, choice in self.models.items()
            if choice.tuning is not None
        }

    def tuning_window(self, as_of: datetime) -> Window:
        """Return the window whose start is the as-of of the search behind a model's: none of its rows is later."""
        if self.retune == "once":
            return window_of(midnight(self.first_as_of), self.retrain)
        return window_of(as_of, self.retune)

    @property
    def window(self) -> int:
        """Most bars that a member may come to look at: 1 where all look at single rows."""
        return max(choice.longest_window or 1 for choice in self.models.values())

    @property
    def model_lifetime(self) -> timedelta:
        """How long a model may predict."""
        return timedelta(days=self.max_model_age or LONGEST[self.retrain] + _GRACE_DAYS)
