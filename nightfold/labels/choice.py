"""What a barrier search tried, and which barriers are chosen among it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from nightfold.labels.barrier import TripleBarrier
from nightfold.labels.search_spec import BarrierSearchSpec

FIXED = -1
"""Number under which the fixed barriers stand beside the trials: judged as they are, but neither chosen nor counted."""
OBJECTIVES = ("log_return_per_bar", "entropy")
TRIED = {
    "trial": pl.Int64(),
    "upper": pl.Float64(),
    "lower": pl.Float64(),
    "holding": pl.Float64(),
    "holding_bars": pl.Int64(),
    "rows": pl.Int64(),
    "log_return_per_bar": pl.Float64(),
    "entropy": pl.Float64(),
    "upper_touches": pl.Float64(),
    "lower_touches": pl.Float64(),
    "timeouts": pl.Float64(),
    "ties": pl.Float64(),
    "thin_widths": pl.Float64(),
    "feasible": pl.Boolean(),
    "offered": pl.Boolean(),
}


@dataclass(frozen=True, slots=True)
class BarrierSearch:
    """What a search tried and what it settled on."""

    barrier: TripleBarrier
    """The barriers to use."""
    chosen: int | None
    """Number of the trial they come from; none: they are the fixed ones."""
    fallback: str | None
    """Why the fixed barriers are used; none: they are not."""
    tried: pl.DataFrame
    """The fixed barriers (``trial`` -1), then all trials in order; empty where the history is too short. ``upper``,
    ``lower``, ``holding`` and the ``holding_bars`` it makes; ``rows`` labelled; the objectives ``log_return_per_bar``
    and ``entropy``; ``upper_touches``, ``lower_touches``, ``timeouts``, ``ties``, ``thin_widths`` as shares of rows;
    whether they are ``feasible`` and, with enough entropy as well, ``offered``."""

    @property
    def trials(self) -> pl.DataFrame:
        """The trials alone."""
        return self.tried.filter(pl.col("trial") != FIXED)

    @property
    def fixed(self) -> pl.DataFrame:
        """The fixed barriers alone: one row, or none where nothing was tried."""
        return self.tried.filter(trial=FIXED)

    @property
    def in_force(self) -> dict[str, Any] | None:
        """The row of `tried` with the barriers to use; none where nothing was tried."""
        number = FIXED if self.chosen is None else self.chosen
        return next(self.tried.filter(trial=number).iter_rows(named=True), None)

    @property
    def front(self) -> pl.DataFrame:
        """Feasible trials that no other equals or beats in both objectives, by ``entropy``; of equals the first."""
        gain, spread = OBJECTIVES
        feasible = self.trials.filter("feasible").sort(spread, gain, "trial", descending=[True, True, False])
        best_before = pl.col(gain).cum_max().shift()
        return feasible.filter(best_before.is_null() | (pl.col(gain) > best_before)).reverse()

    @property
    def convergence(self) -> pl.DataFrame:
        """``trial`` and the highest ``log_return_per_bar`` offered so far, null before the first."""
        gain = pl.col(OBJECTIVES[0])
        return self.trials.select("trial", pl.when("offered").then(gain).cum_max().forward_fill().alias("best_so_far"))


def settle(tried: pl.DataFrame, fixed: TripleBarrier, spec: BarrierSearchSpec, start: datetime) -> BarrierSearch:
    """Choose among what was tried, or say why the fixed barriers stay.

    Parameters
    ----------
    tried
        As `BarrierSearch` has it.
    fixed
        The barriers to fall back on, at the full horizon.
    spec, start
        Those of the search.
    """
    gain = OBJECTIVES[0]
    trials = tried.filter(pl.col("trial") != FIXED)
    offered = trials.filter("offered").sort(gain, "trial", descending=[True, False])
    if tried.is_empty():
        reason = f"fewer than {spec.least_days} days of rows have volatility and features before {start:%Y-%m-%d %H:%M}"
    elif offered.is_empty():
        reason = (
            f"of {trials.height} trials {trials['feasible'].sum()} are feasible, none with an entropy of "
            f"{spec.least_entropy:g}"
        )
    elif offered[gain][0] <= 0:
        reason = f"the best of {offered.height} trials earns {offered[gain][0]:.2g} per bar after cost"
    else:
        best = offered.row(0, named=True)
        found = {"upper": best["upper"], "lower": best["lower"], "horizon": best["holding_bars"]}
        return BarrierSearch(fixed.model_copy(update=found), best["trial"], None, tried)
    return BarrierSearch(fixed, None, reason, tried)
