"""The follower's forecasts against scikit-learn on rows purged by hand."""

from collections.abc import Callable
from datetime import UTC, datetime
from math import log, sqrt

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nightfold.features.catalog import FEATURES
from nightfold.features.compute import compute_features
from nightfold.labels.barrier import BarrierRule, panel_volatility
from nightfold.labels.follower import FollowerSpec, forecast_after, forecasts, positions
from nightfold.labels.panel import read_panel

Bars = Callable[..., pl.DataFrame]


@pytest.fixture(scope="module")
def days(recorded_bars: Bars) -> pl.DataFrame:
    """A week with the outage of March 2023 inside."""
    return recorded_bars("ETHUSDT", datetime(2023, 3, 22, tzinfo=UTC), datetime(2023, 3, 29, tzinfo=UTC))


def test_each_part_is_forecast_from_rows_whose_returns_lie_wholly_in_others(days: pl.DataFrame) -> None:
    horizon, first, spec = 20, 300, FollowerSpec()
    panel = read_panel(days, "5m")
    sigma = panel_volatility(panel, BarrierRule())
    found = forecasts(days, panel, sigma, first, horizon, spec)

    seen = compute_features(days, spec.features).select(spec.features).to_numpy().astype(float)
    usable = [row for row in range(first, panel.size) if np.isfinite(seen[row]).all() and np.isfinite(sigma[row])]
    future = {
        row: log(panel.close[row + horizon] / panel.close[row]) / (sigma[row] * sqrt(horizon))
        for row in usable
        if row + horizon < panel.size and panel.first[row] == panel.first[row + horizon]
    }
    expected = np.full(panel.size, np.nan)
    for part in range(3):
        begin, end = first + part * (panel.size - first) // 3, first + (part + 1) * (panel.size - first) // 3
        tested = set(range(begin, end - 1 + horizon + 1))
        train = [row for row in future if not tested & set(range(row, row + horizon + 1))]
        test = [row for row in usable if begin <= row < end]
        ridge = Ridge(alpha=spec.penalty * len(train), fit_intercept=False)
        model = make_pipeline(StandardScaler(), ridge).fit(seen[train], [future[row] for row in train])
        expected[test] = model.predict(seen[test])
    assert len(usable) > 1000
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


def test_what_comes_after_is_forecast_from_rows_whose_return_had_ended(days: pl.DataFrame) -> None:
    horizon, first, begin, spec = 20, 300, 1200, FollowerSpec()
    panel = read_panel(days, "5m")
    sigma = panel_volatility(panel, BarrierRule())
    seen = compute_features(days, spec.features).select(spec.features).to_numpy().astype(float)
    train = [
        row
        for row in range(first, begin - horizon)
        if np.isfinite(seen[row]).all() and np.isfinite(sigma[row]) and row + horizon <= panel.last[row]
    ]
    future = [log(panel.close[row + horizon] / panel.close[row]) / (sigma[row] * sqrt(horizon)) for row in train]
    ridge = Ridge(alpha=spec.penalty * len(train), fit_intercept=False)
    model = make_pipeline(StandardScaler(), ridge).fit(seen[train], future)
    found = forecast_after(days, panel, sigma, first, begin, horizon, spec)
    known = np.flatnonzero(np.isfinite(found))
    assert known.size > 500
    assert known.min() == begin
    np.testing.assert_allclose(found[known], model.predict(seen[known]), rtol=1e-8, atol=1e-10)


def test_only_the_strongest_share_of_forecasts_is_followed() -> None:
    forecast = np.random.default_rng(0).normal(size=1000)
    forecast[::10] = np.nan
    side = positions(forecast, 0.2)
    assert (side != 0).sum() == 180
    assert np.nanmax(np.abs(forecast[side == 0])) < np.abs(forecast[side != 0]).min()
    assert (side[side != 0] == np.sign(forecast[side != 0])).all()
    assert positions(np.full(5, np.nan), 0.2).tolist() == [0] * 5


def test_without_rows_to_learn_from_nothing_is_forecast(days: pl.DataFrame) -> None:
    short = days.head(320)
    panel = read_panel(short, "5m")
    sigma = panel_volatility(panel, BarrierRule())
    assert np.isnan(forecasts(short, panel, sigma, 300, 20, FollowerSpec())).all()


def test_ten_features_from_the_catalog_are_the_default_and_an_unknown_one_is_refused() -> None:
    assert len(set(FollowerSpec().features)) == 10
    assert FollowerSpec().lookback == max(FEATURES[name].lookback for name in FollowerSpec().features)
    with pytest.raises(ValidationError, match="did you mean rsi_14"):
        FollowerSpec(features=["rsi_15"])
