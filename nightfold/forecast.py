"""Predictions out of sample: which model speaks for which bar, and the table they make."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

import numpy as np
import polars as pl

from nightfold.models.contract import Prediction
from nightfold.models.objective import Objective
from nightfold.models.rows import FeatureRows
from nightfold.schema import TIME, Column, Table


class Forecaster(Protocol):
    """An ensemble in force."""

    @property
    def as_of(self) -> datetime:
        """When it came into force."""

    @property
    def version(self) -> str:
        """Fingerprint of everything behind it."""

    def predict(self, rows: FeatureRows, horizon: int) -> tuple[Prediction, dict[str, Prediction]]:
        """Forecast complete feature rows: the blend, and each member by itself."""


def forecast_columns(objective: Objective, horizon: int | None = None, member: str = "") -> dict[str, Column]:
    """Describe what a member, or without one the ensemble, says of a horizon; without a horizon, what a forecast is."""
    who, prefix = member or "Ensemble", f"{member}_" if member else ""
    range_ = {"minimum": 0, "maximum": 1 + 1e-9} if objective.classes else {}
    if horizon is None:
        meanings = objective.meanings.items()
        return {name: Column(pl.Float64, f"{meaning}.", nullable=True, **range_) for name, meaning in meanings}
    return {
        f"{prefix}{name}_{horizon}": Column(
            pl.Float64, f"{who}: {meaning[0].lower()}{meaning[1:]}, {horizon} bars.", nullable=True, **range_
        )
        for name, meaning in objective.meanings.items()
    }


def predictions_table(name: str, objective: Objective, horizons: Sequence[int], members: Sequence[str]) -> Table:
    """Describe the predictions of an experiment."""
    columns = {
        "symbol": Column(pl.String, "Spot BTCUSDT, perpetual BTCUSDT.P."),
        "open_time": Column(TIME, "Start of the bar whose close the prediction was made at, UTC."),
        "as_of": Column(TIME, "When the model in force came into force; null: no model, no prediction.", nullable=True),
        "version": Column(pl.String, "Fingerprint of that model and all behind it.", nullable=True),
        "volatility": Column(pl.Float64, "Root mean square of recent one-bar log returns.", nullable=True, above=0),
    }
    for horizon in horizons:
        for member in ("", *members):
            columns |= forecast_columns(objective, horizon, member)
    return Table(name, columns)


def forecast(
    rows: pl.DataFrame,
    models: Iterable[tuple[Forecaster, datetime, datetime]],
    objective: Objective,
    horizons: Sequence[int],
    names: Sequence[str],
    interval: str,
    window: int = 1,
) -> pl.DataFrame:
    """Let each model forecast the bars that open while it is in force.

    Parameters
    ----------
    rows
        ``symbol``, ``open_time``, ``volatility`` and the features, one row a bar, sorted by symbol and time; earlier
        bars may stand before those that a model speaks for, to fill their windows.
    models
        Each with the first moment it is in force and the first it no longer is; they do not overlap. The bar that
        closes as a model comes into force is still its predecessor's: it belongs to the day before.
    objective, horizons
        What is forecast, and over how many bars.
    names
        Features that must all be known; a row that lacks one has no prediction.
    interval, window
        Length of a bar, and most bars that a member looks at, all of which must be known.

    Returns
    -------
    DataFrame
        One row per row of ``rows`` in their order; null where no model was in force or a feature is unknown.
    """
    features = FeatureRows.from_frame(rows, names, interval)
    usable = pl.Series(features.usable(window))
    parts = []
    for model, first, last in models:
        chosen = (usable & rows["open_time"].is_between(first, last, closed="left")).arg_true()
        if len(chosen):
            spoken = _spoken(model, features.take(chosen.to_numpy()), objective, horizons)
            parts.append(rows[chosen].select("symbol", "open_time", *spoken))
    key = rows.select("symbol", "open_time", "volatility")
    if not parts:
        return key
    return key.join(pl.concat(parts), on=["symbol", "open_time"], how="left", maintain_order="left")


def _spoken(
    model: Forecaster, rows: FeatureRows, objective: Objective, horizons: Sequence[int]
) -> list[pl.Expr | pl.Series]:
    columns: list[pl.Expr | pl.Series] = [
        pl.lit(model.as_of).cast(TIME).alias("as_of"),
        pl.lit(model.version).alias("version"),
    ]
    for horizon in horizons:
        blended, members = model.predict(rows, horizon)
        for member, said in {"": blended, **members}.items():
            named = zip(forecast_columns(objective, horizon, member), said.T, strict=True)
            columns += [pl.Series(name, np.ascontiguousarray(values)) for name, values in named]
    return columns
