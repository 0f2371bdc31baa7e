"""The page people read: one self-contained HTML file per backtest, and its link in the UI."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import polars as pl
import yaml

from assets.background import stored_record
from assets.experiment import Plan
from assets.forecast_log import STAGE as LOG
from assets.keys import asset_key
from assets.leaderboard import store_run, stored_runs
from assets.markdown import markdown_table, plotted
from nightfold.backtest.table import TABLES
from nightfold.errors import LakeError
from nightfold.evaluation import BacktestRange, Evaluation
from nightfold.leaderboard import RunCard, looks, seen, variant_of
from nightfold.likeness import likeness
from nightfold.overfitting import judge_choice
from nightfold.report import tearsheet_input
from nightfold.source import market_note
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.figures import figures_json
from nightfold.tearsheet.gates import Gate
from nightfold.tearsheet.page import render_tearsheet
from nightfold.tearsheet.preview import equity_png
from nightfold.tearsheet.summary import by_symbol
from nightfold.tearsheet.verdict import gate_value, needed, verdict_of
from resources.lake import Lake
from resources.progress import report
from resources.reports import write_report

_CODE = "tearsheet report overfitting leaderboard likeness same_days policy.log labels.account"


class TearsheetConfig(BacktestRange, dg.Config):
    """Which backtest is shown: the one of these run choices."""


def tearsheet(plan: Plan, backtest_version: str) -> dg.AssetsDefinition:
    """Make `e/tearsheet`."""
    version = plan.version(
        _CODE, plan.experiment.model_dump(mode="json", include={"gates", "description"}), backtest_version
    )

    logs = [plan.key(LOG)] if plan.experiment.target.is_traded else []

    @dg.asset(
        **plan.common("tearsheet", "evaluate"),
        deps=[asset_key(key) for key in (plan.key("backtest"), *logs)],
        code_version=version,
        kinds={"html"},
        description="The report: verdict, gates, equity, costs, trades and forecast scores, as found.",
    )
    def asset(
        context: dg.AssetExecutionContext,
        config: TearsheetConfig,
        lake: dg.ResourceParam[Lake],
        reports: dg.ResourceParam[Path],
    ) -> dg.MaterializeResult[None]:
        choices = BacktestRange.model_validate(config.model_dump(include=set(BacktestRange.model_fields)))
        result = _stored(plan, lake, choices)
        variant = variant_of(plan.experiment, choices.model_dump(), plan.market)
        provenance = _provenance(plan, lake, choices, version)
        content = _content(plan, lake, result, variant, provenance)
        name = f"{plan.name}/tearsheet" + ("" if choices.id == "full" else f"-{choices.id}")
        drawn = equity_png(content.returns, is_simulated=content.is_simulated)
        picture = write_report(reports, f"{name}.png", drawn)
        page = write_report(reports, f"{name}.html", render_tearsheet(content).encode())
        write_report(reports, f"{name}.json", figures_json(content).encode())
        shown = seen(plan.name, variant, choices.id, result.daily, result.summary, provenance["backtest"])
        store_run(lake, replace(shown, card=_judged(shown.card, content)), by_symbol(result.trades))
        report(plan.key("tearsheet"), choices.id, "", page.path)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(page.digest),
            metadata={
                "tearsheet": dg.MetadataValue.url(f"/reports/{name}.html"),
                # A link, since Dagster shows Markdown in its place only up to 1000 letters; new bytes, new address.
                "equity": dg.MetadataValue.md(f"![Worth of 1](/reports/{name}.png?{picture.digest})"),
                "gates": dg.MetadataValue.md(_gates_table(content.gates)),
                "gates_passed": sum(gate.passed is True for gate in content.gates),
                **plotted(result.summary["measures"]),
                "path": dg.MetadataValue.path(str(page.path)),
            },
        )

    return asset


def _content(plan: Plan, lake: Lake, result: Evaluation, variant: str, provenance: Mapping[str, str]) -> TearsheetInput:
    days, runs = result.daily["day"], stored_runs(lake, newest=True)
    return tearsheet_input(
        plan.experiment,
        result,
        symbols=plan.symbols,
        interval=plan.interval,
        is_simulated=plan.universe.is_simulated,
        market=market_note(plan.universe.source),
        settings=yaml.safe_dump(plan.experiment.model_dump(mode="json"), sort_keys=False),
        provenance=provenance,
        looks=looks(runs, variant, result.daily),
        likeness=likeness(runs, variant, result.daily),
        choice=judge_choice(result.grid, runs, variant, result.daily),
        record=stored_record(plan, lake, days[0], days[-1]),
    )


def _judged(card: RunCard, content: TearsheetInput) -> RunCard:
    passed = sum(gate.passed is True for gate in content.gates)
    found = {"gates_passed": passed, "gates": len(content.gates), "outcome": verdict_of(content).outcome}
    return card.model_copy(update=found)


def _stored(plan: Plan, lake: Lake, choices: BacktestRange) -> Evaluation:
    with TemporaryDirectory() as scratch:
        try:
            folder = lake.fetch_folder(plan.key("backtest"), f"range={choices.id}", Path(scratch))
        except LakeError as error:
            raise LakeError(
                f"no backtest with these run choices is stored ({choices.model_dump()}); "
                f"materialize `{plan.key('backtest')}` with the same ones first."
            ) from error
        absent = [name for name in TABLES if not (folder / f"{name}.parquet").exists()]
        if absent:
            raise LakeError(
                f"`{plan.key('backtest')}` was made by an older version, without {', '.join(absent)}; materialize it "
                "again with the same run choices."
            )
        frames = {name: pl.read_parquet(folder / f"{name}.parquet") for name in TABLES}
        return Evaluation(**frames, summary=json.loads((folder / "summary.json").read_text()))


def _gates_table(gates: Sequence[Gate]) -> str:
    words = {True: "pass", False: "fail", None: "unknown"}
    rows = [(gate.name, gate_value(gate, gate.value), needed(gate), words[gate.passed]) for gate in gates]
    return markdown_table(pl.DataFrame(rows, ["gate", "found", "needed", "result"], orient="row"))


def _provenance(plan: Plan, lake: Lake, choices: BacktestRange, version: str) -> dict[str, str]:
    return {
        "backtest": str(lake.version(plan.key("backtest"), f"range={choices.id}")),
        "code and settings": version,
        "lake": lake.url if not lake.is_local else plan.universe.source.kind,
    }
