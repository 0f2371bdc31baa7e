"""Market structure: swings confirmed by a move of some average true ranges, and closes beyond them."""

from nightfold.features.lazy import finite, formula, rolling
from nightfold.features.segment import Array, Segment, log, shared
from nightfold.features.volatility import average_true_range

ATR_WINDOW, ATR_LOOKBACK = 14, 200


@shared
def _swings(bars: Segment, multiple: int, lookback: int) -> tuple[Array, Array, Array, Array]:
    """Swing high, swing low, break and turn; the state begins where the first true range average is complete."""
    distance = multiple * average_true_range(bars, ATR_WINDOW, ATR_LOOKBACK)
    memory = lookback - ATR_LOOKBACK
    return finite.swings(bars.open, bars.high, bars.low, bars.close, distance, memory)


def swing_high_distance(bars: Segment, multiple: int, *, lookback: int) -> Array:
    """Log of the close over the last confirmed swing high."""
    return log(bars.close / _swings(bars, multiple, lookback)[0])


def swing_low_distance(bars: Segment, multiple: int, *, lookback: int) -> Array:
    """Log of the close over the last confirmed swing low."""
    return log(bars.close / _swings(bars, multiple, lookback)[1])


def swing_position(bars: Segment, multiple: int, *, lookback: int) -> Array:
    """Where the close stands between the last swing low and the last swing high: 0 and 1, beyond them outside."""
    high, low, _, _ = _swings(bars, multiple, lookback)
    return formula.place(bars.close, low, high, 1.0)


def break_of_structure(bars: Segment, multiple: int, window: int, *, lookback: int) -> Array:
    """Net closes beyond a swing in the direction of the structure: rising less falling ones in the window."""
    return rolling.total(_swings(bars, multiple, lookback - window + 1)[2], window)


def change_of_character(bars: Segment, multiple: int, window: int, *, lookback: int) -> Array:
    """Net closes beyond a swing against the direction of the structure: rising less falling ones in the window."""
    return rolling.total(_swings(bars, multiple, lookback - window + 1)[3], window)
