"""Reads the lakes of a data folder over and over while others write it, and tells what it found torn."""

import io
import json
import sys
import threading
import time
from pathlib import Path

import polars as pl

_PAUSE_S = 0.005


def faults(data: Path) -> tuple[int, list[str]]:
    """Read every file once: how many there were, and which did not hold what their names promise."""
    read, torn = 0, []
    for path in sorted(data.glob("*/lake/**/*")):
        if path.suffix in (".parquet", ".json"):
            read += 1
            torn += _faults_of(path)
            time.sleep(_PAUSE_S)
    return read, torn


def _faults_of(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
        if path.suffix == ".parquet":
            pl.read_parquet(io.BytesIO(content))
            return []
        document = json.loads(content)
    except Exception as error:  # whatever a reader may meet
        return [f"{path}: {error!r}"]
    if path.name != "current.json":
        return []
    promised = [path.parent / document["version"] / name for name in document["files"]]
    return [f"{path} points at {file}, which is not there" for file in promised if not file.is_file()]


def main(data: Path) -> None:
    """Read until standard input ends, then print the number of reads and all faults as JSON."""
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    reads, found = 0, []
    while not stop.is_set():
        read, torn = faults(data)
        reads += read
        found += torn
        time.sleep(_PAUSE_S)
    sys.stdout.write(json.dumps({"reads": reads, "faults": found}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
