"""The Interactive Brokers edge: a `Session` speaks the TWS protocol; nothing outside sees an object of the library."""

from mats.ib.codes import Meaning, meaning_of
from mats.ib.handshake import Opened
from mats.ib.history import History
from mats.ib.replaying import ExecutionsEnd
from mats.ib.session import Session

__all__ = ["ExecutionsEnd", "History", "Meaning", "Opened", "Session", "meaning_of"]
