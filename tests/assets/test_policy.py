"""The policy asset on the simulated market: found on predictions before each as-of, in force from then on."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from assets.partitions import AsOfPartition
from assets.policy import STAGE, _market, _with_filter, stored_cards, stored_policies
from nightfold.errors import ConfigError
from nightfold.policy.filter import MetaFilter
from nightfold.tuning.ledger import LEDGER
from nightfold.window import window_of
from pipeline_defs.nightly import Night, policy
from pipeline_defs.runs import RunFailedError

POLICY = {
    "policy": {
        "window_days": 7,
        "trials": 6,
        "min_trades": 1,
        "min_deflated_sharpe": 0.0,
        "edge": "gross",
        "min_edge": [0.0, 0.05],
        "min_confidence": [0.0, 0.5],
    },
    "costs": {"taker_fee_bps": 0, "maker_fee_bps": 0, "half_spread_bps": 0, "slippage_bps": 0},
}
AS_OFS = ["2024-02-12", "2024-02-19", "2024-02-26"]


FILTERED = {**POLICY, "policy": {**POLICY["policy"], "filter": True, "window_days": 10}}


@pytest.fixture(scope="module")
def made(deploy: Callable[..., Any]) -> Any:
    deployment = deploy(experiments={"e": POLICY, "filtered": FILTERED, "plain": {}})
    with deployment.workshop() as workshop:
        for layer in ("ingest", "research", "train", "predict", "policy", "evaluate"):
            workshop.backfill(layer)
    return deployment


def plan_of(deployment: Any, name: str = "e") -> Any:
    return deployment.build()[1].plans[name]


def stored(deployment: Any, as_of: str, folder: Path) -> Path:
    lake = deployment.environment().lake
    return Path(lake.fetch_folder("e/policy", f"universe=pooled/{as_of}", folder / as_of))


def test_each_as_of_has_a_policy_and_the_first_window_is_flat(made: Any, tmp_path: Path) -> None:
    plan, lake = plan_of(made), made.environment().lake
    cards = [card for _, card in stored_cards(plan, lake)]
    assert [f"{card.as_of:%Y-%m-%d}" for card in cards] == AS_OFS
    assert [card.is_complete for card in cards] == [False, True, True]
    assert cards[0].reason == "0 of 7 days of predictions lie before it"
    assert [card.trials for card in cards] == [0, 6, 6]
    for as_of in AS_OFS[1:]:
        ledger = LEDGER.validate(pl.read_parquet(stored(made, as_of, tmp_path) / "trials.parquet"))
        assert set(ledger["subject"]) == {"e/policy/pooled"}
        last = ledger["first_day"] + pl.duration(days=1) * 6
        assert all(day < datetime.fromisoformat(as_of).date() for day in ledger.select(last)["first_day"])


def test_a_policy_sees_only_bars_that_had_closed_and_forecasts_made_in_time(made: Any) -> None:
    plan, lake = plan_of(made), made.environment().lake
    as_of = datetime(2024, 2, 19, tzinfo=UTC)
    market = _market(plan, lake, AsOfPartition(window_of(as_of, "week"), "pooled"), as_of - timedelta(days=7))
    for frame in (market.bars, market.outlooks):
        assert frame["open_time"].min() == as_of - timedelta(days=7)
        assert frame["open_time"].max() + timedelta(hours=1) == as_of - timedelta(hours=1)
    assert market.outlooks["move"].null_count() == 0


def test_the_account_begins_at_the_first_whole_window_and_follows_the_policy_in_force(
    made: Any, tmp_path: Path
) -> None:
    plan, lake = plan_of(made), made.environment().lake
    folder = lake.fetch_folder("e/backtest", "range=full", tmp_path / "backtest")
    equity, trades = (pl.read_parquet(folder / f"{name}.parquet") for name in ("equity", "trades"))
    assert equity["close_time"][0] == datetime(2024, 2, 19, 1, tzinfo=UTC)
    flat = {card.as_of for _, card in stored_cards(plan, lake) if card.thresholds is None}
    for begins in flat:
        within = trades["entry_time"].is_between(
            begins + timedelta(hours=1), begins + timedelta(days=7), closed="right"
        )
        assert not within.any()
    if flat != {card.as_of for _, card in stored_cards(plan, lake)}:
        assert trades.height > 0


def test_a_filter_learns_on_the_older_half_and_thresholds_are_searched_on_the_newer(
    made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def fit(outlooks: pl.DataFrame, outcomes: pl.DataFrame, horizon: int) -> MetaFilter:
        seen.update(outlooks=outlooks, outcomes=outcomes)
        return MetaFilter(centre=[0.0] * 5, scale=[1.0] * 5, weights=[0.0] * 5, intercept=0.0)

    monkeypatch.setattr("assets.policy.fit_filter", fit)
    plan, lake = plan_of(made, "filtered"), made.environment().lake
    as_of = datetime(2024, 2, 26, tzinfo=UTC)
    partition = AsOfPartition(window_of(as_of, "week"), "pooled")
    market = _market(plan, lake, partition, as_of - timedelta(days=10))
    newer, found = _with_filter(plan, lake, partition, market)
    assert found is not None
    middle = newer.bars["open_time"].min()
    assert seen["outlooks"]["open_time"].max() < middle
    assert newer.outlooks["open_time"].min() == middle
    assert newer.outlooks["confidence"].drop_nulls().unique().to_list() == [0.5]
    labels = lake.require("labels", plan.symbols, as_of - timedelta(days=10), middle)
    rows = (
        seen["outlooks"].hstack(seen["outcomes"].drop("symbol", "open_time")).join(labels, on=["symbol", "open_time"])
    )
    late = rows.filter(pl.col("label_end_5") > middle)
    assert late.height > 0
    assert late["actual_move"].null_count() == late.height
    known = rows.drop_nulls("actual_move")
    assert known["actual_move"].equals(known["log_return_5"], null_equal=True)


def test_too_few_outcomes_for_a_filter_are_a_flat_period(made: Any) -> None:
    plan, lake = plan_of(made, "filtered"), made.environment().lake
    *_, (_, card) = stored_cards(plan, lake)
    assert (card.reason, card.cause) == ("too few of its forecasts paid, or did not, to learn a filter", "no_filter")


def test_an_experiment_without_a_policy_has_none(made: Any) -> None:
    plan, lake = plan_of(made, "plain"), made.environment().lake
    assert stored_policies(plan, lake) is None
    assert plan.key(STAGE) not in {key for keys in made.build()[1].layers.values() for key in keys}


def test_a_night_makes_the_policies_of_models_that_have_none(made: Any) -> None:
    environment = made.environment()
    night = Night(made.build()[1], environment.universe, environment.lake, environment.now())
    assert policy(night) == []


def test_made_again_it_is_the_same_byte_for_byte(made: Any, tmp_path: Path) -> None:
    before = {as_of: (stored(made, as_of, tmp_path / "a") / "policy.json").read_bytes() for as_of in AS_OFS}
    with made.workshop() as workshop:
        workshop.backfill("policy")
    after = {as_of: (stored(made, as_of, tmp_path / "b") / "policy.json").read_bytes() for as_of in AS_OFS}
    assert before == after
    assert json.loads(after[AS_OFS[1]])["trials"] == 6


def test_a_policy_layer_without_a_policy_says_how_to_get_one(deploy: Callable[..., Any]) -> None:
    with deploy(experiments={"e": {}}).workshop() as workshop, pytest.raises(ConfigError, match=r"policy: \{\}"):
        workshop.backfill("policy")


def test_a_window_is_whole_only_where_every_symbol_was_forecast_from_its_first_bar(made: Any, tmp_path: Path) -> None:
    theirs = made.copy(tmp_path)
    plan, lake = plan_of(theirs), theirs.environment().lake
    for path in (theirs.lake / "e/predictions/symbol=BBBUSDT").glob("*.parquet"):
        late = pl.col("open_time") >= pl.datetime(2024, 2, 21, time_zone="UTC")
        frame = pl.read_parquet(path)
        frame.with_columns(pl.when(late).then(pl.col("as_of"))).write_parquet(path)
    with theirs.workshop() as workshop:
        workshop.backfill("policy")
    cards = [card for _, card in stored_cards(plan, lake)]
    assert [card.is_complete for card in cards] == [False, False, False]
    assert [card.reason for card in cards][1:] == [
        "0 of 7 days of predictions lie before it",
        "5 of 7 days of predictions lie before it",
    ]


def test_a_first_night_without_any_forecast_before_it_is_flat_and_goes_on(deploy: Callable[..., Any]) -> None:
    place = deploy(experiments={"e": POLICY})
    with place.workshop() as workshop:
        for layer in ("ingest", "research"):
            workshop.backfill(layer)
        workshop.backfill("train", "2024-02-26", "2024-02-26")
        workshop.backfill("predict", "2024-02", "2024-02")
        workshop.backfill("policy", "2024-02-26", "2024-02-26")
    ((_, card),) = stored_cards(plan_of(place), place.environment().lake)
    assert not card.is_complete
    assert card.cause == "few_days"
    assert card.reason == "0 of 7 days of predictions lie before it"


def test_policies_found_under_other_settings_or_none_at_all_are_no_policies(made: Any, tmp_path: Path) -> None:
    theirs = made.copy(tmp_path)
    theirs.write("experiments/e.yaml", {**read_yaml(theirs, "e"), "policy": {**POLICY["policy"], "trials": 7}})
    with theirs.workshop() as workshop, pytest.raises(RunFailedError, match="found under other settings"):
        workshop.backfill("evaluate", experiment="e")
    shutil.rmtree(theirs.lake / "e/policy")
    with theirs.workshop() as workshop, pytest.raises(RunFailedError, match="there are none"):
        workshop.backfill("evaluate", experiment="e")


def read_yaml(deployment: Any, name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((deployment.configs / f"experiments/{name}.yaml").read_text()))
