"""What the models look at, and how much each counts in the ensemble."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import polars as pl

from nightfold.tearsheet import number
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.layout import Cell, Column, Part, Section, Table, frame_table, tone
from nightfold.tearsheet.timeline import timeline

_MOST_FEATURES = 20
_BAR = 100
_WEIGHTS = {
    "model": Column("Member"),
    "mean": Column("Mean weight", partial(number.ratio, digits=3)),
    "lowest": Column("Lowest", partial(number.ratio, digits=3)),
    "highest": Column("Highest", partial(number.ratio, digits=3)),
    "as_ofs": Column("As-ofs", number.count),
}


def models(report: TearsheetInput) -> Section:
    """Show the importance of features, and the weights of members over time."""
    said, parts = list[str](), list[Part]()
    importance, weights = report.record.importance, report.record.weights
    if importance is None:
        said.append("What the models look at is unknown: no record of it is stored.")
    else:
        names = list(dict.fromkeys(report.model_metrics["model"]))
        silent = [name for name in names if name not in set(importance["model"]) and name != "ensemble"]
        if silent:
            said.append(f"What they look at is not told by {', '.join(silent)}.")
        if not importance.is_empty():
            parts.append(_importance(importance))
    if weights is None or weights.is_empty():
        said.append("The weights of the ensemble's members are unknown: no record of them is stored.")
    else:
        found = weight_table(weights)
        parts.append(frame_table("weights", "Weight in the ensemble, over as-ofs", found, _WEIGHTS))
        if (found["lowest"] < found["highest"]).any():
            parts.append(_weights(weights))
        else:
            said.append("The weights in the ensemble were the same at every as-of.")
    if report.alone:
        parts.append(_alone(report.alone))
    return Section("models", "Models", said, parts)


def shares(importance: pl.DataFrame) -> pl.DataFrame:
    """Share of what all features count in a model, mean over horizons and as-ofs.

    Of several measures of a model the one named ``contribution`` is taken, else the first by name.

    Returns
    -------
    DataFrame
        ``feature``, then a column a model; the highest mean over models first. Null where a model does not know it.
    """
    order = (pl.col("measure") != "contribution").cast(pl.Int8), pl.col("measure")
    chosen = importance.select("model", "measure").unique().sort("model", *order).unique("model", keep="first")
    total = pl.col("value").sum().over("as_of", "universe", "model", "horizon")
    means = (
        importance.join(chosen, on=["model", "measure"], how="semi")
        .with_columns(share=pl.when(total > 0).then(pl.col("value") / total).otherwise(0.0))
        .group_by("model", "feature")
        .agg(pl.col("share").mean())
    )
    names = means["model"].unique().sort().to_list()
    wide = means.sort("model").pivot("model", index="feature", values="share")
    return wide.select("feature", *names).sort(pl.mean_horizontal(names), "feature", descending=[True, False])


def weight_table(weights: pl.DataFrame) -> pl.DataFrame:
    """Sum up the weights of each member: ``mean``, ``lowest``, ``highest`` and in how many ``as_ofs`` it took part."""
    weight = pl.col("weight")
    return (
        weights.drop_nulls("weight")
        .group_by("model", maintain_order=True)
        .agg(mean=weight.mean(), lowest=weight.min(), highest=weight.max(), as_ofs=pl.col("as_of").n_unique())
    )


def _alone(outcomes: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [
        [
            Cell(name, "account lost" if found["is_lost"] else ""),
            Cell(number.count(found["trades"])),
            Cell(number.ratio(found["sharpe_ratio"]), tone=tone(found["sharpe_ratio"])),
        ]
        for name, found in outcomes.items()
    ]
    heads = [Cell("Member"), Cell("Closed trades"), Cell("Sharpe ratio")]
    caption = "Each member traded alone, in the ensemble's place and after costs"
    return Table("alone", caption, heads, [("", rows)], {name: dict(found) for name, found in outcomes.items()})


def _importance(importance: pl.DataFrame) -> Table:
    found = shares(importance)
    shown = found.head(_MOST_FEATURES)
    largest = max(value or 0.0 for row in shown.iter_rows() for value in row[1:])
    rows = [
        [Cell(name), *(Cell(number.percent(value), heat=_bar(value, largest), style="bar") for value in values)]
        for name, *values in shown.iter_rows()
    ]
    caption = (
        f"Share of what all features count in a model, mean over horizons and {importance['as_of'].n_unique()} as-ofs; "
        f"{shown.height} of {found.height} features"
    )
    heads = [Cell("Feature"), *(Cell(name, style="words") for name in found.columns[1:])]
    return Table("importance", caption, heads, [("", rows)], found.to_dicts(), style="importance", place="wide")


def _bar(value: float | None, largest: float) -> int:
    return round(_BAR * value / largest) if value and largest else 0


def _weights(weights: pl.DataFrame) -> Part:
    names = list(dict.fromkeys(weights["model"]))
    wide = weights.pivot("model", index=["as_of", "universe"], values="weight")
    return timeline(
        *("weights-over-time", "Weight in the ensemble", wide, {name: name for name in names}),
        words=partial(number.ratio, digits=3),
        tick=number.tick_ratio,
    )
