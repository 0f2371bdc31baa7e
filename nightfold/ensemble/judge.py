"""Whether an ensemble earns its keep: fitted on earlier rows, judged on later ones, beside its best member."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.blender import MeanBlender
from nightfold.ensemble.bootstrap import Interval, block_interval
from nightfold.ensemble.fit import fit_blender, mean_until_enough
from nightfold.ensemble.rows import OutOfSample
from nightfold.models.contract import Prediction
from nightfold.models.score import row_losses, score

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether the ensemble beats its best member, and by how much."""

    passed: bool
    """The whole interval lies on the ensemble's side of 0."""
    best_member: str
    """The member of least loss on the earlier rows."""
    ensemble_loss: float
    best_loss: float
    """Mean loss of each on the later rows."""
    difference: Interval
    """The ensemble's loss less the best member's, row by row; negative is better."""

    @property
    def words(self) -> str:
        """One sentence for people."""
        found = f"{self.difference.mean:+.5f}"
        if self.difference.low is None or self.difference.high is None:
            return (
                f"Failed: loss {found} against {self.best_member}, on {self.difference.blocks:.1f} blocks of "
                f"{self.difference.block_moments} moments; too few to tell."
            )
        span = f"{self.difference.low:+.5f} to {self.difference.high:+.5f}"
        verdict = "Passed" if self.passed else "Failed"
        return f"{verdict}: loss {found} against {self.best_member} ({span}, 95 %, blocks of time)."

    def document(self) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {**asdict(self), "words": self.words}


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """An ensemble on rows later than those its blend was fitted on."""

    scores: pl.DataFrame
    """``forecast`` (members, ``mean``, ``ensemble``), ``earlier_loss``, then all measures on the later rows."""
    weights: dict[str, float]
    """Of the blend that was judged."""
    gate: Gate
    earlier_rows: int
    later_rows: int


def judge(rows: OutOfSample, spec: EnsembleSpec, seed: int = 0) -> Judgement:
    """Fit the blend on the earlier half and score it on the later half, beside members and the plain mean.

    Earlier rows whose labels reach into the later half are in neither. The best member is chosen on the earlier half.

    Parameters
    ----------
    rows
        Forecasts that the members made of rows they had not learnt from.
    spec
        How to blend; as of `mean_until_enough`.
    seed
        Of the bootstrap.

    Raises
    ------
    ConfigError
        If a half is left without rows.
    """
    spec = mean_until_enough(rows, spec)
    earlier, later = rows.halves()
    blender = fit_blender(earlier, spec)
    mean = MeanBlender.fit(earlier, spec)
    before, after = (
        {**part.members, "mean": mean.apply(part.members), "ensemble": blender.apply(part.members)}
        for part in (earlier, later)
    )
    past = {name: _loss(earlier, forecast) for name, forecast in before.items()}
    best = min(rows.names, key=lambda name: past[name])
    scores = [
        {"forecast": name, "earlier_loss": past[name], **score(rows.objective, forecast, later.label, later.weight)}
        for name, forecast in after.items()
    ]
    gate = _gate(later, best, after["ensemble"], seed)
    return Judgement(pl.DataFrame(scores), blender.weights, gate, len(earlier), len(later))


def ablate(rows: OutOfSample, spec: EnsembleSpec, seed: int = 0) -> pl.DataFrame:
    """Leave one member out at a time: what the ensemble's loss on the later half does without it.

    Parameters
    ----------
    rows, spec, seed
        As of `judge`.

    Returns
    -------
    DataFrame
        ``member``, ``loss_change`` (without less with, so positive is a member that helps), ``low``, ``high``: the
        block bootstrap's interval, null where rows are too few. No rows for an ensemble of one.
    """
    schema = dict.fromkeys(("loss_change", "low", "high"), pl.Float64)
    found = _ablations(rows, mean_until_enough(rows, spec), seed)
    return pl.DataFrame(list(found), {"member": pl.String, **schema}, orient="row")


def _ablations(
    rows: OutOfSample, spec: EnsembleSpec, seed: int
) -> Iterator[tuple[str, float, float | None, float | None]]:
    earlier, later = rows.halves()
    full = row_losses(rows.objective, fit_blender(earlier, spec).apply(later.members), later.label)
    for member in rows.names if len(rows.names) > 1 else ():
        left = later.without(member)
        blended = fit_blender(earlier.without(member), spec).apply(left.members)
        change = row_losses(rows.objective, blended, later.label) - full
        found = _interval(later, change, seed)
        yield member, found.mean, found.low, found.high


def _gate(later: OutOfSample, best: str, blended: Prediction, seed: int) -> Gate:
    ensemble = row_losses(later.objective, blended, later.label)
    member = row_losses(later.objective, later.members[best], later.label)
    difference = _interval(later, ensemble - member, seed)
    passed = difference.high is not None and difference.high < 0
    ensemble_loss, best_loss = (float((later.shares * each).sum()) for each in (ensemble, member))
    return Gate(passed, best, ensemble_loss, best_loss, difference)


def _interval(rows: OutOfSample, values: Array, seed: int) -> Interval:
    return block_interval(values, rows.weight, rows.start, int(rows.span_lengths.max()), seed)


def _loss(rows: OutOfSample, forecast: Prediction) -> float:
    return float((rows.shares * row_losses(rows.objective, forecast, rows.label)).sum())
