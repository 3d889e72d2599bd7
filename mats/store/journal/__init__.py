"""The journal: all facts that must never be lost, read by recovery. SQLite."""

from mats.store.journal.audit import AuditLine
from mats.store.journal.damage import JournalDamagedError, journal_damage, refused_where_damaged, require_whole_log
from mats.store.journal.instruments import NOBODY, NameInUse
from mats.store.journal.joined_log import JournalFacts
from mats.store.journal.journal import Journal
from mats.store.journal.journal_file import AlreadyBookedError, JournalUnwritableError
from mats.store.journal.orders import Alias

__all__ = [
    "NOBODY",
    "Alias",
    "AlreadyBookedError",
    "AuditLine",
    "Journal",
    "JournalDamagedError",
    "JournalFacts",
    "JournalUnwritableError",
    "NameInUse",
    "journal_damage",
    "refused_where_damaged",
    "require_whole_log",
]
