"""Simulated trading over the out-of-sample predictions, and its score."""

import json
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import dagster as dg
import polars as pl

from assets.experiment import Plan
from assets.frame_type import folder_metadata
from assets.keys import asset_key
from assets.leaderboard import count_look
from assets.markdown import markdown_table, plotted
from assets.policy import STAGE as POLICY
from assets.policy import stored_policies
from assets.splits import stored_split
from assets.timeouts import read_predictions
from nightfold.backtest.table import TABLES
from nightfold.errors import LakeError
from nightfold.evaluation import BacktestRange, Evaluation, evaluate
from nightfold.leaderboard import seen, variant_of
from nightfold.spec import fingerprint
from nightfold.tearsheet.summary import by_model, by_symbol
from nightfold.window import midnight, parse_moment
from resources.lake import Lake
from resources.progress import report

_CODE = (
    "backtest policy timeout alone decision robustness overfitting evaluation coverage tearsheet.summary "
    "tearsheet.measures"
)


class BacktestConfig(BacktestRange, dg.Config):
    """What one simulated run covers."""


def backtest(plan: Plan, upstream_version: str) -> tuple[dg.AssetsDefinition, str]:
    """Make `e/backtest`, and return it with its code version."""
    experiment = plan.experiment
    settings = experiment.model_dump(
        mode="json", include={"strategy", "policy", "costs", "limits", "capital", "first_as_of"}
    )
    version = plan.version(
        _CODE, {**settings, "symbols": plan.symbols, "funding": plan.universe.funding}, upstream_version
    )
    policies = [plan.key(POLICY)] if experiment.policy else []

    @dg.asset(
        **plan.common("backtest", "evaluate"),
        deps=[asset_key(key) for key in (plan.key("predictions"), *policies, plan.data("bars"))],
        code_version=version,
        kinds={"parquet", "numba"},
        metadata=folder_metadata(TABLES),
        description="Trades the predictions with costs, filling at the next bar's open; stored under its run choices.",
    )
    def asset(
        context: dg.AssetExecutionContext, config: BacktestConfig, lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult[None]:
        choices = BacktestRange.model_validate(config.model_dump(include=set(BacktestRange.model_fields)))
        started = perf_counter()
        result = _evaluate(plan, lake, choices)
        with TemporaryDirectory() as scratch:
            folder = Path(scratch)
            for name, table in TABLES.items():
                table.validate(table.conform(getattr(result, name))).write_parquet(folder / f"{name}.parquet")
            (folder / "summary.json").write_text(json.dumps(result.summary, indent=1, sort_keys=True))
            files = sorted(folder.iterdir())
            made = fingerprint([fingerprint([path.name, path.read_bytes().hex()]) for path in files])
            variant = variant_of(plan.experiment, choices.model_dump(), plan.market)
            shown = seen(plan.name, variant, choices.id, result.daily, result.summary, made)
            count_look(lake, shown, by_symbol(result.trades))
            written = lake.write_folder(plan.key("backtest"), f"range={choices.id}", made, folder)
        report(plan.key("backtest"), choices.id, "", f"{result.trades.height} trades")
        return dg.MaterializeResult(
            data_version=dg.DataVersion(made),
            metadata={
                **_metadata(result),
                "seconds": round(perf_counter() - started, 2),
                "path": dg.MetadataValue.path(written.path),
            },
        )

    return asset, version


def _evaluate(plan: Plan, lake: Lake, choices: BacktestRange) -> Evaluation:
    start = midnight(plan.experiment.first_as_of) if choices.start is None else parse_moment(choices.start, "start")
    end = _end(plan, lake) if choices.end is None else parse_moment(choices.end, "end")
    symbols = plan.symbols
    horizons = plan.experiment.target.horizons
    own = plan.label_set.own_barriers([plan.experiment.strategy.horizon] if plan.experiment.target.has_barriers else [])
    wanted = dict.fromkeys(name for horizon in horizons for name in plan.experiment.target.columns(horizon))
    labels = ["symbol", "open_time", *wanted, *own]
    predictions = read_predictions(plan, lake, symbols, start, end)
    with TemporaryDirectory() as scratch:
        constants = _constants(plan, lake, Path(scratch))
    return evaluate(
        plan.experiment,
        plan.label_set,
        lake.require(plan.data("bars"), symbols, start, end),
        predictions,
        lake.require(plan.data(plan.label_set.name), symbols, start, end, labels),
        constants,
        choices,
        stored_policies(plan, lake),
        lake.require(plan.data("bars"), symbols, midnight(plan.universe.start), end, ["symbol", "open_time", "close"]),
        plan.funding,
    )


def _end(plan: Plan, lake: Lake) -> datetime:
    """End of the stored predictions."""
    stored = lake.partitions(plan.key("predictions"), plan.symbols)
    if not stored:
        raise LakeError(f"the lake has no `{plan.key('predictions')}`; materialize them first.")
    return max(stored).end


def _constants(plan: Plan, lake: Lake, scratch: Path) -> dict[tuple[str, str, int], list[float]]:
    """Constant forecast of the training rows by universe, as-of and horizon: what one says who only counts."""
    constants = {}
    for universe in plan.experiment.universe_keys(plan.universe.symbols):
        for as_of in lake.as_ofs(plan.key("splits"), universe):
            for horizon, split in stored_split(plan, lake, f"universe={universe}/{as_of}", scratch).items():
                if "constant" not in split:
                    raise LakeError(
                        f"`{plan.key('splits')}` as of {as_of} was made by an older version; "
                        f"`nightfold backfill --layer train --experiment {plan.name}` makes it again."
                    )
                constants[universe, as_of, horizon] = split["constant"]
    return constants


def _metadata(result: Evaluation) -> dict[str, Any]:
    rows = pl.DataFrame([{"table": name, "rows": getattr(result, name).height} for name in TABLES])
    scores = by_model(result.scores).select("model", "horizon", "windows", "metric", "loss", "loss_gain")
    return {
        **plotted(result.summary["measures"]),
        "trades": result.trades.height,
        "days": result.daily.height,
        "rows": dg.MetadataValue.md(markdown_table(rows)),
        "scores": dg.MetadataValue.md(markdown_table(scores)),
    }
