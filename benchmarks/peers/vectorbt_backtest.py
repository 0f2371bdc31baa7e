"""One signal with fees and slippage in vectorbt, up to its total return and drawdown."""

import sys
import time

import numpy as np
import pandas as pd
import vectorbt

bars = np.load(sys.argv[1])
close = pd.Series(bars["close"], index=pd.to_datetime(bars["open_time"], unit="ms", utc=True))
target = pd.Series(bars["target"], index=close.index)


def trade() -> tuple[float, float]:
    portfolio = vectorbt.Portfolio.from_orders(
        close, target, size_type="targetpercent", fees=0.001, slippage=0.0003, freq="5min"
    )
    return portfolio.total_return(), portfolio.max_drawdown()


trade()
runs = []
for _ in range(5):
    started = time.process_time()
    trade()
    runs.append(time.process_time() - started)
print(sorted(runs)[2])
