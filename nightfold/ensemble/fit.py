"""From out-of-sample rows to the ensemble in force: a blend, calibrated on rows it was not fitted on."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.blender import Blender, MeanBlender
from nightfold.ensemble.boosted import BoostedBlender
from nightfold.ensemble.calibrate_values import Toward
from nightfold.ensemble.calibrator import Calibrator, fit_calibrator
from nightfold.ensemble.rank import RankBlender
from nightfold.ensemble.rows import OutOfSample
from nightfold.ensemble.stack import StackBlender
from nightfold.ensemble.track import Pace
from nightfold.ensemble.weighted import WeightedBlender
from nightfold.models.contract import Prediction
from nightfold.spec import Spec

AnyBlender = Annotated[
    MeanBlender | WeightedBlender | RankBlender | StackBlender | BoostedBlender, Field(discriminator="method")
]
_BLENDERS: Mapping[str, type[Blender]] = {
    "mean": MeanBlender,
    "weighted": WeightedBlender,
    "rank": RankBlender,
    "stack": StackBlender,
    "boosted": BoostedBlender,
}

ENOUGH = 60
"""Independent rows of the past from which on a stack, or ranks, take the place of the mean: on fewer, a stack of
members that are alike was worse than their mean (decision 24)."""


class Ensemble(Spec):
    """A blend and its calibrator, as they are stored: read with `model_validate_json`."""

    blender: AnyBlender
    calibrator: Calibrator

    def apply(self, members: Mapping[str, Prediction]) -> Prediction:
        """Blend the forecasts of each member by name, and calibrate."""
        return self.calibrator.apply(self.blender.apply(members))


def fit_blender(rows: OutOfSample, spec: EnsembleSpec) -> Blender:
    """Fit the blend that a spec asks for on all of some rows."""
    is_boosted = spec.method == "stack" and spec.meta == "boosting"
    return _BLENDERS["boosted" if is_boosted else spec.method].fit(rows, spec)


def mean_until_enough(rows: OutOfSample, spec: EnsembleSpec) -> EnsembleSpec:
    """Return a spec, or that of the plain mean while the rows that gather with the as-ofs (`past`) are few.

    Weights keep to it by themselves: they begin as equal ones, and move as rows can tell them apart.
    """
    is_few = spec.oof == "past" and spec.method in {"rank", "stack"} and rows.independent < ENOUGH
    return spec.model_copy(update={"method": "mean"}) if is_few else spec


def fit_ensemble(rows: OutOfSample, spec: EnsembleSpec, *, toward: Toward = "zero") -> Ensemble:
    """Fit blend and calibrator.

    The blend is fitted on all rows. A mean learns nothing, so all rows calibrate it. Any other blend fits its rows
    better than new ones; a blend of the earlier half forecasts the later half, untouched rows only, and is calibrated
    there, as it is judged (`OutOfSample.halves`).

    Parameters
    ----------
    rows
        Forecasts that the members made of rows they had not learnt from.
    spec
        How to blend; as of `mean_until_enough`.
    toward
        What values forecast without skill fall back to, as of `MeanCalibrator`.

    Raises
    ------
    ConfigError
        If there are too few rows for two halves, and the blend needs them.
    """
    spec = mean_until_enough(rows, spec)
    blender = fit_blender(rows, spec)
    if spec.method == "mean":
        calibrating, blended = rows, blender.apply(rows.members)
    else:
        earlier, calibrating = rows.halves()
        blended = fit_blender(earlier, spec).apply(calibrating.members)
    calibrator = fit_calibrator(
        rows.objective,
        blended,
        calibrating.label,
        calibrating.weight,
        toward=toward,
        independent=calibrating.independent,
        pace=None if spec.adapt is None else Pace(spec.adapt, calibrating.start),
    )
    return Ensemble(blender=blender, calibrator=calibrator)
