"""Curves and importance of the models of one as-of as tables, and what is shown of them."""

from collections.abc import Mapping

import polars as pl

from nightfold.models.train import Trained
from nightfold.schema import TIME, Column, Table
from nightfold.training import Sample

CURVES = Table(
    "curves",
    {
        "horizon": Column(pl.Int32, "Bars ahead.", minimum=1),
        "part": Column(pl.String, "Rows that were scored: train, or stopping, which decide when the fit ends."),
        "round": Column(pl.Int32, "Boosting rounds or epochs done.", minimum=1),
        "score": Column(pl.Float64, "Proper score after them, each row by its weight."),
    },
    key=("horizon", "part", "round"),
)
IMPORTANCE = Table(
    "importance",
    {
        "horizon": Column(pl.Int32, "Bars ahead.", minimum=1),
        "measure": Column(pl.String, "What is measured: gain, contribution, coefficient."),
        "feature": Column(pl.String, "Name of the feature."),
        "value": Column(pl.Float64, "How much it counts.", minimum=0),
    },
    key=("horizon", "measure", "feature"),
)

FOLDS = Table(
    "folds",
    {
        "horizon": Column(pl.Int32, "Bars ahead.", minimum=1),
        "part": Column(pl.String, "What the rows were for: train, stopping, validation."),
        "rows": Column(pl.Int64, "How many there were.", minimum=1),
        "first": Column(TIME, "Start of the first bar, UTC."),
        "last": Column(TIME, "Start of the last bar, UTC."),
    },
    key=("horizon", "first"),
)


def curve_table(trained: Mapping[int, Trained]) -> pl.DataFrame:
    """Lay the curves of models out by horizon, part and round; no row where no family has any."""
    rows = [
        (horizon, part, number, score)
        for horizon, item in trained.items()
        for part, told in item.curves.items()
        for number, score in told.items()
    ]
    frame = pl.DataFrame(rows, schema=CURVES.dtypes, orient="row").sort(CURVES.key)
    return CURVES.validate(frame)


def importance_table(trained: Mapping[int, Trained]) -> pl.DataFrame:
    """Lay the importance of features out by horizon, measure and feature; no row where no family tells any."""
    frames = [
        pl.DataFrame({"horizon": horizon, "measure": measure, "feature": item.model.names, "value": values})
        for horizon, item in trained.items()
        for measure, values in item.importance.items()
    ]
    frame = IMPORTANCE.conform(pl.concat([IMPORTANCE.empty(), *frames], how="vertical_relaxed"))
    return IMPORTANCE.validate(frame.sort(IMPORTANCE.key))


def fold_table(samples: Mapping[int, Sample]) -> pl.DataFrame:
    """Lay the parts of the rows that models had out by horizon, in time order."""
    rows = [
        (horizon, part, len(dataset), sample.span[f"{part}_from"], sample.span[f"{part}_to"])
        for horizon, sample in sorted(samples.items())
        for part, dataset in sample.parts.items()
    ]
    return FOLDS.validate(pl.DataFrame(rows, schema=FOLDS.dtypes, orient="row"))


def top_features(importance: pl.DataFrame, count: int) -> pl.DataFrame:
    """Return the features that count most, as shares of what all count.

    Parameters
    ----------
    importance
        An `IMPORTANCE` table.
    count
        Features wanted.

    Returns
    -------
    DataFrame
        ``feature``, and a column a measure with its share in percent, mean over horizons; the first is ``contribution``
        where there is one, and decides the order. No column but ``feature`` where there is no row.
    """
    total = pl.col("value").sum().over("horizon", "measure")
    share = pl.when(total > 0).then(100 * pl.col("value") / total).otherwise(0.0)
    means = importance.with_columns(share.alias("share")).group_by("measure", "feature").agg(pl.col("share").mean())
    measures = sorted(means["measure"].unique(), key=lambda measure: (measure != "contribution", measure))
    if not measures:
        return pl.DataFrame(schema={"feature": pl.String})
    wide = means.pivot(on="measure", index="feature", values="share").select("feature", *measures)
    return wide.sort(measures[0], "feature", descending=[True, False]).head(count)


def thinned(curves: pl.DataFrame, points: int) -> pl.DataFrame:
    """Keep so many points of each curve at most: its last, and others evenly before it."""
    step = (pl.len() / points).ceil().cast(pl.Int64)
    back = pl.len() - 1 - pl.int_range(pl.len())
    return curves.filter((back % step == 0).over("horizon", "part"))
