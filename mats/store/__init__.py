"""Storage: the journal that recovery reads (SQLite), and the tables that people read (ArcticDB)."""

from mats.store.directory_lock import DataLock, LockHeldError, data_directory, moved

__all__ = [
    "DataLock",
    "LockHeldError",
    "data_directory",
    "moved",
]
