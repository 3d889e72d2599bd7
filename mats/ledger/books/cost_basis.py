"""The cost of a position, and what a trade, an adjustment or a transfer makes of it.

The cost of a position is kept as an exact signed total, not as an average: opening adds to it without rounding, and
the average is derived on demand. Closing a part releases `cost × closed / quantity`, rounded once to
`QUANTUM`; what is released leaves the cost and enters the realized P&L in the same amount. Hence for every
history of fills `cost − realized` = Σ signed quantity × price × multiplier exactly, and the P&L of a position
closed to flat is exact. The rounding is part of the rule, so each history has exactly one result.
"""

from decimal import Decimal

from msgspec.structs import replace

from mats.ledger.books.book import Book
from mats.model import EXACT, ZERO, prorate


def trade(book: Book, quantity: Decimal, price: Decimal, multiplier: Decimal) -> Book:
    """The book after buying (positive) or selling (negative) at `price`; through zero it closes, then opens."""
    value = EXACT.multiply(price, multiplier)
    closed = closed_part(book, quantity)
    if not closed:
        return _opened(book, quantity, value, multiplier)
    released = released_cost(book, closed)
    opened = EXACT.subtract(quantity, closed)
    return replace(
        book,
        multiplier=multiplier,
        quantity=EXACT.add(book.quantity, quantity),
        cost=EXACT.add(EXACT.subtract(book.cost, released), EXACT.multiply(opened, value)),
        realized=EXACT.subtract(EXACT.subtract(book.realized, EXACT.multiply(closed, value)), released),
    )


def adjust(book: Book, quantity: Decimal, price: Decimal, multiplier: Decimal) -> Book:
    """The book after an adjustment: units that leave take their cost along, because no sale is known."""
    value = EXACT.multiply(price, multiplier)
    closed = closed_part(book, quantity)
    reduced = replace(
        book, quantity=EXACT.add(book.quantity, closed), cost=EXACT.subtract(book.cost, released_cost(book, closed))
    )
    return _opened(reduced, EXACT.subtract(quantity, closed), value, multiplier)


def _opened(book: Book, quantity: Decimal, value: Decimal, multiplier: Decimal) -> Book:
    return replace(
        book,
        multiplier=multiplier,
        quantity=EXACT.add(book.quantity, quantity),
        cost=EXACT.add(book.cost, EXACT.multiply(quantity, value)),
    )


def move(book: Book, quantity: Decimal, cost: Decimal, realized: Decimal) -> Book:
    """The book plus exactly these amounts. They keep `cost − realized` summed over the books.

    Where a later correction leaves a flat book with a cost, that cost is realized.
    """
    quantity_after, cost_after, realized_after = (
        EXACT.add(before, more)
        for before, more in ((book.quantity, quantity), (book.cost, cost), (book.realized, realized))
    )
    if quantity_after:
        return replace(book, quantity=quantity_after, cost=cost_after, realized=realized_after)
    return replace(book, quantity=quantity_after, cost=ZERO, realized=EXACT.subtract(realized_after, cost_after))


def closed_part(book: Book, quantity: Decimal) -> Decimal:
    """The part of the signed `quantity` that reduces the position."""
    if not book.quantity or not quantity or book.quantity.is_signed() == quantity.is_signed():
        return ZERO
    return quantity if quantity.copy_abs() <= book.quantity.copy_abs() else book.quantity.copy_negate()


def released_cost(book: Book, closed: Decimal) -> Decimal:
    """The cost that `closed` releases: all of it at flat, else its share."""
    if not closed:
        return ZERO
    if closed == book.quantity.copy_negate():
        return book.cost
    return prorate(book.cost, closed.copy_negate(), book.quantity)
