"""Which models become one forecast and how, and the plainest way: their mean."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from nightfold.errors import SchemaError, UnknownNameError
from nightfold.models.contract import Probabilities
from nightfold.spec import Spec

Method = Literal["mean", "weighted", "rank", "stack"]
OutOfFold = Literal["expanding", "past", "purged_kfold"]


class EnsembleSpec(Spec):
    """How the models of an experiment become one forecast."""

    method: Method = "mean"
    """`mean`: each member counts the same. `weighted`: weights of least loss, shrunk toward equal. `rank`: the mean of
    each forecast's place in its member's out-of-sample distribution. `stack`: a regression on members' forecasts."""
    members: list[str] = Field(default_factory=list)
    """Models that take part, by name. Empty: all of the experiment."""
    shrinkage: PositiveFloat = 10.0
    """`weighted`: how many independent rows' worth of evidence equal weights are given."""
    meta: Literal["regression", "boosting"] = "regression"
    """`stack`: a line (multinomial logistic of classes), or a few small trees on top of the members' plain pool."""
    ridge: PositiveFloat = 10.0
    """`stack`: how many independent rows' worth of evidence the plain pool is given per coefficient, or per leaf."""
    oof: OutOfFold = "expanding"
    """Rows that weights are fitted on. `expanding`: the last blocks of the as-of's rows, each forecast by a model
    trained on earlier rows. `past`: the validation rows of earlier as-ofs, too, as they were forecast then.
    `purged_kfold`: each fold by a model of the others, later ones among them."""
    oof_blocks: PositiveInt = 1
    """Blocks or folds. One expanding block is the validation part, which the members have forecast anyway; every
    further one costs a fit of each member."""
    oof_share: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """`expanding` with several blocks: part of the rows' time that all blocks cover together."""
    adapt: Annotated[float, Field(gt=0, le=1)] | None = None
    """Quantiles: let calibrated levels follow what came lately, by up to this part of the misses' spread over the
    length of a label; 0.05 is a start. None: all rows that calibrate count alike."""

    @property
    def refits(self) -> bool:
        """Whether rows to learn from need fits of their own, beside those that every as-of makes."""
        return self.method != "mean" and (
            self.oof == "purged_kfold" or (self.oof == "expanding" and self.oof_blocks > 1)
        )

    @property
    def remark(self) -> str:
        """What a reader of results should know of the rows it learns from; empty where there is nothing."""
        if self.method == "mean" or self.oof != "purged_kfold":
            return ""
        return (
            "The ensemble's weights are fitted on purged folds, whose models had learnt from later rows as well: more "
            "rows, and less like the future than blocks end to end."
        )

    def chosen(self, models: Iterable[str]) -> tuple[str, ...]:
        """Names of the members among the models of an experiment, in the experiment's order.

        Raises
        ------
        UnknownNameError
            If a member is no model of the experiment.

        Examples
        --------
        >>> EnsembleSpec(members=["b"]).chosen(["a", "b"])
        ('b',)
        """
        known = tuple(models)
        for member in self.members:
            if member not in known:
                raise UnknownNameError("ensemble member", member, known)
        return tuple(name for name in known if not self.members or name in self.members)


def blend(forecasts: Sequence[Probabilities]) -> Probabilities:
    """Average the members' forecasts, row by row.

    Parameters
    ----------
    forecasts
        One array per member, all of the same rows and task, without NaN.

    Returns
    -------
    Probabilities
        Rows of probabilities sum to 1 and quantiles ascend, as the members' do.

    Raises
    ------
    SchemaError
        If there is no member, shapes differ, or a value is NaN.

    Examples
    --------
    >>> blend([np.array([[0.2, 0.2, 0.6]]), np.array([[0.4, 0.4, 0.2]])]).round(2).tolist()
    [[0.3, 0.3, 0.4]]
    """
    shapes = {forecast.shape for forecast in forecasts}
    if len(shapes) != 1:
        found = ", ".join(map(str, sorted(shapes))) or "none"
        raise SchemaError(f"Forecasts to blend have the shapes {found}; all members forecast the same rows and task.")
    stacked = np.stack(forecasts)
    if not np.isfinite(stacked).all():
        raise SchemaError("Forecasts to blend hold NaN or infinity; blend only rows that every member forecast.")
    return np.asarray(stacked.mean(axis=0))
