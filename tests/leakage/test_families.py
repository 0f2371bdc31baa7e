"""No family of the catalog learns anything from labels that mean nothing; each finds what was planted.

The rows are bars of a market: overlapping labels five bars long, features that remember. Each family is fitted as a
night fits it, stopped on rows of their own, and judged on later rows, row by row beside the constant forecast of the
training rows, by an interval from blocks of time.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from nightfold.bars.simulate import simulate_bars
from nightfold.ensemble.bootstrap import block_interval
from nightfold.features.compute import compute_features
from nightfold.labels.barrier import TripleBarrier, barrier_labels
from nightfold.models.catalog import MODELS, ModelEntry
from nightfold.models.dataset import Dataset
from nightfold.models.objective import Objective, Task
from nightfold.models.rows import FeatureRows
from nightfold.models.score import constant_forecast, row_losses
from nightfold.models.train import train_model
from nightfold.source import SimulatedSource
from nightfold.splits.purge import Parts, PurgedSplit

HORIZON, BARS = 5, 2_600
BLOCK, DRAWS, STUDENT = 20, 4, 3.182
"""Bars that stay together, permutations drawn, and the 97.5 % point of Student's t with one degree less."""
NAMES = ("log_return_1", "log_return_5", "log_return_20", "rsi_7", "volatility_20", "volatility_ratio_5_60")
PLANTED = "rsi_7"
SHARE, DEVIATIONS = 0.5, 0.75
"""The planted effect: so many labels are decided by the side of `PLANTED`, values move by so many deviations."""
ROUNDING = 1e-12
SPLIT = PurgedSplit(train=0.4, validation=0.15, test=0.45, purge=HORIZON, embargo=20)
FAMILIES = [entry for entry in MODELS.values() if not entry.capabilities.pretrained]
"""Of a pretrained one a line is all that learns, on features it is told; `nightfold.models.checks` has it shuffled."""
TASKS = [(entry, task) for entry in FAMILIES for task in entry.capabilities.tasks]
WINDOW = max(entry.model(entry.spec(**entry.small)).window or 1 for entry in FAMILIES)
"""Bars that the rows of every family have before them, so that all see the same rows."""
ID = {"ids": lambda part: getattr(part, "name", part)}


@dataclass(frozen=True)
class Market:
    """Labelled bars; ``side`` is that of the newest value of `PLANTED`, +1 or -1."""

    features: FeatureRows
    label: dict[Task, NDArray[Any]]
    side: NDArray[np.int64]
    parts: Parts

    def dataset(self, task: Task, label: NDArray[Any], part: NDArray[np.int64], window: int | None) -> Dataset:
        features = self.features.take(self.features.chosen[part]).features(NAMES, window)
        return Dataset(features, NAMES, label[part], np.ones(len(part)), Objective(task=task))


def market(bars: pl.DataFrame) -> Market:
    """Features of bars, with labels of every task."""
    labels = barrier_labels(bars, TripleBarrier(horizon=HORIZON, upper=0.8, lower=0.8), "1h")
    close = bars["close"].log()
    frame = compute_features(bars, NAMES, interval="1h").hstack(labels.drop("symbol", "open_time"))
    frame = frame.with_columns(
        (close.shift(-HORIZON) - close).alias("forward"),
        (close.shift(-1) - close).alias("next"),
        pl.col("open_time").shift(-HORIZON).alias("ends"),
    )
    rows = FeatureRows.from_frame(frame, NAMES, "1h")
    labelled = frame.select(pl.all_horizontal(pl.col("label", "forward", "next").is_not_null())).to_series()
    whole = rows.usable(WINDOW) & labelled.to_numpy()
    known = frame.filter(pl.Series(whole))
    forward = known["forward"].to_numpy()
    return Market(
        rows.take(np.flatnonzero(whole)),
        {
            "three_class": known["label"].to_numpy(),
            "binary": (forward > 0).astype(np.int8),
            "regression": forward,
            "quantile": forward,
            "next_bar": known["next"].to_numpy(),
        },
        np.where(known[PLANTED].to_numpy() > 50, 1, -1),
        SPLIT.split(known["open_time"], known["ends"], "1h"),
    )


@cache
def made() -> Market:
    """Bars of a simulated market that nothing can be known of."""
    start, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 4, 20, tzinfo=UTC)
    return market(simulate_bars(["AAAUSDT"], "1h", start, end, SimulatedSource()).head(BARS))


@cache
def recorded(data: Path) -> Market:
    """Bars as they were traded."""
    bars = pl.read_parquet(data / "bars_1h" / "binance_spot_BTCUSDT_1h.parquet").tail(BARS)
    return market(bars.select(pl.lit("BTCUSDT").alias("symbol"), *bars.columns))


@pytest.fixture(params=["made", "recorded"])
def bars(request: pytest.FixtureRequest) -> Market:
    return made() if request.param == "made" else recorded(request.getfixturevalue("market_data"))


def in_blocks(label: NDArray[Any], parts: Parts, seed: int) -> NDArray[Any]:
    """Labels of train and of stopping rows, each dealt out anew in blocks of time; later ones stay."""
    random, dealt = np.random.default_rng(seed), label.copy()
    for part in (parts.train, parts.validation):
        blocks = np.array_split(part, max(len(part) // BLOCK, 1))
        dealt[part] = label[np.concatenate([blocks[place] for place in random.permutation(len(blocks))])]
    return dealt


def planted(market: Market, task: Task) -> NDArray[Any]:
    """Labels of all rows with the effect planted."""
    label, random = market.label[task], np.random.default_rng(5)
    if Objective(task=task).classes:
        told = np.where(market.side > 0, 1, -1 if task == "three_class" else 0)
        return np.where(random.random(len(label)) < SHARE, told, label).astype(np.int8)
    return np.asarray(label + DEVIATIONS * label.std() * market.side)


def gains(entry: ModelEntry, task: Task, market: Market, label: NDArray[Any]) -> NDArray[np.float64]:
    """How much lower than that of the constant the family's loss is on each later row, as it came or was planted."""
    spec = entry.spec(**entry.small)
    window = entry.model(spec).window
    train, stopping, later = (
        market.dataset(task, label, part, window)
        for part in (market.parts.train, market.parts.validation, market.parts.test)
    )
    told = train_model(entry, spec, train, later, stopping=stopping, refit=False, seed=1).validation_prediction
    constant = np.tile(constant_forecast(train), (len(later), 1))
    return row_losses(later.objective, constant, later.label) - row_losses(later.objective, told, later.label)


def low(market: Market, gained: NDArray[np.float64]) -> float:
    """Where the interval of the mean gain begins; one row of ``gained`` a permutation.

    A permutation can agree by luck with what later rows are really like, for as long as there are any, so the interval
    is that of blocks of time together with the spread between permutations.
    """
    later = market.parts.test
    found = block_interval(gained.mean(axis=0), np.ones(len(later)), later, HORIZON + 1)
    assert found.low is not None
    drawn = gained.mean(axis=1)
    spread = STUDENT * drawn.std(ddof=1) / np.sqrt(len(drawn)) if len(drawn) > 1 else 0.0
    return found.mean - float(np.hypot(found.mean - found.low, spread))


def needs(entry: ModelEntry) -> None:
    if entry.capabilities.extra and find_spec("torch") is None:
        pytest.skip(f"{entry.name} comes with the extra `{entry.capabilities.extra}`")


@pytest.mark.parametrize(("entry", "task"), TASKS, **ID)
def test_labels_permuted_in_blocks_teach_no_family_anything(entry: ModelEntry, task: Task, bars: Market) -> None:
    needs(entry)
    dealt = [in_blocks(bars.label[task], bars.parts, draw) for draw in range(DRAWS)]
    gained = np.stack([gains(entry, task, bars, label) for label in dealt])
    assert low(bars, gained) <= ROUNDING


@pytest.mark.parametrize(("entry", "task"), [pair for pair in TASKS if pair[0].family != "baseline"], **ID)
def test_a_planted_effect_is_found_by_every_family(entry: ModelEntry, task: Task, bars: Market) -> None:
    needs(entry)
    gained = gains(entry, task, bars, planted(bars, task))
    assert low(bars, gained[None]) > ROUNDING


@pytest.mark.parametrize("task", ["three_class", "regression"])
def test_a_family_that_has_seen_later_rows_is_told_from_one_that_learnt_nothing(task: Task, bars: Market) -> None:
    """The control is controlled: a forest with the later rows among those it learns from is caught."""
    seen = replace(bars, parts=replace(bars.parts, train=np.append(bars.parts.train, bars.parts.test)))
    dealt = [in_blocks(bars.label[task], bars.parts, draw) for draw in range(DRAWS)]
    gained = np.stack([gains(MODELS["extra_trees"], task, seen, label) for label in dealt])
    assert low(bars, gained) > ROUNDING
