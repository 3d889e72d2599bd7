"""One book: what a strategy holds of one instrument, what it cost and what it earned; and the arithmetic of a trade.

The cost of a position is kept as an exact signed total, not as an average: opening adds to it without rounding, and
the average is derived where somebody asks. Closing a part releases `cost × closed / quantity`, rounded to
`COST_QUANTUM`; what is released leaves the cost and enters the realised result in the same amount. Hence for every
history of fills `cost − realized` = Σ signed quantity × price × multiplier exactly, and the result of a position
closed to flat is exact.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from mats.model.instrument import InstrumentId
from mats.model.money import ONE, ZERO, Currency
from mats.model.orders import AccountId, StrategyName

COST_QUANTUM = Decimal("1e-12")
"""Released cost is rounded to this part of one unit of currency; with 28 digits, totals up to 10^16 stay exact."""

BookKey = tuple[AccountId, StrategyName, InstrumentId]


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument in the hands of one strategy in one account.

    `quantity` is signed. `cost` is signed too, in `currency`, multiplier included: what the position cost (long) or
    brought in (short), without commissions. `realized` is the result of what was closed, before commissions.
    `commissions` are totals by their own currency. `entries` counts the log entries folded, `seq` is the last of them.
    `corrected` names the execution families that a correction has touched.
    """

    account: AccountId
    strategy: StrategyName
    instrument: InstrumentId
    currency: Currency
    multiplier: Decimal = ONE
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    commissions: Mapping[Currency, Decimal] = {}
    entries: int = 0
    seq: int = 0
    corrected: frozenset[str] = frozenset()

    @property
    def key(self) -> BookKey:
        return self.account, self.strategy, self.instrument

    @property
    def average_cost(self) -> Decimal:
        """Cost of one unit, multiplier included, as IB reports it; 0 when flat."""
        return self.cost / self.quantity if self.quantity else ZERO

    @property
    def average_price(self) -> Decimal:
        """The price at which the position was opened on average; 0 when flat."""
        return self.average_cost / self.multiplier


class BookChange(msgspec.Struct, frozen=True, kw_only=True):
    """A book before and after entry `seq`; `before` is None for the first entry of a book."""

    seq: int
    before: Book | None
    after: Book

    @property
    def realized(self) -> Decimal:
        """What the entry added to the realised result, before commissions."""
        return self.after.realized - (self.before.realized if self.before else ZERO)


def market_value(book: Book, price: Decimal) -> Decimal:
    """Signed value of the position at `price`, in the book's currency."""
    return book.quantity * price * book.multiplier


def unrealized(book: Book, price: Decimal) -> Decimal:
    """What closing at `price` would realise, in the book's currency, before commissions."""
    return market_value(book, price) - book.cost


def trade(book: Book, quantity: Decimal, price: Decimal, multiplier: Decimal) -> Book:
    """The book after buying (positive) or selling (negative) at `price`; through zero it closes, then opens."""
    closed = closed_part(book, quantity)
    released = released_cost(book, closed)
    opened = quantity - closed
    return replace(
        book,
        multiplier=multiplier,
        quantity=book.quantity + quantity,
        cost=book.cost - released + opened * price * multiplier,
        realized=book.realized - closed * price * multiplier - released,
    )


def adjust(book: Book, quantity: Decimal, price: Decimal, multiplier: Decimal) -> Book:
    """The book after an adjustment: what leaves takes its cost along, for nothing was sold that we know of."""
    closed = closed_part(book, quantity)
    opened = (quantity - closed) * price * multiplier
    return replace(
        book,
        multiplier=multiplier,
        quantity=book.quantity + quantity,
        cost=book.cost - released_cost(book, closed) + opened,
    )


def move(book: Book, quantity: Decimal, cost: Decimal, realized: Decimal) -> Book:
    """The book after exactly these amounts were added to it. They keep `cost − realized` summed over the books.

    Where a later correction of the past leaves a flat book with a cost, that cost has become its result.
    """
    held, left, earned = book.quantity + quantity, book.cost + cost, book.realized + realized
    return replace(book, quantity=held, cost=left if held else ZERO, realized=earned if held else earned - left)


def closed_part(book: Book, quantity: Decimal) -> Decimal:
    """The part of the signed `quantity` that goes towards flat."""
    if book.quantity * quantity >= 0:
        return ZERO
    return quantity if abs(quantity) <= abs(book.quantity) else -book.quantity


def released_cost(book: Book, closed: Decimal) -> Decimal:
    """The cost that goes with `closed`: all of it at flat, else its share, rounded to the quantum."""
    if closed == -book.quantity:
        return book.cost
    return (book.cost * -closed / book.quantity).quantize(COST_QUANTUM)
