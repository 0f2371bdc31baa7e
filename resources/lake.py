"""The lake: Parquet files and model folders by asset key and partition, on disk or in an object store.

Every write is atomic: a reader sees the old content or the new one, never half of one. On disk a file gets a
temporary name, is synced, and renamed; in an object store the put is the commit. Read-modify-write happens under a
lock that dies with its process.
"""

import fcntl
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec
import polars as pl
from fsspec.implementations.local import LocalFileSystem

from nightfold.errors import LakeError
from nightfold.window import Length, Window, parse_moment, window_of, windows

_PART = ".part"


@dataclass(frozen=True, slots=True)
class Written:
    """What a write left behind."""

    path: str
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Lake:
    """Frames and folders under one address.

    Parameters
    ----------
    url
        A directory or any fsspec address such as ``s3://bucket/lake``.
    grain
        Length of a data partition; the file of a partition is named after its first day.
    locks
        A local directory for lock files.
    """

    url: str
    grain: Length
    locks: Path

    @property
    def is_local(self) -> bool:
        """Whether files lie on a file system that can rename."""
        return isinstance(self._files, LocalFileSystem)

    @property
    def file_system(self) -> fsspec.AbstractFileSystem:
        """The file system behind the address."""
        return self._files

    def address(self, place: str) -> str:
        """Full address of a place under the root, with its scheme where the lake is remote."""
        path = f"{self._root}/{place}"
        return path if self.is_local else str(self._files.unstrip_protocol(path))

    @property
    def _files(self) -> fsspec.AbstractFileSystem:
        return fsspec.core.url_to_fs(self.url, use_listings_cache=False)[0]

    @property
    def _root(self) -> str:
        return str(fsspec.core.url_to_fs(self.url, use_listings_cache=False)[1]).rstrip("/")

    # ------------------------------------------------------------------ identity

    def claim(self, identity: dict[str, Any]) -> None:
        """Record what this lake holds, or refuse to mix it with something else.

        Raises
        ------
        LakeError
            If the lake was made with other values of ``identity``.
        """
        path = f"{self._root}/lake.json"
        with self._lock("lake.json"):
            stored = self._read_json(path)
            if stored is None:
                self._commit(path, json.dumps(identity, indent=2, sort_keys=True).encode())
                return
        differing = [
            f"`{k}` is {v!r} here and {stored.get(k)!r} there" for k, v in identity.items() if stored.get(k) != v
        ]
        if differing:
            raise LakeError(
                f"the lake at {self.url} was made with other settings: {'; '.join(differing)}. "
                "Give the new settings a lake of their own (NIGHTFOLD_DATA=another/folder) and backfill it."
            )

    # ------------------------------------------------------------------ frames

    def file(self, key: str, symbol: str, partition: str) -> str:
        """Address of a frame partition, e.g. ``bars/symbol=BTCUSDT/2024-01-01.parquet`` under the root."""
        return f"{self._root}/{key}/symbol={symbol}/{partition}.parquet"

    def write(self, key: str, symbol: str, partition: str, frame: pl.DataFrame) -> Written:
        """Replace one partition of a frame."""
        with self._lock(f"{key}/{symbol}/{partition}"):
            return self._write(self.file(key, symbol, partition), frame)

    def merge(
        self,
        key: str,
        symbol: str,
        partition: str,
        frame: pl.DataFrame,
        join: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame],
    ) -> Written:
        """Replace one partition with ``join(stored, frame)``, so that nothing another writer stored is lost."""
        path = self.file(key, symbol, partition)
        with self._lock(f"{key}/{symbol}/{partition}"):
            stored = pl.read_parquet(io.BytesIO(self._files.cat_file(path))) if self._files.exists(path) else None
            return self._write(path, frame if stored is None else join(stored, frame))

    def _write(self, path: str, frame: pl.DataFrame) -> Written:
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd", compression_level=3)
        content = buffer.getvalue()
        self._commit(path, content)
        return Written(path, frame.height, hashlib.sha256(content).hexdigest()[:16])

    def files(self, key: str, symbols: Iterable[str], start: datetime, end: datetime) -> list[str]:
        """Stored partitions that meet ``start <= t < end``, in order."""
        keys = [window.key for window in windows(start, end, self.grain)]
        wanted = [self.file(key, symbol, partition) for symbol in symbols for partition in keys]
        if self.is_local:
            return [path for path in wanted if os.path.exists(path)]
        stored = set(self._files.find(f"{self._root}/{key}"))
        return [path for path in wanted if path in stored]

    def read(
        self, key: str, symbols: Sequence[str], start: datetime, end: datetime, columns: Sequence[str] | None = None
    ) -> pl.DataFrame | None:
        """Rows with ``start <= open_time < end``, by symbol and time; None where no partition is stored."""
        files = self.files(key, symbols, start, end)
        if not files:
            return None
        frame = self._scan(files).filter(pl.col("open_time").is_between(start, end, closed="left"))
        return (frame if columns is None else frame.select(columns)).collect()

    def scan_partitions(self, key: str, partitions: Iterable[tuple[str, str]]) -> pl.LazyFrame:
        """Rows of the stored ones among (symbol, partition) pairs, lazily.

        Raises
        ------
        LakeError
            If none of them is stored.
        """
        files = [path for s, p in partitions if self._files.exists(path := self.file(key, s, p))]
        if not files:
            raise LakeError(f"the lake has none of the asked partitions of `{key}`; materialize it first.")
        return self._scan(files)

    def _scan(self, files: list[str]) -> pl.LazyFrame:
        addresses = files if self.is_local else [self._files.unstrip_protocol(path) for path in files]
        return pl.scan_parquet(addresses, glob=False, hive_partitioning=False)

    def require(
        self, key: str, symbols: Sequence[str], start: datetime, end: datetime, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Rows with ``start <= open_time < end``; some columns, or all.

        Raises
        ------
        LakeError
            If no partition is stored there.
        """
        frame = self.read(key, symbols, start, end, columns)
        if frame is None:
            raise LakeError(
                f"the lake has no `{key}` of {', '.join(symbols)} from {start:%Y-%m-%d} to {end:%Y-%m-%d}; "
                f"materialize `{key}` for these partitions first."
            )
        return frame

    def partitions(self, key: str, symbols: Iterable[str]) -> list[Window]:
        """Windows stored for any of the symbols, each once, ascending."""
        found = (path for s in symbols for path in self._files.glob(f"{self._root}/{key}/symbol={s}/*.parquet"))
        starts = {str(path).rsplit("/", 1)[1].removesuffix(".parquet") for path in found}
        return [window_of(parse_moment(start, "partition"), self.grain) for start in sorted(starts)]

    # ------------------------------------------------------------------ folders and documents

    def folder(self, key: str, partition: str) -> str:
        """Address of a folder partition, e.g. ``baseline/lightgbm/universe=pooled/2024-03-04``."""
        return f"{self._root}/{key}/{partition}"

    def write_folder(self, key: str, partition: str, version: str, local: Path) -> Written:
        """Store a local folder's files under their version, then point the partition at it in one atomic step."""
        target = self.folder(key, partition)
        names = sorted(path.relative_to(local).as_posix() for path in local.rglob("*") if path.is_file())
        with self._lock(f"{key}/{partition}"):
            for name in names:
                self._commit(f"{target}/{version}/{name}", (local / name).read_bytes())
            pointer = json.dumps({"version": version, "files": names}, indent=2)
            self._commit(f"{target}/current.json", pointer.encode())
        return Written(target, len(names), version)

    def version(self, key: str, partition: str) -> str | None:
        """Version a folder partition points at; None where there is none."""
        pointer = self._read_json(f"{self.folder(key, partition)}/current.json")
        return None if pointer is None else str(pointer["version"])

    def fetch_folder(self, key: str, partition: str, scratch: Path) -> Path:
        """Return a local path of a folder partition's files; copied to ``scratch`` where the lake is remote.

        Raises
        ------
        LakeError
            If the partition is not stored.
        """
        target = self.folder(key, partition)
        pointer = self._read_json(f"{target}/current.json")
        if pointer is None:
            raise LakeError(f"the lake has no `{key}` for {partition}; materialize it first.")
        if self.is_local:
            return Path(target) / pointer["version"]
        local = scratch / key / partition / pointer["version"]
        for name in pointer["files"]:
            (local / name).parent.mkdir(parents=True, exist_ok=True)
            (local / name).write_bytes(self._files.cat_file(f"{target}/{pointer['version']}/{name}"))
        return local

    def as_ofs(self, key: str, universe: str) -> list[str]:
        """As-of dates with a stored folder, ascending."""
        found = self._files.glob(f"{self._root}/{key}/universe={universe}/*/current.json")
        return sorted(str(path).split("/")[-2] for path in found)

    def frame_keys(self) -> list[str]:
        """Asset keys that hold frames, e.g. ``bars`` and ``baseline/predictions``."""
        found = self._files.find(self._root) if self._files.exists(self._root) else []
        paths = (str(path)[len(self._root) + 1 :] for path in found if str(path).endswith(".parquet"))
        return sorted({path.split("/symbol=")[0] for path in paths if "/symbol=" in path})

    # ------------------------------------------------------------------ commit

    def _commit(self, path: str, content: bytes) -> None:
        try:
            if not self.is_local:
                self._files.pipe_file(path, content)
                return
            os.makedirs(os.path.dirname(path), exist_ok=True)
            part = path + _PART
            with open(part, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
            _sync_directory(os.path.dirname(path))
        except OSError as error:
            if self.is_local:
                Path(path + _PART).unlink(missing_ok=True)
            raise LakeError(
                f"{path} could not be written: {error}. What was stored before is untouched; "
                "make room or mend access, then run the same partitions again."
            ) from error

    def _read_json(self, path: str) -> dict[str, Any] | None:
        try:
            return dict(json.loads(self._files.cat_file(path)))
        except FileNotFoundError:
            return None

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """Hold an advisory lock; the system releases it when the process ends, however it ends."""
        digest = hashlib.sha256(f"{self.url}/{name}".encode()).hexdigest()[:24]
        self.locks.mkdir(parents=True, exist_ok=True)
        with open(self.locks / digest, "w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _sync_directory(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
