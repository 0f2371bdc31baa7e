"""How much of what a search chose may be luck: the Sharpe ratio of its winner, deflated by everything it tried."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from nightfold.tearsheet.measures import (
    deflated_sharpe_ratio,
    effective_trials,
    is_ruined,
    mean_correlation,
    sharpe_ratio,
)
from nightfold.tuning.ledger import configurations, joined_returns, sharpe_variance


@dataclass(frozen=True, slots=True)
class WinnerLuck:
    """A winner among all that its search looked at, on the rows of the search itself.

    Parameters
    ----------
    configurations
        All that were tried, pruned ones among them: these deflate.
    effective
        How many independent ones they amount to; None where under two vary. Shown only.
    days
        Of the winner's returns.
    sharpe_ratio
        Of the reference policy on the winner's forecasts, a year, without cost; None where it is not known.
    deflated_sharpe
        Probability that it exceeds what the best of so many shows by luck; None where it is not known.
    """

    configurations: int
    effective: float | None
    days: int
    sharpe_ratio: float | None
    deflated_sharpe: float | None


def winner_luck(ledger: pl.DataFrame, winner: str) -> WinnerLuck:
    """Deflate the Sharpe ratio of a search's winner: the *selection* figure, never merged with a headline's.

    Parameters
    ----------
    ledger
        All trials of one subject and window, whatever searches they belong to.
    winner
        The configuration chosen.

    References
    ----------
    Bailey and López de Prado (2014), *The Deflated Sharpe Ratio*.
    """
    joined, tried = joined_returns(ledger), configurations(ledger)
    returns = joined.filter(configuration=winner)["daily_return"].to_numpy()
    table = joined.pivot("configuration", index="day", values="daily_return").drop("day")
    correlation = mean_correlation(table.cast(pl.Float64).fill_null(np.nan).to_numpy())
    is_known = len(returns) > 0 and not is_ruined(returns)
    return WinnerLuck(
        tried,
        None if correlation is None else effective_trials(tried, correlation),
        len(returns),
        sharpe_ratio(returns) if is_known else None,
        deflated_sharpe_ratio(returns, tried, sharpe_variance(ledger)) if is_known else None,
    )
