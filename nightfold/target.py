"""What the models of an experiment learn: a column of the label table, and the time it became known."""

from typing import Annotated, Literal, Self

import polars as pl
from pydantic import Field, PositiveInt, field_validator, model_validator

from nightfold.errors import ConfigError
from nightfold.labels.table import LabelSet
from nightfold.models.objective import Objective, Task
from nightfold.spec import Spec

Kind = Literal["barrier", "direction", "up", "return", "mfe", "mae", "next_bar"]
Weighting = Literal["uniqueness", "attribution", "equal"]

WEIGHT_COLUMNS = {"uniqueness": "uniqueness", "attribution": "weight"}
"""Column of the label table behind a weighting, without its horizon."""

_TASKS: dict[Kind, tuple[Task, ...]] = {
    "barrier": ("three_class",),
    "direction": ("three_class",),
    "up": ("binary",),
    "return": ("regression", "quantile"),
    "mfe": ("regression", "quantile"),
    "mae": ("regression", "quantile"),
    "next_bar": ("next_bar", "regression", "quantile"),
}
_VALUES: dict[Kind, str] = {
    "barrier": "label",
    "direction": "direction",
    "up": "forward_log_return",
    "return": "forward_log_return",
    "mfe": "forward_mfe",
    "mae": "forward_mae",
}


class Target(Spec):
    """What the models learn."""

    kind: Kind = "barrier"
    """`barrier`: the triple-barrier label. `direction`, `up`: whether price rose over the horizon, with and without a
    dead zone. `return`, `mfe`, `mae`: log return over the horizon, its highest and its lowest on the way. `next_bar`:
    log change of the next close."""
    task: Task | None = None
    """How it is forecast; none: as the kind suggests, values by their mean, the next bar also by how likely its sign
    is right. `quantile` forecasts `quantiles`."""
    quantiles: list[Annotated[float, Field(gt=0, lt=1)]] = Field(default=[0.05, 0.5, 0.95], min_length=1)
    """Levels of the quantile task, ascending, in whole percent."""
    label_set: str = "labels"
    """The label set of `configs/labels.yaml` it comes from."""
    horizons: list[PositiveInt] = Field(default=[5, 10, 15, 20], min_length=1)
    """Bars ahead, ascending: to the vertical barrier, or to the close that counts; one model each."""
    weighting: Weighting = "uniqueness"
    """What rows count in training: average `uniqueness`, that times the return it was worth, or all `equal`. Labels
    of one length without barriers are equally unique."""
    class_weight: Literal["none", "balanced"] = "none"
    """`balanced`: classes count the same in training however rare they are; probabilities are brought back to how often
    each comes before anything reads them."""
    stride: PositiveInt = 1
    """Only every so many bars are learnt from and validated, where neighbours share most of their future; every bar
    is forecast and traded all the same."""

    relabel: bool = False
    """Whether the rows of each as-of are labelled anew by the barriers in force then, where the label set searches
    them; else each row keeps those of its own month."""

    @field_validator("horizons")
    @classmethod
    def _check_horizons(cls, horizons: list[int]) -> list[int]:
        if horizons != sorted(set(horizons)):
            raise ConfigError(f"`horizons` is {horizons}; each may stand there once, in ascending order.")
        return horizons

    @model_validator(mode="after")
    def _check(self) -> Self:
        allowed = _TASKS[self.kind]
        if self.task is not None and self.task not in allowed:
            raise ConfigError(f"`task` is {self.task}; the target {self.kind} is forecast as {' or '.join(allowed)}.")
        if self.kind == "next_bar" and self.horizons != [1]:
            raise ConfigError(f"`horizons` is {self.horizons}; the target next_bar looks one bar ahead: write [1].")
        if self.weighting == "attribution" and self.kind != "barrier":
            raise ConfigError("`weighting` is attribution; it weighs barrier labels only, take uniqueness or equal.")
        if self.class_weight != "none" and not self.objective.classes:
            raise ConfigError(
                f"`class_weight` is {self.class_weight}; a forecast of the task {self.objective.task} has no classes, "
                "leave it out."
            )
        if self.relabel and not self.has_barriers:
            raise ConfigError(f"`relabel` is true; the target {self.kind} has no barriers, leave it out.")
        Objective(quantiles=self.quantiles)
        return self

    @property
    def objective(self) -> Objective:
        """The task of the models."""
        task = self.task or _TASKS[self.kind][0]
        return Objective(task=task, quantiles=self.quantiles) if task == "quantile" else Objective(task=task)

    @property
    def is_traded(self) -> bool:
        """Whether the forecast says which side to take; extremes on the way do not."""
        return self.kind not in {"mfe", "mae"}

    @property
    def has_barriers(self) -> bool:
        """Whether the label ends where a barrier is touched."""
        return self.kind == "barrier"

    @property
    def least_span(self) -> int:
        """Bars that a label of the farthest horizon covers at least: barriers may be met in the next bar."""
        return 1 if self.has_barriers else max(self.horizons)

    def columns(self, horizon: int) -> list[str]:
        """Columns of the label table that `labelled` reads, without the key."""
        if self.kind == "next_bar":
            return ["next_log_return", "next_end"]
        names = [_VALUES[self.kind], "label_end" if self.has_barriers else "forward_end"]
        if self.has_barriers and self.weighting != "equal":
            names.append(WEIGHT_COLUMNS[self.weighting])
        return [f"{name}_{horizon}" for name in names]

    def return_column(self, horizon: int) -> str | None:
        """Column of the label table that tells what holding a bar to the end of its label earned; none for extremes."""
        if not self.is_traded:
            return None
        names = {"barrier": f"log_return_{horizon}", "next_bar": "next_log_return"}
        return names.get(self.kind, f"forward_log_return_{horizon}")

    def labelled(self, horizon: int) -> dict[str, pl.Expr]:
        """Return ``label``, ``label_end`` and ``weight`` of a horizon as expressions over `columns`."""
        value, end, *weight = self.columns(horizon)
        label = pl.col(value)
        if self.kind == "up":  # neither up nor down: no label
            label = pl.when(label != 0).then((label > 0).cast(pl.Int8))
        known = pl.lit(1.0) if not weight else pl.col(weight[0])
        return {"label": label, "label_end": pl.col(end), "weight": known}

    def check_label_set(self, label_set: LabelSet) -> None:
        """See that a label set offers the horizons, its timeouts are no side, and there are barriers to label by anew.

        Raises
        ------
        ConfigError
            If not.
        """
        if self.has_barriers and label_set.vertical != "zero":
            raise ConfigError(
                f"`target.label_set` is `{label_set.name}`, whose `vertical: {label_set.vertical}` calls a timeout up "
                "or down; the strategy would value it as a barrier that was met. Take a set with `vertical: zero`."
            )
        if self.relabel and not label_set.is_searched:
            raise ConfigError(
                f"`target.relabel` is true; the barriers of label set `{label_set.name}` are fixed, and stay as they "
                "are. Leave it out, or give the set `barriers: searched` in `labels.yaml`."
            )
        missing = [horizon for horizon in self.horizons if horizon not in label_set.horizons]
        if missing and self.kind != "next_bar":
            raise ConfigError(
                f"`target.horizons` has {missing}; label set `{self.label_set}` has {label_set.horizons}. "
                "Add them there, or leave them out here."
            )
