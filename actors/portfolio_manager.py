"""The portfolio manager: the books of all strategies, their equity, and the proof that they equal the broker's."""

from pathlib import Path

import msgspec

from actors.base import FollowerDown, PortfolioRefs, Stage, Subscribers, call_followers
from actors.messages.broker import (
    AccountChanged,
    PositionsChanged,
    PositionsTaken,
    Ready,
    RequestSnapshot,
)
from actors.messages.fill_log import ApplyEntries, LogPosition, ReportCursor
from actors.messages.market_data import InstrumentCompleted, PriceMarked
from actors.messages.persistence_writer import EquitiesRead, Republish
from actors.messages.portfolio_manager import (
    AnswerBreak,
    AssignmentRefused,
    BookState,
    EquityOverridden,
    PortfolioSnapshot,
    PositionUpdated,
    ProposeAssignment,
    ProposeNetted,
    ProposeReversal,
    ReadAccount,
    ReadBreaks,
    ReadPortfolio,
    Reconcile,
    SetWeights,
    SubscribeBook,
)
from actors.messages.subscription import Resubscribe, Unsubscribe
from actors.reconciler import Reconciler
from actors.valuation import AskEquities, Valuation
from mats.ledger.books import Book, Books
from mats.ledger.reconciliation import (
    CauseMismatch,
    NettedChange,
    ReconciliationScheduler,
    Transfer,
    TransferError,
    netted_change,
    propose,
    propose_reversal,
)
from mats.model import Entry, FillRecorded, StrategyName
from mats.runtime import Down, MailboxSpec, Ref, chaos
from mats.store.journal import Journal
from mats.store.views import BookHistory
from mats.strategy import Position

TICK_SECONDS = 0.25
SNAPSHOT_SECONDS = 5.0
EQUITY_SECONDS = 4.0
"""How soon an explicit equity that somebody wrote to the store is noticed."""


class Tick(msgspec.Struct, frozen=True):
    pass


class PortfolioManager(Stage):
    """Third stage. The book is changed first, then its strategy is told in one message."""

    stage = "portfolio"
    mailbox = MailboxSpec(
        capacity=50_000,
        never_full=(ApplyEntries, PositionsChanged, PositionsTaken, Ready),
        conflate=lambda message: message.instrument if isinstance(message, PriceMarked) else None,
    )

    def __init__(
        self,
        journal_path: Path,
        neighbours: PortfolioRefs,
        base_currency: str,
        rate_stale_after: float,
        every: float,
        grace: float,
        store_uri: str,
    ) -> None:
        self.fill_log, self._neighbours = neighbours.fill_log, neighbours
        self._path, self._store_uri = journal_path, store_uri
        self._base, self._rate_age, self._interval, self._grace = base_currency, rate_stale_after, every, grace

    def on_start(self) -> None:
        self._journal = Journal(self._path)
        saved = self._journal.load_snapshot(self.stage)
        history = BookHistory(self._journal, self._store_uri)
        self._books = Books.load(saved[1], history) if saved else Books(history)
        self.resume_at(self._books.seq)
        watch = ReconciliationScheduler(self._interval, self._grace, self._journal)
        self._reconciler = Reconciler(self, self._books, self._journal, watch, self._neighbours)
        self._followers = Subscribers(self)
        self._treasurer = Valuation(self, self._neighbours, self._followers, self._base, self._rate_age)
        self._treasurer.need_rates({book.currency for book in self._books})
        self.say_hello()
        self._neighbours.broker.tell(RequestSnapshot())
        self._neighbours.strategy_manager.tell(Resubscribe())
        self._neighbours.market_data.tell(Resubscribe())
        call_followers(self)
        self.every(TICK_SECONDS, Tick())
        self.every(EQUITY_SECONDS, AskEquities())

    def on_receive(self, message: object) -> object:
        match message:
            case ApplyEntries():
                self.receive_entries(message)
                self._merge()
            case PriceMarked() | InstrumentCompleted() | AccountChanged() | SetWeights():
                self._treasurer.receive(message)
            case EquitiesRead() | AskEquities() | EquityOverridden():
                self._treasurer.receive(message)
            case SubscribeBook(strategy=strategy, follower=follower):
                self._follow(strategy, follower)
            case Ready():
                self._welcome(message)
            case LogPosition():
                self._reconciler.receive(message)
                self._merge()
            case PositionsChanged() | PositionsTaken() | Reconcile() | ReadBreaks() | AnswerBreak():
                return self._reconciler.receive(message)
            case Tick():
                self._tick()
            case ReadAccount():
                return self._treasurer.views(self._books)
            case ReadPortfolio():
                return self._view()
            case ProposeAssignment() | ProposeReversal() | ProposeNetted():
                return self._propose(message)
            case Republish():
                self._treasurer.republish()
            case Resubscribe():
                self._treasurer.inform_risk()
                self._reconciler.inform()
                self._ask_prices()
            case ReportCursor():
                self.say_hello()
                self._treasurer.tell_rates()
            case Down(tag=FollowerDown(strategy=strategy)):
                self._followers.drop(strategy)
            case Unsubscribe():
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
                self._treasurer.need_rates({change.after.currency, *change.after.commissions})
        if len(self._books) > known:
            self._ask_prices()

    def _tell_strategy(self, book: Book, entry: Entry) -> None:
        fill = entry if isinstance(entry, FillRecorded) else None
        self._followers.offer(book.strategy, PositionUpdated(seq=entry.seq, position=_position(book), fill=fill))

    def _follow(self, strategy: StrategyName, follower: Ref) -> None:
        self._followers.add(strategy, follower)
        positions = tuple(_position(book) for book in self._books.of_strategy(strategy))
        follower.tell(BookState(positions=positions, equity=self._treasurer.equities.get(strategy), seq=self.cursor))

    # The broker's positions

    def _welcome(self, ready: Ready) -> None:
        """A connection that sees all positions and all accounts."""
        self._reconciler.welcome(ready)
        self._treasurer.welcome(ready.accounts)
        self._merge()

    def _merge(self) -> None:
        """What is held may have changed when a snapshot has been compared."""
        if self._reconciler.compare(self.cursor):
            self._ask_prices()

    def _ask_prices(self) -> None:
        self._treasurer.ask_prices(self._reconciler.held())

    def _propose(
        self, wish: ProposeAssignment | ProposeReversal | ProposeNetted
    ) -> Transfer | NettedChange | AssignmentRefused:
        """Made for the books of this moment: the fill log refuses it where they have changed since."""
        try:
            if isinstance(wish, ProposeNetted):
                return netted_change(wish.wish, self._books, self._reconciler.breaks)
            if isinstance(wish, ProposeAssignment):
                return propose(wish.move, self._books, self._reconciler.breaks)
            return propose_reversal(wish.id, wish.reason, self._books, self._reconciler.breaks, self._journal)
        except (TransferError, CauseMismatch) as error:
            return AssignmentRefused(str(error))

    # Time, and what a crash must not lose

    def _tick(self) -> None:
        self._reconciler.tick()
        self._treasurer.tick()
        if self.save_due(SNAPSHOT_SECONDS):
            self.save(self._books.dump())

    def on_stop(self) -> None:
        self.save(self._books.dump())
        self._journal.close()

    def _view(self) -> PortfolioSnapshot:
        return PortfolioSnapshot(
            books=tuple(self._books),
            broker=self._reconciler.positions,
            breaks=self._reconciler.breaks,
            prices=dict(self._treasurer.prices),
            equity=dict(self._treasurer.equities),
            totals={account: self._treasurer.total(account) for account in self._reconciler.accounts},
            overcommitted=dict(self._treasurer.overcommitted),
            reconciled_seconds_ago=self._reconciler.looked_seconds_ago,
        )


def _position(book: Book) -> Position:
    return Position(instrument=book.instrument, quantity=book.quantity, average_price=book.average_price)
