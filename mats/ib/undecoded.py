"""What can be read of a message that could not be decoded: which execution it may be, and whose trading it concerns.

The positions of fields are those of IB's protocol from version 157 on. Nothing here raises, whatever the fields hold.
"""

import re
from enum import IntEnum

from mats.ib.conversion import ExecDetails, UnknownTime, instant
from mats.instruments import instrument_id
from mats.model import ZERO, InstrumentId, UndecodedMessage, exact


class Number(IntEnum):
    """Message numbers of IB's protocol."""

    TICK_PRICE = 1
    TICK_SIZE = 2
    ORDER_STATUS = 3
    OPEN_ORDER = 5
    EXECUTION = 11
    CURRENT_TIME = 49
    BAR = 50
    COMMISSION = 59
    POSITION = 61
    ACCOUNT_VALUE = 73
    COMPLETED_ORDER = 101


KEPT = frozenset(
    {
        Number.ORDER_STATUS,
        Number.OPEN_ORDER,
        Number.EXECUTION,
        Number.COMMISSION,
        Number.POSITION,
        Number.COMPLETED_ORDER,
    }
)
"""Messages that say something about orders, fills and positions; what else cannot be decoded is only counted."""
STREAMED = KEPT | {Number.TICK_PRICE, Number.TICK_SIZE, Number.CURRENT_TIME, Number.BAR, Number.ACCOUNT_VALUE}
"""Messages that are no part of the answer to one request, or without which it lacks nothing."""

_DECIMAL = re.compile(r"\d{1,12}(\.\d{1,12})?")
_SIDES = {"BOT": "BUY", "SLD": "SELL"}


def is_kept(message: UndecodedMessage) -> bool:
    """Whether books or orders may lack something without it: an operator must see it."""
    number = _number(message.fields)
    return number is None or number in KEPT


def may_answer(message: UndecodedMessage) -> bool:
    """Whether it may be a part of the answer to a request."""
    return _number(message.fields) not in STREAMED


def is_heartbeat(message: UndecodedMessage) -> bool:
    """Whether it answers a heartbeat: whatever its time says, the gateway lives."""
    return _number(message.fields) == Number.CURRENT_TIME


def undecoded(fields: list[str], reason: str) -> UndecodedMessage:
    """What these fields say, as far as they can be read."""
    received = tuple(fields)
    match _number(fields):
        case Number.EXECUTION:
            execution = _execution(fields)
            return UndecodedMessage(
                fields=received,
                reason=reason,
                about="execution",
                lasting=(*received[:1], *received[2:]),  # without the id of the request
                account=execution["account"],
                instrument=execution["instrument"],
                exec_id=execution["exec_id"],
                execution=execution if execution["exec_id"] else {},
            )
        case Number.COMMISSION:
            return UndecodedMessage(
                fields=received, reason=reason, about="commission", lasting=received, exec_id=_field(fields, 2)
            )
        case Number.POSITION:
            return UndecodedMessage(
                fields=received,
                reason=reason,
                about="position",
                lasting=received,
                account=_field(fields, 2),
                instrument=_instrument(fields, 4),
            )
        case _:
            return UndecodedMessage(fields=received, reason=reason, lasting=received)


def _execution(fields: list[str]) -> dict[str, str]:
    wire = ExecDetails(*(_field(fields, place) for place in range(len(ExecDetails._fields))))
    try:
        time = str(instant(wire.time))
    except (UnknownTime, OverflowError):
        time = wire.time  # the operator sees what was received
    return {
        "order_id": wire.order_id,
        "multiplier": wire.multiplier or "1",
        "currency": wire.currency,
        "exec_id": wire.exec_id,
        "time": time,
        "account": wire.account,
        "exchange": wire.traded_at,
        "side": _SIDES.get(wire.side, wire.side),
        "quantity": wire.quantity,
        "price": wire.price,
        "perm_id": wire.perm_id,
        "client_id": wire.client_id,
        "cumulative_quantity": wire.cumulative_quantity,
        "average_price": wire.average_price,
        "order_ref": wire.order_ref,
        "con_id": wire.con_id or "0",
        "instrument": _instrument(fields, 4),
    }


def _number(fields: tuple[str, ...] | list[str]) -> int | None:
    first = fields[0] if fields else ""
    return int(first) if first.isascii() and first.isdigit() and len(first) < 10 else None


def _field(fields: list[str], place: int) -> str:
    return fields[place] if place < len(fields) else ""


def _instrument(fields: list[str], symbol: int) -> InstrumentId:
    """The name of the contract that begins with its symbol at this place; empty where there is none."""
    if len(fields) <= symbol + 9 or not fields[symbol]:
        return ""
    kind, expiry, strike, right, _, _, currency, local, class_ = (fields[symbol + place] for place in range(1, 10))
    number = exact(strike) if _DECIMAL.fullmatch(strike) else ZERO
    con_id = int(fields[symbol - 1]) if fields[symbol - 1].isascii() and fields[symbol - 1].isdecimal() else 0
    return instrument_id(fields[symbol], kind, currency, expiry, local, class_, number, right[:1], con_id)
