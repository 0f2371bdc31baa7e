"""A search over variants: rounds until it is over, then at most one look at the days held out from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from assets.leaderboard import stored_runs
from nightfold.errors import ConfigError
from nightfold.experiment import Experiment
from nightfold.improve.judge import judge, score
from nightfold.improve.propose import propose
from nightfold.improve.report import SearchReport, as_markdown, as_page
from nightfold.improve.round import Round, best, end_of, search_id
from nightfold.improve.space import Space, default_space, load_space
from nightfold.improve.stretch import LEAST_DAYS, Opening, Stretch, check_opening, split_range
from nightfold.improve.variant import as_file, spell, vary
from nightfold.leaderboard import Run
from nightfold.source import market_note
from nightfold.tearsheet.number import ratio
from nightfold.window import midnight, parse_end
from pipeline_defs.variant_ledger import store_opening, store_round, stored_openings, stored_rounds
from pipeline_defs.variant_runs import Variant, backtest_code, check_of, result_of
from pipeline_defs.workshop import Workshop
from resources.reports import write_report


@dataclass(slots=True)
class Search:
    """One search from an experiment, with the rounds that the lake holds of it.

    Parameters
    ----------
    workshop
        Knows all variants so far.
    base, space, stretch, seed
        What decides the rounds.
    id
        Hash of all that.
    rounds, variants
        In order.
    ended
        Why the search is over; empty while it goes on.
    """

    workshop: Workshop
    base: Experiment
    space: Space
    stretch: Stretch
    seed: int
    id: str
    rounds: list[Round]
    variants: list[Variant]
    ended: str = ""

    @property
    def winner(self) -> Variant:
        """The variant of the best round."""
        return self.variants[best(self.rounds).number]


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked on the command line: see `nightfold improve --help`."""

    experiment: str
    space: Path | None = None
    trials: int = 12
    patience: int = 4
    holdout_days: int = 90
    end: str | None = None
    seed: int | None = None
    opened: bool = False
    again: bool = False
    write: Path | None = None

    def __post_init__(self) -> None:
        if self.again and not self.opened:
            raise ConfigError("`again` is set without `open`; it allows a further look: give both, or neither.")
        if self.write is not None and (self.write.exists() or self.write.suffix not in {".yaml", ".yml"}):
            fault = "exists already" if self.write.exists() else "is no YAML file"
            raise ConfigError(f"`write` is {self.write}, which {fault}; name a new one that ends in .yaml.")


def improve(workshop: Workshop, asked: Request) -> tuple[SearchReport, Path]:
    """Search, report, and open the held-out days where that was asked; return the report and its page.

    Raises
    ------
    ConfigError
        If a name, field, value or range is wrong.
    HoldoutError
        If the held-out days were opened before; the search and its report are there all the same.
    """
    environment = workshop.environment
    base, starts = environment.experiment(asked.experiment), environment.universe.start
    stretch = _stretch(base, environment.horizon(), asked)
    space = default_space(base, (base.first_as_of - starts).days)
    if asked.space is not None:
        space = load_space(asked.space, base, partial(check_of, workshop))
    workshop.catch_up()
    seed = base.seed if asked.seed is None else asked.seed
    found = search(workshop, base, space, stretch, seed, trials=asked.trials, patience=asked.patience)
    report, page = write_search(found)
    if asked.opened:
        open_holdout(found, again=asked.again)
        report, page = write_search(found)
    found.workshop.leaderboard(base.name)
    if asked.write is not None:
        write_experiment(asked.write, report)
        workshop.tell(f"{asked.write} is written.")
    return report, page


def search(
    workshop: Workshop, base: Experiment, space: Space, stretch: Stretch, seed: int, *, trials: int, patience: int
) -> Search:
    """Make the rounds of a search that are not stored, until it is over.

    The same settings and seed give the same rounds: those of a search that was killed are taken from the lake, and
    a larger budget goes on behind them.
    """
    code = backtest_code(workshop, base.name, stretch.searched, stretch.until)
    found = Search(workshop, base, space, stretch, seed, search_id(base, space, stretch, seed, code), [], [])
    stored = {each.number: each for each in stored_rounds(workshop.environment.lake, base.name, found.id)}
    while not found.ended:
        reason = end_of(found.rounds, trials, patience)
        proposed = None if reason else _next(found)
        if proposed is None:
            found.ended = reason or "nothing in the space was left to try"
            break
        made = _round(found, proposed, stored.get(len(found.rounds)))
        found.rounds.append(made)
        found.variants.append(proposed)
        workshop.tell(f"[bold]round {made.number}[/] {spell(made.overrides)}: Sharpe {ratio(made.score)}")
    return found


def open_holdout(found: Search, *, again: bool) -> Opening:
    """Look at the held-out days, for the winner alone, and write down who looked.

    The look is announced before it is made, so that none goes unseen.

    Raises
    ------
    HoldoutError
        If any of the days was opened before, and ``again`` is not set.
    """
    environment, winner = found.workshop.environment, found.winner
    lake, stored = environment.lake, stored_openings(environment.lake, found.base.name)
    look = check_opening(found.stretch, stored, found.id, winner.experiment.name, again=again)
    announced = Opening(
        experiment=found.base.name,
        opened_at=environment.now(),
        variant=winner.experiment.name,
        overrides=dict(winner.overrides),
        search=found.id,
        start=found.stretch.until,
        end=found.stretch.end,
        look=look,
    )
    store_opening(lake, announced, stored)
    found.workshop.tell(f"[bold]held-out days[/] opened for {winner.experiment.name}, look {look}")
    run = result_of(found.workshop, found.base.name, winner, found.stretch.held_out, found.stretch.end)
    repeated = sum(_repeats(announced, each) for each in stored)
    judged = judge(stored_runs(lake, newest=True), run.card.variant, run.daily, further_looks=repeated)
    seen = {"sharpe_ratio": score(run.daily["daily_return"]), "total_return": run.card.measures["total_return"]}
    opened = announced.model_copy(
        update={"measures": seen, "deflated_sharpe": judged.deflated_sharpe, "n_trials": judged.n_trials}
    )
    store_opening(lake, opened, stored_openings(lake, found.base.name))
    return opened


def write_experiment(file: Path, report: SearchReport) -> None:
    """Write the best settings as an experiment file of its own name."""
    first = f"# Best of {len(report.rounds)} rounds of `nightfold improve {report.experiment.name}`.\n"
    try:
        file.write_text(first + as_file(report.winner))
    except OSError as error:
        raise ConfigError(f"`write` is {file}, which cannot be written: {error.strerror}.") from error


def write_search(found: Search) -> tuple[SearchReport, Path]:
    """Write the report of a search, as Markdown and as a page, and return it with the page."""
    environment, stretch = found.workshop.environment, found.stretch
    runs = stored_runs(environment.lake, newest=True)
    by_variant = {run.card.variant: run for run in runs}
    judgements = [judge(runs, each.variant, by_variant[each.variant].daily) for each in found.rounds]
    openings = [each for each in stored_openings(environment.lake, found.base.name) if _meets(each, stretch)]
    report = SearchReport(
        experiment=found.base,
        seed=found.seed,
        stretch=stretch,
        rounds=found.rounds,
        ended=found.ended,
        judgements=judgements,
        winner=found.winner.experiment,
        openings=openings,
        seen_before=_seen_outside(found, runs),
        note=market_note(environment.universe.source) if environment.universe.is_simulated else "",
    )
    write_report(environment.reports, f"{found.base.name}/improve.md", as_markdown(report).encode())
    page = write_report(environment.reports, f"{found.base.name}/improve.html", as_page(report).encode())
    return report, page.path


def _stretch(base: Experiment, horizon: datetime, asked: Request) -> Stretch:
    """Lay out the days of a search and those it holds out, up to ``end`` or to the last one there is."""
    starts = midnight(base.first_as_of)
    whole = split_range(starts, horizon, asked.holdout_days)
    if asked.end is None:
        return whole
    until, least = parse_end(asked.end, "end"), starts + timedelta(days=LEAST_DAYS + asked.holdout_days)
    if until < least:
        first, last = (f"{each - timedelta(days=1):%Y-%m-%d}" for each in (least, whole.end))
        raise ConfigError(
            f"`end` is {asked.end}; {base.name} is traded from {starts:%Y-%m-%d}, and {LEAST_DAYS} days to search on "
            f"and the {asked.holdout_days} held out (`holdout_days`) must follow: end from {first} to {last}, or hold "
            "out fewer."
        )
    return split_range(starts, min(until, horizon), asked.holdout_days)


def _next(found: Search) -> Variant | None:
    """Choose the variant of the next round: the experiment as it stands, then what the search proposes."""
    made = partial(vary, found.base, check=partial(check_of, found.workshop))
    if not found.rounds:
        return Variant({}, made({}))
    told = [(each.overrides, each.score) for each in found.rounds[1:]]
    tried = [each.experiment for each in found.rounds]
    proposed = propose(found.space, told, found.seed, made, tried)
    return None if proposed is None else Variant(*proposed)


def _round(found: Search, variant: Variant, stored: Round | None) -> Round:
    """Take a round from the lake, or make it."""
    found.workshop = found.workshop.with_experiments([variant.experiment])
    if stored is not None:
        return stored
    choices, until = found.stretch.searched, found.stretch.until
    run = result_of(found.workshop, found.base.name, variant, choices, until)
    made = Round(
        search=found.id,
        number=len(found.rounds),
        overrides=dict(variant.overrides),
        experiment=variant.experiment.name,
        variant=run.card.variant,
        until=until,
        end=found.stretch.end,
        score=score(run.daily["daily_return"]),
        days=run.card.days,
        trades=run.card.trades,
        total_return=run.card.measures["total_return"],
        max_drawdown=run.card.measures["max_drawdown"],
    )
    store_round(found.workshop.environment.lake, found.base.name, made)
    return made


def _meets(opening: Opening, stretch: Stretch) -> bool:
    return opening.start < stretch.end and stretch.until < opening.end


def _repeats(opening: Opening, other: Opening) -> bool:
    """Whether a finished look was at the same days of the same variant, so that it left the same result."""
    places = [(each.variant, each.start, each.end) for each in (opening, other)]
    return other.measures is not None and places[0] == places[1]


def _seen_outside(found: Search, runs: Sequence[Run]) -> int:
    """Count variants of any experiment with a result on the held-out days that is no opening."""
    first, last = found.stretch.until.date(), (found.stretch.end - timedelta(days=1)).date()
    opened = found.stretch.held_out.id
    cards = [run.card for run in runs]
    return sum(card.choices != opened and card.first_day <= last and first <= card.last_day for card in cards)
