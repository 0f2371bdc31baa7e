"""Searched against fixed barriers on recorded bars, month by month, in months that no search has seen.

`python -m benchmarks.barriers [COST ...]` prints the tables of `docs/labels.md`; with `pictures` instead of costs it
draws those there.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import log, sqrt
from typing import Any

import numpy as np
import polars as pl

from benchmarks.market import SYMBOLS, Market
from benchmarks.measure import PROJECT
from nightfold.labels.barrier import TripleBarrier, entry_price, outcomes, panel_volatility
from nightfold.labels.follower import forecast_after, forecasts
from nightfold.labels.judge import Verdict, Window, judge
from nightfold.labels.panel import Floats, Panel, read_panel
from nightfold.labels.picture import label_picture
from nightfold.labels.search import run_search
from nightfold.labels.search_picture import search_picture
from nightfold.labels.search_spec import BarrierSearchSpec
from nightfold.labels.table import LabelSet, label_table
from nightfold.labels.weight import stored_weights
from nightfold.schema import PRICES, TIME
from nightfold.window import windows

HORIZONS = (5, 10, 15, 20, 288)
FIRST, END = datetime(2022, 5, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)
COSTS = (0.002, 0.0006, 0.0)
IMAGES = PROJECT / "docs" / "images"

_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)


def compare(bars: pl.DataFrame, spec: BarrierSearchSpec) -> Iterator[dict[str, Any]]:
    """Follow fixed and searched barriers week by week, by forecasts fitted before each month."""
    for month in windows(FIRST, END, "month"):
        for horizon in HORIZONS:
            search = run_search(bars, month.start, horizon, spec, interval="5m")
            barriers = {"fixed": TripleBarrier(horizon=horizon), "searched": search.barrier}
            about = {"horizon": horizon, "month": month.start, "fallback": search.chosen is None}
            oldest = month.start - timedelta(days=spec.window_days + 3)
            near = bars.filter(pl.col("open_time").is_between(oldest, month.end + 2 * _DAY, closed="left"))
            panel = read_panel(near, "5m")
            sigma = panel_volatility(panel, barriers["fixed"])
            side = _sides(near, panel, sigma, month.start, horizon, spec)
            for name, barrier in barriers.items():
                uniqueness, _ = stored_weights(panel, outcomes(panel, sigma, [barrier])[0], barrier.horizon)
                for week in _weeks(month.start, month.end):
                    first, end = (
                        _row(panel, moment) for moment in (max(week, month.start), min(week + _WEEK, month.end))
                    )
                    verdict = _verdict(panel, sigma, side, first, end, barrier, spec.cost)
                    alone = {"unique": float(np.nansum(uniqueness[first:end]))}
                    yield about | {"barriers": name, "week": week} | verdict._asdict() | alone


def _sides(
    bars: pl.DataFrame, panel: Panel, sigma: Floats, start: datetime, horizon: int, spec: BarrierSearchSpec
) -> np.ndarray:
    """Sides of the follower in the month: as strong a forecast as it followed in the window, which ended before."""
    begin = _row(panel, start)
    first = _row(panel, start - timedelta(days=spec.window_days))
    past = read_panel(bars[:begin], "5m")
    within = forecasts(bars[:begin], past, sigma[:begin], first, horizon, spec.follower, "5m")
    least = np.nanquantile(np.abs(within), 1 - spec.follower.trade_share)
    forecast = forecast_after(bars, panel, sigma, first, begin, horizon, spec.follower, "5m")
    return np.where(np.abs(forecast) >= least, np.sign(np.nan_to_num(forecast)), 0).astype(np.int8)


def _verdict(
    panel: Panel, sigma: Floats, side: np.ndarray, first: int, end: int, barrier: TripleBarrier, cost: float
) -> Verdict:
    opens, highs, lows, closes = np.log([panel.open, panel.high, panel.low, panel.close])
    entry, left = np.log(entry_price(panel, barrier))[:end], (panel.last - np.arange(panel.size)).astype(float)[:end]
    followed = first + np.flatnonzero(side[first:end])
    window = Window(opens, highs, lows, closes, entry, sigma[:end], left, side[:end], followed, first)
    up, down = barrier.upper * barrier.width, barrier.lower * barrier.width
    return Verdict(*judge(window, up, down, barrier.horizon, False, 1.5 * cost, cost))


def recorded(market: Market, symbol: str) -> pl.DataFrame:
    """Read the recorded bars of one symbol."""
    if market.folder is None:
        raise SystemExit("there are no recorded bars beside the project; this comparison is about real ones.")
    bars = pl.read_parquet(market.folder / f"binance_spot_{symbol}_5m.parquet")
    return bars.select(pl.lit(symbol).alias("symbol"), pl.col("open_time").cast(TIME), *PRICES, "volume")


def _row(panel: Panel, moment: datetime) -> int:
    return int((panel.key["open_time"] < moment).sum())


def _weeks(start: datetime, end: datetime) -> Iterator[datetime]:
    week = start - timedelta(days=start.weekday())
    while week < end:
        yield week
        week += _WEEK


def table(found: pl.DataFrame, horizon: int) -> dict[str, Any]:
    """Sum up one horizon; errors are over weeks, the three symbols of a week together."""
    rows = found.filter(horizon=horizon)
    months = rows.filter(barriers="searched").group_by("symbol", "month").agg(pl.col("fallback").first())
    line: dict[str, Any] = {"horizon": horizon, "months": months.height, "searched": int((~months["fallback"]).sum())}
    weeks = {}
    for name in ("fixed", "searched"):
        chosen = rows.filter((pl.col("barriers") == name) & ~pl.col("fallback"))
        total = chosen.select("known", "upper", "lower", "ties", "unique").sum().row(0, named=True)
        known = max(total["known"], 1)
        shares = [total["upper"] / known, total["lower"] / known, (known - total["upper"] - total["lower"]) / known]
        line |= {
            f"{name}_classes": " / ".join(f"{100 * share:.0f}" for share in shares),
            f"{name}_entropy": -sum(share * log(share) for share in shares if share > 0) / log(3),
            f"{name}_uniqueness": total["unique"] / known,
        }
        weeks[name] = chosen.group_by("week").agg(pl.col("profit", "bars").sum()).sort("week")
        line[f"{name}_bps"] = _ratio(weeks[name])[0]
        line[f"{name}_error"] = _ratio(weeks[name])[1]
    if len(weeks["fixed"]) > 1:
        fixed, searched = (_influence(weeks[name]) for name in ("fixed", "searched"))
        line["gain_bps"] = line["searched_bps"] - line["fixed_bps"]
        line["gain_error"] = _error(searched - fixed)
    return line


def _ratio(weeks: pl.DataFrame) -> tuple[float | None, float | None]:
    """Log return per bar held, in basis points, with its error over weeks."""
    if len(weeks) < 2:
        return None, None
    return 1e4 * weeks["profit"].sum() / weeks["bars"].sum(), _error(_influence(weeks))


def _influence(weeks: pl.DataFrame) -> Floats:
    """How far each week pulls the ratio of sums, in basis points."""
    ratio = weeks["profit"].sum() / weeks["bars"].sum()
    pulls: Floats = 1e4 * ((weeks["profit"] - ratio * weeks["bars"]) / weeks["bars"].sum()).to_numpy()
    return pulls


def _error(influence: Floats) -> float:
    n = influence.size
    return sqrt(n / (n - 1) * float((influence**2).sum()))


def main(arguments: list[str]) -> None:
    """Print the tables, or draw the pictures."""
    market = Market.find()
    if arguments == ["pictures"]:
        draw(market)
        return
    for cost in [float(text) for text in arguments] or COSTS:
        spec = BarrierSearchSpec(cost=cost)
        frames = [
            pl.DataFrame(list(compare(recorded(market, symbol), spec))).with_columns(symbol=pl.lit(symbol))
            for symbol in SYMBOLS
        ]
        found = pl.concat(frames)
        with pl.Config(tbl_cols=-1, tbl_rows=-1, tbl_width_chars=250, tbl_formatting="MARKDOWN", float_precision=3):
            print(
                f"\ncost {1e4 * cost:g} basis points\n{pl.DataFrame([table(found, h) for h in HORIZONS])}", flush=True
            )


def draw(market: Market) -> None:
    """Draw some labelled windows of a stormy month, and a search that has found something."""
    start, label_set = datetime(2022, 11, 1, tzinfo=UTC), LabelSet()
    inside = pl.col("open_time").is_between(start - _DAY, start + 31 * _DAY, closed="left")
    bars = recorded(market, "BTCUSDT").filter(inside)
    labels = label_table(bars, label_set, "5m").filter(pl.col("open_time") >= start)
    title = "BTCUSDT, Binance spot, November 2022: labels within 20 bars of 5 minutes"
    (IMAGES / "labels.svg").write_text(label_picture(bars, labels, label_set, 20, "5m", title, is_simulated=False))
    begin, spec = datetime(2024, 1, 1, tzinfo=UTC), BarrierSearchSpec()
    before = recorded(market, "SOLUSDT").filter(pl.col("open_time") < begin)
    searches = {horizon: run_search(before, begin, horizon, spec, interval="5m") for horizon in (20, 288)}
    title = "SOLUSDT, Binance spot: barriers for January 2024, searched on the 90 days before"
    drawn = search_picture(searches, spec.least_entropy, title, is_simulated=False)
    (IMAGES / "barrier_search.svg").write_text(drawn)


if __name__ == "__main__":
    main(sys.argv[1:])
