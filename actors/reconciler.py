"""The comparison of books and broker, for the portfolio manager: when it asks, what the answers mean, whom it tells."""

from actors.base import PortfolioRefs
from actors.messages.broker import PositionsChanged, PositionsTaken, Ready, SubscribeAccount, TakePositions
from actors.messages.fill_log import BookAdjustments, GetLogPosition, LogPosition
from actors.messages.portfolio_manager import (
    AnswerBreak,
    AnswerDenied,
    BooksReconciled,
    BreakAnswered,
    Breaks,
    BreaksChanged,
    ReadBreaks,
    Reconcile,
)
from mats.ledger.books import Books
from mats.ledger.reconciliation import AnswerRefused, Break, ReconciliationScheduler, summary
from mats.model import AccountId, BrokerPosition, InstrumentId
from mats.runtime import Actor, Ref
from mats.store.journal import Journal

AboutPositions = PositionsChanged | PositionsTaken | LogPosition | Reconcile | ReadBreaks | AnswerBreak
"""What the portfolio manager passes on."""


class Reconciler:
    """Belongs to one actor, and works in its turns. `books` are kept up by it."""

    def __init__(
        self, manager: Actor, books: Books, journal: Journal, watch: ReconciliationScheduler, neighbours: PortfolioRefs
    ) -> None:
        self._manager, self._books, self._journal, self._watch = manager, books, journal, watch
        self._neighbours = neighbours
        self._master: Ref | None = None
        self._taken: tuple[BrokerPosition, ...] = ()

    @property
    def accounts(self) -> tuple[AccountId, ...]:
        return self._watch.accounts

    @property
    def positions(self) -> tuple[BrokerPosition, ...]:
        """What the broker said last."""
        return tuple(self._watch.broker.values())

    @property
    def breaks(self) -> tuple[Break, ...]:
        """Differences that a second look has confirmed."""
        return self._watch.breaks

    @property
    def looked_seconds_ago(self) -> float | None:
        """None before the first comparison."""
        at = self._watch.compared_at
        return None if at is None else self._manager.clock.monotonic() - at

    def held(self) -> frozenset[InstrumentId]:
        """Every instrument that anybody holds, in the books or at the broker."""
        return self._watch.held_instruments(self._books)

    def welcome(self, ready: Ready) -> None:
        """A connection that sees all positions: from here on they are asked for there."""
        if ready.ref != self._master:
            self._master = ready.ref
            self._manager.watch(ready.ref, tag=ready.connection)
            for account in ready.accounts:
                ready.ref.tell(SubscribeAccount(account))
        self._watch.accounts = ready.accounts
        self._watch.on_snapshot(ready.through, ready.replay.positions)

    def lost(self) -> None:
        """That connection is gone."""
        self._master = None
        self._watch.on_disconnect()

    def receive(self, message: AboutPositions) -> object:
        """A message about positions; questions are answered."""
        now = self._manager.clock.monotonic()
        match message:
            case PositionsChanged(positions=positions):
                self._watch.on_position_update(positions, self._books, now)
            case PositionsTaken(positions=positions):
                self._taken = positions
                self._neighbours.fill_log.tell(GetLogPosition(self._manager.ref))
            case LogPosition(seq=seq):
                self._watch.on_snapshot(seq, self._taken)
            case Reconcile():
                self._watch.compare_within(0.0, now)
            case ReadBreaks(past=past):
                return Breaks(self._watch.open, tuple(self._journal.past_breaks(past)))
            case AnswerBreak(break_id=name, action=action):
                try:
                    return BreakAnswered(self._watch.answer(name, action, self._books, now))
                except AnswerRefused as error:
                    return AnswerDenied(str(error))
        return None

    def tick(self) -> None:
        """Ask when it is time."""
        if self._master is not None and self._watch.pop_due_request(self._books, self._manager.clock.monotonic()):
            self._master.tell(TakePositions(self._manager.ref))

    def compare(self, cursor: int) -> bool:
        """Compare the newest snapshot as soon as the books have every entry that the log had when it came."""
        if (positions := self._watch.pop_comparable_snapshot(cursor)) is None:
            return False
        clock = self._manager.clock
        outcome = self._watch.compare(self._books, positions, clock.now(), clock.monotonic())
        for found in outcome.reportable:
            self._manager.log.warning(summary(found))
        for adjustments in outcome.adjustments:
            self._neighbours.fill_log.tell(BookAdjustments(adjustments, as_of=self._books.seq))
        self.inform()
        differing = {found.account for found in outcome.open}
        agreed = tuple(account for account in self._watch.accounts if account not in differing)
        self._neighbours.store.tell(BooksReconciled(self._books.seq, agreed))
        return True

    def inform(self) -> None:
        """Tell risk where books and broker differ."""
        self._neighbours.risk.tell(BreaksChanged(self._watch.break_keys))
