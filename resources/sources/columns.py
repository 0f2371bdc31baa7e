"""Columns of foreign tables: which of ours they are."""

import re
from collections.abc import Sequence

from nightfold.errors import SourceError
from nightfold.schema import FLOW, PRICES

BINANCE_COLUMNS = (
    *("open_time", *PRICES, "volume", "close_time"),
    *("quote_volume", "trades", "taker_buy_base", "taker_buy_quote", "ignore"),
)
"""The order of columns in files without a header."""

REQUIRED = ("open_time", *PRICES, "volume")

_ALIASES = {
    "open_time": ("timestamp", "unix", "time", "ts", "datetime", "date", "start", "start_time"),
    "open": ("o", "open_price"),
    "high": ("h", "high_price"),
    "low": ("l", "low_price"),
    "close": ("c", "close_price"),
    "volume": ("v", "vol", "base_volume", "base_asset_volume"),
    "quote_volume": ("quote_asset_volume", "turnover"),
    "trades": ("count", "n", "number_of_trades", "num_trades", "trade_count", "tradecount"),
    "taker_buy_base": ("taker_buy_volume", "taker_buy_base_volume", "taker_buy_base_asset_volume"),
    "taker_buy_quote": ("taker_buy_quote_volume", "taker_buy_quote_asset_volume"),
}
_NAMES = ("open_time", *PRICES, "volume", *FLOW)


def match_columns(found: Sequence[str], where: str) -> dict[str, str]:
    """Find our columns among foreign ones.

    Parameters
    ----------
    found
        Names as they are written, any order, case, ``snake_case`` or ``camelCase``.
    where
        What to call the table in an error.

    Returns
    -------
    dict
        Our name to the name found. Our own spelling wins over another one, and an earlier alias over a later one.

    Raises
    ------
    SourceError
        If the time, a price or the volume is missing.

    Examples
    --------
    >>> match_columns(["Time", "o", "h", "l", "c", "Volume", "count"], "a file")["trades"]
    'count'
    """
    spelled: dict[str, str] = {}
    for name in found:
        spelled.setdefault(_snake_case(name), name)
    matched = {
        ours: spelled[alias]
        for ours in _NAMES
        if (alias := next((alias for alias in (ours, *_ALIASES[ours]) if alias in spelled), None))
    }
    missing = [name for name in REQUIRED if name not in matched]
    if missing:
        raise SourceError(
            f"{where}: no column for {', '.join(f'`{name}`' for name in missing)} among {', '.join(found)}. "
            f"Rename the columns; understood are, for example, {', '.join(_ALIASES[missing[0]][:3])}."
        )
    return matched


def _snake_case(name: str) -> str:
    return re.sub(r"[\s-]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())).lower()
