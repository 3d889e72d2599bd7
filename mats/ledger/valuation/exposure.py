"""What a holding is worth, what it risks, and how it moved cash. All of it by the way its trades are paid.

A share or an option is paid in full. A future is not paid at all: it settles its gains. A currency pair is an exchange:
its book is a position like any other, with a cost, a result and an exposure, but what it is worth lies in the two cash
balances that it moved already, so it adds nothing to equity beside them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from mats.ledger.books import Book, unrealized
from mats.ledger.valuation.fx import FxRates, pair_of
from mats.model import ZERO, AccountId, Currency, Figure, InstrumentId, Nanos, Unknown, difference, exact, total


class Payment(StrEnum):
    """How the trades of an instrument are paid."""

    FULL = "full"
    GAINS = "gains"
    EXCHANGE = "exchange"


def payment(instrument: InstrumentId) -> Payment:
    """Known by the name: `EURUSD` is an exchange, `ES:20241220` settles gains, everything else is paid in full."""
    if pair_of(instrument):
        return Payment.EXCHANGE
    return Payment.GAINS if ":" in instrument else Payment.FULL


def cash_flow(book: Book) -> dict[Currency, Decimal]:
    """How all trades of the book moved cash, by currency, commissions included.

    What was paid less what came in is `cost − realized`, exactly (see `mats.ledger.books.book`).
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


class Marks(msgspec.Struct, frozen=True):
    """Prices and rates as they stand at `now`; a rate older than `max_age` seconds is not known."""

    prices: Mapping[InstrumentId, float]
    rates: FxRates
    now: Nanos
    max_age: float

    def price(self, instrument: InstrumentId) -> Figure:
        """In the instrument's currency."""
        price = self.prices.get(instrument)
        return Unknown(f"no price of {instrument} is known") if price is None else exact(price)

    def in_base(self, amount: Figure, currency: Currency) -> Figure:
        """An amount of a currency in the base currency; nothing is nothing at any rate."""
        if isinstance(amount, Unknown) or not amount:
            return amount
        return self.rates.convert(amount, currency, self.now, self.max_age)

    def value(self, books: Sequence[Book]) -> Figure:
        """The net position of books of one instrument at its price, in the base currency; none needs no price.

        Of futures and pairs it is the amount that is at risk.
        """
        units = sum((book.quantity * book.multiplier for book in books), ZERO)
        if not units:
            return ZERO
        price = self.price(books[0].instrument)
        return self.in_base(price if isinstance(price, Unknown) else units * price, books[0].currency)

    def gain(self, book: Book) -> Figure:
        """The unrealised result in the base currency."""
        if not book.quantity:
            return ZERO
        price = self.price(book.instrument)
        gain = price if isinstance(price, Unknown) else unrealized(book, price)
        return self.in_base(gain, book.currency)

    def beside_cash(self, book: Book) -> Figure:
        """What the position adds to equity in the base currency, beside the cash that its trades moved."""
        match payment(book.instrument):
            case Payment.FULL:
                return self.value((book,))
            case Payment.GAINS:
                return self.gain(book)
            case Payment.EXCHANGE:
                return ZERO


class TradingResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a set of books has at risk and has come to, in the base currency.

    `gross` adds the sizes of positions up, `net` their signed values, both at the newest prices and rates, as is
    `unrealized`. `realized` is before commissions, and both are at the rates of their booking; what was booked while no
    rate was known is in `realized` at the newest one, costs included.
    """

    gross: Figure = ZERO
    net: Figure = ZERO
    realized: Figure = ZERO
    unrealized: Figure = ZERO
    commissions: Figure = ZERO

    @property
    def earned(self) -> Figure:
        """The whole result: realised and unrealised, less commissions."""
        return total((self.booked, self.unrealized))

    @property
    def booked(self) -> Figure:
        """What was realised, less commissions."""
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
    """The result of some books. Positions of one instrument net each other: it is what the broker would see of them."""
    books = tuple(books)
    places: dict[tuple[AccountId, InstrumentId], list[Book]] = {}
    for book in books:
        places.setdefault((book.account, book.instrument), []).append(book)
    values = [marks.value(held) for held in places.values()]
    return TradingResult(
        gross=total(value if isinstance(value, Unknown) else abs(value) for value in values),
        net=total(values),
        realized=total(part for book in books for part in (book.realized_base, *_unrated(book, marks))),
        unrealized=total(marks.gain(book) for book in books),
        commissions=total(book.commissions_base for book in books),
    )


def _unrated(book: Book, marks: Marks) -> Iterator[Figure]:
    """What was booked while no rate was known, at the newest one."""
    return (marks.in_base(amount, currency) for currency, amount in book.unrated.items())
