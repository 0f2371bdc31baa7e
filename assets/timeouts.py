"""Predictions as they are traded: beside each what timeouts returned in the training of the model behind it."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from assets.experiment import Plan
from nightfold.timeout import TIMEOUTS, TimeoutReturns, with_timeouts
from resources.lake import Lake


def read_predictions(plan: Plan, lake: Lake, symbols: Sequence[str], start: datetime, end: datetime) -> pl.DataFrame:
    """Read predictions with ``start <= open_time < end``, with `nightfold.timeout.with_timeouts` for barriers.

    Raises
    ------
    LakeError
        If none are stored there.
    """
    said = lake.require(plan.key("predictions"), symbols, start, end)
    if not plan.experiment.target.has_barriers:
        return said
    return with_timeouts(said, pl.concat([pl.DataFrame(schema=TIMEOUTS), *_timeouts(plan, lake, said)]))


def _timeouts(plan: Plan, lake: Lake, said: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Read them of each model that said something, by its as-of; one of an older version has none."""
    spoken = said.select("symbol", "as_of").drop_nulls().unique().sort("as_of", "symbol")
    keys = pl.Series("universe", [plan.universe_key(symbol) for symbol in spoken["symbol"]], pl.String)
    groups = spoken.with_columns(keys).group_by("universe", "as_of", maintain_order=True).agg("symbol")
    for universe, as_of, symbols in groups.iter_rows():
        known = _stored(plan, lake, f"universe={universe}/{as_of:%Y-%m-%d}")
        if known is not None:
            yield known.rows(symbols, as_of)


def _stored(plan: Plan, lake: Lake, place: str) -> TimeoutReturns | None:
    if lake.version(plan.key("ensemble"), place) is None:
        return None
    with TemporaryDirectory() as scratch:
        folder = lake.fetch_folder(plan.key("ensemble"), place, Path(scratch))
        document = json.loads((folder / "ensemble.json").read_text())
    found = document.get("timeouts", {}).get(str(plan.experiment.strategy.horizon))
    return None if found is None else TimeoutReturns.model_validate(found)
