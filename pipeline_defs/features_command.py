"""The `nightfold features` command: what the newest bar of the lake looks like to a model."""

import sys
from typing import Annotated

import typer

from pipeline_defs.console import reported, show


def features(
    symbol: Annotated[str | None, typer.Argument(help="Symbol; the first of the universe if none.")] = None,
    patterns: Annotated[
        list[str] | None, typer.Option("--name", help="Names or patterns such as 'rsi_*'; the whole sets if none.")
    ] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="Sets to choose from; the default one if none.")
    ] = None,
    interval: Annotated[str | None, typer.Option(help="Length of a bar; the universe's first if none.")] = None,
    output: Annotated[str, typer.Option(help="table, csv or json.")] = "table",
    page: Annotated[
        bool, typer.Option("--page", help="Print the catalog instead: the text of docs/features.md.")
    ] = False,
) -> None:
    """Show the features of the newest bar of the lake, as `LiveFeatures` serves them."""
    import polars as pl

    from assets.live import warm_features
    from nightfold.bars.symbol import normalize_symbol
    from nightfold.features.catalog import CATALOG
    from nightfold.features.page import features_page
    from nightfold.features.select import FeatureSelection
    from resources.environments import load_environment

    if page:
        sys.stdout.write(features_page())
        return
    with reported():
        environment = load_environment()
        universe = environment.universe
        name = normalize_symbol(symbol) if symbol else universe.symbols[0]
        wanted = FeatureSelection.model_construct(sets=sets or ["default"], patterns=patterns or []).resolve()
        row = warm_features(environment.lake, universe, wanted, symbols=[name], interval=interval).newest(name)
        frame = pl.DataFrame(
            {
                "symbol": name,
                "open_time": row["open_time"],
                "group": [CATALOG[each].group for each in wanted],
                "feature": wanted,
                "value": [row[each] for each in wanted],
            },
            schema_overrides={"open_time": pl.Datetime("ms", "UTC"), "value": pl.Float32},
        )
        show(frame, output, rows=-1)
