"""Triple-barrier labels 20 bars ahead in mlfinpy, which looks at closes only; `volatility` is the width."""

import sys
import time
import warnings

import numpy as np
import pandas as pd
from mlfinpy.labeling.labeling import add_vertical_barrier, get_bins, get_events

warnings.simplefilter("ignore")
bars = np.load(sys.argv[1])
index = pd.to_datetime(bars["open_time"], unit="ms")
close, width = pd.Series(bars["close"], index), pd.Series(bars["width"], index).dropna()


def label(events: pd.DatetimeIndex) -> float:
    started = time.process_time()
    vertical = add_vertical_barrier(events, close, num_minutes=100)
    found = get_events(close, events, [0.8, 0.8], width, 0.0, 1, vertical, verbose=False)
    get_bins(found, close)
    return time.process_time() - started


label(width.index[:50])
print(label(width.index))
