"""The stress replays as one HTML file that loads nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import polars as pl

from nightfold.stress import StressEvent
from nightfold.tearsheet import number
from nightfold.tearsheet.layout import Column, Table, frame_table
from nightfold.tearsheet.template import environment

_CAPTION = (
    "After costs, from the last close before the event to the last close of it. Held: all symbols bought in equal "
    "parts as the event began, before costs."
)
_PERCENT = partial(number.percent, signed=True)
_COLUMNS: Mapping[str, Column] = {
    "experiment": Column("Experiment", words=True),
    "total_return": Column("Return", _PERCENT, toned=True),
    "max_drawdown": Column("Drawdown", number.percent),
    "trades": Column("Trades", number.count),
    "verdict": Column("Outcome", words=True),
    "holding_return": Column("Held return", _PERCENT, toned=True),
    "holding_drawdown": Column("Held drawdown", number.percent),
    "days": Column("Days", partial(number.ratio, digits=1)),
    "in_force_since": Column("Model of", number.day),
    "trained_until": Column("It learnt up to", number.moment),
    "models": Column("Models", number.count),
}


def render_stress(
    replays: pl.DataFrame, events: Sequence[StressEvent], links: Mapping[tuple[str, str], str], note: str = ""
) -> str:
    """Lay replays out as a page, event by event; equal input gives equal text, all of it escaped.

    Parameters
    ----------
    replays
        `nightfold.stress.REPLAYS`.
    events
        What happened, in the order of the page.
    links
        Address of a tearsheet by event and experiment.
    note
        What a simulated market has planted in it; empty where all are real.
    """
    pages = {event.name: [(of, page) for (name, of), page in links.items() if name == event.name] for event in events}
    return (
        environment()
        .get_template("stress.html")
        .render(events=events, replays=_table(replays, events), pages=pages, note=note)
    )


def _table(replays: pl.DataFrame, events: Sequence[StressEvent]) -> Table:
    """List replays under the event they belong to."""
    parts = [frame_table(event.name, "", replays.filter(event=event.name), _COLUMNS) for event in events]
    groups = [(event.title, rows) for event, part in zip(events, parts, strict=True) for _, rows in part.groups]
    return replace(frame_table("replays", _CAPTION, replays, _COLUMNS), groups=groups)
