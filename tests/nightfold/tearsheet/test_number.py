"""Numbers as text: signs, units, and the dash for what is unknown."""

from datetime import UTC, date, datetime

import pytest

from nightfold.tearsheet import number

MINUS = "\N{MINUS SIGN}"


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "+12.3 %"), (-0.1234, f"{MINUS}12.3 %"), (0.0, "0.0 %"), (-0.0001, "0.0 %"), (0.0001, "0.0 %")],
)
def test_percentages_are_signed_unless_they_round_to_nothing(value: float, text: str) -> None:
    assert plain(number.percent(value, signed=True)) == text


def test_amounts_have_a_unit_and_lose_their_cents_when_large() -> None:
    assert plain(number.amount(1234.5, "USDT")) == "1,234.50 USDT"
    assert plain(number.amount(-1234567.8, "USDT", signed=True)) == f"{MINUS}1,234,568 USDT"
    assert number.amount(2.0, signed=True) == "+2.00"


@pytest.mark.parametrize(
    ("value", "text"), [(64250.127, "64,250.1"), (0.00001234, "0.0000123400"), (1.0, "1.00000"), (0.0, "0")]
)
def test_prices_keep_six_digits(value: float, text: str) -> None:
    assert number.price(value) == text


def test_the_unknown_is_a_dash() -> None:
    written = [f(None) for f in (number.ratio, number.percent, number.count, number.price, number.day, number.days)]
    assert {*written, number.amount(None, "USDT"), number.moment(None)} == {number.UNKNOWN}


def test_days_and_moments() -> None:
    assert number.day(date(2024, 2, 3)) == "2024-02-03"
    assert number.moment(datetime(2024, 2, 3, 4, 5, tzinfo=UTC)) == "2024-02-03 04:05"
    assert [plain(number.days(n)) for n in (0, 1, 2)] == ["0 days", "1 day", "2 days"]


def test_ticks_have_the_digits_of_their_step() -> None:
    assert plain(number.tick_percent(0.1, 0.05)) == "10 %"
    assert plain(number.tick_percent(0.1, 0.0025)) == "10.00 %"
    assert number.tick_count(2.5, 2.5) == ""
    assert number.tick_count(5.0, 2.5) == "5"
