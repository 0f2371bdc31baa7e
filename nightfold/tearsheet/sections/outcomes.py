"""What was forecast beside what came, and whether confidence was earned."""

from functools import partial

import polars as pl

from nightfold.policy.log import Reliability, reliability
from nightfold.tearsheet import number
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.layout import Column, Part, Section, frame_table
from nightfold.tearsheet.outcome_charts import outcome_chart, reliability_chart, telling

_CURVE = {
    "said": Column("Said", partial(number.percent, digits=2)),
    "came": Column("Right", partial(number.percent, digits=2)),
    "error": Column("± by chance", partial(number.percent, digits=2)),
    "rows": Column("Forecasts", number.count),
}
_TITLE = "Forecast and outcome"


def outcomes(report: TearsheetInput) -> Section:
    """Hold forecasts against what came, as the forecast log has it."""
    log = report.record.forecast_log
    if log is None:
        said = [f"What came of each forecast is unknown: {report.record.why_no_log}."]
        return Section("outcomes", _TITLE, said)
    known = log.drop_nulls("actual_move")
    said = [
        f"{number.count(log.height)} forecasts {_ahead(log)}were logged; what came is known of "
        f"{number.count(known.height)}."
    ]
    if known.is_empty():
        return Section("outcomes", _TITLE, said)
    found = reliability(log)
    table = frame_table(
        "reliability",
        "Confidence in the side, in bins of equally many forecasts",
        found.curve,
        _CURVE,
        empty="No forecast named a side and a confidence.",
    )
    drawn, extreme = telling(known)
    parts: list[Part] = [*([reliability_chart(found.curve)] if found.rows else []), table]
    parts += [outcome_chart(drawn)] if drawn.height else []
    more = (
        f"Drawn are {number.count(drawn.height)} of them, evenly over time, without {number.count(extreme)} extremes."
    )
    return Section("outcomes", _TITLE, [*said, *_judged(found), _correlated(known), more], parts)


def _ahead(log: pl.DataFrame) -> str:
    horizons = log["horizon"].unique().sort().to_list()
    return f"{', '.join(map(str, horizons))} bar{'s' if horizons != [1] else ''} ahead " if horizons else ""


def _judged(found: Reliability) -> list[str]:
    if not found.rows or found.gap is None:
        return ["Whether confidence was earned is unknown: no forecast named a side and a confidence."]
    right, sure = number.percent(found.hit_rate), number.percent(found.confidence)
    start = f"The side was right {right} of the time; {sure} was said. "
    if found.gap.low is None or found.gap.high is None:
        return [f"{start}Too few blocks of time to tell the difference from chance."]
    span = f"{number.percent(found.gap.low, 2, signed=True)} to {number.percent(found.gap.high, 2, signed=True)}"
    verdict = "it claims too much" if found.is_overconfident else "not beyond doubt less than was said"
    return [f"{start}The difference lies within {span} (95 %, blocks of time): {verdict}."]


def _correlated(known: pl.DataFrame) -> str:
    said, came = known["expected_move"], known["actual_move"]
    if known.height < 3 or said.n_unique() < 2 or came.n_unique() < 2:
        return "The correlation of forecast and outcome is unknown: too little varies."
    value = known.select(pl.corr("expected_move", "actual_move")).item()
    return f"The correlation of forecast and outcome is {number.ratio(value, 3)}."
