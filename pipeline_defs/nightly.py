"""What a night has to do: which layers, over which partitions, in which order."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from assets.experiment import Plan
from assets.line import Line
from nightfold.interval import INTERVALS, duration
from nightfold.labels.table import margin
from nightfold.universe import Universe
from nightfold.window import Window, midnight, window_of, windows
from resources.lake import Lake


@dataclass(frozen=True, slots=True)
class Step:
    """One run: a job and the block of partitions it covers; no partitions for an unpartitioned job."""

    job: str
    first: str | None = None
    last: str | None = None

    @property
    def tags(self) -> dict[str, str]:
        """Tags that make one run of the whole block."""
        if self.first is None or self.last is None:
            return {}
        return {"dagster/asset_partition_range_start": self.first, "dagster/asset_partition_range_end": self.last}


def data_steps(job: str, universe: Universe, symbols: list[str], start: datetime, end: datetime) -> list[Step]:
    """Cover the windows that meet a range, for some symbols: one run per block of neighbouring symbols."""
    covered = list(windows(start, end, universe.grain))
    if not covered:
        return []
    return [
        Step(job, f"{covered[0].key}|{block[0]}", f"{covered[-1].key}|{block[-1]}")
        for block in neighbours(symbols, universe.symbols)
    ]


def as_of_steps(job: str, plan: Plan, universes: list[str], start: datetime, end: datetime) -> list[Step]:
    """Cover the as-ofs that come into force in a range."""
    covered = as_ofs(plan, start, end)
    if not covered:
        return []
    known = plan.experiment.universe_keys(plan.universe.symbols)
    return [
        Step(job, f"{covered[0].key}|{block[0]}", f"{covered[-1].key}|{block[-1]}")
        for block in neighbours(universes, known)
    ]


def as_ofs(plan: Plan, start: datetime, end: datetime) -> list[Window]:
    """As-of windows that begin in ``start <= t < end``, none before the experiment's first."""
    first = window_of(midnight(plan.experiment.first_as_of), plan.experiment.retrain).start
    return [w for w in windows(max(start, first), end, plan.experiment.retrain) if w.start >= max(start, first)]


def neighbours(wanted: list[str], known: list[str]) -> list[list[str]]:
    """Split names into blocks that stand next to each other among the sorted known ones.

    Examples
    --------
    >>> neighbours(["A", "B", "D"], ["A", "B", "C", "D"])
    [['A', 'B'], ['D']]
    """
    places = sorted(sorted(known).index(name) for name in wanted)
    blocks: list[list[str]] = []
    for number, place in enumerate(places):
        if number == 0 or place != places[number - 1] + 1:
            blocks.append([])
        blocks[-1].append(sorted(known)[place])
    return blocks


def ingest(line: Line, universe: Universe, lake: Lake, now: datetime) -> list[Step]:
    """New bars: from the last one stored up to now."""
    return data_steps("ingest", universe, universe.symbols, stored_until(line, universe, lake, "ingest"), universe.horizon(now))


def research(line: Line, universe: Universe, lake: Lake, now: datetime) -> list[Step]:
    """Features and labels: from the oldest that may still be open up to the last bar."""
    bars, made = (stored_until(line, universe, lake, layer) for layer in ("ingest", "research"))
    if made >= bars:
        return []
    reaches = [margin(plan.label_set)[1] * duration(plan.interval) for plan in line.plans.values()]
    oldest_open = max(made - 2 * max(reaches, default=timedelta(0)), midnight(universe.start))
    return data_steps("research", universe, universe.symbols, oldest_open, bars)


def train(line: Line, universe: Universe, lake: Lake, now: datetime) -> list[Step]:
    """Models whose as-of has begun and which are not there yet."""
    return [step for plan in line.plans.values() for step in due_as_ofs(plan, lake, now)]


def predict(line: Line, universe: Universe, lake: Lake, now: datetime) -> list[Step]:
    """Predictions: from the last one stored up to the last features, for experiments that have a model."""
    made = stored_until(line, universe, lake, "research")
    return [
        step
        for plan in line.plans.values()
        if has_model(plan, lake)
        for step in data_steps(
            f"{plan.name}_predict", universe, plan.symbols, predicted_until(plan, universe, lake), made
        )
    ]


def evaluate(line: Line, universe: Universe, lake: Lake, now: datetime) -> list[Step]:
    """Backtest and tearsheet of every experiment that has a model."""
    return [Step(f"{plan.name}_evaluate") for plan in line.plans.values() if has_model(plan, lake)]


LAYERS: tuple[Callable[[Line, Universe, Lake, datetime], list[Step]], ...] = (
    ingest,
    research,
    train,
    predict,
    evaluate,
)
"""The layers of a night in order. Everything that is still open is covered, so a missed night is caught up by the
next one; each layer is asked of the lake as the layers before it have left it."""


def next_layer(
    place: int, line: Line, universe: Universe, lake: Lake, now: datetime
) -> tuple[int, list[Step]]:
    """Find the first layer from ``place`` on that has something to do; no steps where the night is over."""
    for number in range(place, len(LAYERS)):
        steps = LAYERS[number](line, universe, lake, now)
        if steps:
            return number, steps
    return len(LAYERS), []


def has_model(plan: Plan, lake: Lake) -> bool:
    """Whether any as-of of an experiment has its ensemble."""
    return any(lake.as_ofs(plan.key("ensemble"), key) for key in plan.experiment.universe_keys(plan.universe.symbols))


def stored_until(line: Line, universe: Universe, lake: Lake, layer: str) -> datetime:
    """Close of the last bar that every asset and symbol of a layer has; the universe's start where one has none."""
    return min(last_close(lake, key, symbol, universe) for key in line.layers[layer] for symbol in universe.symbols)


def predicted_until(plan: Plan, universe: Universe, lake: Lake) -> datetime:
    """Close of the last bar an experiment has predictions for, or its first as-of."""
    closes = [last_close(lake, plan.key("predictions"), symbol, universe) for symbol in plan.symbols]
    return max(min(closes), midnight(plan.experiment.first_as_of))


def due_as_ofs(plan: Plan, lake: Lake, now: datetime) -> list[Step]:
    """The as-ofs that have begun by now and have no model yet: tonight's, and those that a missed night left out."""
    steps = []
    ends = now + timedelta(microseconds=1) if plan.universe.end is None else plan.universe.horizon(now)
    begun = as_ofs(plan, midnight(plan.experiment.first_as_of), ends)
    for universe in plan.experiment.universe_keys(plan.universe.symbols):
        stored = lake.as_ofs(plan.key("ensemble"), universe)
        missed = [w for w in begun if w.key not in stored and (not stored or w.key > stored[-1])]
        wanted = missed if stored else begun[-1:]
        if wanted:
            steps.append(Step(f"{plan.name}_train", f"{wanted[0].key}|{universe}", f"{wanted[-1].key}|{universe}"))
    return steps


def last_close(lake: Lake, key: str, symbol: str, universe: Universe) -> datetime:
    """Close of the last stored bar of one symbol; the universe's start where there is none."""
    interval = key.rpartition("/")[0]
    step = duration(interval if interval in INTERVALS else universe.interval)
    for window in reversed(lake.partitions(key, [symbol])):
        stored = lake.read(key, [symbol], window.start, window.end, ["open_time"])
        if stored is not None and stored.height:
            last: datetime = stored["open_time"].max()  # type: ignore[assignment]  # a time column's maximum
            return last + step
    return midnight(universe.start)
