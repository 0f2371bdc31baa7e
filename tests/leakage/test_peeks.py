"""A peek planted in one place of the line is noticed: a control is silent on the line as it is, and fails with it.

What would notice it stands first: a control that looks at the line from outside, at what it makes of another future,
of other labels, of other rows beside. Then come the peeks, each a mistake that is easily made.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import nightfold.ensemble.fit as fitting
import nightfold.ensemble.rank as ranking
import nightfold.models.linear as linear
import nightfold.models.rows as feature_rows
import nightfold.models.train as training
import nightfold.splits.as_of as splitting
import nightfold.training as sampling
import nightfold.tuning.fold as folding
import nightfold.tuning.search as searching
from nightfold.ensemble.blend import EnsembleSpec
from nightfold.ensemble.fit import fit_ensemble
from nightfold.ensemble.judge import judge
from nightfold.ensemble.rank import RankBlender
from nightfold.ensemble.rows import OutOfSample
from nightfold.ensemble.stack import StackBlender
from nightfold.models.catalog import MODELS
from nightfold.models.class_weight import weighed
from nightfold.models.dataset import Dataset
from nightfold.models.window import Windows
from nightfold.splits.as_of import SplitSpec, known_before
from nightfold.splits.purge import NEVER
from nightfold.target import Target
from nightfold.training import Sample, sample
from nightfold.tuning.fold import TuningRows, inner_folds
from nightfold.tuning.search import tune
from nightfold.tuning.spec import TuningSpec

HOUR = timedelta(hours=1)
FIRST, AS_OF, BARS = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 26, tzinfo=UTC), 700
NAMES = ("one", "two", "three")
TARGET = Target(horizons=[5])
SPLIT = SplitSpec(train_days=25, purge=5, embargo=5)
KNOWN = known_before(SPLIT, AS_OF)
SEARCH = TuningSpec(method="random", trials=3, batch=3, rungs=1, folds=2, space={"l2": [0.01, 1.0, 100.0]})
MEMBERS = ("logistic_regression", "extra_trees")
LOGISTIC, TREES = (MODELS[name] for name in MEMBERS)
SPECS = {"logistic_regression": LOGISTIC.spec(), "extra_trees": TREES.spec(**TREES.small)}


@dataclass(frozen=True)
class Night:
    """Two symbols' rows in the lake, also of bars after the as-of, and what the line makes of them."""

    table: pl.DataFrame

    @cached_property
    def sample(self) -> Sample:
        return sample(self.table, NAMES, TARGET, 5, AS_OF, SPLIT, "1h", lookback=1, window=3)

    @cached_property
    def everything(self) -> Dataset:
        """Every row of the lake, whatever is known of it when."""
        rows = self.table.drop_nulls("label_5")
        return Dataset.from_frame(rows, NAMES, "label_5", "uniqueness_5")

    @cached_property
    def later(self) -> Dataset:
        rows = self.table.drop_nulls("label_5").filter(pl.col("open_time") >= AS_OF)
        return Dataset.from_frame(rows, NAMES, "label_5", "uniqueness_5")

    def forecasts(self, features: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        return {
            name: MODELS[name].model(spec, 1).fit(self.sample.train).predict(features) for name, spec in SPECS.items()
        }

    def out_of_sample(self, label: NDArray[Any] | None = None) -> OutOfSample:
        """Forecasts of the validation rows, with their labels or others."""
        rows, keys = self.sample.validation, self.sample.keys["validation"]
        told = rows.label if label is None else label
        members = self.forecasts(rows.table)
        until = self.sample.learnt_until
        return OutOfSample.of(rows.objective, members, told, keys["open_time"], keys["label_end"], learnt_until=until)

    def search_rows(self) -> TuningRows:
        keys = self.sample.keys["train"]
        return TuningRows(self.sample.train, keys["open_time"], keys["label_end"], None, 5, "1h", 2)


def lake(*, future: bool = False, since: datetime = KNOWN, other_symbol: bool = False) -> Night:
    """Make rows; with another future, noise for bars that open and labels that end after a moment."""
    random = np.random.default_rng(0)
    opened = [FIRST + HOUR * bar for bar in range(BARS)]
    frames = []
    for symbol in ("AAAUSDT", "BBBUSDT"):
        values = random.normal(size=(BARS, len(NAMES)))
        ends = [moment + HOUR * int(1 + bars) for moment, bars in zip(opened, random.integers(1, 6, BARS), strict=True)]
        label, weight = sides(values[:, 0], random), random.uniform(0.2, 1, BARS)
        if other_symbol and symbol == "AAAUSDT":
            values = -values
        columns = {"open_time": opened, "label_end_5": ends, "label_5": label, "uniqueness_5": weight}
        columns |= dict(zip(NAMES, values.T, strict=True))
        frames.append(pl.DataFrame(columns).with_columns(pl.lit(symbol).alias("symbol"), volatility=pl.lit(0.01)))
    table = pl.concat(frames).cast(dict.fromkeys(("open_time", "label_end_5"), pl.Datetime("ms", "UTC")))
    return Night(noisy(table, since) if future else table)


def noisy(table: pl.DataFrame, since: datetime) -> pl.DataFrame:
    other = np.random.default_rng(1)
    drawn = {name: (pl.col("open_time") >= since, 3 + 5 * other.normal(size=table.height)) for name in NAMES}
    label = other.integers(-1, 2, table.height).astype(np.int8)
    return table.with_columns(
        pl.when(later).then(pl.Series(values)).otherwise(name).alias(name)
        for name, (later, values) in {**drawn, "label_5": (pl.col("label_end_5") > since, label)}.items()
    )


def sides(odds: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.int8]:
    scores = np.column_stack([-0.5 * odds, np.zeros(len(odds)), 0.5 * odds]) + random.gumbel(size=(len(odds), 3))
    return (scores.argmax(axis=1) - 1).astype(np.int8)


# ---------------------------------------------------------------------- what notices


IN_LAKE: list[Night] = []
"""What a careless line could read: the lake of the control that is running."""


def made(night: Night, make: Callable[[Night], Any]) -> Any:
    IN_LAKE.append(night)
    return make(night)


def blind_to_the_future(make: Callable[[Night], Any]) -> None:
    """What was not known yet changes nothing."""
    assert made(lake(), make) == made(lake(future=True), make)


def parts(night: Night) -> Any:
    return {name: rows.rows() for name, rows in night.sample.keys.items()}, night.sample.plan()["scaler"]


def model(night: Night) -> Any:
    fitted = LOGISTIC.model(SPECS["logistic_regression"], 1).fit(night.sample.train)
    return fitted.predict(np.eye(3, dtype=np.float32)).tolist()


def network(night: Night) -> Any:
    pytest.importorskip("torch", reason="networks come with the extra `neural`")
    rows = night.sample.windowed(3)["train"]
    entry = MODELS["gru"]
    fitted = entry.model(entry.spec(**{**entry.small, "window": 3, "epochs": 1}), 1).fit(rows)
    return fitted.predict(rows.features[:5]).tolist()


def blend(method: str) -> Callable[[Night], Any]:
    def make(night: Night) -> Any:
        return fit_ensemble(night.out_of_sample(), EnsembleSpec(method=method)).model_dump()  # type: ignore[arg-type]

    return make


def searched(night: Night) -> Any:
    found = tune(LOGISTIC, SPECS["logistic_regression"], SEARCH, night.search_rows(), purge=5, embargo=5)
    return [trial.outcome.as_json() for trial in found.trials], found.best.spec.model_dump()


def no_label_of_one_part_meets_a_later_one() -> None:
    keys = lake().sample.keys
    for earlier, later in (("train", "stopping"), ("stopping", "validation")):
        begins = keys[later]["open_time"].min()
        assert (keys[earlier]["label_end"] <= begins).all()
        assert (keys[earlier]["open_time"] < begins - 5 * HOUR).all()


def no_inner_fold_learns_a_label_that_meets_a_tested_one() -> None:
    table = lake().search_rows()
    begins, ends = table.open_time.to_numpy(), table.label_end.to_numpy()
    for fold in inner_folds(table, SEARCH, 5, 5, stops=True):
        for learnt, tested in ((fold.train, fold.test), (fold.stopping, fold.test), (fold.train, fold.stopping)):
            apart = (ends[learnt][:, None] < begins[tested]) | (begins[learnt][:, None] > ends[tested])
            assert apart.all()


def forecasts_of_a_block_do_not_know_its_labels() -> None:
    night = lake()
    rows = night.sample.train
    train, block = np.arange(400), np.arange(450, 500)
    other = replace(rows, label=np.where(np.arange(len(rows)) < 450, rows.label, 1).astype(np.int8))
    told, again = (
        next(training.forecast_blocks(TREES, SPECS["extra_trees"], each, [(train, block)])) for each in (rows, other)
    )
    np.testing.assert_array_equal(told, again)


def balanced_fits_do_not_know_the_classes_of_rows_that_they_forecast() -> None:
    """Of a block and of an inner fold, with other labels there before the sample is made."""
    table, rare = lake().table, Target(horizons=[5], class_weight="balanced")

    def learnt(table: pl.DataFrame) -> Sample:
        return sample(table, NAMES, rare, 5, AS_OF, SPLIT, "1h", lookback=1, window=3)

    def forecasts(rows: Dataset, tested: NDArray[Any]) -> NDArray[np.float64]:
        block = (np.setdiff1d(np.arange(len(rows)), tested), tested)
        return next(training.forecast_blocks(LOGISTIC, SPECS["logistic_regression"], rows, [block]))

    rows, keys = learnt(table).train, learnt(table).keys["train"]
    known = TuningRows(rows, keys["open_time"], keys["label_end"], None, 5, "1h", 2)
    for tested in (np.arange(450, len(rows)), inner_folds(known, SEARCH, 5, 5, stops=True)[0].test):
        held = keys[tested].select("symbol", "open_time", is_held=True)
        other = table.join(held, on=["symbol", "open_time"], how="left", maintain_order="left")
        other = other.with_columns(label_5=pl.when("is_held").then(pl.lit(1, pl.Int8)).otherwise("label_5"))
        np.testing.assert_array_equal(forecasts(rows, tested), forecasts(learnt(other).train, tested))


def scored_forecasts_do_not_know_their_labels() -> None:
    """Forecasts of validation rows, which blend, calibrate and select, come from a fit without these rows."""
    night = lake()
    train, stopping, rows = night.sample.train, night.sample.stopping, night.sample.validation
    other = replace(rows, label=-rows.label)
    told, again = (
        training.train_model(TREES, SPECS["extra_trees"], train, each, stopping=stopping).validation_prediction
        for each in (rows, other)
    )
    np.testing.assert_array_equal(told, again)


def what_calibrates_does_not_know_the_labels_it_is_calibrated_on() -> None:
    """With other labels in the later half, the blend that is calibrated there, and judged there, stays the same."""
    rows = lake().out_of_sample()
    later = rows.start > np.median(rows.start)
    other = replace(rows, label=np.where(later, -rows.label, rows.label))
    spec = EnsembleSpec(method="stack")
    told, again = (handed_to_the_calibrator(each, spec) for each in (rows, other))
    np.testing.assert_array_equal(told, again)
    assert judge(rows, spec).weights == judge(other, spec).weights


def handed_to_the_calibrator(rows: OutOfSample, spec: EnsembleSpec) -> Any:
    """Forecasts that an ensemble's calibrator is fitted on."""
    handed = []

    def spy(true: Any, objective: Any, told: Any, *others: Any, **named: Any) -> Any:
        handed.append(told)
        return true(objective, told, *others, **named)

    with pytest.MonkeyPatch.context() as patch:
        replaced(fitting, "fit_calibrator", spy)(patch)
        fit_ensemble(rows, spec)
    return handed[0]


def each_row_is_blended_by_itself() -> None:
    rows = lake().out_of_sample()
    blender = RankBlender.fit(rows, EnsembleSpec(method="rank"))
    whole = blender.apply(rows.members)
    alone = blender.apply({name: forecast[:9] for name, forecast in rows.members.items()})
    np.testing.assert_array_equal(whole[:9], alone)


def windows_of(night: Night, kept: pl.Expr) -> list[Any]:
    """Windows of some training rows."""
    batch = night.sample.windowed(3)["train"].features
    assert isinstance(batch, Windows)
    return batch.batch()[night.sample.keys["train"].select(kept).to_series().to_numpy()].tolist()


def windows_end_at_their_bar() -> None:
    middle = FIRST + 200 * HOUR
    before = pl.col("open_time") < middle
    assert windows_of(lake(), before) == windows_of(lake(future=True, since=middle), before)


def windows_hold_no_bar_of_another_symbol() -> None:
    second = pl.col("symbol") == "BBBUSDT"
    assert windows_of(lake(), second) == windows_of(lake(other_symbol=True), second)


# ---------------------------------------------------------------------- peeks


def replaced(place: Any, name: str, peek: Callable[..., Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """Plant `peek(true, *arguments)` in the place of a function of the line."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        true = getattr(place, name)
        patch.setattr(place, name, lambda *arguments, **named: peek(true, *arguments, **named))

    return plant


def later_rows(night: Night) -> OutOfSample:
    """Out-of-sample rows as they should never be at the as-of: those that come after it."""
    rows = night.later
    begins = np.arange(len(rows))
    return OutOfSample.of(
        rows.objective, night.forecasts(rows.table), rows.label, begins, begins + 1, learnt_until=None
    )


def calibrated_on_later_rows(true: Any, objective: Any, told: Any, *others: Any, **named: Any) -> Any:
    later = later_rows(IN_LAKE[-1])
    mean = np.mean(list(later.members.values()), axis=0)
    return true(objective, mean, later.label, later.weight, **named)


def shuffled_folds(true: Any, *arguments: Any) -> Any:
    def split(spans: Any) -> Any:
        order = np.random.default_rng(0).permutation(spans.size)
        return [(np.sort(np.setdiff1d(order, part)), np.sort(part)) for part in np.array_split(order, 2)]

    return SimpleNamespace(split=split)


def scored_on_later_rows(true: Any, entry: Any, spec: Any, table: Any, folds: Any, seed: int) -> Any:
    return true(entry, spec, table, [replace(fold, test=IN_LAKE[-1].later) for fold in folds], seed)


def ranked_among_themselves(true: Any, blender: RankBlender, stacked: Any) -> Any:
    members = dict(zip(blender.members, stacked, strict=True))
    rows = SimpleNamespace(objective=blender.objective, members=members, names=tuple(members))
    return true(RankBlender.fit(rows, EnsembleSpec()), stacked)  # type: ignore[arg-type]


def one_bar_further(true: Any, windows: Windows, *chosen: Any) -> Any:
    return true(replace(windows, ends=np.minimum(windows.ends + 1, len(windows.rows) - 1)), *chosen)


def learnt_whole(true: Any, *arguments: Any, **named: Any) -> Any:
    entry, spec, rows, blocks, *seed = arguments
    return true(entry, spec, rows, [(np.arange(len(rows)), predicted) for _, predicted in blocks], *seed)


def scaled_by_all_rows(patch: pytest.MonkeyPatch) -> None:
    """Plant it where networks scale; torch is there, or the control would not have come so far."""
    from nightfold.models.neural.scale import Scale

    replaced(Scale, "of", lambda true, rows, clip: true(IN_LAKE[-1].everything, clip))(patch)


PEEKS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], None]]] = {
    "splits: labels that end after the as-of": (
        replaced(splitting, "known_before", lambda true, spec, as_of: as_of + timedelta(days=3)),
        lambda: blind_to_the_future(parts),
    ),
    "splits: rows kept whose labels reach over a border": (
        replaced(splitting, "cut", lambda true, begins, ends, *rest: true(begins, begins, *rest[:2], 0, 0, *rest[4:])),
        no_label_of_one_part_meets_a_later_one,
    ),
    "scaler: deviations of all rows": (
        replaced(linear.Scaling, "of", lambda true, rows: true(IN_LAKE[-1].everything)),
        lambda: blind_to_the_future(model),
    ),
    "scaler: deviations of all rows in a network": (scaled_by_all_rows, lambda: blind_to_the_future(network)),
    "scaler: stored statistics of all rows": (
        lambda patch: patch.setattr(
            Sample, "scaler", property(lambda self: {"mean": IN_LAKE[-1].everything.table.mean(axis=0).tolist()})
        ),
        lambda: blind_to_the_future(parts),
    ),
    "calibrator: later rows": (
        replaced(fitting, "fit_calibrator", calibrated_on_later_rows),
        lambda: blind_to_the_future(blend("mean")),
    ),
    "calibrator: rows that the blend was fitted on": (
        replaced(OutOfSample, "halves", lambda true, rows: (rows, rows)),
        what_calibrates_does_not_know_the_labels_it_is_calibrated_on,
    ),
    "stack: later rows": (
        replaced(StackBlender, "fit", lambda true, rows, spec: true(later_rows(IN_LAKE[-1]), spec)),
        lambda: blind_to_the_future(blend("stack")),
    ),
    "stack: blocks forecast by members that learnt them": (
        replaced(training, "forecast_blocks", learnt_whole),
        forecasts_of_a_block_do_not_know_its_labels,
    ),
    "class weights: counted over rows that a fit forecasts": (
        replaced(sampling, "_dataset", lambda true, *given: weighed(rows := true(*given), rows)),
        balanced_fits_do_not_know_the_classes_of_rows_that_they_forecast,
    ),
    "stack: validation rows forecast by the model refitted on them": (
        replaced(
            training,
            "train_model",
            lambda true, entry, spec, train, rows, **named: true(entry, spec, train.join(rows), rows, **named),
        ),
        scored_forecasts_do_not_know_their_labels,
    ),
    "rank blend: distributions of later rows": (
        replaced(RankBlender, "fit", lambda true, rows, spec: true(later_rows(IN_LAKE[-1]), spec)),
        lambda: blind_to_the_future(blend("rank")),
    ),
    "rank blend: a rank among the rows being forecast": (
        replaced(ranking.RankBlender, "_blend", ranked_among_themselves),
        each_row_is_blended_by_itself,
    ),
    "tuning: scores on later rows": (
        replaced(searching, "measure", scored_on_later_rows),
        lambda: blind_to_the_future(searched),
    ),
    "tuning: shuffled folds": (
        replaced(folding, "_splitter", shuffled_folds),
        no_inner_fold_learns_a_label_that_meets_a_tested_one,
    ),
    "tuning: stopping rows whose labels reach into training": (
        replaced(
            folding,
            "cut",
            lambda true, begins, ends, border, test, gap, *rest: true(begins, begins, border, NEVER, 0, 0),
        ),
        no_inner_fold_learns_a_label_that_meets_a_tested_one,
    ),
    "windows: the bar after the newest": (
        replaced(Windows, "batch", one_bar_further),
        windows_end_at_their_bar,
    ),
    "windows: bars of another symbol": (
        replaced(
            feature_rows, "window_ends", lambda true, complete, breaks, length: true(complete, breaks & False, length)
        ),
        windows_hold_no_bar_of_another_symbol,
    ),
}


@pytest.mark.parametrize("peek", PEEKS)
def test_a_peek_is_noticed(peek: str) -> None:
    plant, control = PEEKS[peek]
    control()
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises(AssertionError):
            control()
    control()
