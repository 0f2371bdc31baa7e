"""MLflow: one run per stored model, found again by what the model was fitted on."""

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nightfold.errors import NightfoldError
from nightfold.models.bundle import Manifest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

LOG = logging.getLogger("nightfold.tracking")

_SQLITE = "sqlite:///"
_IDENTITY = "nightfold.identity"
_TIMEOUT_SECONDS = 3.0
_PARAMS_A_BATCH = 100
_METRICS_A_BATCH = 900
_OWN_PAGES = "http://127.0.0.1:5000"

Series = Mapping[str, Sequence[tuple[int, float]]]
"""Curves by name: steps with their values."""


class TrackingError(NightfoldError, ConnectionError):
    """The tracking server, or the database in its folder, cannot be reached."""


@dataclass(frozen=True)
class Tracking:
    """Where runs are recorded: ``sqlite:////folder/file.db`` or the address of an MLflow server.

    Tracking only looks on: where it is down the model is stored all the same, and the log says what is missing.
    MLflow's global state is left alone.
    """

    address: str

    def log(
        self,
        experiment: str,
        model: str,
        as_of: str,
        universe: str,
        fingerprint: str,
        manifest: Manifest,
        folder: Path,
        series: Series | None = None,
    ) -> str | None:
        """Record a stored model with its parameters, scores and files.

        Parameters
        ----------
        experiment, model, as_of, universe
            The partition that the model is stored as.
        fingerprint
            Digits of the rows and settings behind it. A finished run with the same five is left as it is; one that
            was cut short is completed.
        manifest
            What is known of the fitted models.
        folder
            Files to keep with the run.
        series
            Curves to draw: some dozen points each, since each costs its row in the database.

        Returns
        -------
        str | None
            MLflow's id of the run; None where tracking is down, which is logged as a warning.
        """
        tags = {"model": model, "as_of": as_of, "universe": universe, "fingerprint": fingerprint}
        tags |= {"digest": manifest.digest, _IDENTITY: "/".join((model, as_of, universe, fingerprint))}
        try:
            with self._alone():
                return self._record(experiment, tags, manifest, folder, series or {})
        except _failures() as error:
            LOG.warning("%s/%s as of %s is stored but not tracked: %s", experiment, model, as_of, error)
            return None

    def find(self, experiment: str, model: str, as_of: str, universe: str, digest: str) -> str | None:
        """Return MLflow's id of the run of a stored model.

        Parameters
        ----------
        experiment, model, as_of, universe
            As of `log`.
        digest
            Of its bundle.

        Returns
        -------
        str | None
            None where there is no such run, or where tracking is down, which is logged as a warning.
        """
        tags = {"model": model, "as_of": as_of, "universe": universe, "digest": digest}
        try:
            with self._alone():
                known = self._client.get_experiment_by_name(experiment)
                found = None if known is None else self._run(str(known.experiment_id), tags)
        except _failures() as error:
            LOG.warning("the run of %s/%s as of %s cannot be looked up: %s", experiment, model, as_of, error)
            return None
        return None if found is None else str(found.info.run_id)

    def log_result(
        self, experiment: str, result: str, params: Mapping[str, str], metrics: Mapping[str, float | None]
    ) -> None:
        """Record what a variant of an experiment was worth; a result that is there already is left as it is.

        Parameters
        ----------
        experiment
            Name of the experiment that was varied.
        result
            Name of the variant, with its run choices.
        params, metrics
            What it sets, and its measures; unknown ones are left out.
        """
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        told = [Metric(name, value, now, 0) for name, value in metrics.items() if value is not None]
        try:
            with self._alone():
                experiment_id = self._experiment(experiment)
                if self._run(experiment_id, {_IDENTITY: result}):
                    return
                run = self._client.create_run(experiment_id, tags={_IDENTITY: result}, run_name=result)
                self._client.log_batch(run.info.run_id, told, [Param(name, value) for name, value in params.items()])
                self._client.set_terminated(run.info.run_id)
        except _failures() as error:
            LOG.warning("the result %s is stored but not tracked: %s", result, error)

    def page(self, run_id: str) -> str:
        """Address of a run's page; of a database, where `command` shows it."""
        served = self.address if self.address.startswith("http") else _OWN_PAGES
        return f"{served.rstrip('/')}/#/runs/{run_id}"

    @property
    def command(self) -> str | None:
        """What shows the runs of a database in a browser; None where a server does."""
        if self.address.startswith("http"):
            return None
        return f"mlflow ui --backend-store-uri {_SQLITE}{self._database}" if self._database else None

    def _record(
        self, experiment: str, tags: Mapping[str, str], manifest: Manifest, folder: Path, series: Series
    ) -> str:
        experiment_id = self._experiment(experiment)
        found = self._run(experiment_id, {_IDENTITY: tags[_IDENTITY]})
        if found is not None and found.info.status == "FINISHED":
            return str(found.info.run_id)
        name = f"{tags['model']} {tags['as_of']}"
        run = found or self._client.create_run(experiment_id, tags=dict(tags), run_name=name)
        self._write(run.info.run_id, manifest, series)
        self._client.log_artifacts(run.info.run_id, str(folder))
        self._client.set_terminated(run.info.run_id)
        return str(run.info.run_id)

    def _run(self, experiment_id: str, tags: Mapping[str, str]) -> "Run | None":
        """Find the latest run with these tags."""
        wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        return next(iter(self._client.search_runs([experiment_id], wanted, max_results=1)), None)

    def _write(self, run_id: str, manifest: Manifest, series: Series) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, 0) for name, value in _metrics(manifest).items()]
        metrics += [Metric(name, value, now, step) for name, told in series.items() for step, value in told]
        params = [Param(name, str(value)) for name, value in _params(manifest).items()]
        batches = max(-(-len(metrics) // _METRICS_A_BATCH), -(-len(params) // _PARAMS_A_BATCH))
        for number in range(batches):
            some = metrics[number * _METRICS_A_BATCH :][:_METRICS_A_BATCH]
            self._client.log_batch(run_id, some, params[number * _PARAMS_A_BATCH :][:_PARAMS_A_BATCH])

    def _experiment(self, name: str) -> str:
        known = self._client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        place = None if self._database is None else (self._database.parent / "mlflow_artifacts" / name).as_uri()
        return str(self._client.create_experiment(name, artifact_location=place))

    @cached_property
    def _client(self) -> "MlflowClient":
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read at import: nobody is told what we train
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
        from mlflow import MlflowClient

        if self._database is not None and not self._database.exists():
            self._make_tables(self._database)
        self._reach(self._database)
        return MlflowClient(tracking_uri=self.address)

    @property
    def _database(self) -> Path | None:
        return Path(self.address.removeprefix(_SQLITE)).absolute() if self.address.startswith(_SQLITE) else None

    def _make_tables(self, database: Path) -> None:
        """Make them beside their place: where that was cut short, MLflow could neither use nor complete them."""
        from mlflow import MlflowClient

        part = database.with_suffix(".part")
        for each in (part, part.with_name(f"{part.name}-journal")):
            each.unlink(missing_ok=True)
        self._reach(part)
        MlflowClient(tracking_uri=f"{_SQLITE}{part}").search_experiments(max_results=1)
        part.replace(database)

    def _reach(self, database: Path | None) -> None:
        """Ask once and briefly, where MLflow itself would try again for minutes."""
        import httpx

        try:
            if database is not None:
                with closing(sqlite3.connect(database, timeout=_TIMEOUT_SECONDS)) as connection:
                    connection.execute("pragma schema_version")
            else:
                httpx.get(f"{self.address.rstrip('/')}/health", timeout=_TIMEOUT_SECONDS).raise_for_status()
        except (sqlite3.Error, httpx.HTTPError, httpx.InvalidURL) as error:
            raise TrackingError(f"`tracking` is {self.address}, which cannot be reached: {error}.") from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold a database file against other processes: its first use creates the tables, and a run is made once."""
        if self._database is None:
            yield
            return
        self._database.parent.mkdir(parents=True, exist_ok=True)
        with self._database.with_suffix(".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _params(manifest: Manifest) -> dict[str, Any]:
    horizons = {f"h{horizon:02d}/rounds": rounds for horizon, rounds in manifest.rounds.items() if rounds is not None}
    datasets = {f"h{horizon:02d}/dataset": dataset for horizon, dataset in manifest.datasets.items()}
    versions = {f"version/{library}": version for library, version in manifest.versions.items()}
    fixed = {"family": manifest.model, "seed": manifest.seed, "features": len(manifest.features)}
    return {**fixed, **manifest.spec, **horizons, **datasets, **versions}


def _metrics(manifest: Manifest) -> dict[str, float]:
    return {
        f"h{horizon:02d}/{name}": value
        for horizon, scores in manifest.metrics.items()
        for name, value in scores.items()
        if value is not None
    }


def _failures() -> tuple[type[Exception], ...]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, SQLAlchemyError, TrackingError, OSError
