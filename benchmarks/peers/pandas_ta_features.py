"""Every indicator that pandas-ta-classic computes by itself, candle patterns among them, on one symbol's bars."""

import sys
import time
import warnings

import numpy as np
import pandas as pd
import pandas_ta_classic  # noqa: F401  # adds `frame.ta`

warnings.simplefilter("ignore")
bars = np.load(sys.argv[1])
index = pd.to_datetime(bars["open_time"], unit="ms")
frame = pd.DataFrame({name: bars[name] for name in ("open", "high", "low", "close", "volume")}, index)


def compute(rows: pd.DataFrame) -> float:
    rows = rows.copy()
    rows.ta.cores = 0
    started = time.process_time()
    rows.ta.strategy("All", timed=False, verbose=False)
    return time.process_time() - started


compute(frame.head(2_000))
print(compute(frame))
