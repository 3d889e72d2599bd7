"""Value, exposure and P&L of positions at the newest prices and rates, and their sums over many books."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from mats.ledger.books import Book, unrealized
from mats.ledger.valuation.cash_flows import Payment, payment
from mats.ledger.valuation.fx import FxRates
from mats.model import (
    ZERO,
    AccountId,
    Currency,
    Figure,
    InstrumentId,
    Nanos,
    Unknown,
    difference,
    exact,
    total,
)


class Marks(msgspec.Struct, frozen=True):
    """Prices and rates as of `now`; a rate older than `max_age` seconds is not known."""

    prices: Mapping[InstrumentId, float]
    rates: FxRates
    now: Nanos
    max_age: float

    def price(self, instrument: InstrumentId) -> Figure:
        """In the instrument's currency."""
        price = self.prices.get(instrument)
        return Unknown(f"no price of {instrument} is known") if price is None else exact(price)

    def in_base(self, amount: Figure, currency: Currency) -> Figure:
        """An amount of a currency in the base currency; zero needs no rate."""
        if isinstance(amount, Unknown) or not amount:
            return amount
        return self.rates.convert(amount, currency, self.now, self.max_age)

    def value(self, books: Sequence[Book]) -> Figure:
        """The net position of books of one instrument at its price, in the base currency; zero needs no price.

        For futures and pairs it is the exposure.
        """
        units = sum((book.quantity * book.multiplier for book in books), ZERO)
        if not units:
            return ZERO
        price = self.price(books[0].instrument)
        return self.in_base(price if isinstance(price, Unknown) else units * price, books[0].currency)

    def unrealized(self, book: Book) -> Figure:
        """The unrealized P&L in the base currency."""
        if not book.quantity:
            return ZERO
        price = self.price(book.instrument)
        gain = price if isinstance(price, Unknown) else unrealized(book, price)
        return self.in_base(gain, book.currency)

    def equity_contribution(self, book: Book) -> Figure:
        """What the position adds to equity in the base currency, beyond the cash flows of its trades."""
        match payment(book.instrument):
            case Payment.FULL:
                return self.value((book,))
            case Payment.GAINS:
                return self.unrealized(book)
            case Payment.EXCHANGE:
                return ZERO


class TradingResult(msgspec.Struct, frozen=True, kw_only=True):
    """Exposure and P&L of a set of books, in the base currency.

    `gross` adds the sizes of positions up, `net` their signed values, both at the newest prices and rates, as is
    `unrealized`. `realized` is before commissions, and both are at the rates of their booking; what was booked while no
    rate was known is in `realized` at the newest rate, commissions included.
    """

    gross: Figure = ZERO
    net: Figure = ZERO
    realized: Figure = ZERO
    unrealized: Figure = ZERO
    commissions: Figure = ZERO

    @property
    def net_pnl(self) -> Figure:
        """Realized and unrealized P&L, less commissions."""
        return total((self.net_realized, self.unrealized))

    @property
    def net_realized(self) -> Figure:
        """Realized P&L, less commissions."""
        return difference(self.realized, self.commissions)


def combined(results: Sequence[TradingResult]) -> TradingResult:
    """Several results added up, exposures of different accounts among them: they do not net each other."""
    return TradingResult(
        gross=total(part.gross for part in results),
        net=total(part.net for part in results),
        realized=total(part.realized for part in results),
        unrealized=total(part.unrealized for part in results),
        commissions=total(part.commissions for part in results),
    )


def result(books: Iterable[Book], marks: Marks) -> TradingResult:
    """The result of a set of books. Positions of one instrument net each other, as at the broker."""
    books = tuple(books)
    by_position: dict[tuple[AccountId, InstrumentId], list[Book]] = {}
    for book in books:
        by_position.setdefault((book.account, book.instrument), []).append(book)
    values = [marks.value(held) for held in by_position.values()]
    return TradingResult(
        gross=total(value if isinstance(value, Unknown) else abs(value) for value in values),
        net=total(values),
        realized=total(part for book in books for part in (book.realized_base, *_unrated(book, marks))),
        unrealized=total(marks.unrealized(book) for book in books),
        commissions=total(book.commissions_base for book in books),
    )


def _unrated(book: Book, marks: Marks) -> Iterator[Figure]:
    """The amounts booked while no rate was known, at the newest rate."""
    return (marks.in_base(amount, currency) for currency, amount in book.unrated.items())
