"""A thousand policies in vectorbt: their values, drawdowns, Sharpe ratios and trades; fifty at a time fit into memory.

One block in ten is timed, evenly over the thresholds, and counted ten times.
"""

import sys
import time

import numpy as np
import pandas as pd
import vectorbt

POLICIES, BLOCK, HELD_BARS, THRESHOLDS = 1_000, 50, 20, (0.2, 1.2)

bars = np.load(sys.argv[1])
close = pd.Series(bars["close"], index=pd.to_datetime(bars["open_time"], unit="ms"))


def trade(thresholds: np.ndarray) -> None:
    targets = np.full((len(close), len(thresholds)), np.nan)
    targets[::HELD_BARS] = bars["side"][:, None] * (bars["strength"][:, None] > thresholds)
    portfolio = vectorbt.Portfolio.from_orders(
        close,
        pd.DataFrame(targets, index=close.index),
        size_type="targetpercent",
        fees=0.001,
        slippage=0.0002,
        freq="5min",
    )
    portfolio.total_return(), portfolio.max_drawdown(), portfolio.sharpe_ratio(), portfolio.trades.count()


blocks = np.linspace(*THRESHOLDS, POLICIES).reshape(-1, BLOCK)
trade(blocks[0])
started = time.process_time()
for block in blocks[::10]:
    trade(block)
print((time.process_time() - started) * len(blocks) / len(blocks[::10]))
