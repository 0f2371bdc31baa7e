"""Reads a deployment over and over while others write it, and tells what it found torn."""

import io
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import polars as pl

from resources.lake import Lake
from resources.warehouse import query, view_name

_REST = 4  # times as long as it has read, or it would slow down those it watches
_SHORTEST_REST_S = 0.02
_ROUNDS_A_QUERY = 20  # a query reads whole tables; what a writer is at work on is gone meanwhile

Signature = tuple[int, int, int]


def by_polars(file: Path) -> None:
    """Read a table whole, as it is at one moment."""
    pl.read_parquet(io.BytesIO(file.read_bytes()))


def as_json(file: Path) -> None:
    """Read a document, and see that the files are there which it points at."""
    document = json.loads(file.read_bytes())
    if file.name == "current.json":
        absent = [name for name in document["files"] if not (file.parent / document["version"] / name).is_file()]
        assert not absent, f"points at {absent}"


def as_page(file: Path) -> None:
    """Read a page to its last tag."""
    assert file.read_text().rstrip().endswith("</html>"), "has no end"


def by_duckdb(lake: Lake, key: str) -> None:
    """Read all of a table as `nightfold sql` does."""
    query(lake, f"select * from {view_name(key)}")


READERS: dict[str, Callable[[Path], None]] = {".parquet": by_polars, ".json": as_json, ".html": as_page}


def changed(place: Path, seen: dict[Path, Signature]) -> Iterator[Path]:
    """Find the files that are not as they were the last time."""
    for folder in ("lake", "reports"):
        for path in (place / folder).rglob("*"):
            if path.suffix in READERS and path.is_file():
                stat = path.stat()
                signature = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
                if seen.get(path) != signature:
                    seen[path] = signature
                    yield path


def tables(data: Path) -> Iterator[tuple[Lake, str] | None]:
    """Name one stored table after another, without end; None where there is none yet."""
    while True:
        lakes = [Lake(str(folder), "month", data / "locks") for folder in data.glob("*/lake")]
        yield from [(lake, key) for lake in lakes for key in lake.frame_keys()] or [None]


class Watch:
    """What was read so far, by kind of reader, and what was wrong with it."""

    def __init__(self) -> None:
        self.reads: Counter[str] = Counter()
        self.faults: list[str] = []

    def see(self, read: Callable[..., None], *what: object) -> None:
        """Read, and note whatever a reader may meet."""
        self.reads[read.__name__] += 1
        try:
            read(*what)
        except Exception as error:
            self.faults.append(f"{read.__name__} {' '.join(map(str, what))}: {error!r}")


def main(data: Path) -> None:
    """Read until standard input ends, then print the number of reads and all faults as JSON."""
    stop, watch = threading.Event(), Watch()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    seen: dict[Path, Signature] = {}
    table = tables(data)
    for number in count():
        began = time.monotonic()
        for place in data.glob("*"):
            for path in changed(place, seen):
                watch.see(READERS[path.suffix], path)
        if number % _ROUNDS_A_QUERY == 0 and (found := next(table)) is not None:
            watch.see(by_duckdb, *found)
        if stop.wait(max(_SHORTEST_REST_S, _REST * (time.monotonic() - began))):
            break
    sys.stdout.write(json.dumps({"reads": watch.reads, "faults": watch.faults}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
