"""One fill: its price, its fee, and the trade it belongs to."""

import numpy as np

from nightfold.backtest.kernel.compiled import inlined
from nightfold.backtest.kernel.note import write_trade
from nightfold.backtest.kernel.record import AT_OPEN, MAKER, MARKET, Log, State

MOST_SLIPPAGE = 0.9
"""A sale brings in a tenth at least, however large it is beside the volume."""

# Parts of a step, a tick or a size by which decimal numbers miss their binary ones.
STEP_SLACK = 1e-9


@inlined
def fill(
    rules: np.record,
    state: State,
    log: Log,
    symbol: int,
    quantity: float,
    reference: float,
    reason: int,
    liquidity: int,
    moment: int,
) -> None:
    """Trade a signed quantity near a reference price: cash, position, and the trade it belongs to."""
    book = state.book[symbol]
    size = abs(quantity)
    price, spread, slip = price_of(rules, book, reference, quantity, liquidity)
    fee = fee_of(rules, size * price, liquidity)
    record = log.fills[min(state.account[0].fills, len(log.fills) - 1)]
    state.account[0].fills += 1
    record.row, record.reason, record.at_open = book.row, reason, moment == AT_OPEN
    record.quantity, record.price, record.reference_price = quantity, price, reference
    record.fee, record.spread_cost, record.slippage_cost = fee, spread * size, slip * size
    state.account[0].cash -= quantity * price + fee
    closing = min(size, abs(book.quantity)) if quantity * book.quantity < 0 else 0.0
    book.quantity += quantity
    book.used += size
    if closing > 0:
        book.exited += closing
        book.exit_value += closing * price
        book.fees += fee * (closing / size)
        if book.quantity == 0 or closing < size:
            write_trade(state, log, symbol, book.row, reason, moment)
    if closing < size:
        if book.entered == 0:
            book.entry_row = book.row
            book.side = 1 if quantity > 0 else -1
        book.entered += size - closing
        book.entry_value += (size - closing) * price
        book.fees += fee * (1 - closing / size)
    if book.quantity == 0:
        book.stop = book.take_profit = np.nan
        book.leaving = 0


@inlined
def price_of(
    rules: np.record, book: np.record, reference: float, quantity: float, liquidity: int
) -> tuple[float, float, float]:
    """Price of a fill, with the spread and the slippage in it.

    What waited in the book gets its own price. All are rounded to the tick against the trader, as part of slippage.
    """
    spread = slip = 0.0
    if liquidity == MARKET:
        spread = rules.half_spread * reference
        slip = slippage(rules, book, abs(quantity)) * reference
    price = reference + np.sign(quantity) * (spread + slip)
    tick = book.tick
    if tick > 0:
        ticks = np.ceil(price / tick - STEP_SLACK) if quantity > 0 else np.floor(price / tick + STEP_SLACK)
        slip += abs(max(ticks, 1.0) * tick - price)
        price = max(ticks, 1.0) * tick
    return price, spread, slip


@inlined
def fee_of(rules: np.record, value: float, liquidity: int) -> float:
    """Commission of a fill."""
    rate = rules.maker_fee if liquidity == MAKER else rules.taker_fee
    return float(max(rate * value, rules.minimum_fee))


@inlined
def slippage(rules: np.record, book: np.record, size: float) -> float:
    """Slippage as a fraction: fixed, with the volatility before the fill's bar, and with the share of its volume."""
    if rules.volatility_slippage == 0 and rules.impact == 0:
        return float(rules.slippage)
    parts = rules.volatility_slippage + rules.impact * np.sqrt(size / book.volume)
    return float(min(rules.slippage + parts * book.volatility, MOST_SLIPPAGE))


@inlined
def slice_of(rules: np.record, book: np.record, size: float) -> float:
    """How much of a size the bar's volume still takes."""
    room = rules.participation * book.volume - book.used
    if size <= room * (1 + STEP_SLACK):
        return size
    return float(max(cut(room, book.step), 0.0))


@inlined
def cut(size: float, step: float) -> float:
    """Cut a size toward zero to whole steps."""
    return float(np.floor(size / step + STEP_SLACK) * step) if step > 0 else size
