import subprocess
import sys

HEAVY = ("ccxt", "duckdb", "httpx", "lightgbm", "mlflow", "numba", "pandas", "pandera", "scipy", "sklearn", "talib")

PROGRAM = f"""
import sys
from pipeline_defs.definitions import definitions

definitions()
print(*(name for name in {HEAVY} if name in sys.modules))
"""


def test_definitions_load_without_the_heavy_libraries(tmp_path, monkeypatch):
    monkeypatch.setenv("NIGHTFOLD_DATA", str(tmp_path))
    loaded = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
