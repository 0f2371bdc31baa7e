"""Whole commands as people run them, in a folder of their own: range runs, a night, and loading the definitions."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.market import SYMBOLS, Market
from benchmarks.measure import Process, Seconds, run
from benchmarks.row import Row

_LABELS = "labels:\n  horizons: [5, 10, 15, 20, 288]\n"
_EXPERIMENT = """\
first_as_of: 2024-06-03
retrain: week
max_model_age: 14
target: {horizons: [5, 10, 15, 20]}
features: {groups: [returns, volatility, calendar]}
split: {train_days: 60}
models: {lightgbm: , logistic_regression: }
strategy: {horizon: 20}
"""
_LOADING = "from pipeline_defs.definitions import definitions; definitions()"
_COMMAND = "from pipeline_defs.command import app; app()"
_ROWS = "3 symbols x 30 months"


def range_runs(market: Market) -> list[Row]:
    """Bars, then features and labels, of 3 symbols over 30 months."""
    source = "simulated" if market.folder is None else f"folder:{market.folder}/binance_spot_*"
    with _deployment(f"source: {source}\nend: 2024-07-01") as environment:
        bars = _nightfold(environment, "backfill", "--layer", "ingest")
        research = _nightfold(environment, "backfill", "--layer", "research")
    both = Process(bars.seconds + research.seconds, bars.wall + research.wall, max(bars.memory, research.memory))
    return [
        _row(f"`nightfold backfill --layer ingest`: {_ROWS} of bars", bars),
        _row(f"`nightfold backfill --layer research`: features and labels of {_ROWS}", research),
        _row(f"both: {_ROWS} of bars, features and labels", both, promise=60.0),
    ]


def night(market: Market) -> list[Row]:
    """Replay two nights after 30 months of history: one in which models are due, one without."""
    with _deployment("source: simulated") as environment:
        for layer in ("ingest", "research"):
            _nightfold(environment, "backfill", "--layer", layer, "--to", "2024-06-30")
        training = _nightfold(environment, "nightly", "--now", "2024-07-02T00:10")
        quiet = _nightfold(environment, "nightly", "--now", "2024-07-03T00:10")
    return [
        _row("`nightfold nightly`: a night with 2 models x 4 horizons to train", training),
        _row("`nightfold nightly`: a night without training", quiet, promise=20.0),
    ]


def definitions(market: Market) -> Row:
    """Load everything Dagster shows; each process of the UI does it."""
    with _deployment("source: simulated\nend: 2024-07-01") as environment:
        loads = [run(["-c", _LOADING], environment) for _ in range(6)][1:]
    seconds = Seconds.of([load.seconds for load in loads])
    return Row("loading the definitions", seconds, promise=2.5, memory=max(load.memory for load in loads))


@contextmanager
def _deployment(universe: str) -> Iterator[dict[str, str]]:
    """Yield the environment of a deployment that is gone afterwards."""
    with TemporaryDirectory() as folder:
        configs = Path(folder) / "configs"
        (configs / "experiments").mkdir(parents=True)
        (configs / "universe.yaml").write_text(f"{universe}\nsymbols: [{', '.join(SYMBOLS)}]\nstart: 2022-01-01\n")
        (configs / "labels.yaml").write_text(_LABELS)
        (configs / "experiments" / "weekly.yaml").write_text(_EXPERIMENT)
        yield {
            "NIGHTFOLD_CONFIG": str(configs),
            "NIGHTFOLD_DATA": str(Path(folder) / "data"),
            "PYTHONWARNINGS": "ignore",
        }


def _nightfold(environment: dict[str, str], *arguments: str) -> Process:
    return run(["-c", _COMMAND, *arguments], environment)


def _row(what: str, process: Process, promise: float | None = None) -> Row:
    return Row(what, Seconds.of([process.seconds]), promise, memory=process.memory, wall=process.wall)
