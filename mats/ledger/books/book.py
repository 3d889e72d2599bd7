"""One book: what a strategy holds of one instrument, what it cost and what it earned; and the arithmetic of a trade.

The cost of a position is kept as an exact signed total, not as an average: opening adds to it without rounding, and
the average is derived where somebody asks. Closing a part releases `cost × closed / quantity`, rounded once to
`QUANTUM`; what is released leaves the cost and enters the realised result in the same amount. Hence for every
history of fills `cost − realized` = Σ signed quantity × price × multiplier exactly, and the result of a position
closed to flat is exact. The one rounding is part of the rule, so the rule has exactly one result for each history.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from mats.model import EXACT, ONE, ZERO, AccountId, Currency, InstrumentId, Nanos, StrategyName, converted, share

BookKey = tuple[AccountId, StrategyName, InstrumentId]


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument in the hands of one strategy in one account.

    `quantity` is signed. `cost` is signed too, in `currency`, multiplier included: what the position cost (long) or
    brought in (short), without commissions. `realized` is the result of what was closed, before commissions.
    `commissions` are totals by their own currency. `realized_base` and `commissions_base` are the same in the base
    currency, each amount at the rate of its booking; `unrated` has results less commissions that were booked while no
    rate was known. `entries` counts the log entries folded, `seq` is the last of them, `time` the newest place among
    them. `corrected` names the execution families that a correction has touched.
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
        """Results less commissions in the base currency, None where a part was booked without a rate."""
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
        """What the entry added to the realised result, before commissions."""
        return EXACT.subtract(self.after.realized, self.before.realized if self.before else ZERO)


def market_value(book: Book, price: Decimal) -> Decimal:
    """Signed value of the position at `price`, in the book's currency."""
    return EXACT.multiply(EXACT.multiply(book.quantity, price), book.multiplier)


def unrealized(book: Book, price: Decimal) -> Decimal:
    """What closing at `price` would realise, in the book's currency, before commissions."""
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
    """The book after an adjustment: what leaves takes its cost along, for nothing was sold that we know of."""
    value = EXACT.multiply(price, multiplier)
    closed = closed_part(book, quantity)
    left = replace(
        book, quantity=EXACT.add(book.quantity, closed), cost=EXACT.subtract(book.cost, released_cost(book, closed))
    )
    return _opened(left, EXACT.subtract(quantity, closed), value, multiplier)


def charge(book: Book, amount: Decimal, currency: Currency, rate: Decimal | None) -> Book:
    """The book after a commission of `amount`, converted at `rate` (base currency for one unit, None: unknown)."""
    total = EXACT.add(book.commissions.get(currency, ZERO), amount)
    charged = replace(book, commissions={**book.commissions, currency: total})
    if rate is None:
        return _unrated(charged, amount.copy_negate(), currency)
    return replace(charged, commissions_base=EXACT.add(book.commissions_base, converted(amount, rate)))


def rated(before: Book, after: Book, rate: Decimal | None) -> Book:
    """`after` with what it earned since `before` converted at `rate` (base currency for one unit, None: unknown)."""
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
    """The book after exactly these amounts were added to it. They keep `cost − realized` summed over the books.

    Where a later correction of the past leaves a flat book with a cost, that cost has become its result.
    """
    held, left, earned = (
        EXACT.add(before, more)
        for before, more in ((book.quantity, quantity), (book.cost, cost), (book.realized, realized))
    )
    if held:
        return replace(book, quantity=held, cost=left, realized=earned)
    return replace(book, quantity=held, cost=ZERO, realized=EXACT.subtract(earned, left))


def closed_part(book: Book, quantity: Decimal) -> Decimal:
    """The part of the signed `quantity` that goes towards flat."""
    if not book.quantity or not quantity or book.quantity.is_signed() == quantity.is_signed():
        return ZERO
    return quantity if quantity.copy_abs() <= book.quantity.copy_abs() else book.quantity.copy_negate()


def released_cost(book: Book, closed: Decimal) -> Decimal:
    """The cost that goes with `closed`: all of it at flat, else its share."""
    if not closed:
        return ZERO
    if closed == book.quantity.copy_negate():
        return book.cost
    return share(book.cost, closed.copy_negate(), book.quantity)
