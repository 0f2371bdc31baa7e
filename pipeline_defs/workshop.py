"""Layers made from the command line: in this process, recorded where the UI sees them."""

import logging
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg

from assets.experiment import Plan
from assets.forecast_log import STAGE as LOG
from assets.leaderboard import KEY as LEADERBOARD
from assets.line import Line
from nightfold.errors import ConfigError, UnknownNameError
from nightfold.evaluation import BacktestRange
from nightfold.experiment import Experiment
from nightfold.window import midnight, parse_end, parse_moment
from pipeline_defs.definitions import build
from pipeline_defs.nightly import LAYERS, Night, Step, as_of_steps, data_steps, ingest, research, search_steps
from pipeline_defs.runs import execute, fail_dead_runs, open_instance, recording
from resources.alerts import Alerts
from resources.environments import Environment, load_environment, prepare_dagster_home, utc_now
from resources.progress import PROGRESS

DATA_LAYERS = ("ingest", "research")
_HOW_TO_SEARCH = {
    "tune": "write `tuning:` below a model of the experiment, see docs/tuning.md",
    "policy": "write `policy: {}` into the experiment, see docs/policy.md",
}
EXPERIMENT_LAYERS = ("tune", "train", "predict", "policy", "evaluate")


@dataclass(frozen=True, slots=True)
class Workshop:
    """Definitions, instance and line of one deployment, ready to run layers."""

    environment: Environment
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    line: Line
    tell: Callable[[str], None]

    @classmethod
    @contextmanager
    def open(cls, tell: Callable[[str], None], now: datetime | None = None) -> "Iterator[Workshop]":
        """Load everything, mark runs of killed processes failed, and show progress through ``tell``.

        Raises
        ------
        ConfigError
            If a setting is wrong, or ``now`` is in the future.
        RecordError
            If Dagster's own storage cannot be used.
        """
        if now is not None and now > utc_now():
            raise ConfigError(f"`now` is {now:%Y-%m-%d %H:%M}, which is yet to come; a night can only be replayed.")
        environment = load_environment(None, utc_now if now is None else lambda: now)
        definitions, line = build(environment)
        with recording(environment.dagster_home):
            home = prepare_dagster_home(environment)
            with open_instance(home) as instance, _progress(tell):
                for run in fail_dead_runs(instance):
                    tell(f"run {run} was killed earlier; marked failed")
                yield cls(environment, definitions, instance, line, tell)

    def run_line(self, experiment: str) -> Path:
        """Make everything one experiment needs, and return the address of its tearsheet."""
        plan = self.plan(experiment)
        plan.experiment.check_here()
        universe = self.environment.universe
        start, end = midnight(universe.start), self.environment.horizon()
        span = f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"
        self.tell(f"{experiment} on {self.environment.source.slug}: {', '.join(plan.symbols)}, {span}")
        steps = [
            *data_steps("ingest", universe, plan.watched, start, end),
            *data_steps("research", universe, plan.symbols, start, end),
            *(self._steps(f"{experiment}_tune", plan.symbols, start, end) if plan.experiment.tuned else []),
            *self._steps(f"{experiment}_train", plan.symbols, start, end),
            *self._steps(f"{experiment}_predict", plan.symbols, start, end),
            *(self._steps(f"{experiment}_policy", plan.symbols, start, end) if plan.experiment.policy else []),
            Step(f"{experiment}_evaluate"),
        ]
        self._run(steps)
        return self.environment.reports / experiment / "tearsheet.html"

    def backfill(
        self,
        layer: str,
        start: str | None = None,
        to: str | None = None,
        symbols: Sequence[str] | None = None,
        experiment: str | None = None,
        *,
        force: bool = False,
    ) -> None:
        """Make a range of one layer, or of one asset.

        Parameters
        ----------
        layer
            `ingest`, `research`, `tune`, `train`, `predict`, `policy`, `evaluate`, or an asset's name.
        start, to
            First and last month or day, both included; by default everything.
        symbols
            Any of the universe's; by default all. A pooled model has them all whichever are named.
        experiment
            Whose layer; by default every experiment's.
        force
            Fetch whole partitions again, fit models again.

        Raises
        ------
        ConfigError
            If a name is unknown, nothing lies in the range, or this machine lacks what fits need.
        """
        first, last = self._range(start, to)
        chosen = self._symbols(symbols)
        wanted = {} if start is None and to is None else {"start": start, "end": to and f"{last:%Y-%m-%dT%H:%M}"}
        meant = self._meant(layer, experiment)
        for job in [job for job, _ in meant if job.endswith(("_tune", "_train"))]:
            self.plan(job.rpartition("_")[0]).experiment.check_here()
        for job, only in meant:
            made = only or self.line.layers[job]
            config: dict[str, dict[str, Any]] = {key: wanted for key in made if wanted and job.endswith("_evaluate")}
            if force:
                config |= {key: {"force": True} for key in self._forceable(job) if key in made}
            self._run(self._steps(job, chosen, first, last), config, only)

    def night(self) -> None:
        """Make the layers of a night, each asked of the lake as the ones before have left it."""
        night = Night(self.line, self.environment.universe, self.environment.lake, self.environment.now())
        busy = False
        for layer in LAYERS:
            try:
                steps = layer(night)
                busy = busy or (bool(steps) and layer is not LAYERS[-1])
                self._run(steps)
            except Exception as error:
                alerts = Alerts(self.environment.settings.webhook)
                alerts.send(f"Nightfold: the night stopped at {layer.__name__}", str(error))
                raise
        horizon = self.environment.horizon()
        self.tell("The night is over." if busy else f"Everything up to {horizon:%Y-%m-%d %H:%M} was there.")

    def with_experiments(self, experiments: Iterable[Experiment]) -> "Workshop":
        """Know further experiments, which no file has."""
        known = {**self.environment.experiments, **{each.name: each for each in experiments}}
        environment = replace(self.environment, experiments=known)
        definitions, line = build(environment)
        return replace(self, environment=environment, definitions=definitions, line=line)

    def catch_up(self) -> None:
        """Make the bars, features and labels that are not there yet."""
        night = Night(self.line, self.environment.universe, self.environment.lake, self.environment.now())
        for layer in (ingest, research):
            self._run(layer(night))

    def result(self, experiment: str, choices: BacktestRange, until: datetime) -> None:
        """Make one result of an experiment, of models that come into force before ``until`` and bars that close by it.

        Its forecast log is filled in with what was known by then, its tearsheet and its card on the leaderboard are
        made; the pages about the whole range are left as they are.
        """
        plan, start = self.plan(experiment), midnight(self.environment.universe.start)
        for layer in ("tune", "train", "predict", "policy"):
            if f"{experiment}_{layer}" in self.line.layers:
                logged = layer == "predict" and plan.experiment.target.is_traded
                known = {plan.key(LOG): {"until": f"{until:%Y-%m-%dT%H:%M}"}} if logged else {}
                self._run(self._steps(f"{experiment}_{layer}", plan.symbols, start, until), known)
        made = [plan.key("backtest"), plan.key("tearsheet")]
        config = {key: choices.model_dump(exclude_none=True) for key in made}
        self._run([Step(f"{experiment}_evaluate")], config, made)

    def leaderboard(self, experiment: str) -> None:
        """Make the page of all results."""
        self._run([Step(f"{experiment}_evaluate")], only=[LEADERBOARD])

    def plan(self, experiment: str) -> Plan:
        """Find an experiment by name.

        Raises
        ------
        UnknownNameError
            If there is none; the message offers the close ones.
        """
        return self.line.plans[self.environment.experiment(experiment).name]

    def _run(
        self,
        steps: Iterable[Step],
        config: Mapping[str, Mapping[str, Any]] | None = None,
        only: Sequence[str] | None = None,
    ) -> None:
        for step in steps:
            started = time.monotonic()
            span = f" {step.first} ... {step.last}" if step.first else ""
            self.tell(f"[bold]{step.job}[/]{span}")
            execute(self.definitions, self.instance, step, config=config, only=only)
            self.tell(f"[bold]{step.job}[/] done in {time.monotonic() - started:.1f} s")

    def _meant(self, layer: str, experiment: str | None) -> list[tuple[str, list[str] | None]]:
        """Find the jobs behind a layer's name, with the one asset of it that was meant where it is an asset's name."""
        plans = [self.plan(experiment)] if experiment else list(self.line.plans.values())
        if layer in DATA_LAYERS:
            return [(layer, None)]
        if layer in EXPERIMENT_LAYERS:
            jobs = [f"{plan.name}_{layer}" for plan in plans if f"{plan.name}_{layer}" in self.line.layers]
            if not jobs:
                raise ConfigError(f"`layer` is {layer}, and nothing is searched; {_HOW_TO_SEARCH[layer]}.")
            return [(job, None) for job in jobs]
        jobs = [job for job, keys in self.line.layers.items() if layer in keys]
        if not jobs:
            assets = (key for keys in self.line.layers.values() for key in keys)
            raise UnknownNameError("layer", layer, [*DATA_LAYERS, *EXPERIMENT_LAYERS, *assets])
        return [(job, [layer]) for job in jobs]

    def _steps(self, job: str, symbols: Sequence[str], first: datetime, last: datetime) -> list[Step]:
        """List the runs of a job over a range; an error where there is nothing to run."""
        universe = self.environment.universe
        if job in DATA_LAYERS:
            return data_steps(job, universe, symbols, first, last)
        experiment, _, layer = job.rpartition("_")
        plan = self.plan(experiment)
        traded = [symbol for symbol in symbols if symbol in plan.symbols]
        if not traded:
            raise ConfigError(f"`symbols` is {', '.join(symbols)}; {experiment} trades {', '.join(plan.symbols)}.")
        match layer:
            case "tune" | "train" | "policy":
                keys = {plan.universe_key(symbol) for symbol in traded}
                steps = (search_steps if layer == "tune" else as_of_steps)(job, plan, keys, first, last)
            case "predict":
                steps = data_steps(job, universe, traded, max(first, midnight(plan.experiment.first_as_of)), last)
            case _:
                steps = [Step(job)]
        if not steps:
            raise ConfigError(
                f"no model of {experiment} comes into force from {first:%Y-%m-%d} to {last:%Y-%m-%d}; "
                f"its first one does on {plan.experiment.first_as_of}, then each {plan.experiment.retrain}."
            )
        return steps

    def _range(self, start: str | None, to: str | None) -> tuple[datetime, datetime]:
        begins, ends = midnight(self.environment.universe.start), self.environment.horizon()
        first = begins if start is None else parse_moment(start, "from")
        last = ends if to is None else min(parse_end(to, "to"), ends)
        if last <= first or last <= begins:
            given = f"`from` is {start or f'{begins:%Y-%m-%d}'} and `to` is {to or f'{ends:%Y-%m-%d}'}"
            raise ConfigError(f"{given}; there is nothing between, within {begins:%Y-%m-%d} to {ends:%Y-%m-%d}.")
        return first, last

    def _symbols(self, symbols: Sequence[str] | None) -> list[str]:
        known = self.environment.universe.symbols
        for symbol in symbols or []:
            if symbol not in known:
                raise UnknownNameError("symbol", symbol, known)
        return list(symbols or known)

    def _forceable(self, job: str) -> list[str]:
        if job == "ingest":
            return [key for key in self.line.layers[job] if key.rpartition("/")[2] == "raw_bars"]
        if job.endswith("_tune"):
            return list(self.line.layers[job])
        plan = self.line.plans.get(job.removesuffix("_train"))
        return [plan.key(member) for member in plan.experiment.models] if plan else []


@contextmanager
def _progress(tell: Callable[[str], None]) -> Iterator[None]:
    handler = logging.Handler()
    handler.emit = lambda record: tell(f"  {record.getMessage()}")  # type: ignore[method-assign]
    level, PROGRESS.propagate = PROGRESS.level, False
    PROGRESS.addHandler(handler)
    PROGRESS.setLevel(logging.INFO)
    with warnings.catch_warnings():
        try:
            yield
        finally:
            PROGRESS.removeHandler(handler)
            PROGRESS.setLevel(level)
