"""Market data on the wire."""

from mats.gateway.responses import moment
from mats.gateway.wire import Message
from mats.model.instrument import Instrument, SecType
from mats.model.market import Bar, Quote
from mats.model.timestamp import DAY, SECOND, Nanos, to_datetime

BID_SIZE, BID, ASK, ASK_SIZE, LAST, LAST_SIZE, VOLUME, CLOSE = 0, 1, 2, 3, 4, 5, 8, 9

TICK_KINDS = {"Last": 1, "AllLast": 2, "BidAsk": 3, "MidPoint": 4}


def tick_price(request_id: int, kind: int, price: float, size: float = 0.0) -> Message:
    return (1, 6, request_id, kind, price, size, 0)


def tick_changes(quote: Quote, before: Quote | None) -> list[tuple[str, str]]:
    """The ticks that lead from one quote to the next, as what comes before and after the request id on the wire.

    A price that moved brings its size along; a size that changed alone is a size tick.
    """
    sides = (
        (BID, BID_SIZE, quote.bid, quote.bid_size, before.bid if before else 0.0, before.bid_size if before else 0.0),
        (ASK, ASK_SIZE, quote.ask, quote.ask_size, before.ask if before else 0.0, before.ask_size if before else 0.0),
    )
    changes = []
    for price_kind, size_kind, price, size, old_price, old_size in sides:
        if price != old_price:
            changes.append(("1\x006\0", f"\0{price_kind}\0{price}\0{size}\x000\0"))
        elif size != old_size:
            changes.append(("2\x006\0", f"\0{size_kind}\0{size}\0"))
    if quote.last:
        size = min(quote.bid_size, quote.ask_size)
        changes.append(("1\x006\0", f"\0{LAST}\0{quote.last}\0{size}\x000\0"))
    return changes


def tick_parameters(request_id: int, instrument: Instrument) -> Message:
    exchange = "" if instrument.sec_type is SecType.CASH else "9c0001"
    return (81, request_id, instrument.tick_size, exchange, 3)


def market_data_type(request_id: int) -> Message:
    """Live data."""
    return (58, 1, request_id, 1)


def snapshot_end(request_id: int) -> Message:
    return (57, 1, request_id)


def tick_by_tick(request_id: int, kind: str, quote: Quote) -> Message | None:
    """A tick of the wanted kind; None for a trade where nothing traded."""
    head = (99, request_id, TICK_KINDS[kind], quote.time // SECOND)
    if kind == "BidAsk":
        return (*head, quote.bid, quote.ask, quote.bid_size, quote.ask_size, 0)
    if kind == "MidPoint":
        return (*head, quote.mid)
    return (*head, quote.last, min(quote.bid_size, quote.ask_size), 0, "", "") if quote.last else None


def realtime_bar(request_id: int, bar: Bar) -> Message:
    prices = (bar.open, bar.high, bar.low, bar.close)
    return (50, 3, request_id, bar.start // SECOND, *prices, bar.volume, bar.wap, bar.count)


def historical_data(request_id: int, bars: list[Bar], start: Nanos, end: Nanos, date_format: int) -> Message:
    rows = (
        (bar_time(bar, date_format), bar.open, bar.high, bar.low, bar.close, bar.volume, bar.wap, bar.count)
        for bar in bars
    )
    return (17, request_id, moment(start), moment(end), len(bars), *(field for row in rows for field in row))


def bar_time(bar: Bar, date_format: int) -> str:
    """A day as `20260413`; an instant as text (1) or as seconds since the epoch (2)."""
    if bar.seconds * SECOND >= DAY:
        return to_datetime(bar.start).strftime("%Y%m%d")
    return str(bar.start // SECOND) if date_format == 2 else moment(bar.start)


def head_timestamp(request_id: int, head: Nanos, date_format: int) -> Message:
    return (88, request_id, str(head // SECOND) if date_format == 2 else moment(head))
