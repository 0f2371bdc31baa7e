"""Nightly retrains on 30 days before each night in FreqAI's own backtest, features, labels and trees as they are given.

Nothing is downloaded and no exchange asked: the strategy hands out the columns it was given, so that what FreqAI spends
on indicators is left out. `trees` holds rounds, learning rate, leaves, fewest rows of a leaf, ridge penalty, share of
features and bins.
"""

import logging
import sys
import time
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.enums import RunMode
from freqtrade.freqai.prediction_models.LightGBMClassifier import LightGBMClassifier
from freqtrade.strategy import IStrategy

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
given = np.load(sys.argv[1])
date = pd.to_datetime(given["open_time"], unit="ms", utc=True)
names = [f"%-feature_{number}" for number in range(given["features"].shape[1])]
columns = pd.DataFrame(given["features"], columns=names).assign(date=date)
labels = pd.DataFrame({"date": date, "label": given["label"]}).dropna()
bars = pd.DataFrame({name: given[name] for name in ("open", "high", "low", "close", "volume")}).assign(date=date)


class Given(IStrategy):
    """Hands out the columns it was given."""

    timeframe = "5m"

    def populate_indicators(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Nothing is wanted beside FreqAI."""
        return dataframe

    def feature_engineering_standard(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Features of each bar."""
        return dataframe.merge(columns, on="date", how="left")

    def set_freqai_targets(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Labels of each bar, by name: classes are strings."""
        sides = labels.assign(**{"&-side": labels["label"].map({-1: "down", 0: "flat", 1: "up"})})
        return dataframe.merge(sides[["date", "&-side"]], on="date", how="left")


def retrain(folder: str, nights: tuple[pd.Timestamp, pd.Timestamp]) -> int:
    """Run the backtest, and return how many bars were forecast."""
    rounds, rate, leaves, fewest, ridge, share, bins = given["trees"]
    config = {
        "timeframe": "5m",
        "timerange": "-".join(night.strftime("%Y%m%d") for night in nights),
        "user_data_dir": Path(folder),
        "config_files": [sys.argv[1]],  # a file that it keeps a copy of
        "exchange": {"name": "binance", "pair_whitelist": ["BTC/USDT"]},
        "stake_currency": "USDT",
        "freqaimodel": "LightGBMClassifier",
        "strategy": "Given",
        "runmode": RunMode.BACKTEST,
        "freqai": {
            "enabled": True,
            "identifier": "nights",
            "train_period_days": 30,
            "backtest_period_days": 1,
            "save_backtest_models": False,
            "activate_tensorboard": False,
            "data_kitchen_thread_count": 1,
            "feature_parameters": {
                "include_timeframes": ["5m"],
                "indicator_periods_candles": [],
                "include_shifted_candles": 0,
                "buffer_train_data_candles": 0,
                "shuffle_after_split": False,
                "label_period_candles": 20,
            },
            "data_split_parameters": {"test_size": 0.1, "shuffle": False},
            "model_training_parameters": {
                "n_estimators": int(rounds),
                "learning_rate": rate,
                "num_leaves": int(leaves),
                "min_child_samples": int(fewest),
                "reg_lambda": ridge,
                "colsample_bytree": share,
                "max_bin": int(bins),
                "n_jobs": 1,
                "random_state": 0,
                "verbosity": -1,
            },
        },
    }
    strategy = Given(config)
    strategy.dp = SimpleNamespace(runmode=RunMode.BACKTEST)
    told = LightGBMClassifier(config).start(bars, {"pair": "BTC/USDT"}, strategy)
    return int((told["do_predict"] == 1).sum())


fits: list[float] = []
fit = LightGBMClassifier.fit


def timed(*arguments: Any, **named: Any) -> Any:
    """Fit as before, and note what it takes."""
    started = time.process_time()
    fitted = fit(*arguments, **named)
    fits.append(time.process_time() - started)
    return fitted


LightGBMClassifier.fit = timed
nights, last = int(given["nights"][0]), date[-1].floor("D")
with TemporaryDirectory() as folder:
    started = time.process_time()
    told = retrain(folder, (last - pd.Timedelta(days=nights), last))
    taken = time.process_time() - started
if (len(fits), told) != (nights, 288 * nights):  # it goes on where a fit fails
    raise SystemExit(f"{len(fits)} fits and {told} forecasts came of {nights} nights")
print(f"fitting {sum(fits):.2f} s, and with everything else")
print(taken)
