"""Labels that enter at the close against labels that enter at the next open, on recorded bars.

`python -m benchmarks.entry` prints the tables of `docs/labels.md`. Skill that is there only with entry at the close is
the bounce between bid and ask: nobody trades at a price that was known only when it was gone.
"""

from math import sqrt
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from benchmarks.barriers import recorded
from benchmarks.market import SYMBOLS, Market
from nightfold.features.catalog import FEATURES
from nightfold.features.compute import compute_features
from nightfold.labels.barrier import TripleBarrier, barrier_labels
from nightfold.labels.panel import Floats
from nightfold.models.boosting.lightgbm import LightGBMModel, LightGBMSpec
from nightfold.models.contract import Probabilities
from nightfold.models.dataset import Dataset
from nightfold.models.metrics import direction_gain, log_loss, up_share
from nightfold.models.score import constant_forecast
from nightfold.schema import KEY
from nightfold.splits.purge import Parts, PurgedSplit

Entry = Literal["close", "next_open"]
ENTRIES: tuple[Entry, ...] = get_args(Entry)
HORIZON = 20
STRIDE = 4
"""Of the rows learnt from every fourth is taken: neighbours share nearly all of their label."""

_BASIS_POINT = 1e-4


def labels_of(bars: pl.DataFrame) -> pl.DataFrame:
    """Label each bar by both entries, rows known by both."""
    tables = [
        barrier_labels(bars, TripleBarrier(horizon=HORIZON, entry=entry), "5m").select(
            *KEY, pl.col("label", "label_end", "tie", "log_return").name.suffix(f"_{entry}")
        )
        for entry in ENTRIES
    ]
    return tables[0].join(tables[1], on=KEY, validate="1:1").drop_nulls()


def compare_labels(labels: pl.DataFrame, bars: pl.DataFrame) -> dict[str, Any]:
    """Shares of the classes by either entry, how often both say the same, and how far entries and returns lie apart."""
    gap = (pl.col("open").shift(-1) / pl.col("close")).log() / _BASIS_POINT
    apart = (pl.col("log_return_next_open") - pl.col("log_return_close")) / _BASIS_POINT
    line = labels.select(
        rows=pl.len(),
        **{f"classes_{entry}": _classes(pl.col(f"label_{entry}")) for entry in ENTRIES},
        **{f"ties_{entry}": 100 * pl.col(f"tie_{entry}").mean() for entry in ENTRIES},
        agree=100 * (pl.col("label_close") == pl.col("label_next_open")).mean(),
        opposite=100 * (pl.col("label_close") * pl.col("label_next_open") == -1).mean(),
        return_apart=apart.mean(),
    ).row(0, named=True)
    gaps = bars.select(mean=gap.mean(), size=gap.abs().mean(), none=100 * (gap == 0).mean()).row(0, named=True)
    return line | {f"gap_{name}": value for name, value in gaps.items()}


def _classes(label: pl.Expr) -> pl.Expr:
    shares = [(100 * (label == each).mean()).round(1).cast(pl.String) for each in (1, -1, 0)]
    return pl.concat_str(shares, separator=" / ")


def learn(rows: pl.DataFrame, entry: Entry) -> tuple[pl.DataFrame, Probabilities, Probabilities]:
    """Fit LightGBM on one purged split; return the rows of the test, the forecasts and the best constant one."""
    parts: Parts = PurgedSplit().split(rows["open_time"], rows[f"label_end_{entry}"], "5m")
    train, validation = (
        Dataset.from_frame(rows[part[::STRIDE]], list(FEATURES), f"label_{entry}")
        for part in (parts.train, parts.validation)
    )
    model = LightGBMModel(LightGBMSpec(), seed=0).fit(train, validation)
    test = rows[parts.test]
    constant = np.tile(constant_forecast(train), (test.height, 1))
    return test, model.predict(test.select(FEATURES.keys()).to_numpy(order="c")), constant


def score(test: pl.DataFrame, entry: Entry, forecast: Probabilities, constant: Probabilities) -> dict[str, Any]:
    """Score forecasts; follow the likelier side of each bar from either entry, in basis points before cost.

    What the same side earns more from the close than from the next open is the bounce.
    """
    label = test[f"label_{entry}"].to_numpy()
    side = np.sign(forecast[:, 2] - forecast[:, 0])
    line: dict[str, Any] = {"entry": entry, "rows": test.height, "log_loss": log_loss(forecast, label)}
    line |= {"constant": log_loss(constant, label), "direction_gain": direction_gain(forecast, label)}
    line["direction_error"] = weekly_error(test, *_direction(forecast, label))
    at_close, at_open = (side * test[f"log_return_{each}"].to_numpy() / _BASIS_POINT for each in ENTRIES)
    for name, profit in (("close", at_close), ("next_open", at_open), ("bounce", at_close - at_open)):
        line |= {name: profit.mean(), f"{name}_error": weekly_error(test, profit)}
    return line


def _direction(forecast: Probabilities, label: np.ndarray) -> tuple[Floats, Floats]:
    """Gain of each row in the direction, and whether it counts."""
    touched, up, told = label != 0, label == 1, up_share(forecast)
    base = up[touched].mean()
    gain = np.log(np.where(up, told, 1 - told)) - np.log(np.where(up, base, 1 - base))
    return np.where(touched, gain, 0.0), touched.astype(float)


def weekly_error(rows: pl.DataFrame, value: Floats, counts: Floats | None = None) -> float:
    """Error of the ratio of two sums, or of a mean, over weeks: all symbols of a week together."""
    counts = np.ones(rows.height) if counts is None else counts
    weeks = rows.select(week=pl.col("open_time").dt.truncate("1w"), value=value, counts=counts)
    totals = weeks.group_by("week", maintain_order=True).agg(pl.col("value", "counts").sum())
    sums, parts = totals["value"].to_numpy(), totals["counts"].to_numpy()
    pulls = (sums - parts * (sums.sum() / parts.sum())) / parts.sum()
    return sqrt(pulls.size / (pulls.size - 1) * float((pulls**2).sum()))


def main() -> None:
    """Print both tables."""
    market = Market.find()
    bars = {symbol: recorded(market, symbol) for symbol in SYMBOLS}
    labels = {symbol: labels_of(each) for symbol, each in bars.items()}
    same = [{"symbol": symbol} | compare_labels(labels[symbol], bars[symbol]) for symbol in SYMBOLS]
    features = compute_features(pl.concat(bars.values()), interval="5m")
    rows = features.join(pl.concat(labels.values()), on=KEY, validate="1:1").drop_nulls().sort("open_time", "symbol")
    scores = [score(test, entry, *told) for entry in ENTRIES for test, *told in [learn(rows, entry)]]
    with pl.Config(tbl_cols=-1, tbl_rows=-1, tbl_width_chars=400, tbl_formatting="MARKDOWN", float_precision=4):
        print(pl.DataFrame(same), pl.DataFrame(scores), sep="\n\n", flush=True)


if __name__ == "__main__":
    main()
