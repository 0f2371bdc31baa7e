"""The numbers of a tearsheet as JSON, for programs."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any

from nightfold.tearsheet.content import MARKET, TearsheetInput
from nightfold.tearsheet.page import sections_of
from nightfold.tearsheet.summary import (
    by_exit,
    by_model,
    by_symbol,
    measure_all,
    measure_exposure,
    measure_trades,
    monthly_returns,
    sum_costs,
)
from nightfold.tearsheet.verdict import deflated_sharpe, verdict_of


def figures_json(report: TearsheetInput) -> str:
    """Write what the page shows as JSON: unknown values are null, times in UTC, amounts in quote currency."""
    verdict = verdict_of(report)
    figures = {
        "experiment": report.experiment,
        "is_simulated": report.is_simulated,
        "symbols": list(report.symbols),
        "interval": report.interval,
        "first_day": report.daily["day"][0],
        "last_day": report.daily["day"][-1],
        "verdict": {"outcome": verdict.outcome, "headline": verdict.headline, "reasons": list(verdict.reasons)},
        "remarks": list(report.remarks),
        "n_trials": report.n_trials,
        "effective_trials": report.effective_trials,
        "deflated_sharpe_ratio": deflated_sharpe(report),
        "gates": [asdict(gate) for gate in report.gates],
        "luck": None if report.luck is None else dict(report.luck),
        "overfitting": report.overfitting,
        "measures": measure_all(report.returns, MARKET),
        "exposure": measure_exposure(report.equity, report.fills),
        "trades": asdict(measure_trades(report.trades)),
        "costs": asdict(sum_costs(report.fills, report.trades)),
        "by_symbol": by_symbol(report.trades).to_dicts(),
        "by_exit": by_exit(report.trades).to_dicts(),
        "by_month": monthly_returns(report.daily).to_dicts(),
        "by_fold": report.folds.to_dicts(),
        "forecasts": by_model(report.model_metrics).to_dicts(),
        "provenance": dict(report.provenance),
        "sections": {section.name: section.values for section in sections_of(report)},
    }
    return json.dumps(_plain(figures), indent=1, default=str, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """Return the same with null for every number that is none."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value
