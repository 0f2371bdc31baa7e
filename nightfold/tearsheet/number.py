"""Numbers as people read them: a true minus sign, a unit, and a dash for what is not known."""

from datetime import date, datetime

UNKNOWN = "\N{EN DASH}"

_SPACE = "\N{NARROW NO-BREAK SPACE}"
_MINUS = "\N{MINUS SIGN}"


def ratio(value: float | None, digits: int = 2) -> str:
    """Write a plain number.

    Examples
    --------
    >>> ratio(1234.5), ratio(None) == UNKNOWN
    ('1,234.50', True)
    """
    return UNKNOWN if value is None else _signed(f"{value:,.{digits}f}")


def percent(value: float | None, digits: int = 1, *, signed: bool = False) -> str:
    """Write a fraction as a percentage, with a plus sign where asked for.

    Examples
    --------
    >>> " ".join(percent(0.1234, signed=True).split())
    '+12.3 %'
    """
    if value is None:
        return UNKNOWN
    text = _signed(f"{100 * value:,.{digits}f}")
    plus = "+" if signed and value > 0 and text.strip("0.") else ""
    return f"{plus}{text}{_SPACE}%"


def count(value: float | None) -> str:
    """Write a whole number.

    Examples
    --------
    >>> count(12345)
    '12,345'
    """
    return ratio(value, 0)


def amount(value: float | None, currency: str = "", *, signed: bool = False) -> str:
    """Write an amount of money: cents up to a hundred thousand, whole units beyond."""
    if value is None:
        return UNKNOWN
    text = ratio(value, 2 if abs(value) < 100_000 else 0)
    plus = "+" if signed and value > 0 else ""
    return f"{plus}{text}{_SPACE}{currency}".rstrip(_SPACE)


def price(value: float | None) -> str:
    """Write a price with six significant digits, so that coins of any size keep their ticks.

    Examples
    --------
    >>> price(64250.127), price(0.00001234)
    ('64,250.1', '0.0000123400')
    """
    if value is None:
        return UNKNOWN
    whole = f"{abs(value):.0e}"
    digits = max(0, 5 - int(whole.split("e")[1])) if value else 0
    return ratio(value, digits)


def day(value: date | None) -> str:
    """Write a day, `2024-01-31`."""
    return UNKNOWN if value is None else f"{value:%Y-%m-%d}"


def moment(value: datetime | None) -> str:
    """Write a minute in UTC, `2024-01-31 08:05`."""
    return UNKNOWN if value is None else f"{value:%Y-%m-%d %H:%M}"


def days(value: int | None) -> str:
    """Write a length in days."""
    return UNKNOWN if value is None else f"{count(value)}{_SPACE}{'day' if value == 1 else 'days'}"


def tick_ratio(value: float, step: float) -> str:
    """Label of a tick: as many digits as its neighbours, one step away, need.

    Examples
    --------
    >>> tick_ratio(1.0, 0.25), tick_ratio(1000.0, 500.0)
    ('1.00', '1,000')
    """
    return ratio(value, _digits(step))


def tick_percent(value: float, step: float) -> str:
    """Label of a tick that is a percentage."""
    return percent(value, _digits(100 * step))


def tick_count(value: float, step: float) -> str:
    """Label of a tick that counts; between whole numbers there is none."""
    return count(value) if abs(value - round(value)) < 1e-6 * step else ""


def chance(value: float) -> str:
    """Write a probability in whole percents, never as none or all.

    Examples
    --------
    >>> " ".join(chance(0.001).split()), " ".join(chance(0.254).split())
    ('under 1 %', '25 %')
    """
    if value < 0.01:
        return f"under 1{_SPACE}%"
    return f"over 99{_SPACE}%" if value > 0.99 else percent(value, 0)


def _digits(step: float) -> int:
    return next((digits for digits in range(8) if abs(round(step, digits) - step) < 1e-6 * step), 8)


def _signed(text: str) -> str:
    if not text.startswith("-"):
        return text
    return text.replace("-", _MINUS) if text.strip("-0.,") else text.removeprefix("-")
