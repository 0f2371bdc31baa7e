"""The forecast log: each forecast that could be traded, beside what came of it once that is known."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from nightfold.backtest.expected_move import strength
from nightfold.ensemble.bootstrap import Interval, block_interval
from nightfold.errors import SchemaError
from nightfold.experiment import Experiment
from nightfold.forecast import forecast_columns
from nightfold.models.calibration_curve import calibration_curve
from nightfold.models.objective import Objective
from nightfold.schema import KEY, TIME, Column, Table
from nightfold.target import Target

_STRENGTH = Column(
    pl.Float64,
    "How far the mean of the quantiles lies beyond the cost of a round trip, over the distance of the outer two.",
    nullable=True,
)


def log_table(name: str, objective: Objective | None = None) -> Table:
    """Describe the forecast log of an experiment; only forecasts of quantiles have a ``strength``."""
    is_spread = objective is not None and objective.task == "quantile"
    return Table(
        name,
        {
            "symbol": Column(pl.String, "Spot BTCUSDT, perpetual BTCUSDT.P."),
            "open_time": Column(TIME, "Start of the bar whose close the forecast was made at, UTC."),
            "as_of": Column(TIME, "When the model behind it came into force."),
            "version": Column(pl.String, "Fingerprint of that model and all behind it."),
            "horizon": Column(pl.Int64, "Bars ahead.", minimum=1),
            "expected_move": Column(pl.Float64, "Expected log return before costs."),
            "confidence": Column(
                pl.Float64, "Probability that its sign is right.", nullable=True, minimum=0, maximum=1
            ),
            **({"strength": _STRENGTH} if is_spread else {}),
            "known_at": Column(TIME, "When what came was known; null: not yet.", nullable=True),
            "actual_move": Column(pl.Float64, "Log return that came; null: not known yet.", nullable=True),
            "actual_side": Column(
                pl.Int8,
                "Side that came, as the label has it; 0: neither, null: not known yet.",
                nullable=True,
                minimum=-1,
                maximum=1,
            ),
        },
    )


def outcome_columns(target: Target, horizon: int) -> list[str]:
    """Columns of the label table that tell when what came was known, and last what came; fewer where none does."""
    column = target.return_column(horizon)
    return [*target.labelled(horizon)["label_end"].meta.root_names(), *([column] if column else [])]


def forecast_log(
    outlooks: pl.DataFrame,
    predictions: pl.DataFrame,
    labels: pl.DataFrame,
    experiment: Experiment,
    until: datetime | None = None,
) -> pl.DataFrame:
    """Put forecasts beside what came.

    Parameters
    ----------
    outlooks
        `nightfold.policy.outlook.OUTLOOK` of the traded horizon.
    predictions
        ``symbol``, ``open_time``, ``as_of`` and ``version`` of the same bars, and quantiles where some are forecast.
    labels
        ``symbol``, ``open_time`` and the columns of the target that tell its return and its end.
    experiment
        What is forecast, and how far ahead.
    until
        What was known later than this stays open; none: all that came is filled in.

    Returns
    -------
    DataFrame
        Rows of `log_table`, one for each bar with a forecast.

    Raises
    ------
    SchemaError
        If the target is not a return.
    """
    target, horizon = experiment.target, experiment.strategy.horizon
    column = target.return_column(horizon)
    if column is None:
        raise SchemaError(f"the target {target.kind} names no side; there is no move to log.")
    known = target.labelled(horizon)
    came = labels.select(*KEY, actual_move=column, actual_side=label_side(target, horizon), known_at=known["label_end"])
    if until is not None:
        came = came.filter(pl.col("known_at") <= until)
    return (
        outlooks.select(*KEY, "confidence", expected_move="move")
        .join(predictions.select(*KEY, "as_of", "version"), on=KEY)
        .join(_strengths(outlooks, predictions, target.objective, horizon), on=KEY)
        .join(came, on=KEY, how="left", maintain_order="left")
        .filter(pl.col("as_of").is_not_null() & pl.col("expected_move").is_not_null())
        .with_columns(
            horizon=pl.lit(horizon, pl.Int64),
            known_at=pl.when(pl.col("actual_move").is_not_null()).then("known_at"),
        )
        .sort(KEY)
    )


def _strengths(outlooks: pl.DataFrame, predictions: pl.DataFrame, objective: Objective, horizon: int) -> pl.DataFrame:
    """Measure the strength of each forecast, where it is one of quantiles."""
    if objective.task != "quantile":
        return predictions.select(KEY)
    said = dict(zip(objective.columns, forecast_columns(objective, horizon), strict=True))
    rows = outlooks.select(*KEY, "cost").join(predictions.select(*KEY, **said), on=KEY)
    return rows.select(*KEY, strength=strength(objective, pl.col("cost")))


@dataclass(frozen=True, slots=True)
class Reliability:
    """How the forecasts of a log turned out.

    Parameters
    ----------
    rows
        Forecasts with a side, of bars whose label is known and has one: what the confidence is about.
    hit_rate
        Share of them whose side was right; None without rows.
    confidence
        What they said of that on average.
    gap
        Mean of right (1) or wrong (0) less the confidence, with a block-bootstrap interval; None without rows.
    curve
        `nightfold.models.calibration_curve.calibration_curve` of the confidence.
    """

    rows: int
    hit_rate: float | None
    confidence: float | None
    gap: Interval | None
    curve: pl.DataFrame

    @property
    def is_overconfident(self) -> bool:
        """Whether fewer sides were right than was said, beyond doubt."""
        return self.gap is not None and self.gap.high is not None and self.gap.high < 0


def label_side(target: Target, horizon: int) -> pl.Expr:
    """Side that a label says came: 1, -1, or 0 for neither."""
    label = target.labelled(horizon)["label"]
    return (label * 2 - 1 if target.kind == "up" else label.sign()).cast(pl.Int8)


def is_right(said: str, came: str) -> pl.Expr:
    """Whether the sign of a column was that of another; null where one of them has none, or is not known."""
    signed = (pl.col(said) != 0) & (pl.col(came) != 0)
    return pl.when(signed).then(pl.col(said).sign() == pl.col(came).sign())


def reliability(log: pl.DataFrame) -> Reliability:
    """Hold confidence against what came, on forecasts whose outcome is known."""
    known = log.with_columns(right=is_right("expected_move", "actual_side")).drop_nulls(["right", "confidence"])
    sure, right = known["confidence"].to_numpy(), known["right"].cast(pl.Float64).to_numpy()
    curve = calibration_curve(sure, right)
    if known.is_empty():
        return Reliability(0, None, None, None, curve)
    longest = int(known["horizon"].max())  # type: ignore[arg-type]  # a column of integers
    gap = block_interval(right - sure, np.ones(known.height), known["open_time"].to_physical().to_numpy(), longest)
    return Reliability(known.height, float(right.mean()), float(sure.mean()), gap, curve)
