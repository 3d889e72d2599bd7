"""The Interactive Brokers edge: an `IbSession` speaks the TWS protocol; no library object leaves this package."""

from mats.ib import events
from mats.ib.decoding import ORDER_NEWS
from mats.ib.error_codes import Meaning, meaning_of
from mats.ib.errors import ConnectionLostError, RequestFailed
from mats.ib.handshake import Opened
from mats.ib.history import HistoryRequests
from mats.ib.pending_requests import FIRST_REQUEST_ID
from mats.ib.session import IbSession
from mats.ib.snapshot import MASTER, ExecutionsEnd

__all__ = [
    "FIRST_REQUEST_ID",
    "MASTER",
    "ORDER_NEWS",
    "ConnectionLostError",
    "ExecutionsEnd",
    "HistoryRequests",
    "IbSession",
    "Meaning",
    "Opened",
    "RequestFailed",
    "events",
    "meaning_of",
]
