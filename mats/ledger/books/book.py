"""One book: position, cost and P&L of a strategy in one instrument of one account."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from mats.model import EXACT, ONE, ZERO, AccountId, Currency, InstrumentId, Nanos, StrategyName, converted

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
