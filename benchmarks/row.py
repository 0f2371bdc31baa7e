"""One measured line of the report."""

from dataclasses import dataclass

from benchmarks.measure import Seconds


@dataclass(frozen=True, slots=True)
class Beside:
    """Something measured in the same run: a floor that nothing can beat, or what others take."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, what it may take, and what stands beside it."""

    what: str
    seconds: Seconds
    promise: float | None = None
    """Seconds it may take."""
    beside: tuple[Beside, ...] = ()
    memory: float | None = None
    """Peak of the whole process, in MB."""
    wall: float | None = None
    """Seconds on the clock."""
    count: int | None = None
    """What is made in that time, so that a rate can be told."""
