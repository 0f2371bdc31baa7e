"""Peers in environments of their own: they share no version with us, and come only where they are asked for."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.row import Beside

_SCRIPTS = Path(__file__).parent / "peers"
_MLFINPY = ("mlfinpy==0.1.2", "scikit-learn==1.5.2")
_REQUIREMENTS = {
    "mlfinpy_labels": _MLFINPY,
    "mlfinpy_uniqueness": _MLFINPY,
    "pandas_ta_features": ("pandas-ta-classic==0.8.32",),
    "vectorbt_backtest": ("vectorbt==1.2.0",),
    "backtesting_backtest": ("backtesting==0.6.6",),
    "skfolio_splits": ("skfolio==1.12.2",),
    "purgedcv_splits": ("purgedcv==0.1.11",),
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
        Process seconds under the names of its packages; nothing without ``PEERS=1`` or where they cannot be installed.
    """
    if not os.environ.get("PEERS"):
        return ()
    with TemporaryDirectory() as folder:
        data = Path(folder) / "bars.npz"
        for column in ("open", "high", "low", "close", "volume"):
            columns[column] = bars[column].to_numpy()
        np.savez(data, allow_pickle=False, open_time=bars["open_time"].dt.epoch("ms").to_numpy(), **columns)
        python = _environment(Path(folder) / "environment", _REQUIREMENTS[name])
        if python is None:
            return ()
        said = subprocess.run(
            [python, _SCRIPTS / f"{name}.py", data],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
    return (Beside(" ".join(_REQUIREMENTS[name]).replace("==", " "), float(said.stdout.split()[-1])),)


def _environment(folder: Path, requirements: tuple[str, ...]) -> Path | None:
    """Install packages into a new environment; None where that fails, with the reason printed."""
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], capture_output=True, text=True)
    if done.returncode:
        print(f"without {' '.join(requirements)}: {done.stderr.strip().splitlines()[-1]}")
        return None
    return python
