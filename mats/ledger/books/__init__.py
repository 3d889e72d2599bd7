"""Books: position, cost and P&L of each strategy. Folds over the fill log."""

from mats.ledger.books.book import Book, BookKey, unrealized
from mats.ledger.books.book_fold import ChargesOf, no_charges
from mats.ledger.books.books import Books, refold
from mats.ledger.books.cost_basis import adjust, closed_part, move, released_cost, trade
from mats.ledger.books.execution_order import Charge, History, book_key, effective_steps
from mats.ledger.books.lots import Lot, Matching, OpenLots
from mats.ledger.books.trade_matching import RoundTrips, TradeChange
from mats.ledger.books.trade_record import Trade

__all__ = [
    "Book",
    "BookKey",
    "Books",
    "Charge",
    "ChargesOf",
    "History",
    "Lot",
    "Matching",
    "OpenLots",
    "RoundTrips",
    "Trade",
    "TradeChange",
    "adjust",
    "book_key",
    "closed_part",
    "effective_steps",
    "move",
    "no_charges",
    "refold",
    "released_cost",
    "trade",
    "unrealized",
]
