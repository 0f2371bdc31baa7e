"""What a feature is: a name, a formula, the bars it looks back, and the function that computes it."""

from collections.abc import Callable
from dataclasses import dataclass

from nightfold.features.segment import Array, Segment


@dataclass(frozen=True, slots=True)
class Feature:
    """One column of numbers that depends on the bar and on ``lookback`` bars before it, on nothing else."""

    name: str
    """Function and parameters, as in `rsi_14`."""
    group: str
    """The part of the catalog it belongs to."""
    formula: str
    """What is computed, in words."""
    lookback: int
    """Bars needed before the current one, since the last hole; rows with fewer are null."""
    reference: str
    """Where the definition comes from."""
    nulls: str
    """When the value is null although the lookback is there."""
    function: Callable[..., Array]
    """From a segment and the parameters to one value a bar; NaN and infinities become null."""
    parameters: tuple[float, ...] = ()
    """What the function is called with after the segment."""
    needs: tuple[str, ...] = ()
    """Columns it reads beside prices and volume: of the bars, or `leader_close` and `market_value` of the market."""

    def values(self, segment: Segment) -> Array:
        """Compute one float64 value a bar, NaN where unknown; the first ``lookback`` rows are not to be used."""
        return self.function(segment, *self.parameters)
