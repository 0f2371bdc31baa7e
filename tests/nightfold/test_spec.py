"""Parameter sets: frozen, closed, and known by their values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nightfold.spec import Spec, fingerprint


class Inner(Spec):
    """A part."""

    number: float = 1.0
    """How much."""


class Outer(Spec):
    """A whole."""

    name: str = "a"
    inner: Inner = Inner()
    many: list[int] = [1, 2]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_a_spec_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Inner().number = 2.0  # type: ignore[misc]


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="not permitted"):
        Inner(numbr=2.0)  # type: ignore[call-arg]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_are_finite(value: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Inner(number=value)


def test_the_docstring_under_a_field_describes_it() -> None:
    assert Inner.model_fields["number"].description == "How much."


def test_equal_values_have_one_fingerprint_and_others_another() -> None:
    assert Outer().fingerprint == Outer(inner=Inner(number=1)).fingerprint
    assert Outer().fingerprint == Outer.model_validate({"many": [1, 2], "name": "a"}).fingerprint
    others = [Outer(name="b"), Outer(inner=Inner(number=1.5)), Outer(many=[2, 1]), Outer(many=[])]
    assert len({spec.fingerprint for spec in [Outer(), *others]}) == 5


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    # sha256 of the text {"a":1,"b":[true,null,"ä"]} with non-ASCII letters escaped, by sha256sum
    assert fingerprint({"b": [True, None, "ä"], "a": 1}) == "a7b0a2e61420b744"


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_the_order_of_keys_does_not_matter(value: dict[str, object]) -> None:
    assert fingerprint(value) == fingerprint(dict(reversed(value.items())))
    assert len(fingerprint(value)) == 16


@given(st.lists(JSON, max_size=3), JSON)
def test_one_value_more_is_another_fingerprint(values: list[object], more: object) -> None:
    assert fingerprint(values) != fingerprint([*values, more])
