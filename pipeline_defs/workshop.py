"""Layers made from the command line: in this process, recorded where the UI sees them."""

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from assets.experiment import Plan
from assets.line import Line
from nightfold.errors import ConfigError, NightfoldError, UnknownNameError
from nightfold.window import midnight, parse_moment, window_of
from pipeline_defs.definitions import build
from pipeline_defs.nightly import LAYERS, Step, as_of_steps, data_steps
from pipeline_defs.runs import execute, fail_dead_runs
from resources.environments import Environment, Settings, load_environment, prepare_dagster_home, utc_now
from resources.progress import PROGRESS

DATA_LAYERS = ("ingest", "research")
EXPERIMENT_LAYERS = ("train", "predict", "evaluate")


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
        """Load everything, mark runs of killed processes failed, and show progress through ``tell``."""
        environment = load_environment(Settings(), utc_now if now is None else lambda: now)
        prepare_dagster_home(environment)
        definitions, line = build(environment)
        with dg.DagsterInstance.get() as instance, _progress(tell):
            for run in fail_dead_runs(instance):
                tell(f"run {run} was killed earlier; marked failed")
            yield cls(environment, definitions, instance, line, tell)

    def run_line(self, experiment: str) -> Path:
        """Make everything one experiment needs, and return the address of its tearsheet."""
        plan = self._plan(experiment)
        universe = self.environment.universe
        start, end = midnight(universe.start), self.environment.horizon()
        self.tell(f"{experiment} on {self.environment.source.slug}: {', '.join(plan.symbols)}, {start:%Y-%m-%d} to {end:%Y-%m-%d}")
        steps = [
            *data_steps("ingest", universe, plan.symbols, start, end),
            *data_steps("research", universe, plan.symbols, start, end),
            *as_of_steps(f"{experiment}_train", plan, plan.experiment.universe_keys(universe.symbols), start, end),
            *data_steps(f"{experiment}_predict", universe, plan.symbols, midnight(plan.experiment.first_as_of), end),
            Step(f"{experiment}_evaluate"),
        ]
        self._run(steps)
        return self.environment.reports / experiment / "tearsheet.html"

    def backfill(
        self,
        layer: str,
        start: str | None,
        to: str | None,
        symbols: Sequence[str] | None,
        experiment: str | None,
        *,
        force: bool,
    ) -> None:
        """Make a range of one layer."""
        universe = self.environment.universe
        for symbol in symbols or []:
            if symbol not in universe.symbols:
                raise UnknownNameError("symbol", symbol, universe.symbols)
        first = midnight(universe.start) if start is None else parse_moment(start, "from")
        last = self.environment.horizon() if to is None else min(_end_of(to), self.environment.horizon())
        if last <= first:
            raise ConfigError(f"`to` is {last:%Y-%m-%d}, which is not after `from`, {first:%Y-%m-%d}; nothing to make.")
        chosen = list(symbols or universe.symbols)
        job, only = self._job_of(layer)
        if job in DATA_LAYERS:
            self._run(data_steps(job, universe, chosen, first, last), only, force=force)
            return
        for plan in [self._plan(experiment)] if experiment else self.line.plans.values():
            keys = plan.experiment.universe_keys(universe.symbols)
            match job:
                case "train":
                    wanted = keys if keys == ["pooled"] else [key for key in keys if key in chosen]
                    self._run(as_of_steps(f"{plan.name}_train", plan, wanted, first, last), only, force=force)
                case "predict":
                    traded = [symbol for symbol in chosen if symbol in plan.symbols]
                    self._run(data_steps(f"{plan.name}_predict", universe, traded, first, last))
                case "evaluate":
                    choices = {"start": start, "end": f"{last:%Y-%m-%dT%H:%M}" if to else None}
                    stages = ("backtest", "tearsheet")
                    self._run([Step(f"{plan.name}_evaluate")], config={plan.key(s): choices for s in stages})

    def night(self) -> None:
        """Make the layers of a night, each asked of the lake as the ones before have left it."""
        now, universe = self.environment.now(), self.environment.universe
        busy = False
        for layer in LAYERS:
            try:
                steps = layer(self.line, universe, self.environment.lake, now)
                busy = busy or bool(steps)
                self._run(steps)
            except NightfoldError as error:
                self.definitions.resources["alerts"].send(f"Nightfold: the night stopped at {layer.__name__}", str(error))
                raise
        self.tell("The night is over." if busy else f"Everything up to {universe.horizon(now):%Y-%m-%d %H:%M} is there.")

    def _run(
        self,
        steps: Sequence[Step],
        only: Sequence[str] | None = None,
        *,
        force: bool = False,
        config: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        for step in steps:
            started = time.monotonic()
            span = f" {step.first} ... {step.last}" if step.first else ""
            self.tell(f"[bold]{step.job}[/]{span}")
            settings = dict(config or {})
            if force:
                settings |= {key: {"force": True} for key in self._forceable(step.job)}
            execute(self.definitions, self.instance, step, config=settings, only=only)
            self.tell(f"[bold]{step.job}[/] done in {time.monotonic() - started:.1f} s")

    def _job_of(self, layer: str) -> tuple[str, list[str] | None]:
        """Job behind a layer's name, and the one asset of it that was meant where it is an asset's name."""
        if layer in (*DATA_LAYERS, *EXPERIMENT_LAYERS):
            return layer, None
        for job in DATA_LAYERS:
            if layer in self.line.layers[job]:
                return job, [layer]
        known = [*DATA_LAYERS, *EXPERIMENT_LAYERS, *(key for job in DATA_LAYERS for key in self.line.layers[job])]
        raise UnknownNameError("layer", layer, known)

    def _forceable(self, job: str) -> list[str]:
        if job == "ingest":
            return [key for key in self.line.layers[job] if key.endswith("raw_bars")]
        plan = self.line.plans.get(job.removesuffix("_train"))
        return [plan.key(member) for member in plan.experiment.models] if plan else []

    def _plan(self, experiment: str) -> Plan:
        if experiment not in self.line.plans:
            raise UnknownNameError("experiment", experiment, self.line.plans)
        return self.line.plans[experiment]


def _end_of(text: str) -> datetime:
    """Moment after the month or day that a text names; the moment itself for a full time."""
    moment = parse_moment(text, "to")
    match text.count("-"):
        case 1:
            return window_of(moment, "month").end
        case 2 if "T" not in text and " " not in text:
            return moment + timedelta(days=1)
        case _:
            return moment


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
