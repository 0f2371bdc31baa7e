"""Average uniqueness in mlfinpy of labels that start at each bar; `life` is how many bars they last."""

import sys
import time
import warnings

import numpy as np
import pandas as pd
from mlfinpy.sampling.concurrent import get_av_uniqueness_from_triple_barrier

warnings.simplefilter("ignore")
bars = np.load(sys.argv[1])
index = pd.to_datetime(bars["open_time"], unit="ms")
close, ends = pd.Series(bars["close"], index), np.arange(len(index)) + bars["life"].astype(int)
events = pd.DataFrame({"t1": index[np.minimum(ends, len(index) - 1)]}, index)

started = time.process_time()
get_av_uniqueness_from_triple_barrier(events, close, num_threads=1, verbose=False)
print(time.process_time() - started)
