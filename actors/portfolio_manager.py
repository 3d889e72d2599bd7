"""The portfolio manager: the books of all strategies, their equity, and the proof that they equal the broker's."""

from pathlib import Path
from typing import Never, assert_never

import msgspec

from actors.base import FollowerDown, Publisher, Stage, Trial
from actors.messages.addresses import (
    ConnectionMessage,
    FillLogMessage,
    MarketDataMessage,
    PersistenceWriterMessage,
    PortfolioManagerMessage,
    RiskManagerMessage,
    StrategyManagerMessage,
)
from actors.messages.broker import AccountChanged, PositionsChanged, PositionsTaken, Ready, RequestSnapshot
from actors.messages.fill_log import ApplyEntries, LogPosition, ReportCursor
from actors.messages.market_data import InstrumentCompleted, PriceMarked
from actors.messages.persistence_writer import EquitiesRead, PrunedEntriesRead, ReadPrunedEntries
from actors.messages.portfolio_manager import (
    AnswerBreak,
    AssignmentRefused,
    BookState,
    EquityChanged,
    EquityOverridden,
    PortfolioSnapshot,
    PositionUpdated,
    ProposeNetted,
    ProposeTransfer,
    ReadAccount,
    ReadBreaks,
    ReadPortfolio,
    Reconcile,
    ReversalRequest,
    SetWeights,
    SubscribeBook,
    SubscribeEquity,
)
from actors.messages.subscription import Republish, Unsubscribe
from actors.reconciler import Reconciler
from actors.valuation import RefreshEquities, Valuation
from mats.ledger.books import Book, BookKey, Books
from mats.ledger.reconciliation import (
    CauseMismatch,
    NettedAction,
    NettedChange,
    ReconciliationScheduler,
    Transfer,
    TransferError,
    TransferRequest,
    netted_change,
    propose,
    propose_reversal,
)
from mats.model import Entry, FillRecorded, StrategyName
from mats.runtime import Down, MailboxSpec, Ref
from mats.runtime.testing import chaos
from mats.store.journal import Journal
from mats.store.views import AskedHistory, PastMissing, WithoutSetAside
from mats.strategy import Position

TICK_SECONDS = 0.25
SNAPSHOT_SECONDS = 5.0
EQUITY_SECONDS = 4.0
"""How soon an explicit equity that was written to the store is noticed."""


class Tick(msgspec.Struct, frozen=True):
    pass


class PortfolioManager(Stage[PortfolioManagerMessage | RefreshEquities | Tick | Down]):
    """Third stage. The book is changed first, then its strategy is sent one message."""

    stage = "portfolio"
    unrelated = (PastMissing,)
    mailbox = MailboxSpec(
        capacity=50_000,
        never_full=(ApplyEntries, PositionsChanged, PositionsTaken, Ready),
        conflate=lambda message: message.instrument if isinstance(message, PriceMarked) else None,
    )

    class Args(msgspec.Struct, frozen=True, kw_only=True):
        """Spans in seconds. `broker` is the connection that sees every position and account."""

        journal_path: Path
        base_currency: str
        rate_stale_after: float
        reconcile_every: float
        grace: float
        fill_log: Ref[FillLogMessage]
        risk: Ref[RiskManagerMessage]
        store: Ref[PersistenceWriterMessage]
        broker: Ref[ConnectionMessage]
        market_data: Ref[MarketDataMessage]
        strategy_manager: Ref[StrategyManagerMessage]

    def __init__(self, args: Args) -> None:
        self._args, self.fill_log = args, args.fill_log

    def on_start(self) -> None:
        args = self._args
        self._journal = Journal(args.journal_path)
        self.defer(self._journal.release)
        quarantine = self.recall()
        saved = self._journal.load_snapshot(self.stage)
        self._past = AskedHistory(self._journal)
        self._missing: PastMissing | None = None
        self._history = WithoutSetAside(self._past, quarantine.aside)
        charges = self._history.charges
        self._books = Books.load(saved[1], self._history, charges) if saved else Books(self._history, charges=charges)
        self.resume_at(self._books.seq)
        scheduler = ReconciliationScheduler(args.reconcile_every, args.grace, self._journal)
        self._reconciler = Reconciler(
            self,
            self._books,
            self._journal,
            scheduler,
            broker=args.broker,
            fill_log=args.fill_log,
            risk=args.risk,
            store=args.store,
        )
        self._followers = Publisher[BookState, PositionUpdated](self, "book", self._book_state)
        self._equity_feed = Publisher[EquityChanged, Never](self, "equity", self._equity_state)
        self._valuation = Valuation(
            self,
            self._equity_feed,
            args.base_currency,
            args.rate_stale_after,
            fill_log=args.fill_log,
            risk=args.risk,
            store=args.store,
            market_data=args.market_data,
            strategy_manager=args.strategy_manager,
        )
        self._valuation.need_rates({book.currency for book in self._books})
        self.report_cursor()
        args.broker.tell(RequestSnapshot())
        args.strategy_manager.tell(Republish())
        args.market_data.tell(Republish())
        self.every(TICK_SECONDS, Tick())
        self.every(EQUITY_SECONDS, RefreshEquities())

    def on_receive(self, message: PortfolioManagerMessage | RefreshEquities | Tick | Down) -> object:
        match message:
            case ApplyEntries():
                self.receive_entries(message)
                self._merge()
            case PrunedEntriesRead(key=key, through=through, entries=entries):
                self._take_past(key, through, entries)
            case PriceMarked() | InstrumentCompleted() | AccountChanged() | SetWeights():
                self._valuation.receive(message)
            case EquitiesRead() | RefreshEquities() | EquityOverridden():
                self._valuation.receive(message)
                self._ask_past()
            case SubscribeBook():
                self._followers.subscribe(message)
            case SubscribeEquity():
                self._equity_feed.subscribe(message)
            case Ready():
                self._connect(message)
            case LogPosition():
                self._reconciler.receive(message)
                self._merge()
            case PositionsChanged() | PositionsTaken() | Reconcile():
                self._reconciler.receive(message)
            case ReadBreaks(past=past):
                return message.answer(self._reconciler.read_breaks(past))
            case AnswerBreak(break_id=name, action=action):
                return message.answer(self._reconciler.answer_break(name, action))
            case Tick():
                self._tick()
            case ReadAccount():
                return message.answer(self._valuation.views(self._books))
            case ReadPortfolio():
                return message.answer(self._view())
            case ProposeTransfer(request=request):
                return message.answer(self._propose_transfer(request))
            case ProposeNetted(action=action):
                return message.answer(self._propose_netted(action))
            case Republish():
                self._valuation.republish()
                self._reconciler.publish_breaks()
                self._ask_prices()
            case ReportCursor():
                self.report_cursor()
                self._valuation.tell_rates()
            case Down(tag=FollowerDown() as follower):
                self._followers.drop(follower)
                self._equity_feed.drop(follower)
            case Unsubscribe(follower=leaving):
                self._equity_feed.drop(FollowerDown(leaving))
                self._followers.unsubscribe(message)
            case Down():
                self._reconciler.lost()
            case _:
                assert_never(message)
        return None

    # Fills

    def receive_entries(self, message: ApplyEntries) -> None:
        """Entries that change a past which must be read first wait, and so do those after them."""
        if self._missing is not None:
            return
        try:
            super().receive_entries(message)
        except PastMissing as missing:
            self._missing, self.cursor = missing, self._books.seq
            self.hand_on(message)
            self._ask_past()

    def _ask_past(self) -> None:
        """The store has it, and answers when it can: asked again and again."""
        if (missing := self._missing) is not None:
            self._args.store.offer(ReadPrunedEntries(missing.key, missing.through, self.ref))

    def _take_past(self, key: BookKey, through: int, entries: tuple[Entry, ...]) -> None:
        """The log sends again what has waited for it."""
        if self._missing is not None:
            self._past.take(key, through, entries)
            self._missing = None
            self.report_cursor()

    def apply(self, entries: tuple[Entry, ...]) -> None:
        """Apply to the books, and tell the strategies."""
        known = len(self._books)
        for entry in entries:
            for change in self._books.apply(entry):
                chaos.point("portfolio: after the book, before its strategy is told")
                self._tell_strategy(change.after, entry)
                self._valuation.need_rates({change.after.currency, *change.after.commissions})
        if len(self._books) > known:
            self._ask_prices()

    def rehearse(self) -> Trial:
        books = Books.load(self._books.dump(), self._history, self._history.charges)
        return lambda entry: [_position(change.after) for change in books.apply(entry)]

    def skip(self, seq: int) -> None:
        self._books.seq = seq

    def _tell_strategy(self, book: Book, entry: Entry) -> None:
        fill = entry if isinstance(entry, FillRecorded) else None
        self._followers.publish(book.strategy, PositionUpdated(seq=entry.seq, position=_position(book), fill=fill))

    def _book_state(self, strategy: StrategyName) -> BookState:
        positions = tuple(_position(book) for book in self._books.of_strategy(strategy))
        equity = self._valuation.equities.get(strategy)
        return BookState(positions=positions, equity=equity, seq=self.cursor)

    def _equity_state(self, strategy: StrategyName) -> EquityChanged:
        return EquityChanged(strategy, self._valuation.equities.get(strategy))

    # The broker's positions

    def _connect(self, ready: Ready) -> None:
        """A connection that sees all positions and all accounts."""
        self._reconciler.connect(ready)
        self._valuation.set_accounts(ready.accounts)
        self._merge()

    def _merge(self) -> None:
        """After a comparison the instruments held may have changed."""
        if self._reconciler.compare(self.cursor):
            self._ask_prices()

    def _ask_prices(self) -> None:
        self._valuation.ask_prices(self._reconciler.held())

    # Proposals are computed for the books of this moment: the fill log refuses them where those have changed since

    def _propose_transfer(self, request: TransferRequest | ReversalRequest) -> Transfer | AssignmentRefused:
        breaks = self._reconciler.breaks
        try:
            if isinstance(request, TransferRequest):
                return propose(request, self._books, breaks)
            return propose_reversal(request.id, request.reason, self._books, breaks, self._journal)
        except TransferError as error:
            return AssignmentRefused(str(error))

    def _propose_netted(self, action: NettedAction) -> NettedChange | AssignmentRefused:
        try:
            return netted_change(action, self._books, self._reconciler.breaks)
        except CauseMismatch as error:
            return AssignmentRefused(str(error))

    # Time, and what a crash must not lose

    def _tick(self) -> None:
        self._reconciler.tick()
        self._valuation.tick()
        if self.save_due(SNAPSHOT_SECONDS):
            self.save(self._books.dump())

    def on_stop(self) -> None:
        self.save(self._books.dump())

    def _view(self) -> PortfolioSnapshot:
        return PortfolioSnapshot(
            books=tuple(self._books),
            broker=self._reconciler.positions,
            breaks=self._reconciler.breaks,
            prices=dict(self._valuation.prices),
            equity=dict(self._valuation.equities),
            totals={account: self._valuation.total(account) for account in self._reconciler.accounts},
            overcommitted=dict(self._valuation.overcommitted),
            reconciled_seconds_ago=self._reconciler.looked_seconds_ago,
        )


def _position(book: Book) -> Position:
    return Position(instrument=book.instrument, quantity=book.quantity, average_price=book.average_price)
