"""Asset checks, run by Dagster on a whole lake and on one that was damaged."""

import re

import dagster as dg
import polars as pl
import pytest

from nightfold.features.catalog import FEATURES

pytestmark = pytest.mark.xdist_group("line")

ALL = {
    ("bars", "schema"),
    ("bars", "completeness"),
    ("bars", "freshness"),
    ("features", "schema"),
    ("features", "leaks"),
    ("features", "functions"),
    ("labels", "schema"),
    ("labels", "balance"),
    ("single/forecast_log", "reliability"),
    ("pooled_one/forecast_log", "reliability"),
}


@pytest.fixture
def ours(finished, tmp_path):
    return finished.copy(tmp_path)


@pytest.fixture
def check(ours):
    """Run every check; return the evaluations by asset and check."""

    def run():
        definitions, _ = ours.build()
        job = dg.define_asset_job("checks", dg.AssetSelection.all_asset_checks())
        checked = dg.Definitions.merge(definitions, dg.Definitions(jobs=[job])).resolve_job_def("checks")
        with dg.DagsterInstance.ephemeral() as instance:
            found = checked.execute_in_process(instance=instance).get_asset_check_evaluations()
        return {(each.asset_key.to_user_string(), each.check_name): each for each in found}

    return run


def failed(evaluations):
    """Checks of data that failed; confidence learnt from a few days, as here, may well be too high."""
    return {key for key, each in evaluations.items() if not each.passed and key[1] != "reliability"}


def change(deployment, key, partition, *columns):
    path = deployment.lake / key / partition
    pl.read_parquet(path).with_columns(*columns).write_parquet(path)


def test_every_check_passes_on_an_undamaged_lake(check):
    evaluations = check()
    assert set(evaluations) == ALL
    assert failed(evaluations) == set()
    assert evaluations["bars", "completeness"].metadata["days"].value == 2 * 60
    assert evaluations["bars", "freshness"].metadata["hours_behind/AAAUSDT"].value == 0.0
    assert evaluations["features", "leaks"].metadata["features"].value == len(FEATURES)


def test_a_price_below_zero_breaks_the_schema(ours, check):
    change(ours, "bars", "symbol=BBBUSDT/2024-02-01.parquet", pl.lit(-1.0).alias("low"))
    evaluations = check()
    assert ("bars", "schema") in failed(evaluations)
    assert "low: greater_than(0)" in evaluations["bars", "schema"].metadata["faults"].value


def test_a_feature_that_is_not_a_number_breaks_the_schema(ours, check):
    infinite = pl.lit(float("inf"), pl.Float32).alias("log_return_1")
    change(ours, "features", "symbol=AAAUSDT/2024-02-01.parquet", infinite)
    assert ("features", "schema") in failed(check())


def test_a_lost_day_is_counted_by_symbol_and_day(ours, check):
    path = ours.lake / "bars/symbol=AAAUSDT/2024-01-01.parquet"
    bars = pl.read_parquet(path)
    bars.filter(pl.col("open_time").dt.date() != pl.date(2024, 1, 17)).write_parquet(path)
    evaluations = check()
    assert failed(evaluations) == {("bars", "completeness"), ("features", "leaks")}  # these bars give other features
    assert evaluations["bars", "completeness"].metadata["missing_bars"].value == 24
    table = evaluations["bars", "completeness"].metadata["days_with_missing_bars"].value
    assert "| AAAUSDT | 2024-01-17 | 24 | 0 |" in table
    assert evaluations["bars", "completeness"].severity == dg.AssetCheckSeverity.WARN


def test_a_symbol_that_stopped_is_neither_fresh_nor_complete(ours, check):
    (ours.lake / "bars/symbol=BBBUSDT/2024-02-01.parquet").unlink()
    evaluations = check()
    assert failed(evaluations) == {("bars", "completeness"), ("bars", "freshness")}
    assert evaluations["bars", "freshness"].metadata["hours_behind/BBBUSDT"].value == 29 * 24
    assert evaluations["bars", "completeness"].metadata["missing_bars"].value == 29 * 24


def test_stored_features_that_know_the_next_bar_are_found(ours, check):
    path = ours.lake / "features/symbol=AAAUSDT/2024-02-01.parquet"
    change(ours, "features", path.relative_to(ours.lake / "features"), pl.col("log_return_1").shift(-1))
    evaluations = check()
    assert failed(evaluations) == {("features", "leaks")}
    row = r"\| 2024-02-01 \| AAAUSDT \| log_return_1 \| \d{3} \| \d{3} \|"
    assert re.search(row, evaluations["features", "leaks"].metadata["faults"].value)


def test_a_feature_that_reads_the_future_is_found(check, monkeypatch):
    from nightfold.features import audit

    honest = audit.compute_features

    def leaking(bars, *arguments, **choices):
        made = honest(bars, *arguments, **choices)
        if "rsi_14" not in made.columns:
            return made
        return made.with_columns(pl.col("rsi_14").shift(-1).over("symbol"))

    monkeypatch.setattr(audit, "compute_features", leaking)
    evaluations = check()
    assert failed(evaluations) == {("features", "leaks"), ("features", "functions")}
    assert "| rsi_14 " in evaluations["features", "functions"].metadata["faults"].value


def test_labels_of_one_class_are_out_of_balance(ours, check):
    for symbol in ("AAAUSDT", "BBBUSDT"):
        change(ours, "labels", f"symbol={symbol}/2024-02-01.parquet", pl.lit(1, pl.Int8).alias("label_5"))
    assert failed(check()) == {("labels", "balance")}
