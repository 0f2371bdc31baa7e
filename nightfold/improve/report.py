"""A search in words: its rounds, how far the best of them can be believed, and what was found on the held-out days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from nightfold.experiment import Experiment
from nightfold.improve.judge import LIKELY, Judgement
from nightfold.improve.round import Round, best
from nightfold.improve.stretch import Opening, Stretch
from nightfold.improve.variant import as_file, spell
from nightfold.tearsheet.number import count, percent, ratio
from nightfold.tearsheet.template import environment

_FEW_TRADES = 30


@dataclass(frozen=True, slots=True)
class SearchReport:
    """What is known of a search.

    Parameters
    ----------
    experiment, seed, stretch
        What was searched from, the seed, and the days.
    rounds, ended
        In order, and why the last one was the last.
    judgements
        Of each round, by all results on the same days.
    winner
        The experiment of the best round.
    openings
        Looks at the held-out days, oldest first.
    seen_before
        Results which cover held-out days and were made without an opening.
    note
        What a simulated market has planted in it; empty for a real one.
    """

    experiment: Experiment
    seed: int
    stretch: Stretch
    rounds: Sequence[Round]
    ended: str
    judgements: Sequence[Judgement]
    winner: Experiment
    openings: Sequence[Opening] = ()
    seen_before: int = 0
    note: str = ""


def as_markdown(report: SearchReport) -> str:
    """Write a search as a Markdown document."""
    table = rounds_table(report)
    lines = [table.columns, ["---"] * table.width, *table.iter_rows()]
    parts = [
        f"# {title(report)}",
        *([f"**{report.note}**"] if report.note else []),
        _setting(report),
        "\n".join(f"- {line}" for line in verdict(report)),
        "## Rounds",
        "\n".join(f"| {' | '.join(line)} |" for line in lines),
        "## Held-out days",
        "\n".join(f"- {line}" for line in held_out_words(report)),
        "## Best settings",
        f"```yaml\n{as_file(report.winner)}```",
    ]
    return "\n\n".join(parts) + "\n"


def as_page(report: SearchReport) -> str:
    """Lay a search out as one HTML file that loads nothing; equal input gives equal text, all of it escaped."""
    return (
        environment()
        .from_string(_PAGE)
        .render(
            title=title(report),
            note=report.note,
            setting=_setting(report),
            verdict=verdict(report),
            rounds=rounds_table(report),
            held_out=held_out_words(report),
            settings=as_file(report.winner),
        )
    )


def title(report: SearchReport) -> str:
    """Name a search."""
    return f"Search from {report.experiment.name}"


def verdict(report: SearchReport) -> list[str]:
    """Say whether anything improved, and how far that can be believed."""
    leader, first = best(report.rounds), report.rounds[0]
    judged = report.judgements[leader.number]
    words = []
    if leader.number == 0:
        words.append(f"Nothing improved: of {len(report.rounds)} rounds none beats the experiment as its file stands.")
    else:
        words.append(
            f"Best is round {leader.number}, {spell(leader.overrides)}: Sharpe {_score(leader)} a year, against "
            f"{_score(first)} of the experiment as its file stands."
        )
    if leader.score is None or leader.score < 0:
        words.append("Even the best lost money: the best choice so far is not to trade.")
    elif leader.trades == 0:
        words.append("The best one never traded: on these days nothing it saw was worth its costs.")
    elif leader.trades < _FEW_TRADES:
        words.append(f"It closed {leader.trades} trades, too few to tell skill from luck.")
    words.append(belief(judged))
    words.append(f"The search ended because {report.ended}.")
    return words


def belief(judged: Judgement) -> str:
    """Say how much of the best result the number of variants explains."""
    looked = f"{_variants(judged.n_trials)} looked at on these days"
    if judged.deflated_sharpe is None:
        return f"Deflated Sharpe ratio of the best: not known; {looked}."
    found = f"Deflated Sharpe ratio of the best: {judged.deflated_sharpe:.3f}, with {looked}"
    if judged.deflated_sharpe >= LIKELY:
        return f"{found}: more than luck explains, there."
    return f"{found}: under {LIKELY}, so it may be the luck of the best of so many."


def held_out_words(report: SearchReport) -> list[str]:
    """Tell what became of the held-out days."""
    stretch = report.stretch
    days = f"{stretch.until:%Y-%m-%d} to {stretch.end - timedelta(days=1):%Y-%m-%d}"
    words = [f"{days}: no round looked at them."]
    if report.seen_before:
        words.append(
            f"But {_results(report.seen_before)}: whoever saw them may have chosen this experiment because of them. "
            "The days are not fresh, and these variants count."
        )
    if not report.openings:
        words.append("They were not opened. `--open` opens them once, for the best variant only.")
    return words + [_opened(opening) for opening in report.openings]


def rounds_table(report: SearchReport) -> pl.DataFrame:
    """List the rounds as people read them."""
    rows = [
        {
            "round": str(each.number),
            "Sharpe a year": _score(each),
            "deflated": ratio(judged.deflated_sharpe, 3),
            "return": percent(each.total_return),
            "drawdown": percent(each.max_drawdown),
            "trades": count(each.trades),
            "variant": each.experiment,
            "settings": spell(each.overrides),
        }
        for each, judged in zip(report.rounds, report.judgements, strict=True)
    ]
    return pl.DataFrame(rows)


def _setting(report: SearchReport) -> str:
    return (
        f"{len(report.rounds)} variants on {report.stretch.start:%Y-%m-%d} to "
        f"{report.stretch.until - timedelta(days=1):%Y-%m-%d}, seed {report.seed}. Sharpe is of daily returns after "
        "costs, 365 days a year. Deflated is the probability that the true ratio exceeds what the best of all variants "
        "looked at on these days shows by luck alone."
    )


def _score(each: Round) -> str:
    return "ruined" if each.score is None else ratio(each.score)


def _opened(opening: Opening) -> str:
    looked = f"Opened on {opening.opened_at:%Y-%m-%d %H:%M} UTC for {opening.variant} (look {opening.look})"
    if opening.measures is None:
        return f"{looked}; the look was not finished."
    sharpe, total = opening.measures.get("sharpe_ratio"), opening.measures.get("total_return")
    found = f"Sharpe {ratio(sharpe)}, return {percent(total)}, deflated Sharpe {ratio(opening.deflated_sharpe, 3)}"
    seen = _variants(opening.n_trials or 1)
    further = "" if opening.look == 1 else " A further look proves less than the first."
    return f"{looked}: {found}, with {seen} looked at on these days.{further}"


def _results(number: int) -> str:
    told = "has a result" if number == 1 else "have results"
    return f"{_variants(number)} outside of this search {told} on some of these days"


def _variants(number: int) -> str:
    return "1 variant" if number == 1 else f"{number} variants"


_PAGE = """\
{% with heading = title ~ " · Nightfold", scripted = false %}{% include "head.html" %}{% endwith %}
<body>
{% if note %}
<p class="banner"><strong>Simulated market</strong> <span>{{ note }}</span></p>
{% endif %}
<main>
<header><h1>{{ title }}</h1>
<p>{{ setting }}</p></header>
<section aria-labelledby="verdict"><h2 id="verdict">Verdict</h2>
<ul>{% for line in verdict %}<li>{{ line }}</li>{% endfor %}</ul></section>
<section aria-labelledby="rounds"><h2 id="rounds">Rounds</h2>
<div class="scroll"><table>
<caption>Round 0 is the experiment as its file stands</caption>
<thead><tr>{% for name in rounds.columns %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rounds.iter_rows() %}
<tr><th scope="row">{{ row[0] }}</th>{% for cell in row[1:] %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div></section>
<section aria-labelledby="held-out"><h2 id="held-out">Held-out days</h2>
<ul>{% for line in held_out %}<li>{{ line }}</li>{% endfor %}</ul></section>
<section aria-labelledby="settings"><h2 id="settings">Best settings</h2>
<pre>{{ settings }}</pre></section>
</main>
</body>
</html>
"""
