"""How the settings of one model are searched, as an experiment file says it."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from nightfold.errors import ConfigError
from nightfold.spec import Spec

Method = Literal["grid", "random", "tpe", "genetic"]
Value = bool | int | float | str | None

_RUNGS = 3


class Range(Spec):
    """An interval that one setting is drawn from; whole numbers where both ends are."""

    low: int | float
    """Least value, included."""
    high: int | float
    """Greatest value, included."""
    log: bool = False
    """Draw the logarithm evenly, so that .01 to .02 is tried as often as .1 to .2."""

    @model_validator(mode="after")
    def _check(self) -> "Range":
        if self.low >= self.high or (self.log and self.low <= 0):
            above = " above 0" if self.log else ""
            raise ConfigError(f"a range runs from {self.low} to {self.high}; it must ascend{above}.")
        return self


class TuningSpec(Spec):
    """A search for the settings of one model, within a budget of trials."""

    method: Method = "tpe"
    """`grid`: every combination of listed values, in a drawn order. `random`. `tpe`: Bayesian. `genetic`."""
    trials: PositiveInt = 30
    """Configurations tried; a grid has no more than its combinations."""
    space: dict[str, Range | Annotated[list[Value], Field(min_length=1)]] = {}
    """Settings varied: each a list of values, or `low`, `high` and `log`. Empty: what the model itself suggests."""
    metric: str | None = None
    """What the configuration is chosen by among the trials that were run to the end; none: the task's proper score,
    which leads the search in any case."""
    scheme: Literal["expanding", "purged_kfold"] = "expanding"
    """Inner folds: each trained on earlier rows alone, or on all others, also later ones."""
    folds: PositiveInt = 3
    """Inner folds, all scored."""
    tested: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Part of the rows, the newest, that expanding folds test between them."""
    stopping: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """Part of each inner training set, its newest, that ends fits early where a model can stop."""
    batch: PositiveInt = 12
    """Trials drawn at a time, before any of them is known: of fixed size, so that results are the same however many
    fits run side by side."""
    rungs: PositiveInt | None = None
    """Successive halving: the rungs on which the trials of a batch compete, each on `reduction` times the rows of the
    one before, the last on all of them. 1: every trial runs to the end. None: 3, and 1 where `genetic`."""
    reduction: Annotated[int, Field(ge=2)] = 3
    """One of so many trials, and at least one, goes on to the next rung; the others are pruned."""

    @model_validator(mode="after")
    def _check(self) -> "TuningSpec":
        ranges = [name for name, values in self.space.items() if isinstance(values, Range)]
        if self.method == "grid" and (ranges or not self.space):
            found = f"{', '.join(ranges)} is a range" if ranges else "empty"
            raise ConfigError(f"`space` is {found}; a grid needs a list of values for each setting, or take `tpe`.")
        if self.method == "genetic" and (self.rungs or 1) > 1:
            raise ConfigError(f"`rungs` is {self.rungs}; `genetic` breeds from whole scores: leave it out, or write 1.")
        if self.scheme == "purged_kfold" and self.folds < 2:
            raise ConfigError(f"`folds` is {self.folds}; `purged_kfold` needs 2 or more.")
        return self

    @property
    def every(self) -> list[int]:
        """On each rung, one of how many moments is learnt from and scored; the last is 1.

        Examples
        --------
        >>> TuningSpec().every
        [9, 3, 1]
        """
        rungs = self.rungs or (1 if self.method == "genetic" else _RUNGS)
        return [self.reduction**rung for rung in reversed(range(rungs))]

    @property
    def budget(self) -> int:
        """Trials made."""
        if self.method != "grid":
            return self.trials
        combinations = 1
        for values in self.space.values():
            combinations *= len(values) if isinstance(values, list) else 1
        return min(self.trials, combinations)
