"""Each member traded alone: the same account as an ensemble that says what the member says, and its gates."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from nightfold.evaluation import BacktestRange, Evaluation, evaluate
from nightfold.experiment import Experiment
from nightfold.labels.table import LabelSet
from nightfold.report import tearsheet_input
from nightfold.schema import TIME
from nightfold.tearsheet.content import TearsheetInput
from nightfold.tearsheet.gates import Gate

START = datetime(2024, 3, 4, tzinfo=UTC)
BARS = 600
HORIZON = 4
SIDES = ("p_down", "p_flat", "p_up")
MEMBERS = ("one", "two")
RANDOM = np.random.default_rng(3)
CLOSE = 100 * np.exp(np.cumsum(RANDOM.normal(0, 0.001, BARS)))
SAID = {who: RANDOM.dirichlet((2, 1, 2), BARS) for who in ("", *MEMBERS)}


def experiment(**settings: Any) -> Experiment:
    return Experiment.model_validate(
        {
            "name": "e",
            "first_as_of": "2024-03-04",
            "target": {"horizons": [HORIZON]},
            "models": {name: {"model": "class_frequencies"} for name in MEMBERS},
            "strategy": {"horizon": HORIZON},
            "costs": {"funding_rate": 0.0},
            "limits": {"instrument": "perpetual"},
            "gates": {"set": "models"},
            **settings,
        }
    )


def bars() -> pl.DataFrame:
    opened = np.append(100.0, CLOSE[:-1])
    return pl.DataFrame(
        {
            "symbol": "A",
            "open_time": pl.Series([START + n * timedelta(minutes=5) for n in range(BARS)], dtype=TIME),
            "open": opened,
            "high": np.maximum(opened, CLOSE),
            "low": np.minimum(opened, CLOSE),
            "close": CLOSE,
            "volume": 1.0,
        }
    )


def predictions(**speaker: str) -> pl.DataFrame:
    """Everybody says what is theirs, unless somebody speaks for them."""
    said = {
        f"{who}{'_' if who else ''}{side}_{HORIZON}": SAID[speaker.get(who or "ensemble", who)][:, place]
        for who in SAID
        for place, side in enumerate(SIDES)
    }
    return (
        bars()
        .select("symbol", "open_time")
        .with_columns(pl.lit(START).cast(TIME).alias("as_of"), pl.lit(0.004).alias("volatility"))
        .with_columns(pl.Series(name, values) for name, values in said.items())
    )


def labels() -> pl.DataFrame:
    label = np.argmax(SAID["two"], axis=1) - 1  # what the second member says always comes
    return bars().select("symbol", "open_time").with_columns(pl.Series(f"label_{HORIZON}", label.astype(np.int8)))


def worth(said: pl.DataFrame, policies: pl.DataFrame | None = None, **settings: Any) -> Evaluation:
    constants = {("pooled", "2024-03-04", HORIZON): [0.3, 0.4, 0.3]}
    made, label_set = experiment(**settings), LabelSet(horizons=[HORIZON])
    return evaluate(made, label_set, bars(), said, labels(), constants, BacktestRange(), policies)


def page(result: Evaluation, **settings: Any) -> TearsheetInput:
    return tearsheet_input(
        experiment(**settings),
        result,
        symbols=["A"],
        interval="5m",
        is_simulated=False,
        market="",
        settings="",
        provenance={},
    )


def gates(result: Evaluation, **settings: Any) -> dict[str, Gate]:
    return {gate.name: gate for gate in page(result, **settings).gates}


@pytest.mark.parametrize("exit_", ["time", "barrier"])
def test_a_member_alone_is_worth_what_an_ensemble_is_that_says_the_same(exit_: str) -> None:
    strategy = {"horizon": HORIZON, "exit": exit_}
    alone = worth(predictions(), strategy=strategy).summary["alone"]
    assert list(alone) == list(MEMBERS)
    for member, found in alone.items():
        expected = worth(predictions(ensemble=member), strategy=strategy).summary
        assert found["trades"] == expected["trades"]["closed"] > 20
        assert found["sharpe_ratio"] == expected["measures"]["sharpe_ratio"]
        assert found["is_lost"] is False
    assert alone["one"]["sharpe_ratio"] != alone["two"]["sharpe_ratio"]


def test_only_members_of_the_ensemble_are_traded_alone() -> None:
    assert list(worth(predictions(), ensemble={"members": ["two"]}).summary["alone"]) == ["two"]


def test_members_are_traded_by_the_policies_in_force() -> None:
    thresholds = {"min_confidence": 0.6, "min_edge": 0.0, "base_risk_fraction": 0.01, "max_risk_fraction": 0.02}
    flat = dict.fromkeys(thresholds)
    spec = {"window_days": 7, "trials": 2, "min_trades": 1}
    outcomes = []
    for each in (thresholds, flat):
        card = {"symbol": "A", "as_of": START, "is_complete": True, **each, "filter": None}
        policies = pl.DataFrame([card], schema_overrides={"as_of": TIME, "filter": pl.String})
        outcomes.append(worth(predictions(), policies, policy=spec).summary["alone"]["one"])
    traded, still = outcomes
    assert traded["trades"] > 5
    assert still == {"trades": 0, "sharpe_ratio": None, "is_lost": False}


def test_the_gates_of_models_pass_and_fail_by_what_each_did() -> None:
    result = worth(predictions())
    found = gates(result)
    assert list(found) == [f"{what} of {member}" for member in MEMBERS for what in ("Macro F1", "Sharpe ratio")]
    for member in MEMBERS:
        sharpe = result.summary["alone"][member]["sharpe_ratio"]
        (f1,) = result.scores.filter(model=member)["macro_f1"]
        assert found[f"Sharpe ratio of {member}"].value == sharpe
        assert found[f"Sharpe ratio of {member}"].passed is (sharpe > 0.3)
        assert found[f"Macro F1 of {member}"].value == pytest.approx(f1)
    assert found["Macro F1 of two"].value == 1.0  # it is always right
    assert found["Macro F1 of two"].passed is True
    assert found["Macro F1 of one"].note.startswith("chance reaches 0.3")


def test_a_lower_bar_is_passed_by_all_and_a_higher_one_by_none() -> None:
    result = worth(predictions())
    for least, passed in ((-1e6, True), (1e6, False)):
        asked = {"gates": {"set": "models", "min_model_sharpe": least, "min_model_f1": None}}
        assert [gate.passed for gate in gates(result, **asked).values()] == [passed] * 2


def test_f1_is_that_of_the_traded_horizon_by_rows() -> None:
    result = worth(predictions())
    score = result.scores.filter(model="one")
    other = score.with_columns(as_of=pl.lit(START.date() + timedelta(days=1)), macro_f1=pl.lit(0.1), rows=pl.lit(200.0))
    far = score.with_columns(horizon=pl.lit(20, pl.Int64), macro_f1=pl.lit(0.9))
    (first,) = score["macro_f1"]
    found = gates(replace(result, scores=pl.concat([score, other, far])))
    assert found["Macro F1 of one"].value == pytest.approx((BARS * first + 200 * 0.1) / (BARS + 200))
    assert found["Macro F1 of two"].passed is None


def test_values_have_no_f1_and_their_gates_say_so() -> None:
    settings: dict[str, Any] = {
        "target": {"kind": "return", "horizons": [HORIZON]},
        "models": {"lightgbm": None},
    }
    made = experiment(**settings)
    said = predictions().select(
        "symbol",
        "open_time",
        "as_of",
        "volatility",
        **{f"{who}mean_{HORIZON}": pl.Series(SAID["one"][:, 2] - SAID["one"][:, 0]) / 100 for who in ("", "lightgbm_")},
    )
    known = said.select(
        "symbol",
        "open_time",
        pl.lit(0.004).alias(f"forward_log_return_{HORIZON}"),
        pl.lit(START).alias(f"forward_end_{HORIZON}"),
    )
    constants = {("pooled", "2024-03-04", HORIZON): [0.0]}
    result = evaluate(made, LabelSet(horizons=[HORIZON]), bars(), said, known, constants, BacktestRange())
    (gate,) = page(result, **settings).gates
    assert gate.name == "Sharpe ratio of lightgbm"
    assert gate.passed is not None
    assert gate.note == "traded alone, after costs; forecasts of values have no F1"
