"""What the lake holds beside a backtest: policies, forecasts and outcomes, samples, and what models look at."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from assets.blends import stored_blends
from assets.experiment import Plan
from assets.forecast_log import STAGE as FORECAST_LOG
from assets.policy import stored_cards
from assets.splits import stored_split
from nightfold.policy.log import log_table
from nightfold.policy.spec import Thresholds
from nightfold.tearsheet.content import MORE_COLUMNS, Record
from nightfold.window import midnight
from resources.lake import Lake

_IMPORTANCE = "importance.parquet"
_PARTS = ("train", "stopping", "validation")

_Rows = list[dict[str, Any]]


def stored_record(plan: Plan, lake: Lake, first: date, last: date) -> Record:
    """Gather what lies beside a backtest of these days; what is not stored is None."""
    splits = list(_splits(plan, lake, last))
    return Record(
        policies=_policies(plan, lake, last),
        **_logged(plan, lake, first, last),
        importance=_importance(plan, lake, last),
        weights=_table("weights", _weights(plan, lake, last)),
        splits=_table("splits", [_split_row(*each) for each in splits]),
        accounts=_table("accounts", [row for each in splits for row in _account_rows(*each)]),
        lineage=_table("lineage", [_lineage_row(plan, lake, *each) for each in splits]),
    )


def _logged(plan: Plan, lake: Lake, first: date, last: date) -> dict[str, Any]:
    """Read the forecast log, or say why there is none."""
    if not plan.experiment.target.is_traded:
        return {"why_no_log": "its target names no side, so there is no move to log"}
    key = plan.key(FORECAST_LOG)
    log = lake.read(key, plan.symbols, midnight(first), midnight(last) + timedelta(days=1))
    if log is not None and set(log_table(key).columns) - set(log.columns):
        return {"why_no_log": "the forecast log was made by an older version"}
    return {"forecast_log": log}


def _table(name: str, rows: _Rows) -> pl.DataFrame | None:
    return pl.DataFrame(rows, infer_schema_length=None).select(MORE_COLUMNS[name]) if rows else None


def _as_ofs(plan: Plan, lake: Lake, stage: str, last: date) -> Iterator[tuple[str, str]]:
    """Universe key and as-of of what is stored of a stage up to a day, in order of time."""
    for universe in plan.experiment.universe_keys(plan.universe.symbols):
        for as_of in lake.as_ofs(plan.key(stage), universe):
            if date.fromisoformat(as_of) <= last:
                yield universe, as_of


def _policies(plan: Plan, lake: Lake, last: date) -> pl.DataFrame | None:
    """Lay the policies out by as-of; None where the experiment searches none."""
    if plan.experiment.policy is None:
        return None
    none = dict.fromkeys(Thresholds.model_fields)
    rows = [
        {
            "universe": universe,
            **card.model_dump(exclude={"thresholds"}),
            **(none if card.thresholds is None else card.thresholds.model_dump()),
        }
        for universe, card in stored_cards(plan, lake)
        if card.as_of.date() <= last
    ]
    floats = dict.fromkeys(("effective_trials", "sharpe", "deflated_sharpe", *none), pl.Float64)
    kinds = {"cause": pl.String, "trades": pl.Int64, **floats}
    if not rows:
        return pl.DataFrame(schema=dict.fromkeys(MORE_COLUMNS["policies"], pl.Null))
    return pl.DataFrame(rows, schema_overrides=kinds, infer_schema_length=None).select(MORE_COLUMNS["policies"])


def _importance(plan: Plan, lake: Lake, last: date) -> pl.DataFrame | None:
    """Read what each member of each as-of looks at; None where no member has a record of it."""
    frames = []
    for member in plan.experiment.models:
        for universe, as_of in _as_ofs(plan, lake, member, last):
            with TemporaryDirectory() as scratch:
                folder = lake.fetch_folder(plan.key(member), f"universe={universe}/{as_of}", Path(scratch))
                if (folder / _IMPORTANCE).exists():
                    told = pl.read_parquet(folder / _IMPORTANCE)
                    keys = {"as_of": date.fromisoformat(as_of), "universe": universe, "model": member}
                    frames.append(told.select(*(pl.lit(value).alias(name) for name, value in keys.items()), pl.all()))
    return pl.concat(frames) if frames else None


def _weights(plan: Plan, lake: Lake, last: date) -> _Rows:
    return [
        {"as_of": date.fromisoformat(as_of), "universe": universe, "model": model, "weight": weight}
        for universe in plan.experiment.universe_keys(plan.universe.symbols)
        for as_of, judged in stored_blends(plan, lake, universe).items()
        for model, weight in judged["weights"].items()
        if date.fromisoformat(as_of) <= last
    ]


def _splits(plan: Plan, lake: Lake, last: date) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Universe key, as-of and split at the strategy's horizon."""
    for universe, as_of in _as_ofs(plan, lake, "splits", last):
        with TemporaryDirectory() as scratch:
            stored = stored_split(plan, lake, f"universe={universe}/{as_of}", Path(scratch))
        if plan.experiment.strategy.horizon in stored:
            yield universe, as_of, stored[plan.experiment.strategy.horizon]


def _split_row(universe: str, as_of: str, split: dict[str, Any]) -> dict[str, Any]:
    return {
        "as_of": date.fromisoformat(as_of),
        "universe": universe,
        "fingerprint": split["fingerprint"],
        **{part: split["rows"].get(part, 0) for part in _PARTS},
        "effective_rows": split["effective_rows"],
    }


def _account_rows(universe: str, as_of: str, split: dict[str, Any]) -> _Rows:
    keys = {"as_of": date.fromisoformat(as_of), "universe": universe}
    return [{**keys, **row} for row in split["account"]]


def _lineage_row(plan: Plan, lake: Lake, universe: str, as_of: str, split: dict[str, Any]) -> dict[str, Any]:
    place = f"universe={universe}/{as_of}"
    members = {name: lake.version(plan.key(name), place) for name in plan.experiment.models}
    return {
        "as_of": date.fromisoformat(as_of),
        "universe": universe,
        "dataset": split["fingerprint"],
        "ensemble": lake.version(plan.key("ensemble"), place),
        "members": ", ".join(f"{name} {version}" for name, version in members.items() if version) or None,
    }
