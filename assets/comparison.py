"""Models side by side at every horizon: a page, the same as Markdown, and a table in the UI."""

import json
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import polars as pl

from assets.blends import stored_blends
from assets.experiment import Plan
from assets.keys import asset_key
from assets.markdown import plotted
from assets.models import COST
from nightfold.comparison import as_markdown, compare
from nightfold.ensemble.picture import calibration_picture, weights_picture
from nightfold.models.calibration_curve import confidence_curve
from nightfold.models.pretrained.knowledge import possibly_seen
from nightfold.schema import KEY
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
        code_version=plan.version(
            "comparison tearsheet ensemble.picture models.calibration_curve models.pretrained.knowledge",
            {},
            backtest_version,
        ),
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
        said, seconds = _predictions(plan, lake), _seconds(plan, lake)
        seen = possibly_seen(plan.experiment.models, plan.experiment.first_as_of)
        found = compare(scores, said, target.objective, target.horizons, members, seconds, seen)
        note = market_note(plan.universe.source) if plan.universe.is_simulated else ""
        text = as_markdown(found, f"Models of {plan.name}", note, list(seen.values()))
        page = write_report(reports, f"{plan.name}/model_comparison.md", text.encode())
        blends = stored_blends(plan, lake, plan.experiment.universe_keys(plan.universe.symbols)[0])
        drawn = [*_weights(plan, blends), *_confidence(plan, lake, said)]
        html = render_comparison(found, f"Models of {plan.name}", note, drawn, [*seen.values(), *_gates(blends)])
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
                **({"possibly_seen": " ".join(seen.values())} if seen else {}),
            },
        )

    return asset


def _predictions(plan: Plan, lake: Lake) -> pl.DataFrame:
    return lake.require(plan.key("predictions"), plan.symbols, *_span(plan, lake))


def _span(plan: Plan, lake: Lake) -> tuple[datetime, datetime]:
    """From the first as-of to the end of the stored predictions."""
    start = parse_moment(plan.experiment.first_as_of.isoformat(), "first_as_of")
    return start, max(lake.partitions(plan.key("predictions"), plan.symbols)).end


def _weights(plan: Plan, blends: dict[str, dict[str, Any]]) -> list[str]:
    """Draw how steady the weights of members were; nothing for one member or a plain mean."""
    names = list(dict.fromkeys(name for each in blends.values() for name in each["weights"]))
    if len(names) < 2 or plan.experiment.ensemble.method == "mean":
        return []
    weights = {name: [each["weights"].get(name) for each in blends.values()] for name in names}
    moments = [parse_moment(as_of, "as_of") for as_of in blends]
    title = f"Weights in {plan.name}, {plan.experiment.strategy.horizon} bars ahead"
    return [weights_picture(moments, weights, title, is_simulated=plan.universe.is_simulated)]


def _gates(blends: dict[str, dict[str, Any]]) -> list[str]:
    """Count at how many as-ofs the ensemble beat its best member beyond doubt."""
    gates = [each["gate"]["passed"] for each in blends.values() if each["gate"] and len(each["weights"]) > 1]
    if not gates:
        return []
    return [
        f"On validation rows the ensemble beat its best member beyond doubt at {sum(gates)} of {len(gates)} as-ofs."
    ]


def _confidence(plan: Plan, lake: Lake, said: pl.DataFrame) -> list[str]:
    """Draw how often the sign of the next bar was right against the confidence in it; nothing for other tasks."""
    target = plan.experiment.target
    if target.objective.task != "next_bar":
        return []
    labels = plan.data(plan.label_set.name)
    came = lake.require(labels, plan.symbols, *_span(plan, lake), [*KEY, *target.columns(1)])
    rows = said.join(came.select(*KEY, **target.labelled(1)), on=KEY)
    return [
        calibration_picture(
            confidence_curve(*rows.select(f"{member}_mean_1", f"{member}_confidence_1", "label").drop_nulls()),
            f"Confidence of {member} in the sign of the next bar",
            is_simulated=plan.universe.is_simulated,
        )
        for member in plan.experiment.ensemble.chosen(plan.experiment.models)
    ]


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
