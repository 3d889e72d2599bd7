"""What the strategies of a run hold and have: books, cash, equity; and every move of them, for the curves."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from mats.backtest.engine.bar_feed import BarFeed, Clock
from mats.ledger.books import Book, adjust, trade
from mats.model import ONE, ZERO, AccountId, Currency, Instrument, InstrumentId, StrategyName, floor_to

Key = tuple[StrategyName, InstrumentId]


Moves = list[tuple[int, Decimal]]
"""How a balance changed: from which close on it is more, and by how much; it is 0 before the first."""


class InstrumentNet(msgspec.Struct):
    """What all strategies together hold of an instrument, and what tells its value."""

    feed: BarFeed
    multiplier: Decimal
    currency: Currency
    quantity: Decimal = ZERO


class Holding(msgspec.Struct):
    """What a strategy holds of an instrument. Trades wait in `unbooked` until somebody asks what the position cost."""

    book: Book
    net: InstrumentNet
    quantity: Decimal = ZERO
    unbooked: list[tuple[Decimal, Decimal]] = []
    moves: Moves = msgspec.field(default_factory=list)
    seq: int = 0

    def settled(self) -> Book:
        """The book with every trade in it."""
        for quantity, price in self.unbooked:
            self.book = trade(self.book, quantity, price, self.net.multiplier)
        self.unbooked.clear()
        return self.book


class Portfolio:
    """One account shared by strategies: each begins with its weight of the capital."""

    def __init__(
        self, account: AccountId, base: Currency, capital: Decimal, feeds: Mapping[InstrumentId, BarFeed], clock: Clock
    ) -> None:
        self.base, self.feeds, self.account, self._clock = base, feeds, account, clock
        self._holdings: dict[Key, Holding] = {}
        self._nets: dict[InstrumentId, InstrumentNet] = {}
        self.cash: dict[Currency, Decimal] = {base: capital}
        self.results: dict[Key, Moves] = {}

    def trade(
        self, strategy: StrategyName, instrument: Instrument, quantity: Decimal, price: Decimal, fee: Decimal, seq: int
    ) -> None:
        """Entry `seq`: book a signed quantity bought at a price, and pay for it; `fee` is in the base currency."""
        holding = self._holdings.get((strategy, instrument.id)) or self._opened(strategy, instrument)
        holding.unbooked.append((quantity, price))
        self._hold(holding, quantity, seq)
        cost = quantity * price * instrument.multiplier
        if instrument.currency == self.base:
            self.pay(strategy, self.base, -(cost + fee) if fee else -cost)
        else:
            self.pay(strategy, instrument.currency, -cost)
            if fee:
                self.pay(strategy, self.base, -fee)

    def book(self, strategy: StrategyName, instrument: Instrument) -> Book:
        """The book of a strategy in an instrument; a flat one where it has none."""
        return self._holding(strategy, instrument).settled()

    def held(self, strategy: StrategyName) -> dict[InstrumentId, Book]:
        """The books of a strategy that are not flat; the one that changed last comes last."""
        holdings = ((name, h) for (s, name), h in self._holdings.items() if s == strategy and h.quantity)
        return {name: holding.settled() for name, holding in sorted(holdings, key=lambda item: item[1].seq)}

    def quantities(self) -> list[tuple[StrategyName, InstrumentId, Decimal]]:
        """Everything that was ever held, by strategy and instrument."""
        return sorted((s, name, holding.quantity) for (s, name), holding in self._holdings.items())

    def positions(self) -> dict[Key, Moves]:
        """How each holding changed."""
        return {key: holding.moves for key, holding in self._holdings.items()}

    def split(self, strategy: StrategyName, instrument: Instrument, ratio: Decimal, seq: int) -> tuple[Book, Decimal]:
        """Turn each unit held into `ratio` units; returns the book, and the signed part of a lot that is left over."""
        before = self.book(strategy, instrument)
        whole = floor_to(before.quantity * ratio, instrument.size_increment)
        rest = before.quantity * ratio - whole
        after = adjust(replace(before, quantity=before.quantity * ratio), -rest, ZERO, instrument.multiplier)
        holding = self._holding(strategy, instrument)
        holding.book = after
        self._hold(holding, whole - before.quantity, seq)
        return after, rest

    def pay(self, strategy: StrategyName, currency: Currency, amount: Decimal) -> None:
        """Add a signed amount to a strategy's cash."""
        self.cash[currency] = self.cash.get(currency, ZERO) + amount
        moves = self.results.get((strategy, currency))
        if moves is None:
            moves = self.results[strategy, currency] = []
        moves.append((self._clock.step + 1, amount))

    def _holding(self, strategy: StrategyName, instrument: Instrument) -> Holding:
        return self._holdings.get((strategy, instrument.id)) or self._opened(strategy, instrument)

    def _opened(self, strategy: StrategyName, instrument: Instrument) -> Holding:
        flat = Book(
            account=self.account,
            strategy=strategy,
            instrument=instrument.id,
            currency=instrument.currency,
            multiplier=instrument.multiplier,
        )
        net = self._nets.get(instrument.id)
        if net is None:
            feed = self.feeds[instrument.id]
            net = self._nets[instrument.id] = InstrumentNet(feed, instrument.multiplier, instrument.currency)
        holding = self._holdings[strategy, instrument.id] = Holding(flat, net)
        return holding

    def _hold(self, holding: Holding, change: Decimal, seq: int) -> None:
        holding.quantity += change
        holding.net.quantity += change
        holding.seq = seq
        holding.moves.append((self._clock.step + 1, change))

    # What it is worth

    def equity(self) -> Decimal | None:
        """Everything at the newest closes, in the base currency; None where a price or a rate is missing."""
        total = self.cash[self.base]
        for currency, amount in self.cash.items():
            if currency != self.base and amount:
                rate = self.rate(currency)
                if rate is None:
                    return None
                total += amount * rate
        for net in self._nets.values():
            if net.quantity:
                mark = net.feed.mark()
                if mark is None:
                    return None
                value = net.quantity * mark * net.multiplier
                if net.currency != self.base:
                    rate = self.rate(net.currency)
                    if rate is None:
                        return None
                    value *= rate
                total += value
        return total

    def rate(self, currency: Currency) -> Decimal | None:
        """Base currency for one unit of a currency, by the newest close of their pair."""
        if currency == self.base:
            return ONE
        for name, inverse in ((currency + self.base, False), (self.base + currency, True)):
            feed = self.feeds.get(name)
            mark = feed.mark() if feed else None
            if mark:
                return ONE / mark if inverse else mark
        return None
