"""What the strategies of a run hold and have: books, cash, equity; and every move of them, for the curves."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from mats.backtest.tape import Clock, Tape
from mats.ledger.book import Book, adjust, trade
from mats.model.instrument import Instrument, InstrumentId
from mats.model.money import ONE, ZERO, Currency, floor_to
from mats.model.orders import AccountId, StrategyName

Key = tuple[StrategyName, InstrumentId]


class Moved(NamedTuple):
    """From the close `step` on a strategy has `balance` of `what`: units of an instrument, or money of a currency."""

    step: int
    strategy: StrategyName
    what: InstrumentId | Currency
    balance: Decimal


class Portfolio:
    """One account shared by strategies: each begins with its weight of the capital."""

    def __init__(
        self, account: AccountId, base: Currency, capital: Decimal, tapes: Mapping[InstrumentId, Tape], clock: Clock
    ) -> None:
        self.base, self.tapes, self._account, self._clock = base, tapes, account, clock
        self.books: dict[Key, Book] = {}
        self.net: dict[InstrumentId, Decimal] = {}
        self.cash: dict[Currency, Decimal] = {base: capital}
        self.positions: list[Moved] = []
        self.money: list[Moved] = []
        self._results: dict[tuple[StrategyName, Currency], Decimal] = {}

    def book(self, strategy: StrategyName, instrument: Instrument) -> Book:
        """The book of a strategy in an instrument; a flat one where it has none."""
        known = self.books.get((strategy, instrument.id))
        return known or Book(
            account=self._account,
            strategy=strategy,
            instrument=instrument.id,
            currency=instrument.currency,
            multiplier=instrument.multiplier,
        )

    def trade(self, strategy: StrategyName, instrument: Instrument, quantity: Decimal, price: Decimal) -> Book:
        """Book a signed quantity bought at a price, and pay for it."""
        book = trade(self.book(strategy, instrument), quantity, price, instrument.multiplier)
        self._hold(book, quantity)
        self.pay(strategy, instrument.currency, -quantity * price * instrument.multiplier)
        return book

    def split(self, strategy: StrategyName, instrument: Instrument, ratio: Decimal) -> tuple[Book, Decimal]:
        """Turn each unit held into `ratio` units; returns the book, and the signed part of a lot that is left over."""
        before = self.book(strategy, instrument)
        whole = floor_to(before.quantity * ratio, instrument.size_increment)
        rest = before.quantity * ratio - whole
        after = adjust(replace(before, quantity=before.quantity * ratio), -rest, ZERO, instrument.multiplier)
        self._hold(after, whole - before.quantity)
        return after, rest

    def pay(self, strategy: StrategyName, currency: Currency, amount: Decimal) -> None:
        """Add a signed amount to a strategy's cash."""
        self.cash[currency] = self.cash.get(currency, ZERO) + amount
        result = self._results[strategy, currency] = self._results.get((strategy, currency), ZERO) + amount
        self.money.append(Moved(self._clock.step + 1, strategy, currency, result))

    def _hold(self, book: Book, change: Decimal) -> None:
        self.books[book.strategy, book.instrument] = book
        self.net[book.instrument] = self.net.get(book.instrument, ZERO) + change
        self.positions.append(Moved(self._clock.step + 1, book.strategy, book.instrument, book.quantity))

    def equity(self) -> Decimal | None:
        """Everything at the newest closes, in the base currency; None where a price or a rate is missing."""
        total = self.cash[self.base]
        for currency, amount in self.cash.items():
            if currency != self.base and amount:
                rate = self.rate(currency)
                if rate is None:
                    return None
                total += amount * rate
        for name, quantity in self.net.items():
            if quantity:
                value = self.value(name, quantity)
                if value is None:
                    return None
                total += value
        return total

    def value(self, name: InstrumentId, quantity: Decimal) -> Decimal | None:
        """What so many units are worth in the base currency at the newest close."""
        tape = self.tapes[name]
        mark, rate = tape.mark(), self.rate(tape.instrument.currency)
        return None if mark is None or rate is None else quantity * mark * tape.instrument.multiplier * rate

    def rate(self, currency: Currency) -> Decimal | None:
        """Base currency for one unit of a currency, by the newest close of their pair."""
        if currency == self.base:
            return ONE
        for name, inverse in ((currency + self.base, False), (self.base + currency, True)):
            tape = self.tapes.get(name)
            mark = tape.mark() if tape else None
            if mark:
                return ONE / mark if inverse else mark
        return None
