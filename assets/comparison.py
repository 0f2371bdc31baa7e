"""Models side by side at every horizon: a page, the same as Markdown, and a table in the UI."""

import json
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import dagster as dg
import polars as pl

from assets.experiment import Plan
from assets.keys import asset_key
from assets.markdown import plotted
from assets.models import COST
from nightfold.comparison import as_markdown, compare
from nightfold.source import market_note
from nightfold.tearsheet.comparison import render_comparison
from nightfold.window import parse_moment
from resources.lake import Lake
from resources.progress import report
from resources.reports import write_report


def comparison(plan: Plan, backtest_version: str) -> dg.AssetsDefinition:
    """Make `e/comparison`."""

    @dg.asset(
        **plan.common("comparison", "evaluate"),
        deps=[asset_key(plan.key("backtest")), asset_key(plan.key("predictions"))],
        code_version=plan.version("comparison tearsheet", {}, backtest_version),
        kinds={"html", "markdown"},
        description="All models at all horizons side by side, on bars none of them had seen: scores, what they cost, "
        "and how alike they are.",
    )
    def asset(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], reports: dg.ResourceParam[Path]
    ) -> dg.MaterializeResult[None]:
        target, members = plan.experiment.target, plan.experiment.ensemble.chosen(plan.experiment.models)
        with TemporaryDirectory() as scratch:
            folder = lake.fetch_folder(plan.key("backtest"), "range=full", Path(scratch))
            scores = pl.read_parquet(folder / "scores.parquet")
        found = compare(
            scores, _predictions(plan, lake), target.objective, target.horizons, members, _seconds(plan, lake)
        )
        note = market_note(plan.universe.source) if plan.universe.is_simulated else ""
        text = as_markdown(found, f"Models of {plan.name}", note)
        page = write_report(reports, f"{plan.name}/model_comparison.md", text.encode())
        html = render_comparison(found, f"Models of {plan.name}", note)
        write_report(reports, f"{plan.name}/model_comparison.html", html.encode())
        report(plan.key("comparison"), "full", "", page.path)
        gains = {f"loss_gain_{row['horizon']}": row["loss_gain"] for row in found.best.iter_rows(named=True)}
        return dg.MaterializeResult(
            data_version=dg.DataVersion(page.digest),
            metadata={
                "comparison": dg.MetadataValue.url(f"/reports/{plan.name}/model_comparison.html"),
                "models": dg.MetadataValue.md(text.split("\n## ")[0]),
                "path": dg.MetadataValue.path(str(page.path)),
                **plotted(gains),
            },
        )

    return asset


def _predictions(plan: Plan, lake: Lake) -> pl.DataFrame:
    stored = lake.partitions(plan.key("predictions"), plan.symbols)
    start = parse_moment(plan.experiment.first_as_of.isoformat(), "first_as_of")
    return lake.require(plan.key("predictions"), plan.symbols, start, max(stored).end)


def _seconds(plan: Plan, lake: Lake) -> dict[tuple[str, int], float]:
    """Median CPU seconds of an as-of's fit, by member and horizon; of one symbol where each has models of its own."""
    spent: dict[tuple[str, int], list[float]] = {}
    for member in plan.experiment.models:
        for universe in plan.experiment.universe_keys(plan.universe.symbols):
            for as_of in lake.as_ofs(plan.key(member), universe):
                with TemporaryDirectory() as scratch:
                    folder = lake.fetch_folder(plan.key(member), f"universe={universe}/{as_of}", Path(scratch))
                    cost = json.loads((folder / COST).read_text()) if (folder / COST).exists() else {}  # it went on
                    for horizon, seconds in cost.items():
                        spent.setdefault((member, int(horizon)), []).append(seconds)
    return {key: median(values) for key, values in spent.items()}
