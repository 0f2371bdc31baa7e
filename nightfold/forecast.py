"""Predictions out of sample: which model speaks for which bar, and the table they make."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

import numpy as np
import polars as pl

from nightfold.models.contract import Probabilities
from nightfold.schema import TIME, Column, Table

CLASSES = ("p_down", "p_flat", "p_up")
MEANING = {
    "p_down": "the lower barrier is touched first",
    "p_flat": "no barrier is touched",
    "p_up": "the upper barrier is touched first",
}


class Forecaster(Protocol):
    """An ensemble in force."""

    @property
    def as_of(self) -> datetime:
        """When it came into force."""

    @property
    def version(self) -> str:
        """Fingerprint of everything behind it."""

    def predict(self, features: pl.DataFrame, horizon: int) -> tuple[Probabilities, dict[str, Probabilities]]:
        """Forecast complete feature rows: the blend, and each member by itself."""


def predictions_table(name: str, horizons: Sequence[int], members: Sequence[str]) -> Table:
    """Describe the predictions of an experiment."""
    columns = {
        "symbol": Column(pl.String, "Spot BTCUSDT, perpetual BTCUSDT.P."),
        "open_time": Column(TIME, "Start of the bar whose close the prediction was made at, UTC."),
        "as_of": Column(TIME, "When the model in force came into force; null: no model, no prediction.", nullable=True),
        "version": Column(pl.String, "Fingerprint of that model and all behind it.", nullable=True),
        "volatility": Column(pl.Float64, "Unit of the barriers, per bar.", nullable=True, above=0),
    }
    for horizon in horizons:
        for speaker in ("", *(f"{member}_" for member in members)):
            who = speaker.rstrip("_") or "Ensemble"
            columns |= {
                f"{speaker}{side}_{horizon}": Column(
                    pl.Float64,
                    f"{who}: probability that {MEANING[side]}, {horizon} bars.",
                    nullable=True,
                    minimum=0,
                    maximum=1 + 1e-9,
                )
                for side in CLASSES
            }
    return Table(name, columns)


def forecast(
    rows: pl.DataFrame,
    models: Iterable[tuple[Forecaster, datetime, datetime]],
    horizons: Sequence[int],
    names: Sequence[str],
) -> pl.DataFrame:
    """Let each model forecast the bars that open while it is in force.

    Parameters
    ----------
    rows
        ``symbol``, ``open_time``, ``volatility`` and the features, one row a bar.
    models
        Each with the first moment it is in force and the first it no longer is; they do not overlap. The bar that
        closes as a model comes into force is still its predecessor's: it belongs to the day before.
    horizons
        Bars ahead.
    names
        Features that must all be known; a row that lacks one has no prediction.

    Returns
    -------
    DataFrame
        One row per row of ``rows`` in their order; null where no model was in force or a feature is unknown.
    """
    complete = rows.select(pl.all_horizontal(pl.col(names).is_not_null())).to_series()
    parts = []
    for model, first, last in models:
        chosen = rows.filter(complete & pl.col("open_time").is_between(first, last, closed="left"))
        if chosen.height:
            parts.append(_spoken(model, chosen, horizons))
    key = rows.select("symbol", "open_time", "volatility")
    if not parts:
        return key
    return key.join(pl.concat(parts), on=["symbol", "open_time"], how="left", maintain_order="left")


def _spoken(model: Forecaster, rows: pl.DataFrame, horizons: Sequence[int]) -> pl.DataFrame:
    columns: list[pl.Expr | pl.Series] = [
        pl.lit(model.as_of).cast(TIME).alias("as_of"),
        pl.lit(model.version).alias("version"),
    ]
    for horizon in horizons:
        blended, members = model.predict(rows, horizon)
        columns += _columns("", horizon, blended)
        for member, probabilities in members.items():
            columns += _columns(f"{member}_", horizon, probabilities)
    return rows.select("symbol", "open_time", *columns)


def _columns(speaker: str, horizon: int, probabilities: Probabilities) -> list[pl.Series]:
    return [
        pl.Series(f"{speaker}{side}_{horizon}", np.ascontiguousarray(probabilities[:, place]))
        for place, side in enumerate(CLASSES)
    ]
