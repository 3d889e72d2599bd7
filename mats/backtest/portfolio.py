"""What the strategies of a run hold and have: books, cash, equity; and every move of them, for the curves."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import accumulate

import msgspec
from msgspec.structs import replace

from mats.backtest.tape import Clock, Tape
from mats.ledger.books import Book, adjust, trade
from mats.model import ONE, ZERO, AccountId, Currency, Instrument, InstrumentId, StrategyName, floor_to

Key = tuple[StrategyName, InstrumentId]


class Moves(msgspec.Struct):
    """How a balance changed: from the close `steps[i]` on it is `balances[i]`; 0 before the first."""

    steps: list[int] = []
    balances: list[Decimal] = []

    @staticmethod
    def of(steps: list[int], changes: Iterable[Decimal]) -> "Moves":
        """What changes at some closes come to."""
        return Moves(steps, list(accumulate(changes)))


class Portfolio:
    """One account shared by strategies: each begins with its weight of the capital."""

    def __init__(
        self, account: AccountId, base: Currency, capital: Decimal, tapes: Mapping[InstrumentId, Tape], clock: Clock
    ) -> None:
        self.base, self.tapes, self._account, self._clock = base, tapes, account, clock
        self.books: dict[Key, Book] = {}
        self.net: dict[InstrumentId, Decimal] = {}
        self.cash: dict[Currency, Decimal] = {base: capital}
        self.positions: dict[Key, Moves] = {}
        self.results: dict[tuple[StrategyName, Currency], Moves] = {}

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

    def trade(
        self, strategy: StrategyName, instrument: Instrument, quantity: Decimal, price: Decimal, fee: Decimal
    ) -> Book:
        """Book a signed quantity bought at a price, and pay for it; `fee` is in the base currency."""
        book = trade(self.book(strategy, instrument), quantity, price, instrument.multiplier)
        self._hold(book, quantity)
        cost = quantity * price * instrument.multiplier
        if instrument.currency == self.base:
            cost, fee = cost + fee, ZERO
        self.pay(strategy, instrument.currency, -cost)
        if fee:
            self.pay(strategy, self.base, -fee)
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
        _move(self.results, (strategy, currency), self._clock.step + 1, amount)

    def _hold(self, book: Book, change: Decimal) -> None:
        self.books[book.strategy, book.instrument] = book
        self.net[book.instrument] = self.net.get(book.instrument, ZERO) + change
        _move(self.positions, (book.strategy, book.instrument), self._clock.step + 1, change)

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


def _move(moves: dict[Key, Moves], key: Key, step: int, change: Decimal) -> None:
    known = moves.get(key)
    if known is None:
        known = moves[key] = Moves()
    balances = known.balances
    known.steps.append(step)
    balances.append(balances[-1] + change if balances else change)
