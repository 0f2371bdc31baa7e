"""A lake on disk and one in an object store, and frames to put into them."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import polars as pl
import pytest

from resources.lake import Lake

JANUARY = datetime(2024, 1, 1, tzinfo=UTC)
KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}


@pytest.fixture(scope="session")
def object_store() -> Iterator[str]:
    """Address of an S3 server in this process; only whoever asks for it pays for it."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(object_store: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of an empty bucket that this process has the keys to."""
    import fsspec

    for name, value in {**KEYS, "AWS_ENDPOINT_URL": object_store}.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{uuid4().hex[:12]}"
    files = fsspec.filesystem("s3", use_listings_cache=False)
    files.mkdir(name)
    return f"s3://{name}"


@pytest.fixture
def local_lake(tmp_path: Path) -> Lake:
    """An empty lake of months in a folder."""
    return Lake(str(tmp_path / "lake"), "month", tmp_path / "locks")


@pytest.fixture(params=["folder", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """An empty lake of months, once in a folder and once in an object store."""
    if request.param == "folder":
        return Lake(str(tmp_path / "lake"), "month", tmp_path / "locks")
    return Lake(f"{request.getfixturevalue('bucket')}/some/lake", "month", tmp_path / "locks")


@pytest.fixture
def rows() -> Callable[..., pl.DataFrame]:
    """Make rows five minutes apart, each with its value."""

    def make(symbol: str = "BTCUSDT", start: datetime = JANUARY, count: int = 3, value: float = 1.0) -> pl.DataFrame:
        times = [start + timedelta(minutes=5 * number) for number in range(count)]
        return pl.DataFrame(
            {"symbol": [symbol] * count, "open_time": times, "value": [value] * count},
            schema={"symbol": pl.String, "open_time": pl.Datetime("ms", "UTC"), "value": pl.Float64},
        )

    return make


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let so many more syncs succeed, then answer that no space is left."""
    sync = os.fsync

    def fill(after: int) -> None:
        left = [after]

        def refuse(handle: int) -> None:
            if left[0] == 0:
                raise OSError(28, "No space left on device")
            left[0] -= 1
            sync(handle)

        monkeypatch.setattr(os, "fsync", refuse)

    return fill
