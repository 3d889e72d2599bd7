"""One book: position, cost and P&L of a strategy in one instrument; and the arithmetic of a trade.

The cost of a position is kept as an exact signed total, not as an average: opening adds to it without rounding, and
the average is derived on demand. Closing a part releases `cost × closed / quantity`, rounded once to
`QUANTUM`; what is released leaves the cost and enters the realized P&L in the same amount. Hence for every
history of fills `cost − realized` = Σ signed quantity × price × multiplier exactly, and the P&L of a position
closed to flat is exact. The rounding is part of the rule, so each history has exactly one result.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from mats.model import EXACT, ONE, ZERO, AccountId, Currency, InstrumentId, Nanos, StrategyName, converted, prorate

BookKey = tuple[AccountId, StrategyName, InstrumentId]


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy's position in one instrument of one account.

    `quantity` is signed. `cost` is signed too, in `currency`, multiplier included: the price paid (long) or
    received (short), without commissions. `realized` is the P&L of what was closed, before commissions.
    `commissions` are totals by their own currency. `realized_base` and `commissions_base` are the same in the base
    currency, each amount at the rate of its booking; `unrated` is P&L less commissions that were booked while no
    rate was known. `entries` counts the log entries folded, `seq` is the last of them, `time` the newest time of
    execution among them. `corrected` names the execution families that a correction has touched.
    """

    account: AccountId
    strategy: StrategyName
    instrument: InstrumentId
    currency: Currency
    multiplier: Decimal = ONE
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized: Decimal = ZERO
    realized_base: Decimal = ZERO
    commissions: Mapping[Currency, Decimal] = {}
    commissions_base: Decimal = ZERO
    unrated: Mapping[Currency, Decimal] = {}
    entries: int = 0
    seq: int = 0
    time: Nanos = 0
    corrected: frozenset[str] = frozenset()

    @property
    def key(self) -> BookKey:
        return self.account, self.strategy, self.instrument

    @property
    def average_cost(self) -> Decimal:
        """Cost of one unit, multiplier included, as IB reports it, to 28 digits; 0 when flat."""
        return self.cost / self.quantity if self.quantity else ZERO

    @property
    def net_base(self) -> Decimal | None:
        """Realized P&L less commissions in the base currency, None where a part was booked without a rate."""
        return None if self.unrated else EXACT.subtract(self.realized_base, self.commissions_base)

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
        """What the entry added to the realized P&L, before commissions."""
        return EXACT.subtract(self.after.realized, self.before.realized if self.before else ZERO)


def market_value(book: Book, price: Decimal) -> Decimal:
    """Signed value of the position at `price`, in the book's currency."""
    return EXACT.multiply(EXACT.multiply(book.quantity, price), book.multiplier)


def unrealized(book: Book, price: Decimal) -> Decimal:
    """The P&L of closing at `price`, in the book's currency, before commissions."""
    return EXACT.subtract(market_value(book, price), book.cost)


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


def charge(book: Book, amount: Decimal, currency: Currency, rate: Decimal | None) -> Book:
    """The book after a commission of `amount`, converted at `rate` (base currency for one unit, None: unknown)."""
    total = EXACT.add(book.commissions.get(currency, ZERO), amount)
    charged = replace(book, commissions={**book.commissions, currency: total})
    if rate is None:
        return _unrated(charged, amount.copy_negate(), currency)
    return replace(charged, commissions_base=EXACT.add(book.commissions_base, converted(amount, rate)))


def with_base_result(before: Book, after: Book, rate: Decimal | None) -> Book:
    """`after` with its P&L since `before` converted at `rate` (base currency for one unit, None: unknown)."""
    if after.realized == before.realized:
        return after
    result = EXACT.subtract(after.realized, before.realized)
    if rate is None:
        return _unrated(after, result, after.currency)
    return replace(after, realized_base=EXACT.add(after.realized_base, converted(result, rate)))


def _unrated(book: Book, amount: Decimal, currency: Currency) -> Book:
    total = EXACT.add(book.unrated.get(currency, ZERO), amount)
    return replace(book, unrated={**book.unrated, currency: total})


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
