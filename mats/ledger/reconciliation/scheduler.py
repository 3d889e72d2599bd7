"""When to ask the broker for its positions again, and what each complete answer means for the books."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Protocol

from mats.ledger.books import BookKey, Books
from mats.ledger.reconciliation.breaks import Break, PositionKey
from mats.ledger.reconciliation.comparison import aggregate
from mats.ledger.reconciliation.contract_terms import meant_by
from mats.ledger.reconciliation.corporate_actions import Action
from mats.ledger.reconciliation.reconcile import Reconciliation, ReconciliationResult
from mats.model import ZERO, AccountId, BrokerPosition, Entry, InstrumentId, Nanos

ANSWER_SECONDS = 30.0
"""How long to wait for positions that were asked for before asking again."""
NEWS_SECONDS = 0.5
"""How long a position may run ahead of its fill before it is worth a look."""
MEMORY = "reconciliation"


class BreakRecords(Protocol):
    """What outlives a crash; the journal is one."""

    def newest_entries(self, key: BookKey, after: int) -> Sequence[Entry]: ...
    def save_break(self, found: Break) -> None: ...
    def open_breaks(self) -> Sequence[Break]: ...
    def save_snapshot(self, stage: str, seq: int, payload: bytes) -> None: ...
    def load_snapshot(self, stage: str) -> tuple[int, bytes] | None: ...


class ReconciliationScheduler:
    """Asks every `every` seconds, soon after a position differs, and `grace` seconds after a look that found something.

    Spans are monotonic seconds. Only a complete snapshot is a look; single updates are hints that one is worth taking.
    What was found is in the records before anybody acts on it.
    """

    def __init__(self, every: float, grace: float, records: BreakRecords) -> None:
        self._every, self._grace, self._records = every, grace, records
        self._reconciliation = Reconciliation(grace, records.newest_entries)
        memory = records.load_snapshot(MEMORY)
        self._reconciliation.restore(memory[1] if memory else None, records.open_breaks())
        self._due: float | None = None
        self._waiting: list[tuple[int, tuple[BrokerPosition, ...]]] = []
        self._hints: dict[PositionKey, tuple[float, Decimal]] = {}
        self.accounts: tuple[AccountId, ...] = ()
        self.broker: dict[PositionKey, BrokerPosition] = {}
        self.looked_at: float | None = None

    @property
    def open(self) -> tuple[Break, ...]:
        """All differences, those too that were seen once only."""
        return self._reconciliation.open

    @property
    def breaks(self) -> tuple[Break, ...]:
        """Differences that a second look has confirmed; a first one may be news on its way."""
        return tuple(found for found in self.open if found.confirmed)

    @property
    def places(self) -> frozenset[PositionKey]:
        """Where books and broker differ: no new risk is taken there."""
        return frozenset(found.place for found in self.breaks)

    def held(self, books: Books) -> frozenset[InstrumentId]:
        """Every instrument that anybody holds, in the books or at the broker, of the types that can be asked for."""
        booked = {book.instrument for book in books if book.quantity}
        known = {position.instrument for position in self.broker.values() if position.quantity}
        return frozenset(name for name in booked | known if meant_by(name) is not None)

    # When to ask

    def hear(self, positions: Iterable[BrokerPosition], books: Books, now: float) -> None:
        """The broker tells of positions. One that has changed is as a rule the trace of a fill that is being booked."""
        for position in positions:
            place = (position.account, position.instrument)
            known = self.broker.get(place)
            self.broker[place] = position
            changed = position.quantity != (known.quantity if known else ZERO)
            if changed and self._due is not None and position.quantity != books.net(*place):
                due, _ = self._hints.get(place, (now + NEWS_SECONDS, ZERO))
                self._hints[place] = (due, position.quantity)

    def look_within(self, seconds: float, now: float) -> None:
        """Ask not later than `seconds` from now."""
        if self._due is not None:
            self._due = min(self._due, now + seconds)

    def take_due(self, books: Books, now: float) -> bool:
        """Whether to ask now; the next time to ask is set. Hints that have come true by now are none."""
        if self._due is None:
            return False
        ripe = {place: quantity for place, (due, quantity) in self._hints.items() if now >= due}
        differing = any(quantity != books.net(*place) for place, quantity in ripe.items())
        self._hints = {place: hint for place, hint in self._hints.items() if place not in ripe}
        if now < self._due and not differing:
            return False
        self._due = now + ANSWER_SECONDS
        return True

    def lost(self) -> None:
        """No link: nothing is asked until a new connection has brought a snapshot."""
        self._due = None
        self._hints.clear()

    # What the answers mean

    def expect(self, through: int, positions: tuple[BrokerPosition, ...]) -> None:
        """A complete snapshot came when the log was at entry `through`."""
        self._waiting.append((through, positions))

    def take_ripe(self, cursor: int) -> tuple[BrokerPosition, ...] | None:
        """The snapshot to compare: every execution that the log had by then is in the books.

        Only the newest one: two old snapshots compared at one moment would confirm each other's lack of later fills.
        """
        ripe = [positions for through, positions in self._waiting if through <= cursor]
        self._waiting = [(through, positions) for through, positions in self._waiting if through > cursor]
        return ripe[-1] if ripe else None

    def look(
        self, books: Books, positions: tuple[BrokerPosition, ...], instant: Nanos, now: float
    ) -> ReconciliationResult:
        """Hold a complete snapshot against the books."""
        snapshot = aggregate(positions)
        self.broker = {(position.account, position.instrument): position for position in snapshot}
        outcome = self._reconciliation.look(books, snapshot, self.accounts, instant, now)
        for found in outcome.told:
            self._records.save_break(found)
        self._records.save_snapshot(MEMORY, books.seq, self._reconciliation.dump())
        self.looked_at = now
        self._due = now + self._pause(outcome)
        return outcome

    def _pause(self, outcome: ReconciliationResult) -> float:
        """Seconds to the next look: soon after something was booked, to see that it was right."""
        if outcome.adjustments:
            return min(NEWS_SECONDS, self._every)
        return min(self._grace, self._every) if outcome.open else self._every

    def answer(self, name: str, action: Action, books: Books, now: float) -> tuple[Break, ...]:
        """An operator says what a break is; the breaks that this explains. Raises AnswerRefused."""
        answered = self._reconciliation.answer(name, action, books, self.broker)
        for found in answered:
            self._records.save_break(found)
        self.look_within(0.0, now)
        return answered
