"""Cash flows of trades, which depend on how they are settled.

A stock or an option is paid in full. A future is not paid: it settles its P&L. A currency pair is an exchange: its book
is a position like any other, with a cost, a P&L and an exposure, but its value is already in the two cash balances, so
it adds nothing to equity beyond them.
"""

from decimal import Decimal
from enum import StrEnum

from mats.ledger.books import Book
from mats.ledger.valuation.fx import pair_of
from mats.model import ZERO, Currency, InstrumentId


class Payment(StrEnum):
    """How the trades of an instrument are settled."""

    FULL = "full"
    GAINS = "gains"
    EXCHANGE = "exchange"


def payment(instrument: InstrumentId) -> Payment:
    """By the name: `EURUSD` is an exchange, `ES:20241220` settles its P&L, all others are paid in full."""
    if pair_of(instrument):
        return Payment.EXCHANGE
    return Payment.GAINS if ":" in instrument else Payment.FULL


def cash_flow(book: Book) -> dict[Currency, Decimal]:
    """The cash flow of all trades of the book, by currency, commissions included.

    Payments less receipts are `cost − realized`, exactly (see `mats.ledger.books.cost_basis`).
    """
    flow: dict[Currency, Decimal] = {}

    def move(currency: Currency, amount: Decimal) -> None:
        flow[currency] = flow.get(currency, ZERO) + amount

    paid = payment(book.instrument)
    move(book.currency, book.realized if paid is Payment.GAINS else book.realized - book.cost)
    if paid is Payment.EXCHANGE:
        move(book.instrument[:3], book.quantity)
    for currency, amount in book.commissions.items():
        move(currency, -amount)
    return flow
