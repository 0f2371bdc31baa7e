"""Which forecasts were traded: the thresholds in force over time, and the periods in which nothing was."""

from collections.abc import Mapping
from functools import partial

import polars as pl

from nightfold.policy.choice import Cause
from nightfold.tearsheet import number
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.layout import Column, Part, Section, frame_table
from nightfold.tearsheet.timeline import timeline

_SHARE = partial(number.percent, digits=1)
_CARDS = {
    "as_of": Column("As of", number.day),
    "universe": Column("Universe", words=True),
    "trials": Column("Trials", number.count),
    "effective_trials": Column("Effective", partial(number.ratio, digits=1)),
    "sharpe": Column("Daily Sharpe", partial(number.ratio, digits=3)),
    "deflated_sharpe": Column("Deflated", partial(number.ratio, digits=3)),
    "trades": Column("Trades", number.count),
    "min_confidence": Column("Confidence", _SHARE),
    "min_edge": Column("Edge", partial(number.ratio, digits=3)),
    "base_risk_fraction": Column("Base risk", _SHARE),
    "max_risk_fraction": Column("Most risk", _SHARE),
    "reason": Column("Why flat", words=True),
}
_FLAT = {"why": Column("Why nothing was traded"), "periods": Column("Periods", number.count)}
_PASSING = {
    "symbol": Column("Symbol"),
    "forecasts": Column("Forecasts", number.count),
    "sure": Column("Sure enough", number.count),
    "worth": Column("Edge enough", number.count),
    "long": Column("Passed, long", number.count),
    "short": Column("Passed, short", number.count),
    "share": Column("Passed", partial(number.percent, digits=2)),
}
_FEW = 12

CAUSES: Mapping[Cause, str] = {
    "few_days": "too few days of predictions lay before it",
    "no_filter": "too few of its forecasts paid, or did not, to learn a filter",
    "few_trades": "no policy made enough trades in its window",
    "lost": "every policy that made enough trades in its window lost the account",
    "no_gain": "no policy earned anything after costs in its window",
    "luck": "the best policy may be luck",
}
"""What each kind of reason means."""


def policy(report: TearsheetInput) -> Section:
    """Tell which thresholds were in force when."""
    cards = report.record.policies
    if cards is None:
        said = ["This experiment searches no policy: what its strategy says is traded throughout."]
        return Section("policy", "Policy", said)
    if cards.is_empty():
        return Section("policy", "Policy", ["No policy is stored: nothing could be traded."])
    flat = cards["min_confidence"].null_count()
    said = [
        _headline(cards),
        f"{number.count(flat)} of {number.count(cards.height)} periods were flat; "
        f"{number.count(int(cards['trials'].sum()))} policies were tried in all.",
    ]
    parts: list[Part] = [*_charts(cards)]
    parts.append(frame_table("flat_periods", "Flat periods by reason", why_flat(cards), _FLAT, empty="None was flat."))
    if report.passing is None:
        said.append("How many forecasts passed is unknown: the backtest kept no record of it.")
    else:
        caption = "Forecasts that passed the policy in force, on the days of this page"
        parts.append(frame_table("passing", caption, passed(report.passing), _PASSING, place="wide", empty="None was."))
    caption = f"Policies by as-of, {number.count(cards.height)} in all"
    folded = cards.height > _FEW
    parts.append(frame_table("policies", caption, cards, _CARDS, place="wide", is_folded=folded, style="cards"))
    return Section("policy", "Policy", said, parts)


def why_flat(cards: pl.DataFrame) -> pl.DataFrame:
    """Count the flat periods: ``why`` and ``periods``, the most frequent first.

    Cards of older versions do not tell the kind of their reason: it is taken to be what their Sharpe ratio allows.
    """
    likely = (
        pl.when(~pl.col("is_complete"))
        .then(pl.lit("few_days"))
        .when(pl.col("sharpe").is_null())
        .then(pl.lit("few_trades"))
        .when(pl.col("sharpe") <= 0)
        .then(pl.lit("no_gain"))
        .otherwise(pl.lit("luck"))
    )
    why = pl.coalesce(pl.col("cause"), likely).replace_strict(CAUSES, return_dtype=pl.String)
    flat = cards.filter(pl.col("min_confidence").is_null())
    return flat.group_by(why=why).agg(periods=pl.len()).sort("periods", "why", descending=[True, False])


def passed(passing: pl.DataFrame) -> pl.DataFrame:
    """Add the ``share`` of forecasts that passed; null without forecasts."""
    share = (pl.col("long") + pl.col("short")) / pl.col("forecasts")
    return passing.with_columns(share=pl.when(pl.col("forecasts") > 0).then(share))


def _headline(cards: pl.DataFrame) -> str:
    complete = cards.filter("is_complete")["as_of"]
    if complete.is_empty():
        return "No policy has a whole window of predictions behind it yet, so nothing was traded."
    begins = complete.sort()[0]
    return (
        f"The first policy with a whole window of predictions behind it came into force on {number.day(begins)}; the "
        "first window is never in the headline."
    )


def _charts(cards: pl.DataFrame) -> list[Part]:
    if cards["min_confidence"].null_count() == cards.height:
        return []
    words = partial(number.percent, digits=1)
    return [
        timeline(
            *("least-confidence", "Least confidence in force", cards, {"min_confidence": "least confidence"}),
            words=words,
            tick=number.tick_percent,
            holds=True,
        ),
        timeline(
            *("least-edge", "Least edge in force", cards, {"min_edge": "least edge"}),
            words=partial(number.ratio, digits=3),
            tick=number.tick_ratio,
            holds=True,
        ),
        timeline(
            *("risk", "Equity at risk in a trade", cards),
            {"base_risk_fraction": "just sure enough", "max_risk_fraction": "certain"},
            words=words,
            tick=number.tick_percent,
            holds=True,
        ),
    ]
