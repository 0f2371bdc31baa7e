"""Sections show what the tables hold; the expected numbers are worked by hand from the tables of the fixture."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from math import sqrt
from statistics import mean, stdev
from typing import Any, get_args

import polars as pl
import pytest

from nightfold.policy.choice import Cause
from nightfold.tearsheet.content import Record, TearsheetInput
from nightfold.tearsheet.figures import figures_json
from nightfold.tearsheet.layout import Section, Table
from nightfold.tearsheet.page import sections_of
from nightfold.tearsheet.rolling import rolling_sharpe
from nightfold.tearsheet.sections.models import shares, weight_table
from nightfold.tearsheet.sections.policy import CAUSES, why_flat
from nightfold.tearsheet.sections.trust import trust

MakeReport = Callable[..., TearsheetInput]


@pytest.fixture
def sections(whole_report: TearsheetInput) -> dict[str, Section]:
    return {section.name: section for section in sections_of(whole_report)}


def table(section: Section, name: str) -> Table:
    (found,) = (part for part in section.parts if part.name == name)
    assert isinstance(found, Table)
    return found


def picture(section: Section, name: str) -> Any:
    (found,) = (part for part in section.parts if part.name == name)
    return found


def cells(found: Table) -> list[list[str]]:
    return [[" ".join(cell.text.split()) for cell in row] for _, rows in found.groups for row in rows]


def test_luck_is_shown_with_trials_and_the_chance_of_overfitting(sections: dict[str, Section]) -> None:
    shown = table(sections["trust"], "luck")
    found = dict(cells(shown))
    assert found["Trials"] == "4"
    assert found["Effective trials"] == "\N{EN DASH}"
    assert found["Probability of overfitting"] == "62.0 %"
    assert shown.values["n_compared"] == 33
    assert found["Place among random traders"] == "37.0 %"
    assert found["Best of theirs"] == "+11.0 %"


def test_trials_that_move_together_are_shown_as_fewer_and_change_no_figure(
    make_report: MakeReport,
) -> None:
    apart, alike = make_report(), make_report(trial_correlation=0.75)
    shown = table(trust(alike), "luck")
    assert dict(cells(shown))["Effective trials"] == "1.8"  # .75 + .25 * 4 = 1.75
    assert shown.values["effective_trials"] == 1.75
    assert shown.values["trial_correlation"] == 0.75
    plain = table(trust(apart), "luck").values
    assert plain["effective_trials"] is None
    assert plain["deflated_sharpe_ratio"] == shown.values["deflated_sharpe_ratio"]
    assert json.loads(figures_json(alike))["effective_trials"] == 1.75
    assert json.loads(figures_json(alike))["gates"] == json.loads(figures_json(apart))["gates"]


def test_shocks_stand_beside_the_run_without(sections: dict[str, Section]) -> None:
    rows = cells(table(sections["trust"], "shocks"))
    assert rows[0][:4] == ["none", "throughout", "60", "+1.0 %"]
    assert rows[1][:4] == ["gap down 20 %", "2024-01-07 05:00", "58", "\N{MINUS SIGN}13.0 %"]


def test_each_edge_has_a_heat_map_and_the_traded_point_is_framed(sections: dict[str, Section]) -> None:
    low, own = (table(sections["trust"], f"sensitivity_edge_{edge}") for edge in ("0.5", "1"))
    assert [cell.text for cell in own.heads] == ["Filled after", "0 more bars", "1 more bar"]
    assert cells(low) == [["Costs × 0", "+3.0 %", "+2.0 %"], ["Costs × 1", "+2.0 %", "+1.0 %"]]
    assert cells(own) == [["Costs × 0", "+2.0 %", "+1.0 %"], ["Costs × 1", "+1.0 %", "0.0 %"]]
    framed = [
        (f, r, c)
        for f, found in enumerate((low, own))
        for r, row in enumerate(found.groups[0][1])
        for c, cell in enumerate(row)
        if cell.style == "own"
    ]
    assert framed == [(1, 1, 1)]  # its own edge, its own costs, no further delay
    assert [cell.heat for cell in low.groups[0][1][0]] == [0, 60, 40]
    assert "Of 8 combinations of costs, delay and least edge 7 gained" in sections["trust"].said[0]


def test_rolling_sharpe_is_that_of_each_stretch_of_days() -> None:
    returns = [0.01, -0.02, 0.03, 0.0, 0.01, 0.01, 0.01]
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(7)]
    found = rolling_sharpe(pl.DataFrame({"day": days, "daily_return": returns}), 3)
    expected = [
        mean(part) / stdev(part) * sqrt(365) if stdev(part) else None for part in (returns[n : n + 3] for n in range(5))
    ]
    assert found["day"].to_list() == days[2:]
    assert found["sharpe_ratio"].to_list()[:4] == pytest.approx(expected[:4])
    assert found["sharpe_ratio"][4] is None is expected[4]


def test_days_on_which_a_rule_stepped_in_are_marked(
    sections: dict[str, Section], make_report: MakeReport, whole_report: TearsheetInput
) -> None:
    drawn = str(picture(sections["equity-section"], "drawdown").__html__())
    path = drawn.split('bars warn" d="')[1].split('"')[0]
    places = [float(start) / 1000 * 120 for start in re.findall(r"M([\d.]+) ", path)]
    assert places == pytest.approx([3, 5, 7], abs=0.1)  # the 4th, the 6th and the 8th of 120 days
    assert "Rules of risk stepped in 3 times" in sections["equity-section"].said[0]
    assert whole_report.triggers is not None
    calm = {section.name: section for section in sections_of(make_report(triggers=whole_report.triggers.clear()))}
    assert "No rule of risk stepped in." in calm["equity-section"].said


def test_triggers_and_rejected_orders_are_counted(sections: dict[str, Section]) -> None:
    triggers, rejected = (table(sections["rules"], name).values for name in ("triggers", "rejected"))
    assert [(row["rule"], row["symbol"], row["times"], row["furthest"]) for row in triggers] == [
        ("daily_loss_limit", None, 2, -0.034),
        ("max_position", "BTCUSDT", 1, 1.2),
    ]
    assert [(row["reason"], row["symbol"], row["orders"], row["first"].day) for row in rejected] == [
        ("max_gross", "BTCUSDT", 2, 3),
        ("minimum_order", "ETHUSDT", 1, 9),
    ]


def test_flat_periods_are_counted_by_the_reasons_on_their_cards(whole_report: TearsheetInput) -> None:
    """One of each kind, all without a Sharpe ratio, and one more whose best policy may be luck."""
    kinds = get_args(Cause)
    policies = whole_report.record.policies
    assert policies is not None
    flat = policies.head(1).with_columns(is_complete=pl.lit(True))
    cards = pl.concat([flat.with_columns(cause=pl.lit(kind)) for kind in (*kinds, "luck")])
    found = dict(why_flat(cards).iter_rows())
    assert next(iter(found)) == "the best policy may be luck"
    assert found == {said: 2 if kind == "luck" else 1 for kind, said in CAUSES.items()}
    assert set(CAUSES) == set(kinds)
    assert found["too few of its forecasts paid, or did not, to learn a filter"] == 1
    assert found["every policy that made enough trades in its window lost the account"] == 1


def test_flat_periods_of_older_cards_are_counted_by_what_is_known_of_them(sections: dict[str, Section]) -> None:
    policy = sections["policy"]
    assert policy.said[0].endswith("came into force on 2024-01-08; the first window is never in the headline.")
    assert policy.said[1] == "4 of 5 periods were flat; 96 policies were tried in all."
    assert [(row["why"], row["periods"]) for row in table(policy, "flat_periods").values] == [
        ("no policy earned anything after costs in its window", 1),
        ("no policy made enough trades in its window", 1),
        ("the best policy may be luck", 1),
        ("too few days of predictions lay before it", 1),
    ]
    assert [row["effective_trials"] for row in table(policy, "policies").values] == [None, *[6.25] * 4]
    assert cells(table(policy, "passing")) == [["BTCUSDT", "400", "40", "30", "12", "8", "5.00 %"]]
    assert picture(policy, "least-confidence").values["least confidence"] == [None, None, None, None, 0.55]


def test_regimes_come_with_their_days(sections: dict[str, Section]) -> None:
    assert sections["regimes"].said[0].startswith("Of bull, bear and range 2 lasted 30 days or more.")
    assert cells(table(sections["regimes"], "regimes"))[2][2:5] == ["0", "0.0 %", "\N{EN DASH}"]


def test_confidence_without_skill_claims_too_much(sections: dict[str, Section]) -> None:
    said = " ".join(" ".join(sections["outcomes"].said).split())
    assert "60.0 % was said." in said
    assert "it claims too much" in said
    assert "what came is known of 390." in said
    (row,) = table(sections["outcomes"], "reliability").values
    assert (row["said"], row["rows"]) == (pytest.approx(0.6), 390)
    assert len(picture(sections["outcomes"], "outcome-scatter").values["expected_move"]) == 390


def test_a_long_log_is_thinned_the_same_way_each_time(make_report: MakeReport, whole_report: TearsheetInput) -> None:
    log = whole_report.record.forecast_log
    assert log is not None
    long = pl.concat([log.with_columns(pl.col("open_time") + timedelta(days=20 * n)) for n in range(12)])
    first, second = (
        {section.name: section for section in sections_of(make_report(record=Record(forecast_log=frame)))}["outcomes"]
        for frame in (long, long.reverse())
    )
    drawn = picture(first, "outcome-scatter")
    assert 1000 < len(drawn.points) <= 1500
    assert drawn.values == picture(second, "outcome-scatter").values


def test_many_symbols_share_the_last_colour(make_report: MakeReport, whole_report: TearsheetInput) -> None:
    log = whole_report.record.forecast_log
    assert log is not None
    many = log.with_columns(symbol=pl.format("S{}", pl.int_range(pl.len()) % 8))
    found = {section.name: section for section in sections_of(make_report(record=Record(forecast_log=many)))}
    legend = picture(found["outcomes"], "outcome-scatter").legend
    assert legend == [("S0", "s1"), ("S1", "s2"), ("S2", "s3"), ("S3", "s4"), ("S4", "s5"), ("3 others", "s6")]


def test_numbers_that_are_none_are_null_in_the_json(whole_report: TearsheetInput) -> None:
    assert whole_report.shocks is not None
    odd = replace(whole_report, shocks=whole_report.shocks.with_columns(sharpe_ratio=pl.lit(float("nan"))))
    shown = json.loads(figures_json(odd))["sections"]["trust"]["shocks"]
    assert [row["sharpe_ratio"] for row in shown] == [None, None]


def test_importance_is_a_share_of_its_model_and_prefers_contributions(whole_report: TearsheetInput) -> None:
    told = whole_report.record.importance
    assert told is not None
    assert shares(told).rows() == [("a", 0.5), ("b", 0.5), ("c", 0.0)]  # means of 1/4 and 3/4, of 3/4 and 1/4


def test_weights_are_summed_up_and_drawn_where_they_move(
    sections: dict[str, Section], make_report: MakeReport, whole_report: TearsheetInput
) -> None:
    weights = whole_report.record.weights
    assert weights is not None
    assert weight_table(weights).rows() == [("lightgbm", 0.5, 0.25, 0.75, 2), ("logistic", 0.5, 0.25, 0.75, 2)]
    assert "weights-over-time" in sections["models"].values
    still = {s.name: s for s in sections_of(make_report(record=Record(weights=weights.with_columns(weight=0.5))))}
    assert "The weights in the ensemble were the same at every as-of." in still["models"].said
    assert "weights-over-time" not in still["models"].values


def test_samples_of_the_newest_as_of_sum_to_its_bars(sections: dict[str, Section]) -> None:
    assert cells(table(sections["samples"], "account")) == [
        ["bars", "42", "42", "84"],
        ["warm-up", "2", "2", "4"],
        ["kept", "40", "40", "80"],
    ]
    assert "At the last of 2 as-ofs, 2024-01-08, models learnt from 80 rows" in sections["samples"].said[0]


def test_lineage_names_dataset_and_ensemble_of_each_as_of(sections: dict[str, Section]) -> None:
    assert cells(table(sections["provenance"], "lineage")) == [
        ["2024-01-01", "pooled", "2024", "v1", "a 1, b 2"],
        ["2024-01-08", "pooled", "2025", "\N{EN DASH}", "\N{EN DASH}"],
    ]


def test_the_json_twin_holds_every_table_and_picture(whole_report: TearsheetInput) -> None:
    told = json.loads(figures_json(whole_report))["sections"]
    for section in sections_of(whole_report):
        assert told[section.name].keys() == {"said", *(part.name for part in section.parts)}
        for part in section.parts:
            assert told[section.name][part.name], part.name


def test_forecasts_of_values_are_scored_as_such(make_report: MakeReport) -> None:
    values = {"metric": "rmse", "loss": 0.002, "constant_loss": 0.0021, "r2": 0.01, "sign_accuracy": 0.52}
    none = dict.fromkeys(("macro_f1", "macro_f1_chance", "direction_gain"), pl.lit(None, pl.Float64))
    metrics = make_report().model_metrics.with_columns(
        **{name: pl.lit(value) for name, value in values.items()}, **none
    )
    section = {one.name: one for one in sections_of(make_report(model_metrics=metrics))}["forecasts"]
    found = table(section, "forecasts")
    assert [head.text for head in found.heads][-3:] == ["Gain", "R²", "Sign right"]
    assert cells(found)[0] == ["ensemble", "5 bars", "17", "0.002000", "0.002100", "0.000100", "0.0100", "52.0 %"]
    assert found.groups[0][1][0][5].note == "± 0.000000"


def test_many_rejected_orders_are_folded_away(make_report: MakeReport, whole_report: TearsheetInput) -> None:
    assert whole_report.rejected is not None
    many = pl.concat([whole_report.rejected.with_columns(symbol=pl.lit(f"S{n}")) for n in range(11)])
    section = {one.name: one for one in sections_of(make_report(rejected=many))}["rules"]
    assert table(section, "rejected").is_folded
    short = {one.name: one for one in sections_of(whole_report)}["rules"]
    assert not table(short, "rejected").is_folded


def test_quantiles_are_shown_by_coverage_and_level_by_level(make_report: MakeReport) -> None:
    values = {"metric": "pinball", "loss": 0.002, "constant_loss": 0.0021, "coverage": 0.87}
    none = dict.fromkeys(("macro_f1", "macro_f1_chance", "direction_gain"), pl.lit(None, pl.Float64))
    metrics = make_report().model_metrics.with_columns(
        **{name: pl.lit(value) for name, value in values.items()}, **none
    )
    shared = {"model": "ensemble", "horizon": 5, "independent": 150.0}
    levels = pl.DataFrame(
        [
            {
                "level": 0.05,
                "wanted": 0.05,
                "share": 0.07,
                "low": 0.03,
                "high": 0.11,
                "pinball": 0.001,
                "is_thin": True,
            },
            {
                "level": None,
                "wanted": 0.9,
                "share": 0.87,
                "low": None,
                "high": None,
                "pinball": 0.002,
                "is_thin": False,
            },
        ]
    ).with_columns(**{name: pl.lit(value) for name, value in shared.items()})
    section = {one.name: one for one in sections_of(make_report(model_metrics=metrics, levels=levels))}["forecasts"]
    found = table(section, "forecasts")
    assert [head.text for head in found.heads][-2:] == ["Gain", "Coverage"]
    assert cells(found)[0][-1] == "87.0 %"
    low, between = cells(table(section, "levels"))
    assert low == ["ensemble", "5 bars", "0.05", "5.0 %", "7.0 %", "3.0 % to 11.0 %", "0.001000", "150"]
    assert between[2:6] == ["between the outer", "90.0 %", "87.0 %", "too few rows"]
    assert [row[-1].note for row in table(section, "levels").groups[0][1]] == ["thin", ""]
