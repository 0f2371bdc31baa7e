"""Order flow: who trades, and in what sizes, where the exchange tells."""

from nightfold.features.lazy import rolling
from nightfold.features.segment import Array, Segment


def _net_bought(bars: Segment) -> Array:
    """Volume that takers bought less volume that they sold."""
    return 2 * bars.more["taker_buy_base"] - bars.volume


def taker_imbalance(bars: Segment, window: int) -> Array:
    """Net volume bought by takers over volume, -1 to 1."""
    return rolling.total(_net_bought(bars), window) / bars.volumes.total(window)


def taker_imbalance_z_score(bars: Segment, window: int) -> Array:
    """Net volume bought by takers less its mean, in population standard deviations."""
    return rolling.z_score(_net_bought(bars), window)


def trade_size(bars: Segment, fast: int, slow: int) -> Array:
    """Mean value of a trade: a short window over a long one."""
    value, trades = bars.more["quote_volume"], bars.more["trades"]
    recent = rolling.total(value, fast) / rolling.total(trades, fast)
    return recent / (rolling.total(value, slow) / rolling.total(trades, slow))


def trade_size_z_score(bars: Segment, window: int) -> Array:
    """Mean value of a trade in the bar less its mean, in population standard deviations."""
    return rolling.z_score(bars.more["quote_volume"] / bars.more["trades"], window)


def trades_per_volume(bars: Segment, fast: int, slow: int) -> Array:
    """Trades a unit of volume: a short window over a long one."""
    trades = bars.more["trades"]
    recent = rolling.total(trades, fast) / bars.volumes.total(fast)
    return recent / (rolling.total(trades, slow) / bars.volumes.total(slow))


def trades_per_volume_z_score(bars: Segment, window: int) -> Array:
    """Trades a unit of volume in the bar less its mean, in population standard deviations."""
    return rolling.z_score(bars.more["trades"] / bars.volume, window)
