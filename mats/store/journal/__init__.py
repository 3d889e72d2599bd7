"""The journal: all facts that must never be lost, read by recovery. SQLite."""

from mats.store.journal.audit import AuditLine
from mats.store.journal.journal import Journal
from mats.store.journal.orders import Alias
from mats.store.journal.schema import JournalUnwritableError

__all__ = [
    "Alias",
    "AuditLine",
    "Journal",
    "JournalUnwritableError",
]
