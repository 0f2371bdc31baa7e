"""The whole line on a lake in an object store: the same bytes as on a disk, the same SQL."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from pipeline_defs.command import app
from pipeline_defs.definitions import build
from pipeline_defs.nightly import Step
from pipeline_defs.runs import execute
from resources.environments import Environment, Settings, load_environment
from resources.lake import Lake

FILES = {
    "universe.yaml": "source: simulated\nsymbols: [BTCUSDT]\nstart: 2023-12-01\nend: 2024-03-01\nintervals: [1h]\n",
    "labels.yaml": "labels: {horizons: [20]}\n",
    "experiments/small.yaml": (
        "first_as_of: 2024-02-01\nretrain: month\nmax_model_age: 31\nsplit: {train_days: 28, purge: 5, embargo: 20}\n"
        "target: {horizons: [20]}\nfeatures: {groups: [returns]}\nmodels: {logistic_regression: }\n"
    ),
}
STEPS = [
    Step("ingest", "2023-12-01|BTCUSDT", "2024-02-01|BTCUSDT"),
    Step("research", "2023-12-01|BTCUSDT", "2024-02-01|BTCUSDT"),
    Step("small_train", "2024-02-01|pooled", "2024-02-01|pooled"),
    Step("small_predict", "2024-02-01|BTCUSDT", "2024-02-01|BTCUSDT"),
    Step("small_evaluate"),
]


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "configs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "configs"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def make_line(environment: Environment, instance: dg.DagsterInstance) -> Lake:
    definitions, _ = build(environment)
    for step in STEPS:
        execute(definitions, instance, step)
    return environment.lake


def content(lake: Lake) -> dict[str, bytes]:
    """Every file by its place, but what fits took, which differs each time."""
    paths = (path for path in lake.file_system.find(lake.root) if not path.endswith("cpu_seconds.json"))
    return {path.removeprefix(lake.root): lake.file_system.cat_file(path) for path in paths}


def test_the_line_makes_the_same_bytes_in_a_bucket_as_in_a_folder(
    bucket: str, configs: Path, tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def environment(data: str, lake: str | None = None) -> Environment:
        tracking = f"sqlite:///{tmp_path / 'mlflow.db'}"
        settings = Settings(config=configs, data=tmp_path / data, lake=lake, tracking=tracking)
        return load_environment(settings, lambda: datetime(2024, 6, 1, tzinfo=UTC))

    local = content(make_line(environment("one"), instance))
    remote = content(make_line(environment("two", f"{bucket}/lake"), instance))
    kinds = {"/".join(part for part in path.split("/")[1:3] if "=" not in part) for path in local}
    assert kinds == {
        *("lake.json", "raw_bars", "bars", "features", "labels", "runs"),
        *(f"small/{stage}" for stage in ("splits", "logistic_regression", "ensemble", "predictions", "backtest")),
        "small/forecast_log",
    }
    assert sorted(remote) == sorted(local)
    assert remote == local
    assert (tmp_path / "two/simulated-7/reports/small/tearsheet.html").exists()

    for name, value in {"CONFIG": configs, "DATA": tmp_path / "two", "LAKE": f"{bucket}/lake"}.items():
        monkeypatch.setenv(f"NIGHTFOLD_{name}", str(value))
    counts = "select count(*) as bars, count(p_up_20) as predicted"
    tables = "from bars left join small.predictions using (symbol, open_time)"
    answer = CliRunner().invoke(app, ["sql", f"{counts} {tables}", "--output", "csv"])
    assert answer.output.splitlines() == ["bars,predicted", "2184,696"], answer.output
