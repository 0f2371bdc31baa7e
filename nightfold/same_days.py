"""Many results on the same days: how many of these each of them has, and its Sharpe ratio there."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from nightfold.tearsheet.measures import Values, finite

Shared = tuple[npt.NDArray[np.int64], Values]


class SameDays:
    """Daily returns of many results side by side, so that holding each of them against all others stays cheap.

    Parameters
    ----------
    results
        ``day``, ``daily_return`` of each.

    Raises
    ------
    SchemaError
        If a return is null, NaN or infinite.
    """

    def __init__(self, results: Sequence[pl.DataFrame]) -> None:
        none = pl.Series("day", [], dtype=pl.Date)
        self._days = pl.concat([none, *(daily["day"] for daily in results)]).unique().sort()
        self._returns = np.full((len(results), len(self._days)), np.nan)
        for row, daily in zip(self._returns, results, strict=True):
            row[self._days.search_sorted(daily["day"])] = finite(daily["daily_return"], "daily_return")
        self._known: dict[bytes, Shared] = {}

    def on(self, days: pl.Series) -> Shared:
        """Tell of each result how many of some days it has, and its Sharpe ratio on them.

        Returns
        -------
        tuple of ndarray
            Counts, and ratios as of `nightfold.tearsheet.measures.daily_sharpe_ratio`: NaN under two days, where
            nothing varies, and where a day lost all there was.
        """
        chosen = self._days.is_in(days.implode()).to_numpy()
        key = chosen.tobytes()
        if key not in self._known:
            returns = self._returns[:, chosen]
            self._known[key] = np.isfinite(returns).sum(axis=1), _sharpe_ratios(returns)
        return self._known[key]


def _sharpe_ratios(returns: Values) -> Values:
    """Ratio of each row on the days that it has, NaN where it is not known."""
    had = np.isfinite(returns)
    lowest = np.min(returns, axis=1, initial=np.inf, where=had)
    varies = (np.max(returns, axis=1, initial=-np.inf, where=had) > lowest) & (lowest > -1.0)
    ratios = np.full(len(returns), np.nan)
    own, on = returns[varies], had[varies]
    ratios[varies] = own.mean(axis=1, where=on) / own.std(axis=1, ddof=1, where=on)
    return ratios
