"""Made-up labelled rows in time, whose predictability is known."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from nightfold.models.dataset import Dataset
from nightfold.tuning.fold import TuningRows

Make = Callable[..., TuningRows]

START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def make_table() -> Make:
    """Five-minute bars; `a` shifts the odds of up against down, one way or the other by the sign of `b`."""

    def make(bars: int = 2400, *, symbols: int = 1, effect: float = 1.0, horizon: int = 4, seed: int = 0) -> TuningRows:
        random = np.random.default_rng(seed)
        rows = bars * symbols
        features = random.normal(size=(rows, 5)).astype(np.float32)
        direction = effect * features[:, 0] * np.where(features[:, 1] > 0, 1, -1)
        scores = np.column_stack([-direction, np.zeros(rows), direction]) + random.gumbel(size=(rows, 3))
        label = scores.argmax(axis=1) - 1
        opened = pl.Series([START + timedelta(minutes=5) * bar for bar in range(bars) for _ in range(symbols)])
        ends = [
            moment + timedelta(minutes=5) * (1 + int(bars))
            for moment, bars in zip(opened, random.integers(1, horizon + 1, rows), strict=True)
        ]
        return TuningRows(
            rows=Dataset(features, ("a", "b", "c", "d", "e"), label, random.uniform(0.5, 1.5, rows)),
            open_time=opened.cast(pl.Datetime("ms", "UTC")),
            label_end=pl.Series(ends).cast(pl.Datetime("ms", "UTC")),
            log_return=0.001 * label + random.normal(0, 0.0005, rows),
            horizon=horizon,
            interval="5m",
            symbols=symbols,
        )

    return make
