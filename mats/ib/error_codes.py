"""IB's message codes: what each means for the connection and for requests.

What a code means for an *order* depends on the state of the order and is decided where orders are tracked.
Source: IB's TWS API documentation, "Message Codes".
"""

from enum import StrEnum


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
    """Delayed or partial data flow instead of live ones."""
    NOT_PERMITTED = "NOT_PERMITTED"
    """The account has no subscription for these data."""
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


_HARMLESS = frozenset(
    {Meaning.NOTICE, Meaning.DATA_DELAYED, Meaning.FARM_DOWN, Meaning.FARM_UP, Meaning.FARM_IDLE, Meaning.NO_DATA}
)

_TABLE = {
    100: Meaning.PACING,
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
    10090: Meaning.DATA_DELAYED,
    10091: Meaning.NOT_PERMITTED,
    10167: Meaning.DATA_DELAYED,
    10168: Meaning.NOT_PERMITTED,
    10182: Meaning.DATA_STOPPED,
    10186: Meaning.NOT_PERMITTED,
    10197: Meaning.DATA_COMPETING,
}


def meaning_of(code: int, text: str) -> Meaning:
    """The meaning of a message. Code 162 has several meanings, distinguished by its text."""
    if code == 162:
        return _historical(text.lower())
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
