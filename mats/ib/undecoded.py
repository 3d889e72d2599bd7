"""What can be read of a message that could not be decoded: which execution it may be, and whose trading it concerns.

The positions of fields are those of IB's protocol from version 157 on. Nothing here raises, whatever the fields hold.
"""

from collections.abc import Mapping

import msgspec

from mats.ib.conversion import UnknownTime, instant
from mats.model import AccountId, InstrumentId, SecType, instrument_id

TICK_PRICE, TICK_SIZE, ORDER_STATUS, OPEN_ORDER, EXECUTION, BAR = 1, 2, 3, 5, 11, 50
COMMISSION, POSITION, ACCOUNT_VALUE, COMPLETED_ORDER = 59, 61, 73, 101
KEPT = frozenset({ORDER_STATUS, OPEN_ORDER, EXECUTION, COMMISSION, POSITION, COMPLETED_ORDER})
"""Messages that say something about orders, fills and positions; what else cannot be decoded is only counted."""
STREAMED = KEPT | {TICK_PRICE, TICK_SIZE, BAR, ACCOUNT_VALUE}
"""Messages that are no part of the answer to one request."""

_EXECUTION_FIELDS = {
    "order_id": 2,
    "multiplier": 9,
    "currency": 11,
    "exec_id": 14,
    "time": 15,
    "account": 16,
    "exchange": 17,
    "side": 18,
    "quantity": 19,
    "price": 20,
    "perm_id": 21,
    "client_id": 22,
    "cumulative_quantity": 24,
    "average_price": 25,
    "order_ref": 26,
}
_SIDES = {"BOT": "BUY", "SLD": "SELL"}


class Undecoded(msgspec.Struct, frozen=True, kw_only=True):
    """A message by its fields, why it could not be used, and what it is about; empty where that cannot be read.

    `execution` has the fields of an execution by our names for them, as text.
    """

    fields: tuple[str, ...]
    reason: str
    account: AccountId = ""
    instrument: InstrumentId = ""
    exec_id: str = ""
    execution: Mapping[str, str] = {}

    @property
    def kept(self) -> bool:
        """Whether books or orders may lack something without it: an operator must see it."""
        number = _number(self.fields)
        return number is None or number in KEPT

    @property
    def may_answer(self) -> bool:
        """Whether it may be a part of the answer to a request."""
        return _number(self.fields) not in STREAMED

    @property
    def text(self) -> str:
        """One line for the log."""
        return f"{self.reason} in message {list(self.fields)}"


def undecoded(fields: list[str], reason: str) -> Undecoded:
    """What these fields say, as far as they can be read."""
    account = instrument = exec_id = ""
    execution: Mapping[str, str] = {}
    match _number(fields):
        case 11:
            instrument = _instrument(fields, 4)
            execution = _execution(fields, instrument)
            exec_id, account = execution["exec_id"], execution["account"]
        case 59:
            exec_id = _field(fields, 2)
        case 61:
            account, instrument = _field(fields, 2), _instrument(fields, 4)
        case _:
            pass
    return Undecoded(
        fields=tuple(fields),
        reason=reason,
        account=account,
        instrument=instrument,
        exec_id=exec_id,
        execution=execution if exec_id else {},
    )


def _execution(fields: list[str], instrument: InstrumentId) -> dict[str, str]:
    found = {name: _field(fields, place) for name, place in _EXECUTION_FIELDS.items()}
    found |= {"instrument": instrument, "side": _SIDES.get(found["side"], found["side"])}
    found["multiplier"] = found["multiplier"] or "1"
    try:
        found["time"] = str(instant(found["time"]))
    except (UnknownTime, OverflowError):
        pass
    return found


def _number(fields: tuple[str, ...] | list[str]) -> int | None:
    first = fields[0] if fields else ""
    return int(first) if first.isascii() and first.isdigit() and len(first) < 10 else None


def _field(fields: list[str], place: int) -> str:
    return fields[place] if place < len(fields) else ""


def _instrument(fields: list[str], symbol: int) -> InstrumentId:
    """The name of the contract that begins with its symbol at this place; empty where there is none."""
    if len(fields) <= symbol + 8 or not fields[symbol]:
        return ""
    kind, expiry, currency, local = (fields[symbol + place] for place in (1, 2, 7, 8))
    if kind not in frozenset(SecType):
        return f"{fields[symbol]}:{kind}:{fields[symbol - 1]}"
    return instrument_id(fields[symbol], kind, currency, expiry, local)
