"""Errors are what a caller would expect, and say the way out."""

import pytest

from nightfold import errors
from nightfold.errors import NightfoldError, UnknownNameError


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("ConfigError", ValueError),
        ("UnknownNameError", ValueError),
        ("SchemaError", ValueError),
        ("BarsError", ValueError),
        ("SourceError", OSError),
        ("SourceUnavailableError", ConnectionError),
        ("LakeError", OSError),
    ],
)
def test_each_error_is_ours_and_a_builtin_one(name: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(errors, name), NightfoldError)
    assert issubclass(getattr(errors, name), builtin)


def test_an_unknown_name_offers_the_close_ones() -> None:
    known = ["volatility", "volume", "trend"]
    assert str(UnknownNameError("feature group", "volatilty", known)) == (
        "feature group `volatilty` is unknown; did you mean volatility?"
    )


def test_where_nothing_is_close_all_are_named_in_order() -> None:
    assert str(UnknownNameError("model", "x", ["b", "a"])) == "model `x` is unknown; known: a, b."


def test_where_nothing_is_close_among_many_the_way_to_list_them_is_told() -> None:
    said = "feature `x` is unknown; `nightfold features --page` lists all."
    assert str(UnknownNameError("feature", "x", ["aaa", "bbb"], "nightfold features --page")) == said
    assert "did you mean aaa?" in str(UnknownNameError("feature", "aab", ["aaa", "ccc"], "nightfold features --page"))
