"""Every indicator that pandas-ta-classic computes by itself, on one symbol's bars."""

import sys
import time

import numpy as np
import pandas as pd
import pandas_ta_classic  # noqa: F401  # adds `frame.ta`

bars = np.load(sys.argv[1])
frame = pd.DataFrame({name: bars[name] for name in ("open", "high", "low", "close", "volume")})
frame.index = pd.to_datetime(bars["open_time"], unit="ms", utc=True)
frame.head(2_000).ta.strategy("All", timed=False, verbose=False)
started = time.process_time()
frame.ta.cores = 0
frame.ta.strategy("All", timed=False, verbose=False)
print(time.process_time() - started)
