"""One signal with fees and spread in backtesting.py, with its statistics."""

import sys
import time
import warnings

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

warnings.simplefilter("ignore")
bars = np.load(sys.argv[1])
columns = {name.title(): bars[name] for name in ("open", "high", "low", "close", "volume")}
frame = pd.DataFrame(columns, index=pd.to_datetime(bars["open_time"], unit="ms"))
frame["Target"] = bars["target"]


class Follow(Strategy):
    """Holds what the target says."""

    def init(self) -> None:
        """Nothing is computed before."""

    def next(self) -> None:
        """Close, turn or open where the target changes sides."""
        wanted = self.data.Target[-1]
        if wanted > 0 and not self.position.is_long:
            self.position.close()
            self.buy(size=wanted)
        elif wanted < 0 and not self.position.is_short:
            self.position.close()
            self.sell(size=-wanted)
        elif wanted == 0 and self.position:
            self.position.close()


started = time.process_time()
Backtest(frame, Follow, cash=1e9, commission=0.001, spread=0.0003, finalize_trades=True).run()
print(time.process_time() - started)
