"""From an experiment's forecasts to the positions it wants."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product

import polars as pl

from nightfold.backtest.cost import BPS, Costs
from nightfold.backtest.expected_move import expected_move
from nightfold.backtest.signal import move_targets, targets
from nightfold.experiment import Experiment
from nightfold.policy.filter import filtered
from nightfold.policy.log import label_side
from nightfold.policy.position import in_force, policy_targets, thresholds_columns
from nightfold.policy.reading import Forecasts, barrier_distances
from nightfold.policy.record import PASSING, passing
from nightfold.policy.search import threshold_grid
from nightfold.policy.sizes import position_sizes
from nightfold.policy.spec import Thresholds
from nightfold.schema import KEY

_HOLDINGS = (0.5, 1.0, 2.0)
_EDGES = (0.0, 0.25, 0.5, 1.0)
_THRESHOLDS = 5
"""Values of each threshold of the policies that are held constant to look for overfitting."""


def wanted_positions(
    forecasts: Forecasts, costs: Costs, policies: pl.DataFrame | None = None, edge: float = 1.0
) -> pl.DataFrame:
    """Decide by the policy in force, or by the strategy alone: by barriers where the target has them, else by the move.

    Parameters
    ----------
    forecasts
        Of the range.
    costs
        What a round trip costs, as the decision sees it.
    policies
        `nightfold.policy.record.POLICIES`, where the experiment searches some.
    edge
        Multiplies the whole expected move that is asked for: `min_edge_bps` or the policy's `min_edge`, and with it
        the cost where that move is counted after it. To ask for twice as much is to count half of what is forecast;
        sizes, confidence and barriers stay.

    Returns
    -------
    DataFrame
        Targets, as `nightfold.backtest.engine.simulate` takes them.
    """
    experiment, label_set = forecasts.experiment, forecasts.label_set
    strategy, target = experiment.strategy, experiment.target
    if not target.is_traded:
        return forecasts.rows().select(*KEY, target=pl.lit(0.0))
    if experiment.policy is not None and policies is not None:
        seen = filtered(in_force(forecasts.outlooks(costs), policies, experiment.model_lifetime))
        thresholds = {name: pl.col(name) for name in Thresholds.model_fields}
        counted = seen.with_columns(pl.col("move") / edge)
        return policy_targets(counted, thresholds, strategy, experiment.policy, _cap(forecasts))
    size = None if strategy.sizing is None else _sizes(forecasts, costs)
    if not target.has_barriers:
        move = expected_move(target.objective, label_set.dead_zone, strategy.quantile_weights)
        return move_targets(forecasts.rows(), strategy, costs, move / edge, size)
    upper, lower = barrier_distances(label_set, strategy.horizon)
    counted = forecasts.rows().with_columns(pl.col("p_down", "p_flat", "p_up") / edge)
    return targets(counted, strategy, costs, upper=upper, lower=lower, size=size)


def variants(forecasts: Forecasts, costs: Costs) -> Iterator[pl.DataFrame]:
    """Decide as the experiment could have been set up instead: constant thresholds, or other edges and holding times.

    Yields
    ------
    DataFrame
        Targets of one variant.
    """
    experiment = forecasts.experiment
    strategy, spec = experiment.strategy, experiment.policy
    if not experiment.target.is_traded or (spec is not None and spec.filter):
        return
    if spec is not None:
        seen = forecasts.outlooks(costs)
        for constant in threshold_grid(spec, _THRESHOLDS):
            yield policy_targets(seen, thresholds_columns(constant), strategy, spec, _cap(forecasts))
        return
    for edge, holding in product(_EDGES, _HOLDINGS):
        asked = strategy.min_edge_bps + edge * costs.round_trip / BPS
        held = max(round(strategy.holding * holding), 1)
        other = strategy.model_copy(update={"min_edge_bps": asked, "hold_bars": held})
        changed = experiment.model_copy(update={"strategy": other})
        yield wanted_positions(replace(forecasts, experiment=changed), costs)


def passed(forecasts: Forecasts, costs: Costs, policies: pl.DataFrame | None) -> pl.DataFrame:
    """Count the forecasts that passed the policy in force: rows of `nightfold.policy.record.PASSING`."""
    if policies is None or forecasts.experiment.policy is None:
        return pl.DataFrame(schema=PASSING)
    lifetime = forecasts.experiment.model_lifetime
    return passing(filtered(in_force(forecasts.outlooks(costs), policies, lifetime)), forecasts.experiment.policy)


def position_cap(experiment: Experiment, symbols: int) -> float:
    """Largest position a policy takes in one symbol, as a fraction of equity.

    Symbols that search policies of their own share the account: each has its part of the gross limit, in its search
    as in the account.
    """
    limits = experiment.limits
    shared = limits.max_gross / symbols if experiment.pooling == "per_symbol" else limits.max_position
    return min(limits.max_position, shared)


def _cap(forecasts: Forecasts) -> float:
    return position_cap(forecasts.experiment, forecasts.bars["symbol"].n_unique())


def bar_length(bars: pl.DataFrame) -> timedelta:
    """Length of a bar: the shortest step of a symbol."""
    step = pl.col("open_time").diff().over("symbol").drop_nulls().min()
    found = bars.sort("symbol", "open_time").select(step).item()
    return found if isinstance(found, timedelta) else timedelta(0)


def _sizes(forecasts: Forecasts, costs: Costs) -> pl.Series:
    """Size of a position at each row by the strategy's rule."""
    target, strategy = forecasts.experiment.target, forecasts.experiment.strategy
    seen, known = forecasts.outlooks(costs), target.labelled(strategy.horizon)
    models = forecasts.predictions.select(*KEY, "as_of")
    actual = forecasts.labels.select(
        *KEY, actual_move=label_side(target, strategy.horizon), known_at=known["label_end"]
    )
    outcomes = seen.select(*KEY)
    for frame in (models, actual):
        outcomes = outcomes.join(frame, on=KEY, how="left", maintain_order="left")
    return position_sizes(seen, outcomes, strategy, forecasts.experiment.split, bar_length(forecasts.bars))
