"""The report of a search: honest where nothing improved, where luck explains it, and where days were seen before."""

from datetime import UTC, datetime, timedelta

import pytest
import yaml

from nightfold.experiment import Experiment
from nightfold.improve.judge import Judgement
from nightfold.improve.report import SearchReport, as_markdown, as_page, belief, held_out_words, rounds_table, verdict
from nightfold.improve.round import Round
from nightfold.improve.stretch import Opening, Stretch

START = datetime(2024, 1, 1, tzinfo=UTC)
STRETCH = Stretch(START, START + timedelta(days=60), START + timedelta(days=90))
BASE = Experiment.model_validate({"name": "e", "first_as_of": "2024-01-01", "models": {"logistic_regression": None}})


def report(*scores: float | None, deflated: float | None = 0.5, trades: int = 50, **changed) -> SearchReport:
    rounds = [
        Round(
            search="s",
            number=number,
            overrides={"strategy.min_edge_bps": number} if number else {},
            experiment=f"e_s{number}" if number else "e",
            variant=str(number),
            until=STRETCH.until,
            end=STRETCH.end,
            score=score,
            days=60,
            trades=trades,
            total_return=0.01,
            max_drawdown=-0.02,
        )
        for number, score in enumerate(scores)
    ]
    settings = {
        "experiment": BASE,
        "seed": 7,
        "stretch": STRETCH,
        "rounds": rounds,
        "ended": "the budget of 3 rounds is spent",
        "judgements": [Judgement(deflated, len(rounds)) for _ in rounds],
        "winner": BASE,
    }
    return SearchReport(**{**settings, **changed})


def opening(**changed) -> Opening:
    settings = {
        "experiment": "e",
        "opened_at": datetime(2024, 5, 1, 12, tzinfo=UTC),
        "variant": "e_s1",
        "overrides": {},
        "search": "s",
        "start": STRETCH.until,
        "end": STRETCH.end,
        "look": 1,
        "measures": {"sharpe_ratio": 1.25, "total_return": 0.031},
        "deflated_sharpe": 0.7,
        "n_trials": 1,
    }
    return Opening.model_validate({**settings, **changed})


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (report(1.0, 0.5), "Nothing improved: of 2 rounds none beats"),
        (report(1.0, 2.0), "Best is round 1, strategy.min_edge_bps=1: Sharpe 2.00 a year, against 1.00"),
        (report(-2.0, -1.0), "Even the best lost money"),
        (report(None, -1.0), "against ruined"),
        (report(None, None), "Even the best lost money"),
        (report(0.0, -1.0, trades=0), "never traded"),
        (report(1.0, 2.0, trades=12), "It closed 12 trades, too few"),
        (report(1.0, 2.0, deflated=0.6), "0.600, with 2 variants looked at on these days: under 0.95"),
        (report(1.0, 2.0, deflated=0.97), "0.970, with 2 variants looked at on these days: more than luck"),
        (report(1.0, 2.0, deflated=None), "not known; 2 variants"),
    ],
)
def test_the_verdict_says_what_was_found(found, said) -> None:
    assert said in " ".join(verdict(found))
    assert "the budget of 3 rounds is spent" in verdict(found)[-1]


def test_one_variant_is_no_plural() -> None:
    assert belief(Judgement(None, 1)).endswith("1 variant looked at on these days.")


def test_the_days_held_out_are_told_as_they_are() -> None:
    assert held_out_words(report(1.0))[0] == "2024-03-01 to 2024-03-30: no round looked at them."
    assert "not opened" in held_out_words(report(1.0))[1]
    assert "1 variant outside of this search has a result" in held_out_words(report(1.0, seen_before=1))[1]
    assert "3 variants outside of this search have results" in held_out_words(report(1.0, seen_before=3))[1]
    looked = held_out_words(report(1.0, openings=[opening(), opening(look=2, n_trials=2)]))
    assert "(look 1): Sharpe 1.25, return 3.1" in looked[1]
    assert "with 1 variant looked at" in looked[1]
    assert "proves less" not in looked[1]
    assert "proves less" in looked[2]
    assert "not finished" in held_out_words(report(1.0, openings=[opening(measures=None)]))[1]


def test_both_forms_hold_every_round_and_the_settings() -> None:
    found = report(1.0, -0.5, None, note="Simulated <market>.")
    assert rounds_table(found)["Sharpe a year"].to_list() == ["1.00", "−0.50", "ruined"]
    text, page = as_markdown(found), as_page(found)
    for word in ("strategy.min_edge_bps=2", "ruined", "2024-01-01 to 2024-02-29", "logistic_regression"):
        assert word in text
        assert word in page
    assert "Simulated &lt;market&gt;" in page
    assert "src=" not in page
    assert "http:" not in page
    assert as_page(found) == page
    settings = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert Experiment.model_validate({"name": "e", **settings}) == BASE
