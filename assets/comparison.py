"""Models side by side at every horizon: a page, the same as Markdown, and a table in the UI."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import polars as pl

from assets.blends import stored_blends
from assets.experiment import Plan
from assets.fits import COST
from assets.keys import asset_key
from assets.markdown import plotted
from nightfold.comparison import as_markdown, compare
from nightfold.ensemble.picture import ablation_picture, calibration_picture, pair_pictures, weights_picture
from nightfold.models.bundle import read_manifest
from nightfold.models.calibration_curve import confidence_curve
from nightfold.models.pretrained.knowledge import possibly_seen
from nightfold.schema import KEY
from nightfold.source import market_note
from nightfold.tearsheet.comparison import render_comparison
from nightfold.window import parse_moment
from resources.lake import Lake
from resources.progress import report
from resources.reports import write_report

_FIT = {
    "model": pl.String,
    "horizon": pl.Int64,
    **dict.fromkeys(("seconds", "train_r2", "validation_r2"), pl.Float64),
}

_ABLATION = {"member": pl.String, **dict.fromkeys(("loss_change", "low", "high"), pl.Float64)}
_PAIR = {
    **dict.fromkeys(("first", "second"), pl.String),
    **dict.fromkeys(("forecast_correlation", "error_correlation"), pl.Float64),
    **dict.fromkeys(("q_statistic", "disagreement", "double_fault"), pl.Float64),
}


def comparison(plan: Plan, backtest_version: str) -> dg.AssetsDefinition:
    """Make `e/comparison`."""

    @dg.asset(
        **plan.common("comparison", "evaluate"),
        deps=[asset_key(plan.key("backtest")), asset_key(plan.key("predictions"))],
        code_version=plan.version(
            "comparison tearsheet splits.overlap ensemble.picture models.bundle models.calibration_curve "
            "models.pretrained.knowledge",
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
            scores, levels = (pl.read_parquet(folder / f"{name}.parquet") for name in ("scores", "levels"))
        said, fits = _predictions(plan, lake), _fits(plan, lake)
        seen = possibly_seen(plan.experiment.models, plan.experiment.first_as_of)
        found = compare(
            *(scores, said, target.objective, target.horizons, members, _seconds(fits), seen),
            learnt=_learnt(fits),
            levels=levels,
        )
        note = market_note(plan.universe.source) if plan.universe.is_simulated else ""
        blends = stored_blends(plan, lake, plan.experiment.universe_keys(plan.universe.symbols)[0])
        text = as_markdown(found, f"Models of {plan.name}", note, list(seen.values()), _pairs(blends))
        page = write_report(reports, f"{plan.name}/model_comparison.md", text.encode())
        drawn = [*_weights(plan, blends), *_diversity(plan, blends), *_confidence(plan, lake, said)]
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


def _fits(plan: Plan, lake: Lake) -> pl.DataFrame:
    """Read what fits took and how well they forecast: a row an as-of, member and horizon; none of models that go on."""
    rows = [
        {"model": member, "horizon": int(horizon), "seconds": seconds, **_fitted(folder, int(horizon))}
        for member in plan.experiment.models
        for folder in _folders(plan, lake, member)
        if (folder / COST).exists()
        for horizon, seconds in json.loads((folder / COST).read_text()).items()
    ]
    return pl.DataFrame(rows, _FIT)


def _folders(plan: Plan, lake: Lake, member: str) -> Iterator[Path]:
    """Fetch the stored fits of a member; of each symbol where each has models of its own."""
    for universe in plan.experiment.universe_keys(plan.universe.symbols):
        for as_of in lake.as_ofs(plan.key(member), universe):
            with TemporaryDirectory() as scratch:
                yield lake.fetch_folder(plan.key(member), f"universe={universe}/{as_of}", Path(scratch))


def _fitted(folder: Path, horizon: int) -> dict[str, float | None]:
    scores = read_manifest(folder / "bundle").metrics.get(horizon, {})
    return {"train_r2": scores.get("train_r2"), "validation_r2": scores.get("r2")}


def _seconds(fits: pl.DataFrame) -> dict[tuple[str, int], float]:
    """Median CPU seconds of an as-of's fit, by member and horizon; of one symbol where each has models of its own."""
    medians = fits.group_by("model", "horizon").agg(pl.col("seconds").median())
    return {(member, horizon): seconds for member, horizon, seconds in medians.iter_rows()}


def _learnt(fits: pl.DataFrame) -> pl.DataFrame:
    """Mean R2 of training and validation rows by member and horizon; null where the task has none."""
    return fits.group_by("model", "horizon").agg(pl.col("train_r2", "validation_r2").mean())


def _diversity(plan: Plan, blends: dict[str, dict[str, Any]]) -> list[str]:
    """Draw how differently members saw the validation rows of the newest as-of, and the blend without each of them."""
    if not blends:
        return []
    as_of, newest = max(blends.items())
    title, simulated = f"as of {as_of}, {plan.experiment.strategy.horizon} bars ahead", plan.universe.is_simulated
    drawn = pair_pictures(_pairs(blends), title, is_simulated=simulated)
    if newest["ablation"]:
        left_out = pl.DataFrame(newest["ablation"], _ABLATION)
        drawn.append(ablation_picture(left_out, f"Without a member: {title}", is_simulated=simulated))
    return drawn


def _pairs(blends: dict[str, dict[str, Any]]) -> pl.DataFrame:
    """Read how alike every two members were at the newest as-of; no row for one member."""
    found = blends[max(blends)]["pairs"] if blends else []
    return pl.DataFrame(found, {name: kind for name, kind in _PAIR.items() if name in found[0]} if found else None)
