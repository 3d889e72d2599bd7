"""The Interactive Brokers edge: `IbSession` implements the TWS protocol; its library stays inside this package."""

from mats.ib import events
from mats.ib.conversion import HistoricalBars, TimeZones, UnvaluedExecutions, is_valued, valued
from mats.ib.decoding import FILL_MESSAGES, ORDER_MESSAGES
from mats.ib.error_codes import FRACTION_REFUSED, Meaning, meaning_of
from mats.ib.errors import UNUSABLE, ConnectionLostError, IBError, QueueFull, RequestFailed
from mats.ib.handshake import Opened
from mats.ib.pending_requests import FIRST_REQUEST_ID
from mats.ib.session import IbSession
from mats.ib.snapshot import MASTER, ExecutionsEnd
from mats.ib.undecoded import is_kept

__all__ = [
    "FILL_MESSAGES",
    "FIRST_REQUEST_ID",
    "FRACTION_REFUSED",
    "MASTER",
    "ORDER_MESSAGES",
    "UNUSABLE",
    "ConnectionLostError",
    "ExecutionsEnd",
    "HistoricalBars",
    "IBError",
    "IbSession",
    "Meaning",
    "Opened",
    "QueueFull",
    "RequestFailed",
    "TimeZones",
    "UnvaluedExecutions",
    "events",
    "is_kept",
    "is_valued",
    "meaning_of",
    "valued",
]
