"""The `nightfold sweep` and `nightfold improve` commands: many variants of an experiment, judged as many."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from pipeline_defs.console import OUT, check_output, reported, show

Experiment = Annotated[str, typer.Argument(help="Experiment to vary.")]
End = Annotated[str | None, typer.Option(help="Last month or day of the range, included; all there is if none.")]


def sweep(
    experiment: Experiment,
    sets: Annotated[
        list[str], typer.Option("--set", help="A field and its values: strategy.horizon=10,20. Several make a grid.")
    ],
    end: End = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the grid, make nothing.")] = False,
    output: Annotated[str, typer.Option(help="table, csv or json.")] = "table",
) -> None:
    """Make and judge a grid over fields of an experiment; what is there already is not made again."""
    from nightfold.improve.report import belief
    from nightfold.improve.variant import parse_axes, spell
    from pipeline_defs.sweeping import points, sweep_end
    from pipeline_defs.sweeping import sweep as run_sweep
    from pipeline_defs.workshop import Workshop

    with reported(), Workshop.open(OUT.print) as workshop:
        check_output(output)
        base = workshop.environment.experiment(experiment)
        variants = points(workshop, base, parse_axes(sets))
        if dry_run:
            choices, _ = sweep_end(workshop, base, end)
            for variant in variants:
                OUT.print(escape(f"{variant.experiment.name}  {spell(variant.overrides)}"))
            OUT.print(f"{len(variants)} variants, up to {choices.end or 'the end of the bars'}; nothing was made.")
            return
        found = run_sweep(workshop, base, variants, end)
        show(found.table, output, rows=-1)
        OUT.print(f"{len(variants)} variants on {found.days}, best first. {belief(found.best)}")


def improve(
    experiment: Experiment,
    space: Annotated[
        Path | None, typer.Option(help="YAML file of dotted fields, each with a list of values or low, high and log.")
    ] = None,
    trials: Annotated[int, typer.Option(help="Most rounds, the experiment as it stands among them.", min=1)] = 12,
    patience: Annotated[int, typer.Option(help="Rounds without anything better that end the search.", min=1)] = 4,
    holdout_days: Annotated[int, typer.Option(help="Last days of the range, which no round looks at.")] = 90,
    end: End = None,
    seed: Annotated[int | None, typer.Option(help="Behind what is drawn; the experiment's if none.", min=0)] = None,
    opened: Annotated[bool, typer.Option("--open", help="Open the held-out days at the end, for the best.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Open them although they were opened before.")] = False,
    write: Annotated[Path | None, typer.Option(help="Write the best settings as an experiment file.")] = None,
) -> None:
    """Search better settings of an experiment round by round, and keep its last days for one final look."""
    from nightfold.improve.report import held_out_words, verdict
    from pipeline_defs.improving import Request
    from pipeline_defs.improving import improve as run_search
    from pipeline_defs.workshop import Workshop

    with reported():
        asked = Request(experiment, space, trials, patience, holdout_days, end, seed, opened, again, write)
        with Workshop.open(OUT.print) as workshop:
            report, page = run_search(workshop, asked)
        for line in [*verdict(report), *held_out_words(report)]:
            OUT.print(escape(line))
        OUT.print(f"Report: {escape(str(page))}")
