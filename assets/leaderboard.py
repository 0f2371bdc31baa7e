"""All results side by side: kept one card a variant and day, shown in the UI, as a page and as CSV."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import polars as pl

from assets.experiment import Plan
from assets.frame_type import table_metadata
from assets.keys import OWNER, asset_key, code_version
from assets.markdown import markdown_table
from nightfold.leaderboard import Run, RunCard, newest
from nightfold.source import market_note
from nightfold.spec import fingerprint
from nightfold.standings import LEADERBOARD, table
from nightfold.tearsheet.leaderboard import render_leaderboard
from nightfold.universe import Universe
from resources.lake import Lake
from resources.progress import report
from resources.reports import write_report

KEY = "leaderboard"

_CODE = "leaderboard same_days standings tearsheet.leaderboard tearsheet.measures"
_RUNS, _ALL = "runs", "all"
_CARD, _DAILY, _PAIRS = "card.json", "daily.parquet", "pairs.parquet"
SHOWN = (
    "experiment",
    "outcome",
    "gates",
    "last_day",
    "days",
    "trades",
    "total_return",
    "sharpe_ratio",
    "deflated_sharpe",
    "trials",
    "max_drawdown",
)
"""Columns that fit beside each other where there is little room."""


def leaderboard(universe: Universe, plans: Mapping[str, Plan]) -> dg.AssetsDefinition:
    """Make `leaderboard`."""

    @dg.asset(
        key=asset_key(KEY),
        group_name="operations",
        owners=[OWNER],
        tags={"layer": "evaluate"},
        deps=[asset_key(plan.key("tearsheet")) for plan in plans.values()],
        code_version=code_version(_CODE, {}),
        kinds={"html", "csv"},
        metadata=table_metadata(LEADERBOARD),
        description="Every result that was looked at, of all experiments: the more there are, the luckier the best.",
    )
    def asset(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], reports: dg.ResourceParam[Path]
    ) -> dg.MaterializeResult[None]:
        stored = _stored(lake)
        runs = [run for run, _ in stored]
        gates = {name: plan.experiment.gates for name, plan in plans.items()}
        board = table(runs, gates)
        links = _links(reports, [run.card for run in runs])
        note = market_note(universe.source) if universe.is_simulated else ""
        page = write_report(reports, "leaderboard.html", render_leaderboard(board, links, note).encode())
        write_report(reports, "leaderboard.csv", board.write_csv().encode())
        write_report(reports, "leaderboard_pairs.csv", _pairs(stored).write_csv().encode())
        report(KEY, "all", "", page.path)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(page.digest),
            metadata={
                "leaderboard": dg.MetadataValue.url("/reports/leaderboard.html"),
                "csv": dg.MetadataValue.url("/reports/leaderboard.csv"),
                "pairs": dg.MetadataValue.url("/reports/leaderboard_pairs.csv"),
                "results": dg.MetadataValue.md(markdown_table(table(newest(runs), gates).select(SHOWN))),
                "runs": len(runs),
                "variants": board["variant"].n_unique(),
                "path": dg.MetadataValue.path(str(page.path)),
            },
        )

    return asset


def store_run(lake: Lake, run: Run, pairs: pl.DataFrame) -> None:
    """Keep a result; one of the same variant and last day takes its place."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / _CARD).write_text(run.card.model_dump_json(indent=1))
        run.daily.write_parquet(folder / _DAILY)
        pairs.write_parquet(folder / _PAIRS)
        version = fingerprint([path.read_bytes().hex() for path in sorted(folder.iterdir())])
        lake.write_folder(_RUNS, f"universe={_ALL}/{run.card.id}", version, folder)


def count_look(lake: Lake, run: Run, pairs: pl.DataFrame) -> None:
    """Keep a result that is about to be shown; one of the same backtest keeps what its tearsheet has judged."""
    if run.card.id in lake.as_ofs(_RUNS, _ALL):
        kept, _ = _read(lake, run.card.id)
        if kept.card.version == run.card.version:
            return
    store_run(lake, run, pairs)


def stored_runs(lake: Lake, *, newest: bool = False) -> list[Run]:
    """Read all results that are kept, by last day and variant, or the newest of each variant."""
    return [run for run, _ in _stored(lake, newest=newest)]


def _links(reports: Path, cards: Sequence[RunCard]) -> dict[str, str]:
    """Address of the page that shows the very backtest of a card, by the card's id; others have none."""

    @cache
    def shown(name: str) -> str | None:
        figures = reports / f"{name}.json"
        found = json.loads(figures.read_text())["provenance"].get("backtest") if figures.exists() else None
        return None if found is None else str(found)

    links = {}
    for card in cards:
        name = f"{card.experiment}/tearsheet" + ("" if card.choices == "full" else f"-{card.choices}")
        if shown(name) == card.version:
            links[card.id] = f"{name}.html"
    return links


def _pairs(stored: Sequence[tuple[Run, pl.DataFrame]]) -> pl.DataFrame:
    """List what each symbol contributed to the newest result of each variant."""
    last = {run.card.variant: (run.card, pairs) for run, pairs in stored}
    tables = [
        pairs.select(
            pl.lit(card.experiment).alias("experiment"),
            pl.lit(card.variant).alias("variant"),
            pl.lit(card.last_day).alias("last_day"),
            pl.all(),
        )
        for card, pairs in last.values()
    ]
    return pl.concat(tables) if tables else pl.DataFrame()


def _stored(lake: Lake, *, newest: bool = False) -> list[tuple[Run, pl.DataFrame]]:
    """Read each result with its table of symbols, oldest first."""
    names = lake.as_ofs(_RUNS, _ALL)
    last = {name.rpartition("-")[2]: name for name in names}
    return [_read(lake, name) for name in (sorted(last.values()) if newest else names)]


def _read(lake: Lake, name: str) -> tuple[Run, pl.DataFrame]:
    with TemporaryDirectory() as scratch:
        folder = lake.fetch_folder(_RUNS, f"universe={_ALL}/{name}", Path(scratch))
        card = RunCard.model_validate_json((folder / _CARD).read_text())
        daily, pairs = (pl.read_parquet(folder / file) for file in (_DAILY, _PAIRS))
    return Run(card, daily), pairs
