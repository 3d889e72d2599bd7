"""What the strategies of a run hold and have: books, cash, equity; and every move of them, for the curves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from msgspec.structs import replace

from mats.backtest.engine.bar_feed import BarFeed, Clock
from mats.ledger.books import Book, adjust, trade
from mats.model import ONE, ZERO, AccountId, Currency, Instrument, InstrumentId, StrategyName, floor_to

Key = tuple[StrategyName, InstrumentId]


Moves = list[tuple[int, Decimal]]
"""How a balance changed: from which close on it is more, and by how much; it is 0 before the first."""


@dataclass(slots=True, eq=False)
class CurrencyTotal:
    """What all strategies together have of a currency."""

    amount: Decimal = ZERO


@dataclass(slots=True, eq=False)
class Balance:
    """What a strategy has gained and spent of a currency."""

    total: CurrencyTotal
    moves: Moves = field(default_factory=list)

    def pay(self, step: int, amount: Decimal) -> None:
        """From close `step` on it is more by a signed amount."""
        self.total.amount += amount
        self.moves.append((step, amount))


@dataclass(slots=True, eq=False)
class InstrumentNet:
    """What all strategies together hold of an instrument, and what tells its value."""

    feed: BarFeed
    multiplier: Decimal
    currency: Currency
    quantity: Decimal = ZERO


@dataclass(slots=True, eq=False)
class Holding:
    """What a strategy holds of an instrument, which is paid for from `cash`, its fees from `costs`.

    Trades wait in `unbooked` until somebody asks what the position cost.
    """

    book: Book
    net: InstrumentNet
    cash: Balance
    costs: Balance
    quantity: Decimal = ZERO
    unbooked: list[tuple[Decimal, Decimal]] = field(default_factory=list)
    moves: Moves = field(default_factory=list)
    seq: int = 0

    def change(self, seq: int, step: int, quantity: Decimal) -> None:
        """Entry `seq`: from close `step` on it is more by a signed quantity."""
        self.quantity += quantity
        self.net.quantity += quantity
        self.seq = seq
        self.moves.append((step, quantity))

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
        self._totals: dict[Currency, CurrencyTotal] = {base: CurrencyTotal(capital)}
        self._balances: dict[Key, Balance] = {}

    def trade(self, holding: Holding, quantity: Decimal, price: Decimal, fee: Decimal, seq: int) -> None:
        """Entry `seq`: book a signed quantity bought at a price, and pay for it; `fee` is in the base currency."""
        step, cash = self._clock.step + 1, holding.cash
        holding.unbooked.append((quantity, price))
        holding.change(seq, step, quantity)
        cost = quantity * price * holding.net.multiplier
        if fee and holding.costs is cash:
            cost += fee
        elif fee:
            holding.costs.pay(step, -fee)
        cash.pay(step, -cost)

    def book(self, strategy: StrategyName, instrument: Instrument) -> Book:
        """The book of a strategy in an instrument; a flat one where it has none."""
        return self.holding(strategy, instrument).settled()

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
        after = adjust(replace(before, quantity=before.quantity * ratio), -rest, ZERO, instrument.unit_value)
        holding = self.holding(strategy, instrument)
        holding.book = after
        holding.change(seq, self._clock.step + 1, whole - before.quantity)
        return after, rest

    def balance(self, strategy: StrategyName, currency: Currency) -> Balance:
        """What a strategy has of a currency besides its capital; it goes on showing that as it changes."""
        found = self._balances.get((strategy, currency))
        if found is None:
            total = self._totals.setdefault(currency, CurrencyTotal())
            found = self._balances[strategy, currency] = Balance(total)
        return found

    def results(self) -> dict[Key, Moves]:
        """How each balance changed."""
        return {key: balance.moves for key, balance in self._balances.items()}

    def holding(self, strategy: StrategyName, instrument: Instrument) -> Holding:
        """What a strategy holds of an instrument; it goes on showing that as it changes."""
        return self._holdings.get((strategy, instrument.id)) or self._opened(strategy, instrument)

    def _opened(self, strategy: StrategyName, instrument: Instrument) -> Holding:
        flat = Book(
            account=self.account,
            strategy=strategy,
            instrument=instrument.id,
            currency=instrument.currency,
            multiplier=instrument.unit_value,
        )
        net = self._nets.get(instrument.id)
        if net is None:
            feed = self.feeds[instrument.id]
            net = self._nets[instrument.id] = InstrumentNet(feed, instrument.unit_value, instrument.currency)
        cash, costs = self.balance(strategy, instrument.currency), self.balance(strategy, self.base)
        holding = self._holdings[strategy, instrument.id] = Holding(flat, net, cash, costs)
        return holding

    # What it is worth

    def equity(self) -> Decimal | None:
        """Everything at the newest closes, in the base currency; None where a price or a rate is missing."""
        total = self._totals[self.base].amount
        for currency, cash in self._totals.items():
            if currency != self.base and cash.amount:
                rate = self.rate(currency)
                if rate is None:
                    return None
                total += cash.amount * rate
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
