"""What a night has to do: which layers, over which partitions, in which order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from assets.experiment import Plan
from assets.forecast_log import STAGE as LOG
from assets.keys import data_key
from assets.line import Line
from assets.policy import STAGE as POLICY
from assets.policy import fresh_policies
from assets.stored import last_open_time
from assets.tuning import STAGE as TUNING
from nightfold.features.catalog import SETS
from nightfold.features.table import looks_across, table_name
from nightfold.interval import INTERVALS, Interval, duration, last_close
from nightfold.labels.table import margin
from nightfold.universe import Universe
from nightfold.window import Window, midnight, parse_moment, window_of, windows
from resources.lake import Lake

Span = tuple[datetime, datetime]

_INSTANT = timedelta(microseconds=1)
_NOTHING = timedelta(0)
_WORTH_A_REPORT = timedelta(days=1)


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


def data_steps(job: str, universe: Universe, symbols: Iterable[str], start: datetime, end: datetime) -> list[Step]:
    """Cover the windows that meet a range, for some symbols: one run per block of neighbouring symbols."""
    covered = list(windows(max(start, midnight(universe.start)), end, universe.grain))
    return _blocks(job, covered, symbols, universe.symbols)


def as_of_steps(job: str, plan: Plan, universes: Iterable[str], start: datetime, end: datetime) -> list[Step]:
    """Cover the as-ofs that begin in ``start <= t < end``: one run per block of neighbouring universe keys."""
    return _blocks(job, as_ofs(plan, start, end), universes, plan.experiment.universe_keys(plan.universe.symbols))


def as_ofs(plan: Plan, start: datetime, end: datetime) -> list[Window]:
    """List the as-of windows that begin in ``start <= t < end``, none before the experiment's first."""
    start = max(start, window_of(midnight(plan.experiment.first_as_of), plan.experiment.retrain).start)
    return [window for window in windows(start, end, plan.experiment.retrain) if window.start >= start]


def neighbours(wanted: Iterable[str], known: Iterable[str]) -> list[list[str]]:
    """Split names into blocks that stand next to each other among the sorted known ones.

    Examples
    --------
    >>> neighbours(["A", "B", "D"], ["A", "B", "C", "D"])
    [['A', 'B'], ['D']]
    """
    order = sorted(known)
    places = sorted({order.index(name) for name in wanted})
    blocks: list[list[str]] = []
    for number, place in enumerate(places):
        if number == 0 or place != places[number - 1] + 1:
            blocks.append([])
        blocks[-1].append(order[place])
    return blocks


def _blocks(job: str, covered: Sequence[Window], wanted: Iterable[str], known: Iterable[str]) -> list[Step]:
    """Make one run per block of neighbouring names, over the same windows."""
    if not covered:
        return []
    first, last = covered[0].key, covered[-1].key
    return [Step(job, f"{first}|{block[0]}", f"{last}|{block[-1]}") for block in neighbours(wanted, known)]


@dataclass(frozen=True, slots=True)
class Night:
    """One night of a deployment: what there is to make, what is stored, and the time it is."""

    line: Line
    universe: Universe
    lake: Lake
    now: datetime

    def until(self, key: str, symbol: str, interval: Interval | None = None) -> datetime | None:
        """Close of the last stored bar of an asset, or end of the last window of a search; None where there is none."""
        if key in self.line.searches:
            stored = self.lake.partitions(key, [symbol])
            return stored[-1].end if stored else None
        last = last_open_time(self.lake, key, symbol)
        return last and last + duration(interval or interval_of(key, self.universe))

    def made_until(self, key: str, symbol: str) -> datetime:
        """Close of the last stored bar of a data asset; the universe's start where there is none."""
        return self.until(key, symbol) or midnight(self.universe.start)


# ---------------------------------------------------------------------- the layers of a night


def ingest(night: Night) -> list[Step]:
    """Ask for new bars: of each symbol from the last one stored up to now."""
    behind: dict[str, list[Span]] = {symbol: [] for symbol in night.universe.symbols}
    for key in night.line.layers["ingest"]:
        closed = last_close(night.universe.horizon(night.now), interval_of(key, night.universe))
        for symbol, spans in behind.items():
            until = night.made_until(key, symbol)
            if until < closed:
                spans.append((until, closed))
    return _catch_up("ingest", night.universe, behind)


def research(night: Night) -> list[Step]:
    """Ask for features and labels: of each symbol from the oldest row that is open up to the last bar."""
    behind: dict[str, list[Span]] = {symbol: [] for symbol in night.universe.symbols}
    for key in night.line.layers["research"]:
        interval = interval_of(key, night.universe)
        open_spans = {}
        for symbol in behind:
            until = night.made_until(key, symbol)
            bars = night.made_until(data_key(night.universe, "bars", interval), symbol)
            if until < bars:
                open_spans[symbol] = (until - _label_reach(night.line, key, interval), bars)
        if open_spans and _looks_across(key):  # bars that came late belong into the rows of the others, too
            starts, ends = zip(*open_spans.values(), strict=True)
            open_spans = dict.fromkeys(behind, (min(starts), max(ends)))
        for symbol, span in open_spans.items():
            behind[symbol].append(span)
    return _catch_up("research", night.universe, behind)


def tune(night: Night) -> list[Step]:
    """Ask for the searches behind models that are due, where they were not made yet: seldom, by default once."""
    return [step for plan in night.line.plans.values() for step in due_searches(plan, night.lake, night.now)]


def train(night: Night) -> list[Step]:
    """Ask for the models whose as-of has begun and which are not there yet."""
    return [step for plan in night.line.plans.values() for step in due_as_ofs(plan, night.lake, night.now)]


def predict(night: Night) -> list[Step]:
    """Ask for predictions: from the last one stored up to the last features, where there is a model."""
    steps = []
    for plan in night.line.plans.values():
        behind: dict[str, list[Span]] = {symbol: [] for symbol in plan.symbols}
        for symbol, spans in behind.items():
            made, known = _predicted_until(night, plan, symbol), _predictable_until(night, plan, symbol)
            unlogged = _unlogged(night, plan, symbol)
            made = made if made is None or unlogged is None else min(made, unlogged)
            if made is not None and made < known:  # what came of the last forecasts has become known, too
                spans.append((max(made - _outcomes_reach(plan), _first_as_of(night, plan, symbol) or made), known))
        steps += _catch_up(f"{plan.name}_predict", night.universe, behind)
    return steps


def policy(night: Night) -> list[Step]:
    """Ask for the policies of models that are stored, where an experiment searches them and they are not made so yet.

    Where a universe key has policies, these are those after its last one, and those found under other settings; where
    it has none, the newest alone.
    """
    steps = []
    for plan in night.line.plans.values():
        if plan.experiment.policy is None:
            continue
        known = plan.experiment.universe_keys(plan.universe.symbols)
        fresh = fresh_policies(plan, night.lake)
        begun = as_ofs(plan, midnight(plan.universe.start), night.now + _INSTANT)
        for universe in known:
            made = night.lake.as_ofs(plan.key(POLICY), universe)
            trained = set(night.lake.as_ofs(plan.key("ensemble"), universe))
            due = [window for window in begun if window.key in trained]
            wanted = [w for w in due if w.key > made[-1] or (universe, w.key) not in fresh] if made else due[-1:]
            steps += _blocks(f"{plan.name}_policy", wanted, [universe], known)
    return steps


def evaluate(night: Night) -> list[Step]:
    """Ask for backtest and tearsheet of every experiment that has predicted for a day or more."""
    return [Step(f"{plan.name}_evaluate") for plan in night.line.plans.values() if _is_worth_a_report(night, plan)]


LAYERS: tuple[Callable[[Night], list[Step]], ...] = (ingest, research, tune, train, predict, policy, evaluate)
"""The layers of a night in order. Everything that is still open is covered, so a missed night is caught up by the
next one; each layer is asked of the lake as the layers before it have left it. The last one is never done: reports
are made again whenever it is asked."""


def next_layer(place: int, night: Night) -> tuple[int, list[Step]]:
    """Find the first layer from ``place`` on that has something to do; no steps where the night is over."""
    for number in range(place, len(LAYERS)):
        steps = LAYERS[number](night)
        if steps:
            return number, steps
    return len(LAYERS), []


def first_layer(night: Night) -> list[Step]:
    """List the runs of `ingest` that a night begins with; none where all that could be made is there.

    A night in which bars are all there and a later layer is open looks at the last window of bars once more.
    """
    steps = ingest(night)
    if steps or not any(layer(night) for layer in LAYERS[1:-1]):
        return steps
    horizon = night.universe.horizon(night.now)
    return data_steps("ingest", night.universe, night.universe.symbols, horizon - _INSTANT, horizon)


def due_as_ofs(plan: Plan, lake: Lake, now: datetime) -> list[Step]:
    """List the runs for as-ofs that have begun by now and have no ensemble yet.

    Where a universe key has models, these are all as-ofs after its last one; where it has none, the newest alone: the
    past before an experiment's first night is a backfill's work.
    """
    known = plan.experiment.universe_keys(plan.universe.symbols)
    due = _due_windows(plan, lake, now)
    return [step for wanted, keys in due.items() for step in _blocks(f"{plan.name}_train", wanted, keys, known)]


def due_searches(plan: Plan, lake: Lake, now: datetime) -> list[Step]:
    """List the runs for searches that `due_as_ofs` need and the lake lacks."""
    if not plan.experiment.tuned:
        return []
    known = plan.experiment.universe_keys(plan.universe.symbols)
    lacking: dict[Window, list[str]] = {}
    for wanted, keys in _due_windows(plan, lake, now).items():
        for window in sorted({plan.experiment.tuning_window(each.start) for each in wanted}):
            lacking.setdefault(window, []).extend(
                key for key in keys if window.key not in lake.as_ofs(plan.key(TUNING), key)
            )
    job = f"{plan.name}_tune"
    return [step for window, keys in sorted(lacking.items()) for step in _blocks(job, [window], keys, known)]


def search_steps(job: str, plan: Plan, universes: Iterable[str], start: datetime, end: datetime) -> list[Step]:
    """Cover the searches behind the models that `as_of_steps` would make."""
    covered = sorted({plan.experiment.tuning_window(window.start) for window in as_ofs(plan, start, end)})
    return _blocks(job, covered, universes, plan.experiment.universe_keys(plan.universe.symbols))


def _due_windows(plan: Plan, lake: Lake, now: datetime) -> dict[tuple[Window, ...], list[str]]:
    """As-ofs of `due_as_ofs`, with the universe keys that lack them."""
    end = now + _INSTANT if plan.universe.end is None else min(now + _INSTANT, midnight(plan.universe.end))
    begun = as_ofs(plan, midnight(plan.universe.start), end)
    due: dict[tuple[Window, ...], list[str]] = {}
    for universe in plan.experiment.universe_keys(plan.universe.symbols):
        stored = lake.as_ofs(plan.key("ensemble"), universe)
        wanted = [window for window in begun if window.key > stored[-1]] if stored else begun[-1:]
        due.setdefault(tuple(wanted), []).append(universe)
    return due


# ---------------------------------------------------------------------- what is open


def interval_of(key: str, universe: Universe) -> Interval:
    """Interval of a data asset: the prefix of its key, else the default one."""
    prefix = key.rpartition("/")[0]
    return next((interval for interval in INTERVALS if interval == prefix), universe.interval)


def _catch_up(job: str, universe: Universe, behind: Mapping[str, Sequence[Span]]) -> list[Step]:
    """Cover what each symbol lacks; symbols that lack the same windows share runs."""
    together: dict[Span, list[str]] = {}
    for symbol, spans in behind.items():
        if spans:
            first = window_of(min(start for start, _ in spans), universe.grain)
            last = window_of(max(end for _, end in spans) - _INSTANT, universe.grain)
            together.setdefault((first.start, last.end), []).append(symbol)
    return [step for span, symbols in sorted(together.items()) for step in data_steps(job, universe, symbols, *span)]


def _looks_across(key: str) -> bool:
    """Whether an asset is a set of features that looks at the bars of other symbols."""
    return any(looks_across(name) for name in SETS if table_name(name) == key.rpartition("/")[2])


def _label_reach(line: Line, key: str, interval: Interval) -> timedelta:
    """How far before the last bar a row of an asset may still be open: the longest horizon of labels, else nothing."""
    label_set = line.label_sets.get(key.rpartition("/")[2])
    return _NOTHING if label_set is None else margin(label_set)[1] * duration(interval)


def _first_as_of(night: Night, plan: Plan, symbol: str) -> datetime | None:
    """When the first stored model of a symbol came into force; None where there is none."""
    stored = night.lake.as_ofs(plan.key("ensemble"), plan.universe_key(symbol))
    return parse_moment(stored[0], "as_of") if stored else None


def _predicted_until(night: Night, plan: Plan, symbol: str) -> datetime | None:
    """Close of the last bar that has a prediction, at first the first as-of stored; None where there is no model."""
    begins = _first_as_of(night, plan, symbol)
    return begins and max(begins, night.until(plan.key("predictions"), symbol, plan.interval) or begins)


def _unlogged(night: Night, plan: Plan, symbol: str) -> datetime | None:
    """Start of the first window of predictions that the forecast log lacks; None where it has all."""
    if not plan.experiment.target.is_traded:
        return None
    logged = set(night.lake.partitions(plan.key(LOG), [symbol]))
    lacking = [each.start for each in night.lake.partitions(plan.key("predictions"), [symbol]) if each not in logged]
    return min(lacking, default=None)


def _outcomes_reach(plan: Plan) -> timedelta:
    """How far before the last forecast the forecast log may still lack outcomes."""
    return plan.experiment.strategy.horizon * duration(plan.interval) if plan.experiment.target.is_traded else _NOTHING


def _predictable_until(night: Night, plan: Plan, symbol: str) -> datetime:
    """Close of the last bar that has all a prediction needs."""
    return min(night.made_until(plan.data(name), symbol) for name in plan.inputs)


def _is_worth_a_report(night: Night, plan: Plan) -> bool:
    """Whether a symbol has predictions for a day and two bars beyond its first model: before, there is no return."""
    needed = max(_WORTH_A_REPORT, 2 * duration(plan.interval))
    for symbol in plan.symbols:
        begins, until = _first_as_of(night, plan, symbol), _predicted_until(night, plan, symbol)
        if begins is not None and until is not None and until - begins >= needed:
            return True
    return False
