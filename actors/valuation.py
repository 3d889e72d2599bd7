"""Money, for the portfolio manager: rates, prices, equities and account values, and to whom they are sent."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Never, assert_never

import msgspec

from actors.base import Owner, Publisher
from actors.messages.addresses import (
    FillLogMessage,
    MarketDataMessage,
    PersistenceWriterMessage,
    RiskManagerMessage,
    StrategyManagerMessage,
)
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
from mats.runtime import Ref
from mats.strategy.hosting import shares

MARK_SECONDS = 1.0
"""How often prices are sent to the store."""


class RefreshEquities(msgspec.Struct, frozen=True):
    pass


ValuationMessage = (
    PriceMarked | InstrumentCompleted | AccountChanged | SetWeights | EquitiesRead | RefreshEquities | EquityOverridden
)
"""Passed on by the portfolio manager."""


class Valuation:
    """Belongs to one actor, and works in its turns. A rate older than `rate_age` seconds is not known."""

    def __init__(
        self,
        manager: Owner[EquitiesRead],
        equity_feed: Publisher[EquityChanged, Never],
        base: Currency,
        rate_age: float,
        *,
        fill_log: Ref[FillLogMessage],
        risk: Ref[RiskManagerMessage],
        store: Ref[PersistenceWriterMessage],
        market_data: Ref[MarketDataMessage],
        strategy_manager: Ref[StrategyManagerMessage],
    ) -> None:
        self._manager, self._equity_feed = manager, equity_feed
        self._fill_log, self._risk, self._store = fill_log, risk, store
        self._market_data, self._strategy_manager = market_data, strategy_manager
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
        """Every account at this moment."""
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

    # Incoming

    def receive(self, message: ValuationMessage) -> None:
        match message:
            case PriceMarked(instrument=instrument, price=price):
                self._mark(instrument, price)
            case InstrumentCompleted(instrument=instrument):
                self.need_rates({instrument.currency})
            case AccountChanged(values=values):
                self._value_accounts(values)
            case SetWeights(records=records):
                self._allocation.set_weights(shares(records))
                self._request_equities()
                self._share_equity()
            case EquitiesRead():
                self._take_equities(message)
            case RefreshEquities() | EquityOverridden():
                self._request_equities()
            case _:
                assert_never(message)

    def set_accounts(self, accounts: tuple[AccountId, ...]) -> None:
        """The broker has named its accounts."""
        self._allocation.accounts = accounts
        self._strategy_manager.tell(AccountsDiscovered(accounts))
        self._request_equities()

    def _mark(self, instrument: InstrumentId, price: float) -> None:
        if self.prices.get(instrument) != price:
            self.prices[instrument] = self._moved[instrument] = price
        if self._figures.update_pair_rate(instrument, price, self._manager.clock.now()):
            self.tell_rates()
            if None in self.equities.values():  # it may be known in another currency
                self._share_equity()

    def _value_accounts(self, values: tuple[AccountValue, ...]) -> None:
        before = self._figures.rates
        self._figures.update(values, self._manager.clock.now())
        if self._figures.rates is not before:
            self.tell_rates()
        for account in {value.account for value in values}:
            self._store.tell(AccountUpdated(account, self._figures.values(account)))
            self.need_rates(self._figures.currencies(account))
        self._share_equity()

    def _take_equities(self, read: EquitiesRead) -> None:
        """One that cannot be read leaves the strategy what it had."""
        for strategy, fault in read.faults.items():
            if self._unread.get(strategy) != fault:
                self._manager.log.error(
                    "explicit equity rejected; keeping the previous one", strategy=strategy, reason=fault
                )
        self._unread = read.faults
        self._allocation.set_explicit(read.equities, read.faults.keys())
        self._share_equity()

    # Outgoing

    def need_rates(self, currencies: Iterable[Currency]) -> None:
        """New currencies, held, booked or about to be traded: subscribe to the prices of their pairs."""
        if not self._currencies.issuperset(currencies):
            self._currencies.update(currencies)
            self.ask_prices(self._watched)

    def ask_prices(self, held: frozenset[InstrumentId]) -> None:
        """Subscribe to the prices of what is held. Market data that is down asks for it by itself when it is back."""
        self._watched = held
        if wanted := conversion_pairs(self._currencies, self._base) | held:
            self._market_data.offer(WatchPrices(wanted))

    def tell_rates(self) -> None:
        """To risk, which converts with them, and to the fill log, which books with them."""
        rates = RatesChanged(self._figures.rates)
        self._risk.tell(rates)
        self._fill_log.tell(rates)

    def tick(self) -> None:
        """Send the prices that moved; the store derives the books itself and values them."""
        now = self._manager.clock.monotonic()
        if self._moved and now - self._marked_at >= MARK_SECONDS:
            self._store.tell(MarksUpdated(self._moved, self._manager.clock.now()))
            self._moved, self._marked_at = {}, now

    def republish(self) -> None:
        """A subscriber (re)started: send rates and equities to risk, accounts and all prices to the store."""
        self._risk.tell(RatesChanged(self._figures.rates))
        for strategy, equity in self.equities.items():
            self._risk.tell(EquityChanged(strategy, equity))
        self._moved = dict(self.prices)
        for account in self._figures.accounts():
            self._store.tell(AccountUpdated(account, self._figures.values(account)))

    def _request_equities(self) -> None:
        self._store.offer(ReadEquities(self._allocation.account_strategies(), self._manager.ref))

    def _share_equity(self) -> None:
        """Tell risk and each strategy what it may work with, when that has changed."""
        for strategy, equity in self._allocation.changes(self._figures).items():
            self._risk.tell(EquityChanged(strategy, equity))
            self._equity_feed.replace(strategy)
        found = self._allocation.overcommitted(self._figures)
        for account in found.keys() - self.overcommitted.keys():
            self._manager.log.warning(found[account])
        self.overcommitted = found
