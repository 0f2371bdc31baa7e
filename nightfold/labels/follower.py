"""A trader who does not see the labels: the fixed, cheap forecaster by which barriers are judged."""

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from nightfold.errors import UnknownNameError
from nightfold.interval import Interval
from nightfold.labels.panel import Floats, Panel
from nightfold.spec import Spec

Sides = NDArray[np.int8]


class FollowerSpec(Spec):
    """A ridge regression on a few features, whose strongest forecasts are followed."""

    features: list[str] = Field(
        default=[
            "log_return_1",
            "log_return_5",
            "log_return_20",
            "standardized_return_60",
            "standardized_return_288",
            "z_score_20",
            "rsi_14",
            "price_in_range",
            "volatility_ratio_5_60",
            "volume_ratio_20",
        ],
        min_length=1,
    )
    """Names from the catalog."""
    folds: PositiveInt = Field(default=3, ge=2)
    """Parts of the window in time order; each is forecast from the others, purged."""
    penalty: PositiveFloat = 0.1
    """Ridge penalty per training row, for features of unit deviation."""
    trade_share: PositiveFloat = Field(default=0.25, le=1)
    """Share of the forecasts, the strongest, on which a position is taken."""

    @field_validator("features")
    @classmethod
    def _check_features(cls, features: list[str]) -> list[str]:
        from nightfold.features.catalog import FEATURES

        for name in features:
            if name not in FEATURES:
                raise UnknownNameError("feature", name, FEATURES)
        return features

    @property
    def lookback(self) -> int:
        """Bars before its own that the slowest feature reads."""
        from nightfold.features.select import max_lookback

        return max_lookback(self.features)


def forecasts(
    bars: pl.DataFrame,
    panel: Panel,
    sigma: Floats,
    first: int,
    horizon: int,
    spec: FollowerSpec,
    interval: Interval | None = None,
) -> Floats:
    """Forecast each row of a window by a ridge regression on the other parts of the window.

    Forecast is the log return over ``horizon`` bars in units of its expected size, ``sigma * sqrt(horizon)``, without
    an intercept: the drift of a window is no forecast. A row does not train where its return, from its bar to
    ``horizon`` bars later, meets that of a row to forecast.

    Parameters
    ----------
    bars
        The bars of ``panel``, in its order, with volume.
    panel, sigma
        One symbol and its volatility.
    first
        First row of the window, which reaches to the end of the panel.
    horizon
        Bars ahead.
    spec, interval
        The forecaster; length of a bar as in `compute_features`.

    Returns
    -------
    ndarray
        One number per row; NaN before the window and where a feature or the volatility is null.

    Raises
    ------
    UnknownNameError
        If a feature is not in the catalog.
    """
    samples = _samples(bars, panel, sigma, first, horizon, spec, interval)
    rows, forecast = np.arange(panel.size), np.full(panel.size, np.nan)
    for begin, end in pairwise(np.linspace(first, panel.size, spec.folds + 1).astype(np.int64)):
        train = (rows + horizon < begin) | (rows >= end + horizon)
        samples.forecast(forecast, train, (rows >= begin) & (rows < end), spec.penalty)
    return forecast


def forecast_after(
    bars: pl.DataFrame,
    panel: Panel,
    sigma: Floats,
    first: int,
    begin: int,
    horizon: int,
    spec: FollowerSpec,
    interval: Interval | None = None,
) -> Floats:
    """Forecast the rows from ``begin`` on by the rows before whose return had ended by then; all else as `forecasts`.

    This is what following would have been like: `forecasts` also looks at later parts of the window.
    """
    samples = _samples(bars, panel, sigma, first, horizon, spec, interval)
    rows, forecast = np.arange(panel.size), np.full(panel.size, np.nan)
    samples.forecast(forecast, rows + horizon < begin, rows >= begin, spec.penalty)
    return forecast


def positions(forecast: Floats, trade_share: float) -> Sides:
    """Follow the strongest forecasts: 1 long, -1 short; 0 out, also where there is no forecast.

    Examples
    --------
    >>> positions(np.array([0.1, -0.4, np.nan, 0.3, -0.2]), trade_share=0.5).tolist()
    [0, -1, 0, 1, 0]
    """
    strength = np.abs(forecast)
    known = np.isfinite(strength)
    if not known.any():
        return np.zeros(forecast.size, np.int8)
    strong = known & (strength >= np.quantile(strength[known], 1 - trade_share))
    return np.where(strong, np.sign(forecast, where=known, out=np.zeros(forecast.size)), 0).astype(np.int8)


@dataclass(frozen=True, slots=True)
class _Samples:
    """Features of each row, and its return ahead in units of its expected size."""

    seen: Floats
    usable: NDArray[np.bool_]
    future: Floats
    """NaN where it is not known."""

    def forecast(self, into: Floats, train: NDArray[np.bool_], test: NDArray[np.bool_], penalty: float) -> None:
        train, test = train & np.isfinite(self.future), test & self.usable
        if train.any() and test.any():
            into[test] = _ridge(self.seen[train], self.future[train], self.seen[test], penalty)


def _samples(
    bars: pl.DataFrame,
    panel: Panel,
    sigma: Floats,
    first: int,
    horizon: int,
    spec: FollowerSpec,
    interval: Interval | None,
) -> _Samples:
    from nightfold.features.compute import compute_features

    features = compute_features(bars, spec.features, interval=interval)
    seen = features.select(pl.col(spec.features).cast(pl.Float64)).to_numpy()
    rows = np.arange(panel.size)
    usable = np.isfinite(seen).all(axis=1) & np.isfinite(sigma) & (rows >= first)
    known = usable & (rows + horizon <= panel.last)
    future = np.full(panel.size, np.nan)
    future[known] = np.log(panel.close[rows[known] + horizon] / panel.close[known]) / sigma[known] / sqrt(horizon)
    return _Samples(seen, usable, future)


def _ridge(seen: Floats, future: Floats, unseen: Floats, penalty: float) -> Floats:
    centre, spread = seen.mean(axis=0), seen.std(axis=0)
    spread[spread == 0] = 1.0
    scaled = (seen - centre) / spread
    products = np.einsum("ij,ik->jk", scaled, scaled) + penalty * len(seen) * np.eye(seen.shape[1])
    slopes = np.linalg.solve(products, np.einsum("ij,i->j", scaled, future))
    forecast: Floats = np.einsum("ij,j->i", (unseen - centre) / spread, slopes)
    return forecast
