"""Views, the tables that follow from the fill log: positions, trades, histories."""

from mats.store.views.book_history import (
    AskedHistory,
    BookHistory,
    PastMissing,
    WithoutSetAside,
    pruned_entries,
)
from mats.store.views.decode import as_stored, decode_entries
from mats.store.views.positions_and_trades import Views
from mats.store.views.view_writer import ViewWriter

__all__ = [
    "AskedHistory",
    "BookHistory",
    "PastMissing",
    "ViewWriter",
    "Views",
    "WithoutSetAside",
    "as_stored",
    "decode_entries",
    "pruned_entries",
]
