"""Peers in environments of their own: they share no version with us, and come only where they are asked for."""

import atexit
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.row import Beside

_SCRIPTS = Path(__file__).parent / "peers"
_PATIENCE_SECONDS = 300
_MLFINPY = ("mlfinpy==0.1.2", "scikit-learn==1.5.2")
_REQUIREMENTS = {
    "mlfinpy_labels": _MLFINPY,
    "mlfinpy_uniqueness": _MLFINPY,
    "pandas_ta_features": ("pandas-ta-classic==0.8.32",),
    "pandas_talib_features": ("pandas==2.3.3", "TA-Lib==0.8.2"),
    "vectorbt_backtest": ("vectorbt==1.2.0",),
    "vectorbt_policies": ("vectorbt==1.2.0",),
    "backtesting_backtest": ("backtesting==0.6.6",),
    "skfolio_splits": ("skfolio==1.12.2",),
    "purgedcv_splits": ("purgedcv==0.1.11",),
    "freqai_retrains": ("freqtrade==2026.9", "datasieve==0.1.9", "lightgbm==4.7.0", "xgboost-cpu==3.2.0"),
}


def beside(name: str, bars: pl.DataFrame, **columns: NDArray[np.float64]) -> tuple[Beside, ...]:
    """Measure a peer on one symbol's bars.

    Parameters
    ----------
    name
        A script in `benchmarks/peers`.
    bars
        What it gets as arrays, with stamps in ms.
    columns
        Further arrays.

    Returns
    -------
    tuple
        Process seconds under the names of its packages; nothing without ``PEERS=1``, and where they cannot be
        installed, fail or take too long, which is printed.
    """
    if not os.environ.get("PEERS"):
        return ()
    requirements = _REQUIREMENTS[name]
    packages = ", ".join(requirements).replace("==", " ")
    try:
        python = _environment(requirements)
        seconds = _seconds(python, name, bars, columns)
    except subprocess.TimeoutExpired:
        print(f"without {packages}: not done after {_PATIENCE_SECONDS} s", flush=True)
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or ["no reason given"]
        print(f"without {packages}: {said[-1]}", flush=True)
    else:
        return (Beside(packages, seconds),)
    return ()


def _seconds(python: Path, name: str, bars: pl.DataFrame, columns: dict[str, NDArray[np.float64]]) -> float:
    """Run a script on the bars, and read what it prints last."""
    with TemporaryDirectory() as folder:
        data = Path(folder) / "bars.npz"
        for column in ("open", "high", "low", "close", "volume"):
            columns[column] = bars[column].to_numpy()
        np.savez(data, allow_pickle=False, open_time=bars["open_time"].dt.epoch("ms").to_numpy(), **columns)
        said = _run(python, _SCRIPTS / f"{name}.py", data)
    return float(said.split()[-1])


@cache
def _environment(requirements: tuple[str, ...]) -> Path:
    """Install packages into a new environment, which is thrown away when we end, and return its Python."""
    folder = TemporaryDirectory()
    atexit.register(folder.cleanup)
    python = Path(folder.name) / "bin" / "python"
    _run(sys.executable, "-m", "venv", folder.name)
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements)
    return python


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_PATIENCE_SECONDS)
    return done.stdout
