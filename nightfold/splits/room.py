"""Whether a history can fill all parts of a split at all: arithmetic on its settings, before there are any rows."""

from datetime import datetime

from nightfold.errors import ConfigError
from nightfold.interval import duration
from nightfold.splits.as_of import SplitSpec


def check_room(spec: SplitSpec, first: datetime, until: datetime, interval: str, span: int) -> None:
    """Refuse a split that leaves a part empty whatever the bars are.

    Parameters
    ----------
    spec
        Shares and gaps.
    first, until
        Earliest row that may be used, and the last moment at which a label may end.
    interval
        Length of a bar such as ``5m``.
    span
        Bars that a label covers at least.

    Raises
    ------
    ConfigError
        If no row can be left to train on, or one half of the validation part must be empty: the earlier ends fits, the
        later scores them.

    Examples
    --------
    >>> day = datetime(2024, 2, 1)
    >>> check_room(SplitSpec(), day, day.replace(hour=23), "5m", 1)
    Traceback (most recent call last):
    nightfold.errors.ConfigError: `split` leaves no rows to train on: of the 276 bars from 2024-02-01 00:00 to \
2024-02-01 23:00 `train` has 227, and 348 or more lie before validation (`purge` 60, `embargo` 288, labels of 1 or \
more bars). Lengthen `train_days` and the history before `first_as_of`, or shorten the gaps and `in_force_delay`.
    """
    bars = max((until - first) / duration(interval), 0.0)
    train = bars * spec.train / (spec.train + spec.validation)
    gap, border = max(spec.purge + spec.embargo, span), max(spec.purge, span)
    if train <= gap:
        empty = (
            f"to train on: {_of(bars, first, until)} `train` has {train:.0f}, and {gap} or more lie before validation "
        )
        empty += f"(`purge` {spec.purge}, `embargo` {spec.embargo}, labels of {span} or more bars)"
    elif (bars - train - span) / 2 <= border:
        empty = f"in half of validation: {_of(bars, first, until)} it has {bars - train:.0f}, and {border} or more lie "
        empty += f"between its halves (`purge` {spec.purge}, labels of {span} or more bars)"
    else:
        return
    raise ConfigError(
        f"`split` leaves no rows {empty}. Lengthen `train_days` and the history before `first_as_of`, or shorten the "
        "gaps and `in_force_delay`."
    )


def _of(bars: float, first: datetime, until: datetime) -> str:
    return f"of the {bars:.0f} bars from {first:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}"
