"""What is not known is said to be unknown, with the reason, and never a number."""

from collections.abc import Callable

import polars as pl
import pytest

from nightfold.tearsheet.content import Record, TearsheetInput
from nightfold.tearsheet.layout import Section
from nightfold.tearsheet.page import SECTIONS, render_tearsheet, sections_of

MakeReport = Callable[..., TearsheetInput]

WITHOUT_RECORD = {
    "trust": "How much depends on costs, delay and threshold is unknown",
    "equity-section": "Whether a rule of risk stepped in is unknown",
    "regimes": "The regimes of its days are unknown",
    "rules": "Which orders were rejected is unknown",
    "policy": "This experiment searches no policy",
    "outcomes": "no forecast log is stored",
    "models": "What the models look at is unknown",
    "samples": "no split is stored",
}


def named(report: TearsheetInput, name: str) -> Section:
    return {section.name: section for section in sections_of(report)}[name]


@pytest.mark.parametrize(("name", "words"), WITHOUT_RECORD.items())
def test_a_run_without_any_record_says_what_it_does_not_know(make_report: MakeReport, name: str, words: str) -> None:
    assert words in " ".join(named(make_report(), name).said)


def test_every_section_of_a_flat_run_is_a_page_without_gaps(
    make_report: MakeReport, whole_report: TearsheetInput
) -> None:
    flat = make_report(
        days=3,
        n_trades=0,
        rejected=whole_report.rejected.clear() if whole_report.rejected is not None else None,
        triggers=whole_report.triggers.clear() if whole_report.triggers is not None else None,
        luck=dict.fromkeys(("percentile", "median", "best")),
        record=Record(
            policies=pl.DataFrame(schema=dict.fromkeys(whole_report.record.policies.columns, pl.Null))
            if whole_report.record.policies is not None
            else None
        ),
    )
    page = render_tearsheet(flat)
    for words in ("None stepped in.", "None was rejected.", "No policy is stored", "it never traded"):
        assert words in page


def test_sections_have_names_of_their_own(whole_report: TearsheetInput) -> None:
    names = [section.name for section in sections_of(whole_report)]
    assert len(set(names)) == len(names) == len(SECTIONS)


def test_a_log_without_outcomes_is_not_judged(make_report: MakeReport, whole_report: TearsheetInput) -> None:
    log = whole_report.record.forecast_log
    assert log is not None
    open_log = log.with_columns(actual_move=pl.lit(None, pl.Float64), actual_side=pl.lit(None, pl.Int8))
    section = named(make_report(record=Record(forecast_log=open_log)), "outcomes")
    assert section.said == ["400 forecasts 20 bars ahead were logged; what came is known of 0."]
    assert not section.parts


def test_a_log_without_confidence_is_drawn_and_not_judged(
    make_report: MakeReport, whole_report: TearsheetInput
) -> None:
    log = whole_report.record.forecast_log
    assert log is not None
    unsure = log.with_columns(confidence=pl.lit(None, pl.Float64))
    section = named(make_report(record=Record(forecast_log=unsure)), "outcomes")
    assert "Whether confidence was earned is unknown" in " ".join(section.said)
    assert [part.name for part in section.parts] == ["reliability", "outcome-scatter"]


def test_models_that_tell_nothing_are_named(make_report: MakeReport, whole_report: TearsheetInput) -> None:
    section = named(make_report(record=Record(importance=whole_report.record.importance)), "models")
    assert section.said[0] == "What they look at is not told by logistic."


def test_no_model_that_tells_anything_is_no_table(make_report: MakeReport, whole_report: TearsheetInput) -> None:
    told = whole_report.record.importance
    assert told is not None
    section = named(make_report(record=Record(importance=told.clear())), "models")
    assert section.said[0] == "What they look at is not told by lightgbm, logistic."
    assert not section.parts
