"""Choosing features by set, group, name and pattern."""

import pytest
from pydantic import ValidationError

from nightfold.errors import UnknownNameError
from nightfold.features.catalog import FEATURES, SETS
from nightfold.features.select import FeatureSelection, by_set, max_lookback


def test_nothing_named_is_everything() -> None:
    assert FeatureSelection().resolve() == list(FEATURES)


def test_groups_names_and_patterns_add_up_in_catalog_order() -> None:
    chosen = FeatureSelection(groups=["calendar"], names=["rsi_14"], patterns=["log_return_?"]).resolve()
    assert chosen == [
        *["log_return_1", "log_return_3", "log_return_5", "rsi_14"],
        *["hour_sin", "hour_cos", "weekday_sin", "weekday_cos"],
    ]


def test_what_is_excluded_goes_by_name_group_or_pattern() -> None:
    chosen = FeatureSelection(exclude=["calendar", "rsi_*", "adx_14"]).resolve()
    left = set(FEATURES) - set(chosen)
    assert left == {"hour_sin", "hour_cos", "weekday_sin", "weekday_cos", "rsi_7", "rsi_14", "rsi_28", "adx_14"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sets": ["defualt"]}, "feature set `defualt` is unknown; did you mean default"),
        ({"groups": ["volatilty"]}, "feature group `volatilty` is unknown; did you mean volatility"),
        ({"names": ["rsi14"]}, "feature `rsi14` is unknown; did you mean rsi_14"),
        ({"patterns": ["rsy_*"]}, r"feature pattern `rsy_\*` is unknown; did you mean rsi_\*"),
        ({"patterns": ["nosuch_*"]}, r"`nosuch_\*` is unknown; `nightfold features --page` lists all\."),
        ({"patterns": ["*nosuch"]}, r"`\*nosuch` is unknown; `nightfold features --page` lists all\."),
        ({"exclude": ["calender"]}, "excluded feature `calender` is unknown; did you mean calendar"),
        ({"extra": []}, "Extra inputs are not permitted"),
        (
            {"patterns": ["rsi_*"], "exclude": ["rsi_*"]},
            r"`features` chooses none: `exclude` \['rsi_\*'\] leaves nothing",
        ),
        ({"sets": []}, "`features` chooses none"),
    ],
)
def test_a_word_that_stands_for_nothing_is_refused_when_the_spec_is_built(
    wrong: dict[str, list[str]], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        FeatureSelection(**wrong)


def test_further_sets_add_up_with_the_default_one() -> None:
    assert FeatureSelection(sets=["default", "order_flow"]).resolve() == [*FEATURES, *SETS["order_flow"]]
    chosen = FeatureSelection(sets=["cross_asset"], patterns=["relative_*"])
    assert chosen.resolve() == ["relative_strength_5", "relative_strength_20", "relative_strength_288"]


def test_a_set_that_is_not_chosen_offers_nothing() -> None:
    with pytest.raises(ValidationError, match="feature `taker_imbalance_5` is unknown"):
        FeatureSelection(names=["taker_imbalance_5"])


def test_set_group_name_and_pattern_work_across_sets() -> None:
    picked = FeatureSelection(
        sets=["default", "order_flow", "cross_asset"],
        groups=["calendar", "order_flow"],
        names=["dominance_20"],
        patterns=["*_strength_5", "rsi_14"],
        exclude=["trade*", "weekday_*"],
    )
    assert picked.resolve() == [
        *["rsi_14", "hour_sin", "hour_cos"],
        *[name for name in SETS["order_flow"] if name.startswith("taker")],
        *["relative_strength_5", "dominance_20"],
    ]


def test_chosen_features_are_sorted_by_the_set_they_belong_to() -> None:
    names = ["dominance_20", "taker_imbalance_5", "rsi_14", "relative_strength_5", "log_return_1"]
    assert by_set(names) == {
        "default": ["log_return_1", "rsi_14"],
        "order_flow": ["taker_imbalance_5"],
        "cross_asset": ["relative_strength_5", "dominance_20"],
    }
    assert by_set(["rsi_14"]) == {"default": ["rsi_14"]}


def test_max_lookback_is_the_longest_of_the_named() -> None:
    assert max_lookback(["log_return_5", "rsi_14", "volatility_20"]) == 240
    assert max_lookback(["rsi_14", "taker_imbalance_z_score_288"]) == 287
    assert max_lookback([]) == 0
    with pytest.raises(UnknownNameError, match="rsi_15"):
        max_lookback(["rsi_15"])
