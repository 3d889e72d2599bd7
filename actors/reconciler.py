"""The comparison of books and broker, for the portfolio manager: its requests, and to whom the outcome is sent."""

from typing import assert_never

from actors.base import JournalWrites, Owner
from actors.messages.addresses import ConnectionMessage, FillLogMessage, PersistenceWriterMessage, RiskManagerMessage
from actors.messages.broker import PositionsChanged, PositionsTaken, Ready, SubscribeAccount, TakePositions
from actors.messages.fill_log import BookAdjustments, GetLogPosition, LogPosition
from actors.messages.portfolio_manager import (
    AnswerDenied,
    BooksReconciled,
    BreakAnswered,
    Breaks,
    BreaksChanged,
    Reconcile,
)
from mats.ledger.books import Books
from mats.ledger.reconciliation import (
    AnswerRefused,
    Break,
    BreakCause,
    ReconciliationResult,
    ReconciliationScheduler,
    explained_by,
    summary,
)
from mats.model import AccountId, BrokerPosition, InstrumentId
from mats.runtime import Ref
from mats.store.journal import Journal, JournalUnwritableError

ReconcilerMessage = PositionsChanged | PositionsTaken | LogPosition | Reconcile
"""Passed on by the portfolio manager."""


class Reconciler:
    """Belongs to one actor, which keeps `books` up to date, and works in its turns."""

    def __init__(
        self,
        manager: Owner[PositionsTaken | LogPosition],
        books: Books,
        journal: Journal,
        scheduler: ReconciliationScheduler,
        *,
        broker: Ref[ConnectionMessage],
        fill_log: Ref[FillLogMessage],
        risk: Ref[RiskManagerMessage],
        store: Ref[PersistenceWriterMessage],
    ) -> None:
        self._manager, self._books, self._journal, self._scheduler = manager, books, journal, scheduler
        self._broker, self._fill_log, self._risk, self._store = broker, fill_log, risk, store
        self._writes = JournalWrites(manager)
        self._connected = False
        self._taken: tuple[BrokerPosition, ...] = ()

    @property
    def accounts(self) -> tuple[AccountId, ...]:
        return self._scheduler.accounts

    @property
    def positions(self) -> tuple[BrokerPosition, ...]:
        """The newest known positions of the broker."""
        return tuple(self._scheduler.broker.values())

    @property
    def breaks(self) -> tuple[Break, ...]:
        """Differences that a second comparison has confirmed."""
        return self._scheduler.breaks

    @property
    def looked_seconds_ago(self) -> float | None:
        """None before the first comparison."""
        at = self._scheduler.compared_at
        return None if at is None else self._manager.clock.monotonic() - at

    def held(self) -> frozenset[InstrumentId]:
        """Every instrument that is held, in the books or at the broker."""
        return self._scheduler.held_instruments(self._books)

    def connect(self, ready: Ready) -> None:
        """The connection that sees all positions is ready: from here on they are requested there.

        What a gateway remembers that is cut off from the broker is compared with nothing.
        """
        if not self._connected:
            self._connected = True
            self._manager.watch(self._broker, tag=ready.connection)
            for account in ready.accounts:
                self._broker.tell(SubscribeAccount(account))
        self._scheduler.accounts = ready.accounts
        if ready.linked:
            self._scheduler.on_snapshot(ready.through, ready.replay.positions)

    def lost(self) -> None:
        """That connection is gone."""
        self._connected = False
        self._scheduler.on_disconnect()

    def receive(self, message: ReconcilerMessage) -> None:
        now = self._manager.clock.monotonic()
        match message:
            case PositionsChanged(positions=positions):
                self._scheduler.on_position_update(positions, self._books, now)
            case PositionsTaken(positions=positions):
                self._taken = positions
                self._fill_log.tell(GetLogPosition(self._manager.ref))
            case LogPosition(seq=seq):
                self._scheduler.on_snapshot(seq, self._taken)
            case Reconcile():
                self._scheduler.compare_within(0.0, now)
            case _:
                assert_never(message)

    def read_breaks(self, past: int) -> Breaks:
        """The open breaks and at most `past` that ended."""
        return Breaks(self._scheduler.open, tuple(self._journal.past_breaks(past)))

    def answer_break(self, name: str, action: BreakCause) -> BreakAnswered | AnswerDenied:
        """An operator says what a break is."""
        try:
            return BreakAnswered(self._scheduler.answer(name, action, self._books, self._manager.clock.monotonic()))
        except (AnswerRefused, JournalUnwritableError) as error:
            return AnswerDenied(str(error))

    def tick(self) -> None:
        """Request the positions when they are due."""
        if self._connected and self._scheduler.pop_due_request(self._books, self._manager.clock.monotonic()):
            self._broker.tell(TakePositions(self._manager.ref))

    def compare(self, cursor: int) -> bool:
        """Compare the newest snapshot once the books have every entry that the log had when it arrived."""
        if (positions := self._scheduler.pop_comparable_snapshot(cursor)) is None:
            return False
        quarantine = tuple(item.place for item in self._journal.open_quarantine())
        self._scheduler.set_quarantine(quarantine)
        outcome = self._outcome(positions)
        if outcome is None:
            return False
        for found in outcome.reportable:
            explained = explained_by(found.key, quarantine)
            self._manager.log.warning(summary(found), **({"explained_by": explained} if explained else {}))
        for adjustments in outcome.adjustments:
            self._fill_log.tell(BookAdjustments(adjustments, as_of=self._books.seq))
        self.publish_breaks()
        differing = {found.account for found in outcome.open}
        agreed = tuple(account for account in self._scheduler.accounts if account not in differing)
        self._store.tell(BooksReconciled(self._books.seq, agreed))
        return True

    def _outcome(self, positions: tuple[BrokerPosition, ...]) -> ReconciliationResult | None:
        """The comparison; None where its breaks could not be recorded: positions are compared again."""
        clock, found = self._manager.clock, list[ReconciliationResult]()
        self._writes.attempt(
            lambda: found.append(self._scheduler.compare(self._books, positions, clock.now(), clock.monotonic()))
        )
        return found[0] if found else None

    def publish_breaks(self) -> None:
        """Tell risk where books and broker differ."""
        self._risk.tell(BreaksChanged(self._scheduler.differences))
