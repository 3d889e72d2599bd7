"""Money, for the portfolio manager: rates, prices, equities, and what the accounts are worth; and whom it tells."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from actors.base import PortfolioRefs, Subscribers
from actors.messages.broker import AccountChanged
from actors.messages.market_data import InstrumentCompleted, PriceMarked, WatchPrices
from actors.messages.persistence_writer import EquitiesRead, ReadEquities
from actors.messages.portfolio_manager import (
    AccountsDiscovered,
    AccountUpdated,
    EquityChanged,
    EquityOverridden,
    MarksUpdated,
    RatesChanged,
    SetWeights,
)
from mats.ledger.books import Book
from mats.ledger.valuation import AccountFigures, AccountView, Allocation, Marks, account_view, conversion_pairs
from mats.model import AccountId, AccountValue, Currency, InstrumentId, StrategyName
from mats.runtime import Actor
from mats.strategy.hosting import shares

MARK_SECONDS = 1.0
"""How often prices are told to the store."""


class AskEquities(msgspec.Struct, frozen=True):
    pass


AboutMoney = (
    PriceMarked | InstrumentCompleted | AccountChanged | SetWeights | EquitiesRead | AskEquities | EquityOverridden
)
"""What the portfolio manager passes on."""


class Valuation:
    """Belongs to one actor, and works in its turns. A rate older than `rate_age` seconds is not known."""

    def __init__(
        self, manager: Actor, neighbours: PortfolioRefs, followers: Subscribers, base: Currency, rate_age: float
    ) -> None:
        self._manager, self._neighbours, self._followers = manager, neighbours, followers
        self._base, self._rate_age = base, rate_age
        self._figures, self._allocation = AccountFigures(base), Allocation()
        self._unread: Mapping[StrategyName, str] = {}
        self.overcommitted: Mapping[AccountId, str] = {}
        self._currencies: set[Currency] = set()
        self._watched: frozenset[InstrumentId] = frozenset()
        self.prices: dict[InstrumentId, float] = {}
        self._moved: dict[InstrumentId, float] = {}
        self._marked_at = manager.clock.monotonic()

    @property
    def equities(self) -> Mapping[StrategyName, Decimal | None]:
        """What each strategy may work with, None where it is not known."""
        return self._allocation.equities

    def total(self, account: AccountId) -> Decimal | None:
        """What the broker says the account is worth."""
        return self._figures.total_equity(account)

    def views(self, books: Iterable[Book]) -> tuple[AccountView, ...]:
        """Every account as it stands."""
        books, now = tuple(books), self._manager.clock.now()
        marks = Marks(self.prices, self._figures.rates, now, self._rate_age)
        return tuple(
            account_view(
                account,
                books,
                self._figures,
                marks,
                self._allocation.of_account(account),
                self.overcommitted.get(account, ""),
            )
            for account in self._allocation.accounts
        )

    # What comes in

    def receive(self, message: AboutMoney) -> None:
        match message:
            case PriceMarked(instrument=instrument, price=price):
                self._mark(instrument, price)
            case InstrumentCompleted(instrument=instrument):
                self.need_rates({instrument.currency})
            case AccountChanged(values=values):
                self._value_accounts(values)
            case SetWeights(records=records):
                self._allocation.set_weights(shares(records))
                self._ask_equities()
                self._share_equity()
            case EquitiesRead():
                self._take_equities(message)
            case AskEquities() | EquityOverridden():
                self._ask_equities()

    def welcome(self, accounts: tuple[AccountId, ...]) -> None:
        """The broker has named its accounts."""
        self._allocation.accounts = accounts
        self._neighbours.strategy_manager.tell(AccountsDiscovered(accounts))
        self._ask_equities()

    def _mark(self, instrument: InstrumentId, price: float) -> None:
        if self.prices.get(instrument) != price:
            self.prices[instrument] = self._moved[instrument] = price
        if self._figures.update_pair_rate(instrument, price, self._manager.clock.now()):
            self.tell_rates()

    def _value_accounts(self, values: tuple[AccountValue, ...]) -> None:
        self._figures.update(values, self._manager.clock.now())
        self.tell_rates()
        for account in {value.account for value in values}:
            self._neighbours.store.tell(AccountUpdated(account, self._figures.values(account)))
            self.need_rates(self._figures.cash(account))
        self._share_equity()

    def _take_equities(self, read: EquitiesRead) -> None:
        """One that cannot be read leaves the strategy what it had."""
        for strategy, fault in read.faults.items():
            if self._unread.get(strategy) != fault:
                words = "an explicit equity is refused; what held before holds"
                self._manager.log.error(words, strategy=strategy, reason=fault)
        self._unread = read.faults
        self._allocation.set_explicit(read.equities, read.faults.keys())
        self._share_equity()

    # What goes out

    def need_rates(self, currencies: Iterable[Currency]) -> None:
        """A currency that turns up, held, booked or about to be traded: market data is asked for its pair."""
        if not self._currencies.issuperset(currencies):
            self._currencies.update(currencies)
            self.ask_prices(self._watched)

    def ask_prices(self, held: frozenset[InstrumentId]) -> None:
        """What is held has a price, whoever follows it. Market data that is down asks by itself when it is up again."""
        self._watched = held
        if wanted := conversion_pairs(self._currencies, self._base) | held:
            self._neighbours.market_data.offer(WatchPrices(wanted))

    def tell_rates(self) -> None:
        """Risk measures with them, and the fill log books with them."""
        for desk in (self._neighbours.risk, self._neighbours.fill_log):
            desk.tell(RatesChanged(self._figures.rates))

    def inform_risk(self) -> None:
        """Risk has (re)started and knows nothing."""
        self._neighbours.risk.tell(RatesChanged(self._figures.rates))
        for strategy, equity in self.equities.items():
            self._neighbours.risk.tell(EquityChanged(strategy, equity))

    def tick(self) -> None:
        """The store values what is held; it folds the books itself."""
        now = self._manager.clock.monotonic()
        if self._moved and now - self._marked_at >= MARK_SECONDS:
            self._neighbours.store.tell(MarksUpdated(self._moved, self._manager.clock.now()))
            self._moved, self._marked_at = {}, now

    def republish(self) -> None:
        """The store has (re)started and may lack what was on its way to it."""
        self._moved = dict(self.prices)
        for account in self._figures.accounts():
            self._neighbours.store.tell(AccountUpdated(account, self._figures.values(account)))

    def _ask_equities(self) -> None:
        self._neighbours.store.offer(ReadEquities(self._allocation.account_strategies(), self._manager.ref))

    def _share_equity(self) -> None:
        """Tell risk and each strategy what it may work with, when that has changed."""
        for strategy, equity in self._allocation.changes(self._figures).items():
            self._neighbours.risk.tell(EquityChanged(strategy, equity))
            self._followers.offer(strategy, EquityChanged(strategy, equity))
        found = self._allocation.overcommitted(self._figures)
        for account in found.keys() - self.overcommitted.keys():
            self._manager.log.warning(found[account])
        self.overcommitted = found
