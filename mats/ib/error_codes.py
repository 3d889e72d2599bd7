"""IB's message codes: what each means for the connection, for requests and for orders.

Source: IB's message-code reference (TWS API, "System, Error and Warning messages") and what live gateways were seen to
send.
"""

from enum import StrEnum

from mats.model import (
    BrokerError,
    InstrumentId,
    MarketStream,
    OrderErrorMeaning,
    StreamMeaning,
    StreamNotice,
)


class Meaning(StrEnum):
    """What a message means for the connection or a request."""

    LINK_LOST = "LINK_LOST"
    """The gateway lost IB's servers."""
    LINK_RESTORED = "LINK_RESTORED"
    """It is back, subscriptions are kept."""
    LINK_RESTORED_DATA_LOST = "LINK_RESTORED_DATA_LOST"
    """It is back, subscriptions are gone."""
    SOCKET_ENDS = "SOCKET_ENDS"
    """This socket cannot be used any more."""
    CLIENT_ID_IN_USE = "CLIENT_ID_IN_USE"
    READ_ONLY = "READ_ONLY"
    """The gateway's API takes and tells of no orders."""
    FARM_DOWN = "FARM_DOWN"
    """A data farm is unreachable: data of some instruments stop."""
    FARM_UP = "FARM_UP"
    FARM_IDLE = "FARM_IDLE"
    """A farm is dormant and wakes on demand: harmless."""
    DATA_COMPETING = "DATA_COMPETING"
    """Market data go to another login of the same user."""
    DATA_STOPPED = "DATA_STOPPED"
    """A stream ended and must be requested again."""
    DATA_DELAYED = "DATA_DELAYED"
    """Delayed data flow instead of live ones."""
    NOT_PERMITTED = "NOT_PERMITTED"
    """The account has no subscription for these data."""
    TOO_MANY_STREAMS = "TOO_MANY_STREAMS"
    """Every line of market data is in use."""
    UNKNOWN_INSTRUMENT = "UNKNOWN_INSTRUMENT"
    NO_DATA = "NO_DATA"
    """A complete answer: there is nothing."""
    PACING = "PACING"
    """Too many requests; retry later."""
    CANCELLED = "CANCELLED"
    """The echo of our own cancel of a request."""
    NOTICE = "NOTICE"
    """Informational; the request continues."""
    OTHER = "OTHER"
    """Not in this table: a request fails, an order is queried."""

    @property
    def ends_request(self) -> bool:
        """Whether a pending request gets no other answer."""
        return self not in _HARMLESS


FRACTION_REFUSED = 10243
"""An order for a fraction of a unit, which the broker does not take over the API."""

_HARMLESS = frozenset(
    {Meaning.NOTICE, Meaning.DATA_DELAYED, Meaning.FARM_DOWN, Meaning.FARM_UP, Meaning.FARM_IDLE, Meaning.NO_DATA}
)

_TABLE = {
    100: Meaning.PACING,
    101: Meaning.TOO_MANY_STREAMS,
    162: Meaning.OTHER,  # by its text, see below
    165: Meaning.NOTICE,
    200: Meaning.UNKNOWN_INSTRUMENT,
    300: Meaning.CANCELLED,
    326: Meaning.CLIENT_ID_IN_USE,
    354: Meaning.NOT_PERMITTED,
    366: Meaning.CANCELLED,
    420: Meaning.PACING,
    502: Meaning.SOCKET_ENDS,
    504: Meaning.SOCKET_ENDS,
    507: Meaning.SOCKET_ENDS,
    1100: Meaning.LINK_LOST,
    1101: Meaning.LINK_RESTORED_DATA_LOST,
    1102: Meaning.LINK_RESTORED,
    1300: Meaning.SOCKET_ENDS,
    2103: Meaning.FARM_DOWN,
    2104: Meaning.FARM_UP,
    2105: Meaning.FARM_DOWN,
    2106: Meaning.FARM_UP,
    2107: Meaning.FARM_IDLE,
    2108: Meaning.FARM_IDLE,
    2110: Meaning.LINK_LOST,
    2157: Meaning.FARM_DOWN,
    2158: Meaning.FARM_UP,
    10089: Meaning.NOT_PERMITTED,
    10090: Meaning.NOTICE,  # a part is missing, the rest flows
    10091: Meaning.NOT_PERMITTED,
    10167: Meaning.DATA_DELAYED,
    10168: Meaning.NOT_PERMITTED,
    10182: Meaning.DATA_STOPPED,
    10186: Meaning.NOT_PERMITTED,
    10189: Meaning.NOT_PERMITTED,
    10190: Meaning.TOO_MANY_STREAMS,
    10197: Meaning.DATA_COMPETING,
    10225: Meaning.DATA_STOPPED,
}

_OF_ALL_STREAMS = {
    Meaning.FARM_DOWN: StreamMeaning.FARM_DOWN,
    Meaning.FARM_UP: StreamMeaning.FARM_UP,
}

_OF_ONE_STREAM = {
    Meaning.DATA_STOPPED: StreamMeaning.STOPPED,
    Meaning.DATA_COMPETING: StreamMeaning.COMPETING,
    Meaning.DATA_DELAYED: StreamMeaning.DELAYED,
    Meaning.NOT_PERMITTED: StreamMeaning.NOT_SUBSCRIBED,
    Meaning.PACING: StreamMeaning.PACED,
    Meaning.TOO_MANY_STREAMS: StreamMeaning.PACED,
}
_SAYS_NOTHING = frozenset({Meaning.NOTICE, Meaning.CANCELLED, Meaning.FARM_DOWN, Meaning.FARM_UP, Meaning.FARM_IDLE})


def stream_notice(
    error: BrokerError, meaning: Meaning, of: tuple[InstrumentId, MarketStream] | None
) -> StreamNotice | None:
    """What a message means for streams of market data, None where that is nothing.

    `of` is the stream that it is about. What is said of a stream and is not in the table is a refusal: no code ends
    the attempts to get its data.
    """
    said = f"{error.text} (code {error.code})"
    if of is None:
        found = _OF_ALL_STREAMS.get(meaning) if error.request_id < 0 else None
        return None if found is None else StreamNotice(found, error.text)
    if meaning in _SAYS_NOTHING:
        return None
    return StreamNotice(_OF_ONE_STREAM.get(meaning, StreamMeaning.REFUSED), said, *of)


VALIDATION = 321
"""A request is not valid: its text says why."""


def meaning_of(code: int, text: str) -> Meaning:
    """The meaning of a message. Code 162 has several meanings, distinguished by its text."""
    if code == 162:
        return _historical(text.lower())
    if code == VALIDATION and "read-only" in text.lower():
        return Meaning.READ_ONLY
    if code == 420 and "pacing" not in text.lower():
        return Meaning.NOT_PERMITTED
    return _TABLE.get(code) or (Meaning.NOTICE if 2100 <= code < 2200 else Meaning.OTHER)


def _historical(text: str) -> Meaning:
    if "no data" in text:
        return Meaning.NO_DATA
    if "pacing" in text:
        return Meaning.PACING
    if "cancel" in text:
        return Meaning.CANCELLED
    return Meaning.NOT_PERMITTED if "permission" in text else Meaning.OTHER


_OF_ORDERS: dict[OrderErrorMeaning, tuple[int, ...]] = {
    OrderErrorMeaning.REJECTED: (201, 203),
    OrderErrorMeaning.INVALID: (
        *(109, 110, 111, 113, 116, 117, 118, 121, 122, 124, 125, 129, 131, 144, 146, 147, 148, 151, 152, 157, 163),
        *(200, 320, 321, 328, 336, 387, 388, 391, 393, 394, 396, 397, 398, 401, 402, 403),
        *(411, 412, 414, 415, 416, 417, 418, 421, 422, 423, 427, 429, 434, 435, 436, 437, 439, 440, 441, 448, 449, 460),
        *(461, 462, 463, 512, 10006, 10043, 10052, 10243, 10244, 10245, 10246, 10247, 10248, 10249, 10250, 10251),
        *(10252, 10268, 10318),
    ),
    OrderErrorMeaning.CANCELLED: (202,),
    OrderErrorMeaning.CANCEL_REFUSED: (136, 161, 10148),
    OrderErrorMeaning.MODIFY_REFUSED: (104, 105, 134, 140, 2102, 10242, 10326),
    OrderErrorMeaning.WARNING: (399, 404, 2109, 2148),
    OrderErrorMeaning.INFORMATION: (10349, 10167, 165, 492),
    OrderErrorMeaning.UNCLEAR: (10147,),  # the order to cancel is not found: it may be gone, or not have arrived
}

_ORDER_MEANINGS = {code: meaning for meaning, codes in _OF_ORDERS.items() for code in codes}


def order_error_meaning(code: int) -> OrderErrorMeaning:
    """What a code says about an order. One that is not in the table means "ask the broker", never "the order is gone".

    The 2100s are warnings by IB's numbering unless listed otherwise.
    """
    if code in _ORDER_MEANINGS:
        return _ORDER_MEANINGS[code]
    return OrderErrorMeaning.WARNING if 2100 <= code < 2200 else OrderErrorMeaning.UNCLEAR
