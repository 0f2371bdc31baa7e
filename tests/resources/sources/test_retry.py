"""Patience: what is asked again, after which waits, and when it ends."""

from datetime import UTC, datetime

import pytest

from nightfold.errors import SourceError, SourceUnavailableError
from resources.sources.retry import AskLaterError, Patience, wait_asked_for


def failing(*errors: Exception) -> tuple[list[Exception], Patience, list[float]]:
    waits: list[float] = []
    return list(errors), Patience(attempts=4, first_wait_s=1, longest_wait_s=5, sleep=waits.append), waits


def ask(patience: Patience, errors: list[Exception]) -> str:
    def question() -> str:
        if errors:
            raise errors.pop(0)
        return "answer"

    return patience.ask(question)


def test_waits_double_up_to_the_longest() -> None:
    waits: list[float] = []
    patience = Patience(attempts=6, first_wait_s=1, longest_wait_s=5, sleep=waits.append)
    assert ask(patience, [SourceUnavailableError("down")] * 5) == "answer"
    assert waits == [1, 2, 4, 5, 5]


def test_the_wait_asked_for_is_kept_where_it_is_longer() -> None:
    errors, patience, waits = failing(AskLaterError("busy", 4), AskLaterError("busy", 0.1), AskLaterError("busy"))
    assert ask(patience, errors) == "answer"
    assert waits == [4, 2, 4]


def test_the_last_error_says_how_often_was_asked_and_what_to_do() -> None:
    errors, patience, waits = failing(*[SourceUnavailableError("binance.test is down.")] * 9)
    with pytest.raises(
        SourceUnavailableError, match=r"binance.test is down. Gave up after 4 attempts.*run again later"
    ):
        ask(patience, errors)
    assert waits == [1, 2, 4]


def test_a_wait_beyond_the_longest_is_not_waited_for() -> None:
    errors, patience, waits = failing(AskLaterError("busy", 6))
    with pytest.raises(SourceUnavailableError, match="after 1 attempts"):
        ask(patience, errors)
    assert waits == []


@pytest.mark.parametrize("error", [SourceError("wrong"), ValueError("bug"), OSError("disk full")])
def test_what_asking_again_cannot_mend_passes_at_once(error: Exception) -> None:
    errors, patience, waits = failing(error)
    with pytest.raises(type(error), match=str(error)):
        ask(patience, errors)
    assert waits == []


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": " 30 "}, 30),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "Mon, 01 Jan 2024 00:00:10 GMT"}, 10),
        ({"Retry-After": "Sun, 31 Dec 2023 23:59:00 GMT"}, 0),
        ({"Retry-After": "Mon, 01 Jan 2024 00:00:10 -0000"}, 10),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], wait: float | None) -> None:
    assert wait_asked_for(headers, datetime(2024, 1, 1, tzinfo=UTC)) == wait
