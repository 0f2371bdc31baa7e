"""MLflow: one run per stored model, found again by what it was fitted on."""

import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from nightfold.errors import NightfoldError
from nightfold.models.bundle import Bundle

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOG = logging.getLogger("nightfold.tracking")

_SQLITE = "sqlite:///"
_TIMEOUT_SECONDS = 3.0
_BATCH = 100
"""What one MLflow request takes of parameters or tags."""


class TrackingError(NightfoldError, ConnectionError):
    """The tracking server, or the folder of its database, cannot be reached."""


@dataclass(frozen=True, slots=True)
class Tracking:
    """Where runs are recorded: ``sqlite:///FILE`` or the address of a server.

    Tracking looks on: where it is down a model is stored all the same, and the log says what is missing. Nothing of
    MLflow's global state is used, so several trackers can live in one process.
    """

    address: str

    def log(
        self, experiment: str, model: str, as_of: str, universe: str, fingerprint: str, bundle: Bundle, folder: Path
    ) -> str | None:
        """Record a stored model with its parameters, scores and files.

        Parameters
        ----------
        experiment, model, as_of, universe
            What the model is a partition of.
        fingerprint
            Digits of rows and settings. A whole run with the same five is left as it is; one that was cut short is
            completed.
        bundle
            The fitted models.
        folder
            Files to keep with the run.

        Returns
        -------
        str | None
            MLflow's id of the run; None where tracking is down, which is also logged as a warning.
        """
        identity = {
            "experiment": experiment,
            "model": model,
            "as_of": as_of,
            "universe": universe,
            "fingerprint": fingerprint,
        }
        from mlflow.exceptions import MlflowException

        try:
            with self._alone():
                return _record(_Run(identity, bundle, folder), self._client(), self._artifacts())
        except (MlflowException, TrackingError, OSError) as error:
            LOG.warning("%s/%s %s is stored but not tracked at %s: %s", experiment, model, as_of, self.address, error)
            return None
