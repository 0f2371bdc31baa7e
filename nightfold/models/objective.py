"""What a forecast says: classes with their probabilities, a mean, or quantiles."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nightfold.errors import ConfigError
from nightfold.spec import Spec

Task = Literal["three_class", "binary", "regression", "quantile", "next_bar"]

CLASSES: dict[Task, tuple[int, ...]] = {"three_class": (-1, 0, 1), "binary": (0, 1)}
"""Labels of the classes, in the order of their probability columns."""
_COLUMNS: dict[Task, dict[str, str]] = {
    "three_class": {
        "p_down": "Probability that the lower barrier is touched first",
        "p_flat": "Probability that no barrier is touched",
        "p_up": "Probability that the upper barrier is touched first",
    },
    "binary": {"p_no": "Probability of 0", "p_yes": "Probability of 1"},
    "regression": {"mean": "Expected value"},
    "next_bar": {"mean": "Log change of the next close", "confidence": "Probability that its sign is right"},
}


class Objective(Spec):
    """The task of a model, and the quantiles where it forecasts some."""

    task: Task = "three_class"
    """`three_class`: down, flat, up. `binary`: no, yes. `regression`: the mean. `quantile`: some quantiles.
    `next_bar`: log change of the next close, and how likely its sign is right."""
    quantiles: list[Annotated[float, Field(gt=0, lt=1)]] = Field(default=[0.05, 0.5, 0.95], min_length=1)
    """Levels forecast by the quantile task, ascending, in whole percent."""

    @model_validator(mode="after")
    def _check_quantiles(self) -> "Objective":
        percents = [round(100 * level) for level in self.quantiles]
        if percents != sorted(set(percents)) or any(
            abs(level - percent / 100) > 1e-12 for level, percent in zip(self.quantiles, percents, strict=True)
        ):
            raise ConfigError(f"`quantiles` is {self.quantiles}; they must ascend in whole percent, like 0.05, 0.5.")
        return self

    @property
    def classes(self) -> tuple[int, ...]:
        """Labels in the order of the probability columns; none where values are forecast."""
        return CLASSES.get(self.task, ())

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what a forecast of one row consists of.

        Examples
        --------
        >>> Objective(task="quantile").columns
        ('q05', 'q50', 'q95')
        """
        return tuple(self.meanings)

    @property
    def meanings(self) -> dict[str, str]:
        """What each column says."""
        if self.task == "quantile":
            percents = (round(100 * level) for level in self.quantiles)
            return {f"q{percent:02d}": f"Quantile {percent / 100:g}" for percent in percents}
        return _COLUMNS[self.task]

    @property
    def metric(self) -> str:
        """The proper score that stops fits, is tuned for and chooses configurations; lower is better."""
        return {"regression": "rmse", "quantile": "pinball", "next_bar": "rmse"}.get(self.task, "log_loss")
