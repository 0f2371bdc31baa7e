"""The page that keeps what was measured: a section a stage, so that measuring one leaves the others as they were."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.measure import PROJECT
from benchmarks.row import Beside, Row

_HEAD = """# What things cost

Written by `make bench`; `make bench ONLY=features,labels` measures some stages, `PEERS=1` installs other libraries too,
in environments that are thrown away. *Takes* is user and system time over all threads after a warm-up: the median of
several runs, and the least; whole commands run once. *A second* counts labels or draws. *Promised* is what it may take
on a quiet 2-core machine. A busy one takes longer, but so then does what is measured *beside* it in the same minute.
"""
_COLUMNS = (
    "measured",
    "takes",
    "least",
    "a second",
    "promised",
    "of the promise",
    "beside it",
    "ours / theirs",
    "on the clock",
    "peak memory",
)


def read_sections(path: Path) -> dict[str, str]:
    """Sections of an earlier page by stage; none where there is no page."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    parts = re.split(r"^## (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))


def write_sections(path: Path, sections: Mapping[str, str]) -> None:
    """Write the page."""
    body = "".join(f"\n## {stage}\n\n{section}\n" for stage, section in sections.items())
    path.write_text(_HEAD + body, encoding="utf-8")


def section(rows: Sequence[Row], market: str) -> str:
    """One stage: where it was measured, and a line for each row."""
    lines = [_COLUMNS, ("---",) * len(_COLUMNS), *map(_cells, rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{_commit()} · {_machine()} · {market}\n\n{table}"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.what,
        _duration(row.seconds.median),
        _duration(row.seconds.least),
        _rate(row.count, row.seconds.median),
        "" if row.promise is None else _duration(row.promise),
        "" if row.promise is None else f"{row.seconds.median / row.promise:.2f}",
        "<br>".join(_beside(each, row.count) for each in row.beside),
        "<br>".join(f"{row.seconds.median / each.seconds:.2g}" for each in row.beside),
        "" if row.wall is None else _duration(row.wall),
        "" if row.memory is None else f"{row.memory:.0f} MB",
    )


def _beside(other: Beside, count: int | None) -> str:
    took = f"{other.name}: {_duration(other.seconds)}"
    return took if count is None else f"{took} ({_rate(count, other.seconds)} a second)"


def _rate(count: int | None, seconds: float) -> str:
    if count is None:
        return ""
    rate, unit = (count / seconds, "") if count < 1e6 * seconds else (count / seconds / 1e6, " million")
    return f"{float(f'{rate:.3g}'):,g}{unit}"


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


def _commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    return f"Commit {found.stdout.strip() or 'unknown'}"


def _machine() -> str:
    cpus = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.+)", cpus.read_text()) if cpus.exists() else []
    model = models[0] if models else platform.processor() or platform.machine()
    return f"{len(os.sched_getaffinity(0))} cores of {model}"
