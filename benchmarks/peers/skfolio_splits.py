"""Combinatorial purged splits in skfolio, which purges a fixed number of rows."""

import sys
import time

import numpy as np
from skfolio.model_selection import CombinatorialPurgedCV

values = np.load(sys.argv[1])["close"][:, None]
splitter = CombinatorialPurgedCV(n_folds=10, n_test_folds=2, purged_size=20)
started = time.process_time()
for _ in splitter.split(values):
    pass
print(time.process_time() - started)
