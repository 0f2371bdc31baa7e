"""Models side by side."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from nightfold.comparison import as_markdown, compare
from nightfold.models.objective import Objective
from nightfold.tearsheet.comparison import render_comparison

RANDOM = np.random.default_rng(1)
SAID = RANDOM.normal(size=50)


def scores() -> pl.DataFrame:
    rows = [
        {
            "as_of": date(2024, 1, week),
            "model": model,
            "horizon": horizon,
            "metric": "rmse",
            "loss": loss + 0.001 * week,
            "constant_loss": 1.0,
            **dict.fromkeys(("macro_f1", "macro_f1_chance", "direction_gain"), None),
            "r2": 0.1,
            "sign_accuracy": 0.5,
            "coverage": None,
        }
        for week in (1, 2, 3)
        for horizon in (5, 20)
        for model, loss in (("ensemble", 0.9), ("a", 0.95 if horizon == 5 else 0.8), ("b<", 1.1))
    ]
    return pl.DataFrame(
        rows, schema_overrides=dict.fromkeys(("macro_f1", "macro_f1_chance", "direction_gain", "coverage"), pl.Float64)
    )


@pytest.fixture(scope="module")
def found():
    said = {"a_mean_5": SAID, "a_mean_20": SAID, "b<_mean_5": -SAID, "b<_mean_20": np.full(50, 2.0)}
    return compare(
        scores(),
        pl.DataFrame(said),
        Objective(task="regression"),
        [5, 20],
        ["a", "b<"],
        {("a", 5): 2.0, ("b<", 5): 3.0},
    )


def test_the_best_model_of_each_horizon_is_named_with_its_skill(found) -> None:
    best = found.best.rows(named=True)
    assert [(row["horizon"], row["model"], row["skilled"]) for row in best] == [(5, "ensemble", True), (20, "a", True)]
    assert best[0]["loss_gain"] == pytest.approx(1 - 0.902)


def test_of_classes_skill_is_skill_in_direction() -> None:
    classed = scores().with_columns(
        metric=pl.lit("log_loss"), direction_gain=pl.lit(0.01) - 0.02 * (pl.col("horizon") == 20)
    )
    said = {
        f"{model}_{side}_{h}": SAID for model in ("a", "b<") for side in ("p_down", "p_flat", "p_up") for h in (5, 20)
    }
    text = as_markdown(compare(classed, pl.DataFrame(said), Objective(), [5, 20], ["a", "b<"], {}), "Models")
    assert "- 5 bars: `ensemble`, direction better than its base rate" in text
    assert "- 20 bars: `a`, no skill in direction; log loss mostly measures volatility." in text


def test_an_ensemble_costs_what_its_members_cost(found) -> None:
    costs = {(row["model"], row["horizon"]): row["cpu_seconds"] for row in found.models.rows(named=True)}
    assert (costs["ensemble", 5], costs["a", 5], costs["a", 20]) == (5.0, 2.0, None)


def test_correlations_are_of_what_was_forecast_and_unknown_for_a_constant(found) -> None:
    short, long = found.correlations[5], found.correlations[20]
    assert short["a"].to_list() == pytest.approx([1, -1])
    assert long["b<"].to_list() == [None, None]


def test_measures_the_task_does_not_have_are_left_out_and_text_is_escaped(found) -> None:
    assert "macro_f1" not in found.models.columns
    text, page = as_markdown(found, "Models of e", "simulated"), render_comparison(found, "Models of <e>", "simulated")
    assert "| ensemble | 5 |" in text
    assert "Root mean square error" in page
    assert "Models of &lt;e&gt;" in page
    assert "b&lt;" in page
    assert "Simulated market" in page
    assert page == render_comparison(found, "Models of <e>", "simulated")


def test_a_member_that_may_have_seen_the_test_is_marked_and_so_is_the_ensemble_it_is_in() -> None:
    said = {f"{name}_mean_{horizon}": SAID for name in ("a", "b<") for horizon in (5, 20)}
    given = (scores(), pl.DataFrame(said), Objective(task="regression"), [5, 20])
    marked = compare(*given, ["a", "b<"], {}, seen=["a"])
    seen = dict(marked.models.select("model", "seen").iter_rows())
    assert seen == {"ensemble": "yes", "a": "yes", "b<": "no"}
    text = as_markdown(marked, "Models", remarks=["Possibly seen: a."])
    assert "\n\nPossibly seen: a.\n\n" in text
    assert "`a`, better than the constant by over two standard errors, possibly seen before." in text
    assert "possibly seen" in render_comparison(marked, "Models")
    apart = compare(*given, ["b<"], {}, seen=["a"])
    assert dict(apart.models.select("model", "seen").iter_rows())["ensemble"] == "no"
    assert "seen" not in compare(*given, ["a", "b<"], {}).models.columns


def test_quantiles_are_compared_level_by_level_and_by_coverage() -> None:
    levels = pl.DataFrame(
        {
            "model": ["a", "a"],
            "horizon": [5, 5],
            "level": [0.05, None],
            "wanted": [0.05, 0.9],
            "share": [0.0712, 0.87],
            "low": [0.03, None],
            "high": [0.11, None],
            "pinball": [0.00123, 0.002],
            "independent": [150.4, 150.4],
            "is_thin": [True, False],
        }
    )
    scored = scores().with_columns(metric=pl.lit("pinball"), coverage=pl.lit(0.87))
    said = pl.DataFrame({f"{model}_q{level}_5": SAID for model in ("a", "b<") for level in ("05", "50", "95")})
    made = compare(scored, said, Objective(task="quantile"), [5], ["a", "b<"], {}, levels=levels)
    assert set(made.models["coverage"].round(6)) == {0.87}
    text, page = as_markdown(made, "Models"), render_comparison(made, "Models")
    assert "| a | 5 | 0.05 | 5.0 % | 7.1 % | 3.0 % | 11.0 % | 0.00123 | 150 | yes |" in text
    assert "| a | 5 | between | 90.0 % | 87.0 % | – | – | 0.002 | 150 | no |" in text
    assert "<td>7.1 %</td>" in page
    assert "Level by level" not in as_markdown(compare(scored, said, Objective(task="quantile"), [5], ["a"], {}), "M")


def test_r2_of_training_and_validation_rows_stand_beside_that_of_the_test() -> None:
    """What is learnt by heart is seen at a glance: .6 of rows it knew, nothing of those it did not."""
    learnt = pl.DataFrame(
        {"model": ["a"], "horizon": [5], "train_r2": [0.6], "validation_r2": [-0.02]},
        schema_overrides={"horizon": pl.Int64},
    )
    said = pl.DataFrame({f"{name}_mean_{horizon}": SAID for name in ("a", "b<") for horizon in (5, 20)})
    given = (scores(), said, Objective(task="regression"), [5, 20], ["a", "b<"], {})
    made = compare(*given, learnt=learnt)
    row = made.models.row(by_predicate=(pl.col("model") == "a") & (pl.col("horizon") == 5), named=True)
    assert (row["train_r2"], row["validation_r2"], row["r2"]) == (0.6, -0.02, pytest.approx(0.1))
    text = as_markdown(made, "Models")
    assert "| R2 train | R2 validation | R2 test |" in text
    assert "| 0.6 | -0.02 | 0.1 |" in text
    assert "<td>0.6</td>" in render_comparison(made, "Models")
    unknown = learnt.with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("train_r2", "validation_r2"))
    assert "train_r2" not in compare(*given, learnt=unknown).models.columns


def test_how_differently_members_see_rows_is_written_out(found) -> None:
    pairs = pl.DataFrame({"first": ["a"], "second": ["b<"], "error_correlation": [0.25], "q_statistic": [None]})
    text = as_markdown(found, "Models", pairs=pairs)
    assert "| first | second | error correlation | q statistic |" in text
    assert "| a | b< | 0.25 |" in text
    assert "differently" not in as_markdown(found, "Models", pairs=pl.DataFrame())
