"""What every asset of an experiment needs to know: names, partitions, versions and the rows behind an as-of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import dagster as dg
import polars as pl

from assets.keys import OWNER, asset_key, code_version, data_key
from assets.partitions import IN_ONE_RUN, POOLED, AsOfPartition, as_of_partitions, selected_as_ofs
from assets.relabel import relabelled
from nightfold.experiment import Experiment
from nightfold.features.select import by_set, max_lookback
from nightfold.features.table import looks_across, table_name
from nightfold.interval import Interval
from nightfold.labels.searched import search_names
from nightfold.labels.table import LabelSet
from nightfold.schema import KEY
from nightfold.spec import fingerprint
from nightfold.splits.as_of import known_before, reach
from nightfold.timeout import TimeoutReturns
from nightfold.training import Sample, join_features, join_rows, sample
from nightfold.universe import Universe
from nightfold.window import parse_moment
from resources.funding import read_funding
from resources.lake import Lake
from resources.progress import report

_EXPANDED = timedelta(days=3_650)
"""Time that a window without an end is taken to expand for."""


@dataclass(frozen=True)
class Plan:
    """An experiment within its universe: where its assets lie and what they depend on."""

    experiment: Experiment
    universe: Universe
    label_set: LabelSet
    data_versions: Mapping[str, str]
    """Code versions of `bars`, `labels` and each table of features at the experiment's interval."""

    @property
    def name(self) -> str:
        """The experiment's name: the group of its assets and the first part of their keys."""
        return self.experiment.name

    @property
    def interval(self) -> Interval:
        """Length of its bars."""
        return self.experiment.interval or self.universe.interval

    @property
    def symbols(self) -> list[str]:
        """Symbols it uses."""
        return self.experiment.traded(self.universe.symbols)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Features it uses, in the order models see them."""
        return tuple(self.experiment.features.resolve())

    @cached_property
    def feature_tables(self) -> dict[str, list[str]]:
        """Tables its features lie in, each with those of it: `features`, `order_flow`, `cross_asset`."""
        return {table_name(chosen): names for chosen, names in by_set(self.features).items()}

    @property
    def inputs(self) -> list[str]:
        """Data assets that samples and predictions are read from."""
        return [*self.feature_tables, self.label_set.name]

    @property
    def relabels_from(self) -> list[str]:
        """Data assets that its rows are labelled from anew; none where labels are taken as stored."""
        return ["bars", search_names(self.label_set)[1]] if self.experiment.target.relabel else []

    @property
    def input_versions(self) -> list[str]:
        """Code versions of the inputs."""
        return [self.data_versions[name] for name in (*self.feature_tables, "labels")]

    @property
    def watched(self) -> list[str]:
        """Symbols whose bars it needs: its own, or all where its features look at the others."""
        across = any(looks_across(chosen) for chosen in by_set(self.features))
        return self.universe.symbols if across else self.symbols

    @property
    def reach(self) -> timedelta:
        """How far before an as-of its rows can lie; of a window that expands, before the last as-of there can be."""
        length = reach(self.experiment.split)
        last = self.universe.end or self.experiment.first_as_of + _EXPANDED
        return last - self.universe.start if length is None else length

    @property
    def window(self) -> int:
        """Most bars that a member of the experiment looks at."""
        return self.experiment.window

    @property
    def sampling(self) -> dict[str, Any]:
        """Settings that decide which rows models learn from, and what of them."""
        chosen = self.experiment.model_dump(mode="json", include={"split", "features", "target", "pooling"})
        pooled = {"symbols": self.symbols} if self.experiment.pooling == POOLED else {}
        return {**chosen, **pooled, "interval": self.interval, "labels": self.label_set.settings, "window": self.window}

    def key(self, stage: str) -> str:
        """Lake and asset key of one of its stages."""
        return f"{self.name}/{stage}"

    def universe_key(self, symbol: str) -> str:
        """Key of the `universe` dimension under which a symbol's models lie."""
        return POOLED if self.experiment.pooling == POOLED else symbol

    def data(self, name: str) -> str:
        """Lake and asset key of a data asset at its interval."""
        return data_key(self.universe, name, self.interval)

    def version(self, code: str, settings: Mapping[str, Any], *above: str) -> str:
        """Code version of one of its assets."""
        return code_version(code, {"experiment": self.name, **settings}, *above)

    def common(self, stage: str, layer: str) -> dict[str, Any]:
        """Return asset arguments that all of its assets share."""
        return {
            "key": asset_key(self.key(stage)),
            "group_name": self.name,
            "owners": [self.experiment.owner or OWNER],
            "tags": {"experiment": self.name, "layer": layer},
        }

    def as_of_asset(self, stage: str) -> dict[str, Any]:
        """Return asset arguments of a stage with one partition per as-of."""
        return {
            **self.common(stage, "train"),
            "partitions_def": as_of_partitions(self.universe, self.experiment),
            "backfill_policy": IN_ONE_RUN,
        }

    @property
    def market(self) -> dict[str, Any]:
        """What shapes a result beside the experiment's own settings."""
        return {
            "symbols": self.symbols,
            "interval": self.interval,
            "labels": self.label_set.settings,
            "funding": self.universe.funding,
        }

    @property
    def funding(self) -> pl.DataFrame | None:
        """Recorded funding rates of its symbols, where its account is perpetual and there are any."""
        if self.experiment.limits.instrument == "spot":
            return None
        return read_funding({symbol: file for symbol, file in self.universe.funding.items() if symbol in self.symbols})

    @property
    def label_columns(self) -> list[str]:
        """Columns of the label table that its samples need, without the key."""
        target = self.experiment.target
        return ["volatility", *dict.fromkeys(name for h in target.horizons for name in target.columns(h))]

    def read_features(self, lake: Lake, symbols: Sequence[str], start: datetime, end: datetime) -> pl.DataFrame:
        """``symbol``, ``open_time`` and its features in the order models see them, from all sets it picks from."""
        tables = {
            table: lake.require(self.data(table), symbols, start, end, [*KEY, *names])
            for table, names in self.feature_tables.items()
        }
        return join_features(tables, self.features)

    def rows(self, lake: Lake, universe: str, start: datetime, end: datetime) -> pl.DataFrame:
        """Features, volatility and the columns of the target, of the symbols behind a universe key."""
        symbols = self.experiment.members(universe, self.universe.symbols)
        features = self.read_features(lake, symbols, start, end)
        labels = lake.require(self.data(self.label_set.name), symbols, start, end, [*KEY, *self.label_columns])
        return join_rows(features, labels, self.features)

    def samples(self, lake: Lake, partition: AsOfPartition) -> dict[int, Sample]:
        """Train and validation rows by horizon of one as-of, read from the lake."""
        symbols = self.experiment.members(partition.universe, self.universe.symbols)
        features = self.read_features(lake, symbols, partition.as_of - self.reach, partition.as_of)
        labels = self._labels(lake, symbols, partition.as_of, self.label_columns)
        rows = join_rows(features, labels, self.features)
        lookback = max(max_lookback(self.features), self.label_set.volatility_bars)
        split, target = self.experiment.split, self.experiment.target
        return {
            h: sample(rows, self.features, target, h, partition.as_of, split, self.interval, lookback, self.window)
            for h in target.horizons
        }

    def label_returns(self, lake: Lake, partition: AsOfPartition, horizon: int) -> pl.DataFrame | None:
        """``symbol``, ``open_time`` and ``log_return`` from a bar to the end of its label; none for extremes."""
        column = self.experiment.target.return_column(horizon)
        if column is None:
            return None
        symbols = self.experiment.members(partition.universe, self.universe.symbols)
        return self._labels(lake, symbols, partition.as_of, [column]).select(*KEY, log_return=column)

    def timeouts(
        self, lake: Lake, partition: AsOfPartition, samples: Mapping[int, Sample]
    ) -> dict[int, TimeoutReturns]:
        """Measure by horizon what timeouts among the training rows of an as-of returned; none without barriers."""
        target = self.experiment.target
        if not target.has_barriers:
            return {}
        symbols = self.experiment.members(partition.universe, self.universe.symbols)
        columns = {horizon: str(target.return_column(horizon)) for horizon in samples}
        labels = self._labels(lake, symbols, partition.as_of, ["volatility", *columns.values()])
        return {
            horizon: TimeoutReturns.fit(
                sample.keys["train"], labels.select(*KEY, "volatility", log_return=columns[horizon]), horizon
            )
            for horizon, sample in samples.items()
        }

    def _labels(self, lake: Lake, symbols: Sequence[str], as_of: datetime, columns: Sequence[str]) -> pl.DataFrame:
        """Labels of the window before an as-of: as stored, or by the barriers in force then."""
        span = (as_of - self.reach, as_of)
        if not self.experiment.target.relabel:
            return lake.require(self.data(self.label_set.name), symbols, *span, [*KEY, *columns])
        known = known_before(self.experiment.split, as_of)
        return relabelled(lake, self.universe, self.interval, self.label_set, symbols, span, known, columns)

    def store(
        self,
        context: dg.AssetExecutionContext,
        lake: Lake,
        stage: str,
        make: Callable[[AsOfPartition, Path], tuple[str, dict[str, Any]]],
        follow: Callable[[AsOfPartition, str], dict[str, Any]] = lambda partition, version: {},
    ) -> dg.MaterializeResult[None]:
        """Make and store the run's as-ofs one after another: what is stored stays when the run is killed.

        ``make`` writes a partition's files into a folder and returns its version and metadata; ``progress`` among them
        is for the console only. ``follow`` does what must not come before the lake has that version, and returns more
        metadata; it also comes where ``make`` left the partition as it was stored.
        """
        key = self.key(stage)
        versions = {}
        for partition in selected_as_ofs(context, self.experiment):
            started = perf_counter()
            with TemporaryDirectory() as scratch:
                version, metadata = make(partition, Path(scratch))
                progress = metadata.pop("progress", "")
                if any(Path(scratch).iterdir()):
                    lake.write_folder(key, lake_partition(partition), version, Path(scratch))
            metadata |= follow(partition, version)
            versions[f"{partition.window.key}|{partition.universe}"] = version
            context.add_asset_metadata(
                {**metadata, "seconds": round(perf_counter() - started, 2), "data_version": version},
                asset_key=context.asset_key,
                partition_key=f"{partition.window.key}|{partition.universe}",
            )
            report(key, partition.window.key, partition.universe, progress)
        only = next(iter(versions.values()))
        return dg.MaterializeResult(data_version=dg.DataVersion(only if len(versions) == 1 else fingerprint(versions)))


def lake_partition(partition: AsOfPartition) -> str:
    """Place of an as-of's folder under its key."""
    return f"universe={partition.universe}/{partition.window.key}"


def in_force(
    lake: Lake, key: str, universe: str, start: datetime, end: datetime, lifetime: timedelta
) -> Iterator[tuple[str, datetime, datetime]]:
    """Yield which stored as-of is in force from when to when, within ``start <= t < end``.

    A model is in force from its as-of until the next stored one, and never longer than ``lifetime``.
    """
    stored = [(as_of, parse_moment(as_of, "as_of")) for as_of in lake.as_ofs(key, universe)]
    for place, (as_of, begins) in enumerate(stored):
        replaced = stored[place + 1][1] if place + 1 < len(stored) else end
        first, last = max(begins, start), min(replaced, begins + lifetime, end)
        if first < last:
            yield as_of, first, last
