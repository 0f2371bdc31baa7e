"""A meta-label filter: a second, small model that says which of the first one's forecasts pay after cost."""

import numpy as np
import numpy.typing as npt
import polars as pl

from nightfold.spec import Spec

_LEAST = 50
"""Rows of each outcome, overlapping ones counted once, under which there is nothing to learn."""
_STRENGTH = 1.0

Floats = npt.NDArray[np.float64]


class MetaFilter(Spec):
    """A logistic regression on what a forecast looks like, with the scale of its inputs; plain numbers, no pickle.

    References
    ----------
    López de Prado (2018), *Advances in Financial Machine Learning*, ch. 3.6.
    """

    centre: list[float]
    scale: list[float]
    weights: list[float]
    intercept: float

    def apply(self, outlooks: pl.DataFrame) -> pl.DataFrame:
        """Put the probability that a trade on the forecast pays after cost in the place of its confidence."""
        scaled = (_inputs(outlooks) - np.array(self.centre)) / np.array(self.scale)
        odds = scaled @ np.array(self.weights) + self.intercept
        pays = pl.Series(1 / (1 + np.exp(-odds))).fill_nan(None)
        return outlooks.with_columns(confidence=pl.when(pl.col("move").is_not_null()).then(pays))


def filtered(outlooks: pl.DataFrame) -> pl.DataFrame:
    """Apply to each row the filter in force, the column ``filter`` as JSON; rows without one stay as they are."""
    parts = outlooks.with_row_index().partition_by("filter", as_dict=True, maintain_order=True)
    done = [
        rows if said is None else MetaFilter.model_validate_json(str(said)).apply(rows)
        for (said,), rows in parts.items()
    ]
    return pl.concat(done).sort("index").drop("index") if done else outlooks


def fit_filter(outlooks: pl.DataFrame, outcomes: pl.DataFrame, horizon: int) -> MetaFilter | None:
    """Learn which forecasts paid.

    Parameters
    ----------
    outlooks
        `nightfold.policy.outlook.OUTLOOK` of a time whose outcomes are known.
    outcomes
        Of the same rows in the same order: ``actual_move``, null where it is not known: such rows are left out.
    horizon
        Bars whose outcomes overlap.

    Returns
    -------
    MetaFilter or None
        None where too few forecasts paid, or too few did not, to learn from.
    """
    from sklearn.linear_model import LogisticRegression  # takes a second, which definitions do not have

    rows = outlooks.hstack(outcomes.select("actual_move")).filter(pl.col("move") != 0)
    rows = rows.drop_nulls(["move", "confidence", "actual_move"])
    pays = rows.select(pl.col("move").sign() * pl.col("actual_move") > pl.col("cost")).to_series().to_numpy()
    if min(pays.sum(), (~pays).sum()) < _LEAST * horizon:
        return None
    inputs = _inputs(rows)
    moves = inputs.max(axis=0) > inputs.min(axis=0)
    centre, scale = inputs.mean(axis=0), np.where(moves, inputs.std(axis=0), 1.0)
    weight = np.full(len(pays), 1.0 / horizon)
    model = LogisticRegression(C=_STRENGTH).fit((inputs - centre) / scale, pays, sample_weight=weight)
    return MetaFilter(
        centre=centre.tolist(),
        scale=scale.tolist(),
        weights=model.coef_[0].tolist(),
        intercept=float(model.intercept_[0]),
    )


def _inputs(outlooks: pl.DataFrame) -> Floats:
    """Size of the move and cost in widths, confidence, share of timeouts, and width itself; NaN where unknown."""
    seen = outlooks.select(
        move=pl.col("move").abs() / pl.col("width"),
        cost=pl.col("cost") / pl.col("width"),
        confidence="confidence",
        p_flat="p_flat",
        width=pl.col("width").log(),
    )
    return seen.cast(pl.Float64).fill_null(np.nan).to_numpy()
