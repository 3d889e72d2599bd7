"""Warnings about orders that are nevertheless accepted."""

from zoneinfo import ZoneInfo

from mats.gateway.protocol import Message, responses
from mats.model import Instrument, Nanos, to_datetime
from mats.venue.markets import SessionPhase, TradingSession
from mats.venue.matching import Exchange, VenueOrder

NOT_LOCATED = (
    "Shares for this order are not immediately available for short sale. The order will be held while we attempt to "
    "locate the shares."
)
WAITS_FOR_SESSION = "Order Message:\n{} {} {} {}\nWarning: Your order will not be placed at the exchange until {}."
OUTSIDE_IGNORED = (
    "Order Event Warning: Attribute 'Outside Regular Trading Hours' is ignored based on the order type and "
    "destination. PlaceOrder is now being processed."
)


def not_located(order: VenueOrder) -> Message:
    return responses.error(order.order_id, 404, NOT_LOCATED)


def outside_ignored(order: VenueOrder) -> Message:
    return responses.error(order.order_id, 2109, OUTSIDE_IGNORED)


def waits_for_session(order: VenueOrder, instrument: Instrument, exchange: Exchange, now: Nanos) -> list[Message]:
    """The warning until when the exchange does not take the order; none if it takes it at once."""
    session = exchange.session(order.instrument, now)
    phase = session.phase(now)
    if phase is SessionPhase.REGULAR or (phase is SessionPhase.EXTENDED and order.outside_rth):
        return []
    if _trading_start(session, order) < now:
        session = exchange.session(order.instrument, session.late)
    moment = to_datetime(_trading_start(session, order)).astimezone(ZoneInfo(instrument.time_zone))
    time = f"{moment:%Y-%m-%d %H:%M:%S} {instrument.time_zone}"
    place = instrument.primary_exchange or instrument.exchange
    text = WAITS_FOR_SESSION.format(order.side.value, order.quantity, instrument.symbol, place, time)
    return [responses.error(order.order_id, 399, text)]


def _trading_start(session: TradingSession, order: VenueOrder) -> Nanos:
    return session.early if order.outside_rth else session.opens
