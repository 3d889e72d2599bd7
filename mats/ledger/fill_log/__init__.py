"""The fill log: how executions become entries, and which stage may receive which."""

from mats.ledger.fill_log.attribution import NewExecution, attribute
from mats.ledger.fill_log.booking import BookedFacts, BookingResult, book_reports, in_broker_order
from mats.ledger.fill_log.clock_watch import ClockWatch
from mats.ledger.fill_log.entry_cache import EntryCache
from mats.ledger.fill_log.recent_facts import RecentFacts
from mats.ledger.fill_log.stage_gate import StageGate

__all__ = [
    "BookedFacts",
    "BookingResult",
    "ClockWatch",
    "EntryCache",
    "NewExecution",
    "RecentFacts",
    "StageGate",
    "attribute",
    "book_reports",
    "in_broker_order",
]
