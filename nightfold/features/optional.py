"""The sets that an experiment asks for by name: a new feature is a function and a line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nightfold.features import cross_asset, order_flow
from nightfold.features.entry import IDLE, across, windowed, within
from nightfold.features.feature import Feature

_UNKNOWN = "a value in the window not recorded"
_EQUAL = f"all equal in the window, or {_UNKNOWN}"
_UNTRADED = f"no trades in one of the windows, or {_UNKNOWN}"
_QUIET = f"all equal in the window, no trades in one of its bars, or {_UNKNOWN}"
_NO_LEADER = "a bar of the leader missing in the window"
_FLAT_LEADER = f"all returns of the leader in the window equal, or {_NO_LEADER}"
_FLAT_EITHER = f"all returns of the symbol or all of the leader in the window equal, or {_NO_LEADER}"


def _slow(_: int, slow: int) -> int:
    """Lookback of a short window in a long one."""
    return slow - 1


_ORDER_FLOW: Final = (
    *windowed(
        order_flow.taker_imbalance,
        (1, 5, 20, 60),
        within,
        "(volume bought - volume sold by takers) / volume, {0} bars",
        "Chordia, Roll & Subrahmanyam (2002), Order Imbalance, Liquidity, and Market Returns",
        f"{IDLE}, or {_UNKNOWN}",
        needs=("taker_buy_base",),
    ),
    *windowed(
        order_flow.taker_imbalance_z_score,
        (288,),
        within,
        "(volume bought - volume sold by takers, less its mean) / its population deviation, {0} bars",
        "z-score",
        _EQUAL,
        needs=("taker_buy_base",),
    ),
    *windowed(
        order_flow.trade_size,
        ((1, 288), (20, 288)),
        _slow,
        "mean value of a trade in {0} bars / in {1} bars",
        "Easley & O'Hara (1987), Price, Trade Size, and Information in Securities Markets",
        _UNTRADED,
        needs=("quote_volume", "trades"),
    ),
    *windowed(
        order_flow.trade_size_z_score,
        (288,),
        within,
        "(mean value of a trade in the bar, less its mean) / its population deviation, {0} bars",
        "z-score",
        _QUIET,
        needs=("quote_volume", "trades"),
    ),
    *windowed(
        order_flow.trades_per_volume,
        ((1, 288), (20, 288)),
        _slow,
        "trades a unit of volume in {0} bars / in {1} bars",
        "Jones, Kaul & Lipson (1994), Transactions, Volume, and Volatility",
        _UNTRADED,
        needs=("trades",),
    ),
    *windowed(
        order_flow.trades_per_volume_z_score,
        (288,),
        within,
        "(trades a unit of volume in the bar, less its mean) / its population deviation, {0} bars",
        "z-score",
        _QUIET,
        needs=("trades",),
    ),
)

_CROSS_ASSET: Final = (
    *windowed(
        cross_asset.leader_beta,
        (288,),
        across,
        "covariance of one-bar log returns with the leader's / variance of the leader's, {0} bars",
        "Sharpe (1964), Capital Asset Prices",
        _FLAT_LEADER,
        needs=("leader_close",),
    ),
    *windowed(
        cross_asset.leader_correlation,
        (60, 288),
        across,
        "correlation of one-bar log returns with the leader's, {0} bars",
        "Pearson correlation",
        _FLAT_EITHER,
        needs=("leader_close",),
    ),
    *windowed(
        cross_asset.relative_strength,
        (5, 20, 288),
        across,
        "{0}-bar log return less the leader's",
        "Levy (1967), Relative Strength as a Criterion for Investment Selection",
        _NO_LEADER,
        needs=("leader_close",),
    ),
    *windowed(
        cross_asset.lead_lag,
        ((288, 1),),
        lambda window, lags: window + lags,
        "correlation of one-bar log returns with the leader's {1} bars before, less the leader's with those {1} bars "
        "before, over {0} bars",
        "Lo & MacKinlay (1990), When Are Contrarian Profits Due to Stock Market Overreaction?",
        _FLAT_EITHER,
        needs=("leader_close",),
    ),
    *windowed(
        cross_asset.dominance,
        (1, 20, 288),
        within,
        "value traded / value traded in all symbols that have the bar, {0} bars",
        "market share",
        "no volume in any symbol in the window",
        needs=("market_value",),
    ),
)

ORDER_FLOW: Final[Mapping[str, Feature]] = MappingProxyType({feature.name: feature for feature in _ORDER_FLOW})
"""Who trades, and in what sizes: from the columns beside prices and volume that some exchanges tell."""

CROSS_ASSET: Final[Mapping[str, Feature]] = MappingProxyType({feature.name: feature for feature in _CROSS_ASSET})
"""The symbol among the others, from their bars at the same time; a named symbol leads."""
