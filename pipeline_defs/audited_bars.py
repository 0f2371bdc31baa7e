"""Bars that features are audited on: the lake's newest, those of a file, or of a simulated market."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from assets.stored import newest_bars
from nightfold.bars.symbol import normalize_symbol
from nightfold.errors import ConfigError, UnknownNameError
from nightfold.features.checked import checked, in_order
from nightfold.features.compute import chosen, extra_columns
from nightfold.features.feature import Feature
from nightfold.features.select import by_set
from nightfold.features.table import check_recorded
from nightfold.interval import duration
from nightfold.source import ORIGIN, SimulatedSource
from nightfold.universe import Universe
from resources.environments import Environment

_STARTED = ORIGIN + duration("1d") * 365


def audited_bars(
    environment: Environment,
    names: Iterable[str | Feature],
    symbol: str | None,
    leader: str | None,
    count: int,
    file: Path | None,
    *,
    simulated: bool,
) -> pl.DataFrame:
    """Read or make the newest bars of one symbol, or of all where a feature looks at the others.

    Raises
    ------
    ConfigError
        If the file cannot be read, or is named together with ``simulated``.
    UnknownNameError
        If the symbol is not there, or the leader that a feature needs.
    LakeError
        If the lake has no bars of a symbol.
    SchemaError
        If columns that features need are not there, or have no value at all.
    """
    features = chosen(names)
    columns, market = extra_columns(features)
    universe = environment.universe
    wanted = normalize_symbol(symbol) if symbol else None
    if file is not None and simulated:
        raise ConfigError(f"`bars` is {file}, and `simulated` is set; give one of them.")
    if file is not None:
        known = _read(file, columns)
    elif simulated:
        known = _simulate(universe, count)
    else:
        known = newest_bars(
            environment.lake, "bars", _symbols(universe.symbols, wanted, market), count, universe.interval
        )
    offered = known["symbol"].unique().sort().to_list()
    if "leader_close" in market and leader not in {None, *offered}:
        raise UnknownNameError("leader", str(leader), offered)
    known = known.filter(pl.col("symbol").is_in(_symbols(offered, wanted, market)))
    for each in by_set(feature.name for feature in features):
        check_recorded(each, known)
    return known.group_by("symbol", maintain_order=True).tail(count)


def _symbols(offered: Sequence[str], wanted: str | None, market: Sequence[str]) -> list[str]:
    if wanted is not None and wanted not in offered:
        raise UnknownNameError("symbol", wanted, offered)
    return list(offered) if market else [wanted or offered[0]]


def _read(file: Path, columns: Sequence[str]) -> pl.DataFrame:
    try:
        stored = pl.read_parquet(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"`bars` is {file}, which cannot be read: {reason}. It must be a Parquet file.") from error
    if stored.is_empty():
        raise ConfigError(f"`bars` is {file}, which has no rows; an audit needs some hundreds of bars.")
    return in_order(checked(stored, columns))[0]


def _simulate(universe: Universe, count: int) -> pl.DataFrame:
    from nightfold.bars.simulate import simulate_bars

    end = _STARTED + count * duration(universe.interval)
    return simulate_bars(universe.symbols, universe.interval, _STARTED, end, SimulatedSource())
