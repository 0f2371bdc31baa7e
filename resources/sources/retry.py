"""Asking again, but only where it can help, ever more slowly, and not for ever."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from nightfold.errors import SourceUnavailableError

Answer = TypeVar("Answer")


class AskLaterError(SourceUnavailableError):
    """The other side is there but asks for patience; ``wait_s`` is how much, where it said so."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how slowly to ask again."""

    attempts: int = 5
    first_wait_s: float = 0.5
    """Doubled after each failure."""
    longest_wait_s: float = 120.0
    """Also the longest wait that another side may ask for before we give up."""
    sleep: Callable[[float], None] = time.sleep

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Ask until there is an answer.

        Raises
        ------
        SourceUnavailableError
            The last one, once all attempts are spent or the wait asked for is too long. Any other error passes at once.
        """
        for attempt in range(1, self.attempts + 1):
            try:
                return question()
            except SourceUnavailableError as error:
                wait_s = min(self.first_wait_s * 2 ** (attempt - 1), self.longest_wait_s)
                if isinstance(error, AskLaterError) and error.wait_s is not None:
                    wait_s = max(wait_s, error.wait_s)
                if attempt == self.attempts or wait_s > self.longest_wait_s:
                    raise SourceUnavailableError(
                        f"{error} Gave up after {attempt} attempts (next wait {wait_s:g} s); run again later: "
                        "what has been stored stays."
                    ) from error
                self.sleep(wait_s)
        raise AssertionError(f"`attempts` is {self.attempts}; it must be 1 or more")


def wait_asked_for(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read a ``Retry-After`` header: seconds, or a date; None where there is none that makes sense.

    Examples
    --------
    >>> wait_asked_for({"Retry-After": "30"}, datetime(2024, 1, 1, tzinfo=UTC))
    30.0
    >>> wait_asked_for({"Retry-After": "Mon, 01 Jan 2024 00:01:00 GMT"}, datetime(2024, 1, 1, tzinfo=UTC))
    60.0
    """
    text = next((value.strip() for name, value in headers.items() if name.lower() == "retry-after"), "")
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds(), 0.0)
