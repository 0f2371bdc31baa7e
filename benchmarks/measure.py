"""Process seconds of functions and of whole commands."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PROJECT = Path(__file__).parents[1]

_ENOUGH_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Seconds:
    """User and system time of several runs, all threads counted."""

    least: float
    median: float

    @classmethod
    def of(cls, runs: Sequence[float]) -> "Seconds":
        """Sum up runs."""
        return cls(min(runs), median(runs))


@dataclass(frozen=True, slots=True)
class Process:
    """A command that has ended: its process seconds, wall seconds and peak memory in MB."""

    seconds: float
    wall: float
    memory: float


def measure(work: Callable[[], object], runs: int = 5) -> Seconds:
    """Time a function after a warm-up; a fast one is called often enough for the clock to tell."""
    work()
    started = time.process_time()
    work()
    often = max(1, int(_ENOUGH_SECONDS / max(time.process_time() - started, 1e-6)))
    return Seconds.of([seconds_of(work, often) for _ in range(runs)])


def least_wall(work: Callable[[], object], runs: int = 5) -> float:
    """Time a function by the clock, the least of several runs: where nothing else wants the processors."""
    walls = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        walls.append(time.perf_counter() - started)
    return min(walls)


def seconds_of(work: Callable[[], object], often: int = 1) -> float:
    """Time a function called so often, a call."""
    started = time.process_time()
    for _ in range(often):
        work()
    return (time.process_time() - started) / often


def run(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Process:
    """Run this Python with some arguments, and ask the system what that took.

    Raises
    ------
    CalledProcessError
        If it fails; what it said is printed.
    """
    command = [sys.executable, "-m", "benchmarks.launch", sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=PROJECT, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        print(done.stdout)
        raise subprocess.CalledProcessError(done.returncode, command)
    seconds, wall, memory = map(float, done.stdout.splitlines()[-1].split())
    return Process(seconds, wall, memory)
