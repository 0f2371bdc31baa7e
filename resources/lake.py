"""The lake: Parquet files and model folders by asset key and partition, on disk or in an object store.

Every write is atomic: a file is renamed into its place, an object appears with its put. Every read takes each file
whole: it is opened (or fetched) once, because Parquet readers that are given a path open it several times and mix the
footer of one version with the data of the next. Read-modify-write happens under a lock that dies with its process.

A killed writer can leave one `.part` file beside a partition. No reader looks at it, and the next write of that
partition overwrites it; nothing sweeps, because a sweep could take the file of a writer that is still at work.
"""

import fcntl
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import fsspec
import polars as pl
from fsspec.implementations.local import LocalFileSystem

from nightfold.errors import LakeError
from nightfold.window import Length, Window, parse_moment, window_of, windows
from resources.commit import replace_file

_FILES_OPEN_AT_ONCE = 256
_LOCKS = 256
_REMAKE = "Materialize these partitions again."
_MEND = "Delete what is broken there, then materialize its partition again."


@dataclass(frozen=True, slots=True)
class Written:
    """What a write left behind."""

    path: str
    rows: int
    digest: str
    first: datetime | None = None
    """Open time of the first row of a frame that has one."""
    last: datetime | None = None


@dataclass(frozen=True)
class Lake:
    """Frames and folders under one address.

    Parameters
    ----------
    url
        A directory or any fsspec address such as ``s3://bucket/lake``.
    grain
        Length of a data partition; the file of a partition is named after its first day.
    locks
        A local directory for lock files. Writers that share it never lose each other's rows.
    """

    url: str
    grain: Length
    locks: Path

    @property
    def is_local(self) -> bool:
        """Whether files lie on a file system that can rename."""
        return isinstance(self.file_system, LocalFileSystem)

    @property
    def file_system(self) -> fsspec.AbstractFileSystem:
        """The file system behind the address."""
        return self._place[0]

    @property
    def root(self) -> str:
        """The address as the file system spells it, without a scheme."""
        return self._place[1]

    @cached_property
    def _place(self) -> tuple[fsspec.AbstractFileSystem, str]:
        files, root = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        return files, str(root).rstrip("/")

    # ------------------------------------------------------------------ identity

    def claim(self, identity: dict[str, Any]) -> None:
        """Record what this lake holds, or refuse to mix it with something else.

        Raises
        ------
        LakeError
            If the lake was made with other values of ``identity``, or cannot be reached.
        """
        path = f"{self.root}/lake.json"
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
        return f"{self.root}/{key}/symbol={symbol}/{partition}.parquet"

    def write(self, key: str, symbol: str, partition: str, frame: pl.DataFrame) -> Written:
        """Replace one partition of a frame.

        Raises
        ------
        LakeError
            If the disk is full or the store refuses; what was stored before is untouched.
        """
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
        """Replace one partition with ``join(stored, frame)``, so that nothing another writer stored is lost.

        Raises
        ------
        LakeError
            As `write`, and if what is stored cannot be read.
        """
        path = self.file(key, symbol, partition)
        with self._lock(f"{key}/{symbol}/{partition}"):
            stored = self._read([path]) if self.file_system.exists(path) else None
            return self._write(path, frame if stored is None else join(stored, frame))

    def _write(self, path: str, frame: pl.DataFrame) -> Written:
        buffer = io.BytesIO()
        # One chunk, because pages follow chunks, and equal rows must give equal bytes.
        frame.rechunk().write_parquet(buffer, compression="zstd", compression_level=3)
        content = buffer.getvalue()
        self._commit(path, content)
        times = frame["open_time"] if "open_time" in frame.columns and frame.height else [None]
        digest = hashlib.sha256(content).hexdigest()[:16]
        return Written(path, frame.height, digest, min(times), max(times))

    def files(self, key: str, symbols: Iterable[str], start: datetime, end: datetime) -> list[str]:
        """List stored partitions that meet ``start <= t < end``: symbols in the order given, each in order of time."""
        wanted = [window.key for window in windows(start, end, self.grain)]
        return [
            self.file(key, symbol, partition)
            for symbol in symbols
            for partition in sorted(set(wanted) & self._partitions(key, symbol))
        ]

    def all_files(self, key: str) -> list[str]:
        """Every stored partition of a frame, by symbol and time."""
        symbols = [name.removeprefix("symbol=") for name in self._folders(key) if name.startswith("symbol=")]
        return [self.file(key, s, partition) for s in sorted(symbols) for partition in sorted(self._partitions(key, s))]

    def read(
        self, key: str, symbols: Sequence[str], start: datetime, end: datetime, columns: Sequence[str] | None = None
    ) -> pl.DataFrame | None:
        """Rows with ``start <= open_time < end``, by symbol as given and time; None where no partition is stored.

        Raises
        ------
        LakeError
            If a stored file is broken or lacks a column.
        """
        files = self.files(key, symbols, start, end)
        if not files:
            return None
        inside = pl.col("open_time").is_between(start, end, closed="left")
        batches = [files[at : at + _FILES_OPEN_AT_ONCE] for at in range(0, len(files), _FILES_OPEN_AT_ONCE)]
        return pl.concat(self._read(batch, inside, columns) for batch in batches)

    def require(
        self, key: str, symbols: Sequence[str], start: datetime, end: datetime, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Rows with ``start <= open_time < end``; some columns, or all.

        Raises
        ------
        LakeError
            If no partition is stored there, or as `read`.
        """
        frame = self.read(key, symbols, start, end, columns)
        if frame is None:
            raise LakeError(
                f"the lake has no `{key}` of {', '.join(symbols)} from {start:%Y-%m-%d} to {end:%Y-%m-%d}; "
                f"materialize `{key}` for these partitions first."
            )
        return frame

    def scan_partitions(self, key: str, partitions: Iterable[tuple[str, str]]) -> pl.LazyFrame:
        """Rows of the stored ones among (symbol, partition) pairs, lazily, as they are stored now.

        Raises
        ------
        LakeError
            If none of them is stored.
        """
        wanted = list(partitions)
        stored = {symbol: self._partitions(key, symbol) for symbol, _ in wanted}
        files = [self.file(key, symbol, partition) for symbol, partition in wanted if partition in stored[symbol]]
        if not files:
            raise LakeError(f"the lake has none of the asked partitions of `{key}`; materialize it first.")
        return self._scan(files)

    def partitions(self, key: str, symbols: Iterable[str]) -> list[Window]:
        """Windows stored for any of the symbols, each once, ascending."""
        starts = set().union(*(self._partitions(key, symbol) for symbol in symbols))
        return [window_of(parse_moment(start, "partition"), self.grain) for start in sorted(starts)]

    def _partitions(self, key: str, symbol: str) -> set[str]:
        names = self._names(f"{key}/symbol={symbol}")
        return {name.removesuffix(".parquet") for name in names if name.endswith(".parquet")}

    def _read(
        self, files: list[str], inside: pl.Expr | None = None, columns: Sequence[str] | None = None
    ) -> pl.DataFrame:
        try:
            frame = self._scan(files)
            frame = frame if inside is None else frame.filter(inside)
            return (frame if columns is None else frame.select(columns)).collect()
        except Exception as error:  # Polars, the disk and each object store have errors of their own
            if len(files) == 1:
                other = isinstance(error, pl.exceptions.ColumnNotFoundError)
                fault, mend = ("was stored with other settings", _REMAKE) if other else ("cannot be read", _MEND)
                raise LakeError(f"{files[0]} {fault}: {_first_line(error)}. {mend}") from error
            for file in files:
                self._read([file], inside, columns)
            raise LakeError(
                f"{files[0]} and the {len(files) - 1} files after it cannot be read together: {_first_line(error)}. "
                "Some were stored with other columns; materialize these partitions again."
            ) from error

    def _scan(self, files: list[str]) -> pl.LazyFrame:
        if not self.is_local:
            contents: dict[str, bytes] = self.file_system.cat(files)
            return pl.scan_parquet([contents[path] for path in files], glob=False, hive_partitioning=False)
        with ExitStack() as opened:  # Polars keeps handles of its own
            handles: list[IO[bytes]] = [opened.enter_context(Path(path).open("rb")) for path in files]
            return pl.scan_parquet(handles, glob=False, hive_partitioning=False)

    # ------------------------------------------------------------------ folders and documents

    def folder(self, key: str, partition: str) -> str:
        """Address of a folder partition, e.g. ``baseline/lightgbm/universe=pooled/2024-03-04``."""
        return f"{self.root}/{key}/{partition}"

    def write_folder(self, key: str, partition: str, version: str, local: Path) -> Written:
        """Store a local folder's files under their version, then point the partition at it in one atomic step.

        Raises
        ------
        LakeError
            If the disk is full or the store refuses; the partition still points at the version before.
        """
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
            return Path(target) / str(pointer["version"])
        local = scratch / key / partition / str(pointer["version"])
        for name in pointer["files"]:
            (local / name).parent.mkdir(parents=True, exist_ok=True)
            (local / name).write_bytes(self.file_system.cat_file(f"{target}/{pointer['version']}/{name}"))
        return local

    def as_ofs(self, key: str, universe: str) -> list[str]:
        """As-of dates with a stored folder, ascending."""
        place = f"{self.root}/{key}/universe={universe}/"
        found = (str(path).removeprefix(place).split("/") for path in self.file_system.find(place))
        return sorted(parts[0] for parts in found if parts[1:] == ["current.json"])

    def frame_keys(self) -> list[str]:
        """Asset keys that hold frames, e.g. ``bars`` and ``baseline/predictions``."""
        return sorted(self._frame_keys(""))

    def _frame_keys(self, place: str) -> Iterator[str]:
        names = self._folders(place)
        symbols = (name.removeprefix("symbol=") for name in names if name.startswith("symbol="))
        if any(self._partitions(place, symbol) for symbol in symbols):
            yield place
        for name in names:
            if "=" not in name:
                yield from self._frame_keys(f"{place}/{name}".removeprefix("/"))

    # ------------------------------------------------------------------ files

    def _names(self, place: str) -> list[str]:
        return [name for name, is_folder in self._list(place) if not is_folder]

    def _folders(self, place: str) -> list[str]:
        return [name for name, is_folder in self._list(place) if is_folder]

    def _list(self, place: str) -> list[tuple[str, bool]]:
        """Names directly under a place, and whether each is a folder; none where there is no such place."""
        path = f"{self.root}/{place}".rstrip("/")
        try:
            if not self.is_local:
                found = self.file_system.ls(path, detail=True)
                return [(str(each["name"]).rpartition("/")[2], each["type"] == "directory") for each in found]
            with os.scandir(path) as entries:
                return [(entry.name, entry.is_dir()) for entry in entries]
        except FileNotFoundError:
            return []

    def _commit(self, path: str, content: bytes) -> None:
        try:
            if self.is_local:
                replace_file(Path(path), content, Path(f"{path}.part"))
            else:
                self.file_system.pipe_file(path, content)
        except Exception as error:  # each object store raises errors of its own
            raise LakeError(
                f"{path} could not be written: {error}. What was stored before is untouched; "
                "make room or mend access, then run the same partitions again."
            ) from error

    def _read_json(self, path: str) -> dict[str, Any] | None:
        try:
            return dict(json.loads(self.file_system.cat_file(path)))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise LakeError(f"{path} is not what was written there: {error}. {_MEND}") from error
        except Exception as error:  # each object store raises errors of its own
            raise LakeError(f"{path} could not be read: {error}. Mend the lake's address or access to it.") from error

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """Hold an advisory lock; the system releases it when the process ends, however it ends.

        Names share a fixed number of lock files, so that these do not pile up; nobody ever holds two.
        """
        slot = int.from_bytes(hashlib.sha256(f"{self.url}/{name}".encode()).digest()[:8]) % _LOCKS
        try:
            self.locks.mkdir(parents=True, exist_ok=True)
            handle = (self.locks / f"{slot:02x}").open("w")
        except OSError as error:
            raise LakeError(f"{self.locks} cannot hold lock files: {error}; make room or mend access.") from error
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
