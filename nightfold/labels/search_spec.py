"""Settings of the barrier search: what is tried, how it is judged, and when the fixed barriers are better."""

from typing import Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from nightfold.errors import ConfigError
from nightfold.labels.follower import FollowerSpec
from nightfold.spec import Spec


class BarrierSearchSpec(Spec):
    """Which barriers are tried, how they are judged, and when the fixed ones are better."""

    trials: PositiveInt = 200
    """Barriers to try."""
    population: PositiveInt = Field(default=40, ge=2)
    """Trials of a generation."""
    seed: NonNegativeInt = 0
    """Of the genetic sampler."""
    window_days: PositiveInt = 90
    """Length of the window before the search's moment."""
    least_days: PositiveInt = 30
    """With less than this many days of rows that have volatility and features, the fixed barriers are used."""
    cost: NonNegativeFloat = 0.002
    """Cost of a round trip, as a fraction."""
    least_multiplier: PositiveFloat = 0.3
    """Nearest barrier to try, in widths."""
    most_multiplier: PositiveFloat = 3.0
    """Farthest barrier to try, in widths."""
    least_holding: PositiveFloat = Field(default=0.25, le=1)
    """Shortest way to the vertical barrier to try, as a share of the horizon; the longest is all of it."""
    most_timeouts: PositiveFloat = Field(default=0.5, le=1)
    """Largest share of labels that meet neither barrier."""
    least_class: NonNegativeFloat = Field(default=0.1, lt=1 / 3)
    """Smallest share of a class."""
    most_ties: NonNegativeFloat = Field(default=0.02, le=1)
    """Largest share of labels decided by a bar that met both barriers."""
    width_in_costs: NonNegativeFloat = 1.5
    """Both barriers are to be this many costs away, in at least half of the rows."""
    least_entropy: NonNegativeFloat = Field(default=0.9, le=1)
    """Smallest normalised entropy of the classes among which the most profitable barriers are chosen."""
    follower: FollowerSpec = FollowerSpec()
    """The trader who leaves at the barriers."""

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.least_multiplier > self.most_multiplier:
            raise ConfigError(
                f"`least_multiplier` is {self.least_multiplier}, above `most_multiplier`, {self.most_multiplier}."
            )
        if self.least_days > self.window_days:
            raise ConfigError(
                f"`least_days` is {self.least_days}; it may be `window_days`, {self.window_days}, at most."
            )
        return self
