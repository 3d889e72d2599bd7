"""What follows from the fill log, as tables: positions, trades, histories."""

from mats.store.views.book_history import BookHistory
from mats.store.views.decode import as_stored, logged
from mats.store.views.view_writer import ViewWriter
from mats.store.views.views import Views

__all__ = [
    "BookHistory",
    "ViewWriter",
    "Views",
    "as_stored",
    "logged",
]
