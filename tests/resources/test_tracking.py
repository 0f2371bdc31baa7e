"""MLflow runs: one per stored model, and never in the way of training."""

import logging
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from nightfold.models.bundle import Bundle, load_bundle, save_bundle
from nightfold.models.catalog import MODELS
from nightfold.models.dataset import Dataset
from nightfold.models.train import train_model
from resources.tracking import Tracking

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's own use of SQLAlchemy

KEY = ("noise", "logistic_regression", "2024-01-01", "pooled", "0123456789abcdef")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small bundle with two horizons."""
    random = np.random.default_rng(0)
    parts = [
        Dataset(
            random.normal(size=(rows, 2)).astype(np.float32),
            ("a", "b"),
            random.integers(-1, 2, rows, np.int8),
            np.ones(rows),
        )
        for rows in (300, 100)
    ]
    entry = MODELS["logistic_regression"]
    path = tmp_path_factory.mktemp("stored") / "bundle"
    save_bundle(path, {horizon: train_model(entry, entry.spec(), *parts, seed=3) for horizon in (5, 20)})
    return path


@pytest.fixture(scope="session")
def bundle(folder: Path) -> Bundle:
    """The bundle in the folder."""
    return load_bundle(folder)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database shared by this module: making its tables takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('tracking') / 'mlflow.db'}"


def runs(address: str, experiment: str) -> list[Run]:
    """All runs of an experiment."""
    client = MlflowClient(address)
    found = client.get_experiment_by_name(experiment)
    return [] if found is None else list(client.search_runs([found.experiment_id]))


def test_a_run_keeps_what_the_bundle_knows(address: str, folder: Path, bundle: Bundle) -> None:
    run_id = Tracking(address).log("kept", *KEY[1:], bundle.manifest, folder)
    (run,) = runs(address, "kept")
    assert (run.info.run_id, run.info.status) == (run_id, "FINISHED")
    expected = {
        f"h{horizon:02d}/{name}": value
        for horizon, scores in bundle.manifest.metrics.items()
        for name, value in scores.items()
    }
    assert run.data.metrics == pytest.approx(expected)
    assert run.data.params["l2"] == str(bundle.manifest.spec["l2"])
    assert run.data.params["seed"] == "3"
    assert run.data.params["h20/dataset"] == bundle.manifest.datasets[20]
    assert run.data.tags["as_of"] == "2024-01-01"
    assert run.data.tags["digest"] == bundle.digest
    kept = MlflowClient(address).download_artifacts(run.info.run_id, "")
    assert load_bundle(Path(kept)).digest == bundle.digest


def test_a_run_draws_curves_by_step(address: str, folder: Path, bundle: Bundle) -> None:
    series = {
        f"h{horizon:02d}/{part}": [(step, 1 / step) for step in range(10, 510, 10)]
        for horizon in range(12)
        for part in ("train", "stopping")
    }
    run_id = Tracking(address).log("drawn", *KEY[1:], bundle.manifest, folder, series)
    assert run_id is not None
    for name, points in series.items():
        told = MlflowClient(address).get_metric_history(run_id, name)
        assert [(each.step, each.value) for each in sorted(told, key=lambda each: each.step)] == points


def test_a_run_has_a_page_and_a_database_a_command_that_shows_it(tmp_path: Path) -> None:
    local, server = Tracking(f"sqlite:///{tmp_path}/mlflow.db"), Tracking("https://tracking.example/")
    assert local.page("abc") == "http://127.0.0.1:5000/#/runs/abc"
    assert local.command == f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/mlflow.db"
    assert server.page("abc") == "https://tracking.example/#/runs/abc"
    assert server.command is None


def test_the_same_model_is_one_run_and_another_is_another(address: str, folder: Path, bundle: Bundle) -> None:
    first = Tracking(address).log("counted", *KEY[1:], bundle.manifest, folder)
    assert Tracking(address).log("counted", *KEY[1:], bundle.manifest, folder) == first
    model, as_of, universe, fingerprint = KEY[1:]
    others = [
        Tracking(address).log("counted", "other", as_of, universe, fingerprint, bundle.manifest, folder),
        Tracking(address).log("counted", model, "2024-01-02", universe, fingerprint, bundle.manifest, folder),
        Tracking(address).log("counted", model, as_of, "BTCUSDT", fingerprint, bundle.manifest, folder),
        Tracking(address).log("counted", model, as_of, universe, "fedcba9876543210", bundle.manifest, folder),
    ]
    assert len({first, *others}) == 5
    assert len(runs(address, "counted")) == 5


def test_a_run_is_found_by_what_it_is_of(address: str, folder: Path, bundle: Bundle) -> None:
    ours, (model, as_of, universe) = Tracking(address), KEY[1:4]
    assert ours.find("found", model, as_of, universe, bundle.digest) is None
    run_id = ours.log("found", *KEY[1:], bundle.manifest, folder)
    assert ours.find("found", model, as_of, universe, bundle.digest) == run_id
    others = [
        ("kept", model, as_of, "BTCUSDT", bundle.digest),
        ("found", "other", as_of, universe, bundle.digest),
        ("found", model, "2024-01-02", universe, bundle.digest),
        ("found", model, as_of, "BTCUSDT", bundle.digest),
        ("found", model, as_of, universe, "0" * 64),
    ]
    assert [ours.find(*other) for other in others] == [None] * 5


def test_a_run_that_was_cut_short_is_completed(
    address: str, folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifacts", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Tracking(address).log("cut", *KEY[1:], bundle.manifest, folder)
    (cut,) = runs(address, "cut")
    assert cut.info.status == "RUNNING"
    assert Tracking(address).log("cut", *KEY[1:], bundle.manifest, folder) == cut.info.run_id
    (whole,) = runs(address, "cut")
    assert whole.info.status == "FINISHED"


def test_mlflow_keeps_no_global_address(address: str, folder: Path, bundle: Bundle) -> None:
    import mlflow

    before = mlflow.get_tracking_uri()
    Tracking(address).log("global", *KEY[1:], bundle.manifest, folder)
    assert mlflow.get_tracking_uri() == before
    assert mlflow.active_run() is None


@pytest.fixture
def failing_server() -> Iterator[str]:
    """A server that answers 500 to everything."""

    class Failing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(500)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Failing)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("down", ["http://127.0.0.1:9", "sqlite:////proc/nowhere/mlflow.db", "not an address", "500"])
def test_tracking_that_is_down_is_a_warning(
    down: str, failing_server: str, folder: Path, bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="nightfold.tracking"):
        assert Tracking(failing_server if down == "500" else down).log(*KEY, bundle.manifest, folder) is None
        assert Tracking(failing_server if down == "500" else down).find(*KEY[:4], bundle.digest) is None
    assert "noise/logistic_regression as of 2024-01-01 is stored but not tracked" in caplog.text
    assert "the run of noise/logistic_regression as of 2024-01-01 cannot be looked up" in caplog.text


def test_a_file_that_is_no_database_is_a_warning(
    tmp_path: Path, folder: Path, bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, " * 100)
    assert Tracking(f"sqlite:///{tmp_path / 'mlflow.db'}").log(*KEY, bundle.manifest, folder) is None
    assert "not a database" in caplog.text


def test_importing_the_module_imports_no_mlflow() -> None:
    code = "import sys, resources.tracking; print('mlflow' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


@pytest.mark.slow
def test_two_processes_may_make_the_database_at_once(tmp_path: Path, folder: Path) -> None:
    address = f"sqlite:///{tmp_path / 'new' / 'mlflow.db'}"
    code = (
        "import sys; from pathlib import Path; from nightfold.models.bundle import read_manifest;"
        "from resources.tracking import Tracking; address, folder, mine = sys.argv[1:];"
        "manifest = read_manifest(Path(folder)); log = Tracking(address).log;"
        "print(*(log('raced', 'm', '2024-01-01', 'pooled', key, manifest, Path(folder)) for key in ('shared', mine)))"
    )
    racing = [
        subprocess.Popen([sys.executable, "-c", code, address, str(folder), mine], stdout=subprocess.PIPE, text=True)
        for mine in ("left", "right")
    ]
    (left, right) = [process.communicate()[0].splitlines()[-1].split() for process in racing]
    assert left[0] == right[0]
    assert {run.info.run_id for run in runs(address, "raced")} == {*left, *right}
    assert len({*left, *right}) == 3


def test_a_database_whose_making_is_cut_short_is_not_there(
    tmp_path: Path, folder: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow.store.db.utils as tables

    class KilledError(BaseException):
        """Stands for the end of the process."""

    def die(engine: object) -> None:
        raise KilledError

    monkeypatch.setattr(tables, "_upgrade_db", die)
    with pytest.raises(KilledError):
        Tracking(f"sqlite:///{tmp_path}/mlflow.db").log(*KEY, bundle.manifest, folder)
    assert not (tmp_path / "mlflow.db").exists()


def test_what_a_killed_process_left_of_a_database_is_made_anew(tmp_path: Path, folder: Path, bundle: Bundle) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.part")) as half:
        half.executescript("create table alembic_version (version_num); create table metrics (key);")
    assert Tracking(f"sqlite:///{tmp_path}/mlflow.db").log(*KEY, bundle.manifest, folder) is not None
    assert sorted(path.name for path in tmp_path.glob("mlflow.*")) == ["mlflow.db", "mlflow.lock"]
