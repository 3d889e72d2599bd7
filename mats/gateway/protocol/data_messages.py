"""Messages of live market data."""

from typing import NamedTuple

from mats.gateway.protocol.wire import Message, text
from mats.model import SECOND, Bar, Instrument, Quote, SecType
from mats.venue.markets import Greeks

LIVE, FROZEN, DELAYED, DELAYED_FROZEN = 1, 2, 3, 4
"""Types of market data."""

MODEL_OPTION, MARK_PRICE, SHORTABLE, RT_VOLUME, SHORTABLE_SHARES = 13, 37, 46, 48, 89
DELAYED_MODEL_OPTION = 83


class TickTypes(NamedTuple):
    """The tick type numbers of a quote."""

    bid_size: int
    bid: int
    ask: int
    ask_size: int
    last: int
    close: int


LIVE_TICKS = TickTypes(0, 1, 2, 3, 4, 9)
DELAYED_TICKS = TickTypes(69, 66, 67, 70, 68, 75)

TICK_KINDS = {"Last": 1, "AllLast": 2, "BidAsk": 3, "MidPoint": 4}


def tick_price(request_id: int, kind: int, price: float, size: float = 0.0) -> Message:
    return (1, 6, request_id, kind, price, size, 0)


def tick_size(request_id: int, kind: int, size: float) -> Message:
    return (2, 6, request_id, kind, size)


def tick_generic(request_id: int, kind: int, value: float) -> Message:
    return (45, 6, request_id, kind, value)


def tick_string(request_id: int, kind: int, value: str) -> Message:
    return (46, 6, request_id, kind, value)


def tick_changes(quote: Quote, before: Quote | None, types: TickTypes = LIVE_TICKS) -> list[tuple[str, str]]:
    """The ticks between two quotes, each as the parts of its message before and after the request id.

    A price tick includes its size; a changed size alone is a size tick.
    """
    old_bid, old_bid_size = (before.bid, before.bid_size) if before else (0.0, 0.0)
    old_ask, old_ask_size = (before.ask, before.ask_size) if before else (0.0, 0.0)
    sides = (
        (types.bid, types.bid_size, quote.bid, quote.bid_size, old_bid, old_bid_size),
        (types.ask, types.ask_size, quote.ask, quote.ask_size, old_ask, old_ask_size),
    )
    changes = []
    for price_kind, size_kind, price, size, old_price, old_size in sides:
        if price != old_price:
            changes.append(("1\x006\0", f"\0{price_kind}\0{price}\0{text(size)}\x000\0"))
        elif size != old_size:
            changes.append(("2\x006\0", f"\0{size_kind}\0{text(size)}\0"))
    if quote.last:
        changes.append(("1\x006\0", f"\0{types.last}\0{quote.last}\0{text(last_size(quote))}\x000\0"))
    return changes


def last_size(quote: Quote) -> float:
    """The size of the trade of a quote: the smaller of its sides."""
    return min(quote.bid_size, quote.ask_size)


def tick_parameters(request_id: int, instrument: Instrument) -> Message:
    exchange = "" if instrument.sec_type is SecType.CASH else "9c0001"
    return (81, request_id, instrument.tick_size, exchange, 3)


def market_data_type(request_id: int, kind: int) -> Message:
    return (58, 1, request_id, kind)


def snapshot_end(request_id: int) -> Message:
    return (57, 1, request_id)


def option_computation(request_id: int, kind: int, volatility: float, model: Greeks, underlying: float) -> Message:
    """Implied volatility, delta, price, present value of dividends, gamma, vega, theta, price of the underlying."""
    figures = (volatility, model.delta, model.price, 0.0, model.gamma, model.vega, model.theta, underlying)
    return (21, request_id, kind, 1, *(round(figure, 10) for figure in figures))


def tick_by_tick(request_id: int, kind: str, quote: Quote, before: Quote | None) -> Message | None:
    """A tick of the requested kind; None if nothing of that kind changed."""
    head = (99, request_id, TICK_KINDS[kind], quote.time // SECOND)
    if kind == "BidAsk":
        sides = (quote.bid, quote.ask, quote.bid_size, quote.ask_size)
        same = before and sides == (before.bid, before.ask, before.bid_size, before.ask_size)
        return None if same else (*head, *sides, 0)
    if kind == "MidPoint":
        return None if before and before.mid == quote.mid else (*head, quote.mid)
    return (*head, quote.last, last_size(quote), 0, "", "") if quote.last else None


def depth(request_id: int, position: int, operation: int, side: int, price: float, size: float) -> Message:
    """A row of the book of one exchange; operation 0 inserts, 1 changes; side 0 is the ask, 1 the bid."""
    return (12, 1, request_id, position, operation, side, price, size)


def smart_depth(
    request_id: int, position: int, exchange: str, operation: int, side: int, price: float, size: float
) -> Message:
    """A row of the aggregated book, with the exchange that quotes it."""
    return (13, 1, request_id, position, exchange, operation, side, price, size, 1)


def realtime_bar(request_id: int, bar: Bar) -> Message:
    prices = (bar.open, bar.high, bar.low, bar.close)
    return (50, 3, request_id, bar.start // SECOND, *prices, bar.volume, bar.wap, bar.count)
