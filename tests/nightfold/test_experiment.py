"""One experiment: what it may say, and what must fit together."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nightfold.errors import ConfigError
from nightfold.experiment import CATALOGS, STAGES, Experiment
from nightfold.labels.table import LabelSet
from nightfold.models.boosting.lightgbm import LightGBMSpec
from nightfold.source import parse_source
from nightfold.universe import Universe

SMALLEST = {"name": "small", "first_as_of": "2024-03-01", "models": {"lightgbm": None}}
UNIVERSE = Universe.model_validate(
    {
        "source": "simulated",
        "symbols": ["BTCUSDT", "ETHUSDT"],
        "start": "2024-01-01",
        "end": "2024-07-01",
        "intervals": ["5m", "1h"],
    }
)
LABEL_SETS = {"labels": LabelSet(horizons=[5, 10, 15, 20]), "wide": LabelSet(name="wide", horizons=[20, 40])}


def experiment(**settings: Any) -> Experiment:
    return Experiment.model_validate({**SMALLEST, **settings})


def test_a_member_named_like_a_catalog_entry_is_that_entry() -> None:
    chosen = experiment(models={"lightgbm": {"leaves": 7}}).models["lightgbm"]
    assert chosen.model == "lightgbm"
    assert chosen.spec == LightGBMSpec(leaves=7)


def test_two_members_may_be_one_entry_with_other_settings() -> None:
    models = experiment(models={"slow": {"model": "lightgbm", "rounds": 300}, "lightgbm": None}).models
    assert {name: choice.spec for name, choice in models.items()} == {
        "slow": LightGBMSpec(rounds=300),
        "lightgbm": LightGBMSpec(),
    }


def test_what_was_given_is_not_changed() -> None:
    given: dict[str, Any] = {"slow": {"model": "lightgbm", "rounds": 300}}
    experiment(models=given)
    assert given == {"slow": {"model": "lightgbm", "rounds": 300}}


@pytest.mark.parametrize("name", ["Small", "1h", "a-b", "a b", "", "a/b", "ä", *sorted(STAGES | CATALOGS)])
def test_names_that_mean_something_else_are_refused_for_an_experiment(name: str) -> None:
    with pytest.raises(ValidationError, match="the experiment name is"):
        experiment(name=name)


@pytest.mark.parametrize("name", ["Small", "a/b", *sorted(STAGES)])
def test_and_for_a_model(name: str) -> None:
    with pytest.raises(ValidationError, match="the model name is"):
        experiment(models={name: {"model": "lightgbm"}})


@pytest.mark.parametrize("owner", ["me@example.org", "team:quants", "team:market.data-2", None])
def test_an_owner_is_an_address_or_a_team(owner: str | None) -> None:
    assert experiment(owner=owner).owner == owner


def test_every_owner_that_is_accepted_is_one_that_dagster_accepts() -> None:
    import dagster as dg

    for owner in ("me@example.org", "team:quants", "team:market.data-2"):
        dg.AssetSpec("a", owners=[owner])
    for owner in ("me", "team:", "a b@c.de"):
        with pytest.raises(ValidationError, match="owner"):
            experiment(owner=owner)


def test_symbols_are_a_part_of_the_universe_or_all_of_it() -> None:
    assert experiment().traded(["BTCUSDT", "ETHUSDT"]) == ["BTCUSDT", "ETHUSDT"]
    assert experiment(symbols=["ETH/USDT"]).traded(["BTCUSDT", "ETHUSDT"]) == ["ETHUSDT"]
    with pytest.raises(ConfigError, match="symbol `SOLUSDT` is unknown"):
        experiment(symbols=["SOLUSDT"]).traded(["BTCUSDT", "ETHUSDT"])


@pytest.mark.parametrize(
    ("pooling", "keys", "members"),
    [
        ("pooled", ["pooled"], [["BTCUSDT", "ETHUSDT"]]),
        ("per_symbol", ["BTCUSDT", "ETHUSDT"], [["BTCUSDT"], ["ETHUSDT"]]),
    ],
)
def test_one_model_is_fitted_over_all_symbols_or_one_each(
    pooling: str, keys: list[str], members: list[list[str]]
) -> None:
    made = experiment(pooling=pooling)
    assert made.universe_keys(UNIVERSE.symbols) == keys
    assert [made.members(key, UNIVERSE.symbols) for key in keys] == members


@pytest.mark.parametrize(("settings", "days"), [({}, 4), ({"retrain": "week"}, 10), ({"retrain": "month"}, 34)])
def test_a_model_outlives_its_period_by_three_days(settings: dict[str, Any], days: int) -> None:
    assert experiment(**settings).model_lifetime == timedelta(days=days)
    assert experiment(**settings, max_model_age=50).model_lifetime == timedelta(days=50)


def test_a_model_that_dies_before_its_successor_comes_is_refused() -> None:
    with pytest.raises(ValueError, match="`max_model_age` is 6; models that are replaced each week must live 7 days"):
        experiment(retrain="week", max_model_age=6)


def test_labels_that_call_a_timeout_up_or_down_are_refused() -> None:
    signed = {"labels": LABEL_SETS["labels"].model_copy(update={"vertical": "sign"})}
    with pytest.raises(ConfigError, match="Take a set with `vertical: zero`"):
        experiment().check_against(UNIVERSE, signed)


def test_what_fits_the_universe_is_accepted() -> None:
    experiment().check_against(UNIVERSE, LABEL_SETS)
    experiment(interval="1h", symbols=["ETHUSDT"]).check_against(UNIVERSE, LABEL_SETS)
    wide = experiment(target={"label_set": "wide", "horizons": [40]}, strategy={"horizon": 40})
    wide.check_against(UNIVERSE, LABEL_SETS)
    of_all = {"tick_size": {"BTCUSDT": 0.1, "ETHUSDT": 0.01}, "quantity_step": {"ETHUSDT": 0.001}}
    experiment(symbols=["ETHUSDT"], costs=of_all).check_against(UNIVERSE, LABEL_SETS)
    endless = UNIVERSE.model_copy(update={"end": None})
    experiment(first_as_of="2030-01-01").check_against(endless, LABEL_SETS)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"symbols": ["SOLUSDT"]}, "symbol `SOLUSDT` is unknown"),
        ({"interval": "15m"}, "`interval` is '15m'; the universe has 5m, 1h"),
        ({"target": {"label_set": "wid"}}, r"`target.label_set` `wid` is unknown; did you mean wide\?"),
        ({"target": {"horizons": [7, 20]}}, r"`target.horizons` has \[7\]; label set `labels` has \[5, 10, 15, 20\]"),
        ({"name": "wide"}, "the experiment name is 'wide', which is a label set's"),
        (
            {"costs": {"tick_size": {"XRPUSDT": 0.1}}},
            "`costs.tick_size` has no value for BTCUSDT, ETHUSDT and has one for XRPUSDT, which the universe lacks; "
            r"give one for each symbol that is traded \(BTCUSDT, ETHUSDT; 0 for none\), or one number for all",
        ),
        ({"costs": {"quantity_step": {"BTCUSDT": 1}}}, "`costs.quantity_step` has no value for ETHUSDT; give"),
        (
            {"costs": {"minimum_order": {"ETHUSDT": 5, "ETHUSD": 5}}, "symbols": ["ETHUSDT"]},
            "`costs.minimum_order` has one for ETHUSD, which the universe lacks; give",
        ),
        ({"first_as_of": "2024-01-01"}, "`first_as_of` is 2024-01-01; bars run from 2024-01-01 to 2024-07-01"),
        ({"first_as_of": "2024-07-01"}, "`first_as_of` is 2024-07-01; bars run from 2024-01-01 to 2024-07-01"),
    ],
)
def test_what_the_universe_lacks_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        experiment(**settings).check_against(UNIVERSE, LABEL_SETS)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"split": {"train_days": 1}}, "`split` leaves no rows to train on: of the 276 bars from 2024-02-29 00:00"),
        ({"split": {"train_days": 2, "purge": 1000}}, "no rows to train on: .*`purge` 1000"),
        ({"split": {"in_force_delay": "400d"}}, "of the 0 bars from .* shorten the gaps and `in_force_delay`"),
        (
            {"first_as_of": "2024-01-03"},
            "of the 0 bars from 2024-01-02 23:25 to .*Lengthen .* history before `first_as",
        ),
        ({"first_as_of": "2024-01-17", "retrain": "month"}, "of the 0 bars from 2024-01-02 23:25 to 2023-12-31 23:00"),
        (
            {"split": {"expanding": True, "train_days": 1}, "first_as_of": "2024-01-04"},
            "of the 283 bars from 2024-01-02 23:25 to 2024-01-03 23:00",
        ),
        (
            {"split": {"train_days": 4}, "models": {"gru": {"window": 700}}},
            "of the 441 bars from 2024-02-28 10:15 to 2024-02-29 23:00",
        ),
        (
            {"split": {"train_days": 4}, "models": {"gru": {"tuning": {"space": {"window": [8, 700]}}}}},
            "of the 441 bars from 2024-02-28 10:15",
        ),
        (
            {
                "target": {"kind": "return", "horizons": [5, 400]},
                "split": {"train_days": 10},
                "strategy": {"horizon": 5},
            },
            "no rows in half of validation: .* 400 or more lie between its halves .*labels of 400 or more bars",
        ),
    ],
)
def test_a_first_split_that_must_be_empty_is_refused_with_its_bars_counted(
    settings: dict[str, Any], words: str
) -> None:
    """The longest feature looks back 569 bars of 5 minutes: the first row is that of 23:25 on the second day."""
    sets = {"labels": LabelSet(horizons=[5, 10, 15, 20, 400])}
    with pytest.raises(ConfigError, match=words):
        experiment(**settings).check_against(UNIVERSE, sets)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"models": {"lightgbm": {"tuning": {"folds": 900}}}},
            r"`tuning\.folds` of model `lightgbm` is 900, and the 1419 moments .* before 2024-03-01 fill 709 at most: ",
        ),
        (
            {"models": {"lightgbm": {"tuning": {"folds": 2000, "scheme": "purged_kfold"}}}},
            r"is 2000, .* fill 1419 at most: ",
        ),
        (
            {"models": {"lightgbm": {"tuning": {"folds": 80}}}},
            r"cannot fill them: `rungs` leave one of 9 .* `rungs: 1`",
        ),
        (
            {"ensemble": {"method": "stack", "oof_blocks": 957}},
            r"`ensemble\.oof_blocks` is 957, and the 1595 moments .* fill 956 at most: .* ask for fewer blocks",
        ),
        ({"ensemble": {"method": "stack", "oof": "purged_kfold", "oof_blocks": 1600}}, r"fill 1595 at most: "),
        (
            {"ensemble": {"method": "rank", "oof_blocks": 100}, "target": {"stride": 10}},
            r"is 100, and the 1(59|60|61) moments .* fill 9[56] at most: ",
        ),
    ],
)
def test_folds_and_blocks_that_no_history_without_a_hole_fills_are_refused(
    settings: dict[str, Any], words: str
) -> None:
    """Seven days of 5 minutes up to 23:00 are bars 0 to 2,003, and validation begins at 2,004 * .7 / .85 = 1,650.4.

    Train ends 348 before that, with bar 1,302. The label of bar 2,002 ends at 23:00, so the halves of validation meet
    at 1,826.5 and the earlier ends 60 before, with 1,766: 1,303, 116 and 176 rows. Blocks of .3 of all 1,595 moments
    are empty where they would be of half a moment: from 957 on.
    """
    short = {"split": {"train_days": 7}}
    with pytest.raises(ConfigError, match=words):
        experiment(**short, **settings).check_against(UNIVERSE, LABEL_SETS)


def test_folds_and_blocks_that_a_history_fills_are_accepted() -> None:
    accepted: list[dict[str, Any]] = [
        {"models": {"lightgbm": {"tuning": {"folds": 60}}, "class_frequencies": None}},
        {"ensemble": {"method": "stack", "oof_blocks": 700}},
        {"ensemble": {"method": "stack", "oof": "past"}},
    ]
    for settings in accepted:
        experiment(split={"train_days": 7}, **settings).check_against(UNIVERSE, LABEL_SETS)


def test_what_this_machine_lacks_is_told_by_member_when_asked_and_not_when_read(tmp_path: Path) -> None:
    value = {"kind": "return", "task": "regression", "horizons": [20]}
    lost = experiment(target=value, models={"known": {"model": "fracast", "folder": str(tmp_path / "nowhere")}})
    lost.check_against(UNIVERSE, LABEL_SETS)
    with pytest.raises(ConfigError, match=r"model `known`: `folder` is .*nowhere; there is no such folder"):
        lost.check_here()
    swept = experiment(target=value, models={"fracast": {"tuning": {"space": {"folder": [None, str(tmp_path)]}}}})
    with pytest.raises(ConfigError, match="model `fracast`: "):
        swept.check_here()
    experiment().check_here()


def test_a_gpu_that_is_not_there_is_told_and_torch_stays_away_where_none_is_asked_for() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    words = "model `gru`: `device` is cuda and torch finds no GPU here; take auto or cpu"
    for member in ({"device": "cuda"}, {"tuning": {"space": {"device": ["cpu", "cuda"]}}}):
        with pytest.raises(ConfigError, match=words):
            experiment(models={"gru": member}).check_here()
    code = (
        "import sys; from nightfold.experiment import Experiment; "
        "Experiment(name='a', first_as_of='2024-03-01', models={'gru': {}, 'tcn': {'device': 'cpu'}}).check_here(); "
        "print('torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


VALUE = {"kind": "return", "task": "regression", "horizons": [20]}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            {"nhits": {"exogenous": ["volatility_20"]}},
            r"model `nhits` needs volatility_20 \(`exogenous`\), not among the",
        ),
        ({"tft": {"series": "volatility_20"}}, r"`tft` needs volatility_20 \(`series`\)"),
        ({"patchtst": {"series": "log_return"}}, r"log_return \(`series`\).* name one that is, such as log_return_"),
        ({"fracast": {"beside": ["rsi_14", "log_return_1", "adx_14"]}}, r"needs rsi_14 .*, adx_14 \(`beside`\), not"),
        ({"fracast": {"series": "close"}}, r"`fracast` needs close \(`series`\).*choose it in `features` too"),
        ({"last_return": {"feature": "log_return_7"}}, r"`last_return` needs log_return_7 \(`feature`\)"),
        (
            {"nhits": {"tuning": {"space": {"series": ["log_return_1", "rsi_14"]}}}},
            r"`nhits` needs rsi_14 \(`series`\)",
        ),
    ],
)
def test_features_that_settings_name_must_be_chosen(model: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        experiment(target=VALUE, models=model, features={"groups": ["returns"]})
    experiment(target=VALUE, models=dict.fromkeys(model), features={"groups": ["returns"]})


def test_what_a_search_may_try_counts_for_the_window() -> None:
    """The sweep of the next-bar Transformer asks for 128, 192 and 256 bars; as it stands it looks at 128."""
    next_bar: dict[str, Any] = {
        "target": {"kind": "next_bar", "horizons": [1]},
        "strategy": {"horizon": 1},
        "models": {"next_bar_transformer": {"tuning": {}}},
    }
    assert experiment(**next_bar).window == 256
    assert experiment(**{**next_bar, "models": {"next_bar_transformer": None}}).window == 128
    assert experiment(models={"gru": {"tuning": {"space": {"window": [3, 6]}}}, "lightgbm": None}).window == 6
    assert experiment(models={"gru": {"window": 9}, "lightgbm": {"tuning": {}}}).window == 9


LED = UNIVERSE.model_copy(update={"leader": "BTCUSDT"})
WITH_ACROSS = {"features": {"sets": ["default", "cross_asset"]}}
WITH_FLOW = {"features": {"sets": ["default", "order_flow"]}}


def test_the_sets_beside_the_default_one_can_be_chosen_where_the_universe_feeds_them() -> None:
    experiment(**WITH_ACROSS).check_against(LED, LABEL_SETS)
    experiment(**WITH_FLOW).check_against(UNIVERSE, LABEL_SETS)
    recorded = UNIVERSE.model_copy(update={"source": parse_source("folder:bars")})
    experiment(**WITH_FLOW).check_against(recorded, LABEL_SETS)
    unused = {"features": {"sets": ["default", "cross_asset"], "groups": ["returns"]}}
    experiment(**unused).check_against(UNIVERSE, LABEL_SETS)


@pytest.mark.parametrize(
    ("universe", "settings", "words"),
    [
        (
            UNIVERSE,
            WITH_ACROSS,
            r"leader_beta_288.* BTCUSDT, ETHUSDT and the `leader` None. Name one .*`leader: BTCUSDT`",
        ),
        (LED.model_copy(update={"symbols": ["BTCUSDT"]}), WITH_ACROSS, "the universe has BTCUSDT and the `leader` BTC"),
        (
            UNIVERSE.model_copy(update={"source": parse_source("exchange:kraken")}),
            WITH_FLOW,
            "taker_imbalance_1, which needs taker_buy_base; the source `exchange` gives prices and volume alone. Take",
        ),
    ],
)
def test_a_set_that_the_universe_cannot_feed_is_refused_with_the_way_out(
    universe: Universe, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        experiment(**settings).check_against(universe, LABEL_SETS)


def test_every_setting_changes_the_fingerprint() -> None:
    others: list[dict[str, Any]] = [
        {"name": "other"},
        {"description": "Other."},
        {"owner": "team:other"},
        {"interval": "1h"},
        {"symbols": ["BTCUSDT"]},
        {"pooling": "per_symbol"},
        {"target": {"horizons": [20]}},
        {"features": {"groups": ["returns"]}},
        {"split": {"purge": 61}},
        {"retrain": "week"},
        {"retune": "week"},
        {"first_as_of": "2024-03-02"},
        {"max_model_age": 11},
        {"models": {"lightgbm": {"leaves": 14}}},
        {"ensemble": {"members": ["lightgbm"]}},
        {"strategy": {"hold_bars": 3}},
        {"policy": {"trials": 12}},
        {"costs": {"taker_fee_bps": 9.5}},
        {"limits": {"max_position": 0.5}},
        {"gates": {"min_sharpe": 0.75}},
        {"capital": 9_999.0},
        {"seed": 8},
    ]
    assert {next(iter(each)) for each in others} == set(Experiment.model_fields)
    assert len({experiment(**settings).fingerprint for settings in [{}, *others]}) == len(others) + 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"policy": {}, "strategy": {"min_edge_bps": 5}}, r"`strategy\.min_edge_bps` is 5\.0, .*`policy\.min_edge`"),
        ({"policy": {}, "strategy": {"edge": "gross"}}, r"`strategy\.edge` is gross, .*`policy\.edge`"),
        ({"policy": {}, "strategy": {"size": 0.5}}, r"`strategy\.size` is 0\.5, .*`policy\.base_risk_fraction`"),
        (
            {"policy": {}, "strategy": {"sizing": {"rule": "kelly"}}},
            r"`strategy\.sizing` is kelly, .*beside a `policy`",
        ),
        ({"strategy": {"sizing": {"rule": "kelly"}, "size": 0.5}}, r"`strategy\.size` .* the rule itself takes"),
        ({"costs": {"funding_rate": 0}}, r"`costs\.funding_rate` is 0\.0, .*`limits\.instrument: perpetual`"),
        ({"limits": {"maintenance_margin": 0.01}}, r"`limits\.maintenance_margin` is 0\.01, .* or leave it out"),
    ],
)
def test_what_nothing_would_read_is_refused_where_it_is_changed(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        experiment(**settings)


@pytest.mark.parametrize(
    ("ensemble", "message"),
    [
        (
            {"oof": "purged_kfold"},
            r"`ensemble\.oof` is purged_kfold, and with `method: mean` nothing reads it: take anoth",
        ),
        ({"meta": "boosting"}, r"`ensemble\.meta` is boosting, .*take `ensemble\.method: stack` instead"),
        ({"ridge": 1}, r"`ensemble\.ridge` is 1\.0, and with `method: mean`"),
        ({"shrinkage": 1}, r"`ensemble\.shrinkage` is 1\.0, .*`ensemble\.method: weighted`"),
        ({"oof_blocks": 4}, r"`ensemble\.oof_blocks` is 4, and with `method: mean`"),
        ({"oof_share": 0.5}, r"`ensemble\.oof_share` is 0\.5, and with `method: mean`"),
        ({"method": "weighted", "meta": "boosting"}, r"`ensemble\.meta` is boosting, and with `method: weighted`"),
        ({"method": "weighted", "ridge": 1}, r"`ensemble\.ridge` .*with `method: weighted`"),
        ({"method": "rank", "shrinkage": 1}, r"`ensemble\.shrinkage` .*with `method: rank`"),
        ({"method": "rank", "meta": "boosting"}, r"`ensemble\.meta` .*with `method: rank`"),
        ({"method": "stack", "shrinkage": 1}, r"`ensemble\.shrinkage` .*with `method: stack`"),
        (
            {"method": "stack", "oof": "past", "oof_blocks": 2},
            r"`ensemble\.oof_blocks` is 2, and with `oof: past` .*`ensemble\.oof: expanding` or `purged_kfold`",
        ),
        ({"method": "stack", "oof": "past", "oof_share": 0.5}, r"`ensemble\.oof_share` .*with `oof: past`"),
        (
            {"method": "stack", "oof": "purged_kfold", "oof_share": 0.5},
            r"`ensemble\.oof_share` .*with `oof: purged_kfold`",
        ),
        ({"method": "stack", "oof_share": 0.5}, r"with `oof_blocks: 1` nothing reads it: set more `oof_blocks`"),
    ],
)
def test_settings_that_the_ensembles_method_does_not_read_are_refused(ensemble: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        experiment(ensemble=ensemble)


@pytest.mark.parametrize(
    "ensemble",
    [
        {"oof": "past"},
        {"method": "mean", "shrinkage": 10.0, "meta": "regression"},
        {"method": "weighted", "shrinkage": 1, "oof_blocks": 4, "oof_share": 0.5},
        {"method": "rank", "oof": "past"},
        {"method": "stack", "meta": "boosting", "ridge": 1, "oof": "purged_kfold", "oof_blocks": 3},
    ],
)
def test_settings_that_the_ensembles_method_reads_are_accepted(ensemble: dict[str, Any]) -> None:
    kept = experiment(ensemble=ensemble).ensemble
    assert {name: getattr(kept, name) for name in ensemble} == ensemble


def test_defaults_that_nobody_wrote_are_in_nobodys_way() -> None:
    perpetual = {"costs": {"funding_rate": 0}, "limits": {"instrument": "perpetual", "maintenance_margin": 0.01}}
    for settings in ({"policy": {}}, {"strategy": {"sizing": {"rule": "kelly"}}}, perpetual):
        experiment(**settings)
    whole = experiment(policy={}, strategy={"sizing": None}, costs={"funding_rate": None})
    spelled_out = {**whole.model_dump(), "models": {"lightgbm": None}}
    assert type(whole).model_validate(spelled_out).limits == whole.limits


@pytest.mark.parametrize(
    ("target", "weights"),
    [({"horizons": [20]}, [0.1, 0.8, 0.1]), ({"kind": "return", "task": "quantile", "horizons": [20]}, [0.5, 0.5])],
)
def test_weights_of_quantiles_must_have_quantiles_to_weigh(target: dict[str, Any], weights: list[float]) -> None:
    with pytest.raises(ValidationError, match=r"strategy\.quantile_weights"):
        experiment(target=target, strategy={"horizon": 20, "quantile_weights": weights})


@pytest.mark.parametrize("target", [{"horizons": [20]}, {"kind": "return", "task": "regression", "horizons": [20]}])
def test_only_quantiles_can_follow_what_came_lately(target: dict[str, Any]) -> None:
    with pytest.raises(
        ValidationError, match=r"`ensemble\.adapt` is 0\.05; .*`target\.task: quantile`, or leave it out"
    ):
        experiment(target=target, strategy={"horizon": 20}, ensemble={"adapt": 0.05})
    experiment(
        target={"kind": "return", "task": "quantile", "horizons": [20]},
        strategy={"horizon": 20},
        ensemble={"adapt": 0.05},
    )


@pytest.mark.parametrize("rate", [0, 1.01])
def test_levels_follow_by_a_part_of_the_spread(rate: float) -> None:
    with pytest.raises(ValidationError, match=r"ensemble\.adapt"):
        experiment(target={"kind": "return", "task": "quantile"}, ensemble={"adapt": rate})
