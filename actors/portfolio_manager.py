"""The portfolio manager: the books of all strategies, their equity, and the proof that they equal the broker's."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from actors.followers import FollowerDown, Followers, call_followers
from actors.messages.broker import (
    AccountChanged,
    PositionsChanged,
    PositionsTaken,
    Ready,
    Resync,
)
from actors.messages.fill_log import Apply, LogMarked, SayHello
from actors.messages.following import Inform, Leave
from actors.messages.market_data import InstrumentKnown, PriceMarked, WatchPrices
from actors.messages.persistence_writer import EquitiesRead, ReadEquities, Republish
from actors.messages.portfolio_manager import (
    AccountsNamed,
    AccountValued,
    AnswerBreak,
    AssignmentRefused,
    BookState,
    EquityChanged,
    EquityGiven,
    FillBooked,
    FollowBook,
    Portfolio,
    PricesMarked,
    ProposeAssignment,
    ProposeReversal,
    RatesChanged,
    ReadAccount,
    ReadBreaks,
    ReadPortfolio,
    Reconcile,
    SetWeights,
)
from actors.reconciler import Reconciler
from actors.stage import Stage
from mats.ledger.account import AccountFigures
from mats.ledger.account_view import AccountView, account_view
from mats.ledger.allocation import Allocation
from mats.ledger.assigning import propose, propose_reversal
from mats.ledger.assignment import Assignment, AssignmentError
from mats.ledger.book import Book
from mats.ledger.books import Books
from mats.ledger.exposure import Marks
from mats.ledger.fx import conversion_pairs
from mats.ledger.position_watch import PositionWatch
from mats.model.broker import AccountValue
from mats.model.executions import Entry, FillRecorded
from mats.model.instrument import InstrumentId
from mats.model.money import Currency
from mats.model.orders import StrategyName
from mats.runtime import Down, MailboxSpec, Ref, chaos
from mats.store.journal import Journal
from mats.store.past import Past
from mats.strategy.host import Position
from mats.strategy.table import shares

TICK_SECONDS = 0.25
SNAPSHOT_SECONDS = 5.0
MARK_SECONDS = 1.0
"""How often prices are told to the store."""
EQUITY_SECONDS = 4.0
"""How soon an explicit equity that somebody wrote to the store is noticed."""


class Tick(msgspec.Struct, frozen=True):
    pass


class AskEquities(msgspec.Struct, frozen=True):
    pass


class PortfolioManager(Stage):
    """Third stage. The book is changed first, then its strategy is told in one message."""

    stage = "portfolio"
    mailbox = MailboxSpec(
        capacity=50_000,
        never_full=(Apply, PositionsChanged, PositionsTaken, Ready),
        conflate=lambda message: message.instrument if isinstance(message, PriceMarked) else None,
    )

    def __init__(
        self,
        journal_path: Path,
        fill_log: Ref,
        risk: Ref,
        store: Ref,
        broker: Ref,
        strategy_manager: Ref,
        market_data: Ref,
        base_currency: str,
        rate_stale_after: float,
        every: float,
        grace: float,
        store_uri: str,
    ) -> None:
        self.fill_log = fill_log
        self._store_uri = store_uri
        self._path, self._risk, self._store = journal_path, risk, store
        self._broker, self._strategy_manager, self._market_data = broker, strategy_manager, market_data
        self._base, self._rate_age, self._interval, self._grace = base_currency, rate_stale_after, every, grace

    def on_start(self) -> None:
        self._journal = Journal(self._path)
        saved = self._journal.load_snapshot(self.stage)
        history = Past(self._journal, self._store_uri)
        self._books = Books.load(saved[1], history) if saved else Books(history)
        self.cursor = self._saved = self._books.seq
        self._saved_at = self.clock.monotonic()
        self._figures = AccountFigures(self._base)
        watch = PositionWatch(self._interval, self._grace, self._journal)
        self._reconciler = Reconciler(self, self._books, self._journal, watch, self.fill_log, self._risk, self._store)
        self._prices: dict[InstrumentId, float] = {}
        self._moved: dict[InstrumentId, float] = {}
        self._marked_at = self._saved_at
        self._followers = Followers(self)
        self._allocation = Allocation()
        self._unread: Mapping[StrategyName, str] = {}
        self._currencies = {book.currency for book in self._books}
        self.say_hello()
        self._broker.tell(Resync())
        self._strategy_manager.tell(Inform())
        self._market_data.tell(Inform())
        call_followers(self)
        self.every(TICK_SECONDS, Tick())
        self.every(EQUITY_SECONDS, AskEquities())

    def on_receive(self, message: object) -> object:
        match message:
            case Apply():
                self.receive_entries(message)
                self._merge()
            case PriceMarked(instrument=instrument, price=price):
                if self._prices.get(instrument) != price:
                    self._prices[instrument] = self._moved[instrument] = price
                if self._figures.mark(instrument, price, self.clock.now()):
                    self._tell_rates()
            case InstrumentKnown(instrument=instrument):
                self._need_rates({instrument.currency})
            case AccountChanged(values=values):
                self._value_accounts(values)
            case FollowBook(strategy=strategy, follower=follower):
                self._follow(strategy, follower)
            case Ready():
                self._welcome(message)
            case LogMarked():
                self._reconciler.receive(message)
                self._merge()
            case PositionsChanged() | PositionsTaken() | Reconcile() | ReadBreaks() | AnswerBreak():
                return self._reconciler.receive(message)
            case SetWeights(records=records):
                self._allocation.share_out(shares(records))
                self._ask_equities()
                self._share_equity()
            case EquitiesRead():
                self._take_equities(message)
            case AskEquities() | EquityGiven():
                self._ask_equities()
            case Tick():
                self._tick()
            case ReadAccount():
                return self._account_views()
            case ReadPortfolio():
                return self._view()
            case ProposeAssignment() | ProposeReversal():
                return self._propose(message)
            case Republish():
                self._republish()
            case Inform():
                self._inform_risk()
                self._ask_prices()
            case SayHello():
                self.say_hello()
                self._tell_rates()
            case Down(tag=FollowerDown(strategy=strategy)):
                self._followers.drop(strategy)
            case Leave():
                self._followers.leave(message)
            case Down():
                self._reconciler.lost()
            case _:
                return super().on_receive(message)
        return None

    # Fills

    def apply(self, entries: tuple[Entry, ...]) -> None:
        """Fold, and tell the strategies."""
        known = len(self._books)
        for entry in entries:
            for change in self._books.apply(entry):
                chaos.point("portfolio: after the book, before its strategy is told")
                self._tell_strategy(change.after, entry)
                self._need_rates({change.after.currency, *change.after.commissions})
        if len(self._books) > known:
            self._ask_prices()

    def _tell_strategy(self, book: Book, entry: Entry) -> None:
        fill = entry if isinstance(entry, FillRecorded) else None
        self._followers.offer(book.strategy, FillBooked(seq=entry.seq, position=_position(book), fill=fill))

    def _mark(self) -> None:
        """The store values what is held; it folds the books itself."""
        self._store.tell(PricesMarked(self._moved, self.clock.now()))
        self._moved, self._marked_at = {}, self.clock.monotonic()

    def _republish(self) -> None:
        self._moved = dict(self._prices)
        for account in self._figures.accounts():
            self._store.tell(AccountValued(account, self._figures.values(account)))

    def _follow(self, strategy: StrategyName, follower: Ref) -> None:
        self._followers.add(strategy, follower)
        positions = tuple(_position(book) for book in self._books.of_strategy(strategy))
        follower.tell(BookState(positions=positions, equity=self._allocation.equities.get(strategy), seq=self.cursor))

    # The broker's positions

    def _welcome(self, ready: Ready) -> None:
        """A connection that sees all positions and all accounts."""
        self._reconciler.welcome(ready)
        self._allocation.accounts = ready.accounts
        self._strategy_manager.tell(AccountsNamed(ready.accounts))
        self._ask_equities()
        self._merge()

    def _merge(self) -> None:
        """What is held may have changed when a snapshot has been compared."""
        if self._reconciler.compare(self.cursor):
            self._ask_prices()

    def _propose(self, wish: ProposeAssignment | ProposeReversal) -> Assignment | AssignmentRefused:
        """Made for the books of this moment: the fill log refuses it where they have changed since."""
        try:
            if isinstance(wish, ProposeAssignment):
                return propose(wish.move, self._books, self._reconciler.breaks)
            return propose_reversal(wish.id, wish.reason, self._books, self._reconciler.breaks, self._journal)
        except AssignmentError as error:
            return AssignmentRefused(str(error))

    # Equity

    def _value_accounts(self, values: tuple[AccountValue, ...]) -> None:
        self._figures.take(values, self.clock.now())
        self._tell_rates()
        for account in {value.account for value in values}:
            self._store.tell(AccountValued(account, self._figures.values(account)))
            self._need_rates(set(self._figures.cash(account)))
        self._share_equity()

    def _tell_rates(self) -> None:
        """Risk measures with them, and the fill log books with them."""
        self._risk.tell(RatesChanged(self._figures.rates))
        self.fill_log.tell(RatesChanged(self._figures.rates))

    def _need_rates(self, currencies: set[Currency]) -> None:
        """A currency that turns up, held, booked or about to be traded: market data is asked for its pair."""
        if not currencies <= self._currencies:
            self._currencies |= currencies
            self._ask_prices()

    def _ask_prices(self) -> None:
        """What is held has a price, whoever follows it. Market data that is down asks by itself when it is up again."""
        wanted = conversion_pairs(self._currencies, self._base) | self._reconciler.held()
        if wanted:
            self._market_data.offer(WatchPrices(wanted))

    def _ask_equities(self) -> None:
        self._store.offer(ReadEquities(self._allocation.places(), self.ref))

    def _take_equities(self, read: EquitiesRead) -> None:
        """One that cannot be read leaves the strategy what it had."""
        for strategy, fault in read.faults.items():
            if self._unread.get(strategy) != fault:
                self.log.error("an explicit equity is refused; what held before holds", strategy=strategy, reason=fault)
        self._unread = read.faults
        self._allocation.set_explicit(read.equities, read.faults.keys())
        self._share_equity()

    def _share_equity(self) -> None:
        """Tell risk and each strategy what it may work with, when that has changed."""
        for strategy, equity in self._allocation.changes(self._figures).items():
            self._risk.tell(EquityChanged(strategy, equity))
            self._followers.offer(strategy, EquityChanged(strategy, equity))

    def _account_views(self) -> tuple[AccountView, ...]:
        marks = Marks(self._prices, self._figures.rates, self.clock.now(), self._rate_age)
        return tuple(
            account_view(account, self._books, self._figures, marks, self._allocation.of_account(account))
            for account in self._allocation.accounts
        )

    def _inform_risk(self) -> None:
        self._risk.tell(RatesChanged(self._figures.rates))
        self._reconciler.inform()
        for strategy, equity in self._allocation.equities.items():
            self._risk.tell(EquityChanged(strategy, equity))

    # Time, and what a crash must not lose

    def _tick(self) -> None:
        now = self.clock.monotonic()
        self._reconciler.tick()
        if self._moved and now - self._marked_at >= MARK_SECONDS:
            self._mark()
        if self.cursor != self._saved and now - self._saved_at >= SNAPSHOT_SECONDS:
            self._save()

    def _save(self) -> None:
        self._journal.save_snapshot(self.stage, self.cursor, self._books.dump())
        self._saved, self._saved_at = self.cursor, self.clock.monotonic()

    def on_stop(self) -> None:
        self._save()
        self._journal.close()

    def _view(self) -> Portfolio:
        return Portfolio(
            books=tuple(self._books),
            broker=self._reconciler.positions,
            breaks=self._reconciler.breaks,
            prices=dict(self._prices),
            equity=dict(self._allocation.equities),
            totals={account: self._figures.total_equity(account) for account in self._reconciler.accounts},
            reconciled_seconds_ago=self._reconciler.looked_seconds_ago,
        )


def _position(book: Book) -> Position:
    return Position(instrument=book.instrument, quantity=book.quantity, average_price=book.average_price)
