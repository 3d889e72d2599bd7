"""Schedules requests for the broker's positions and compares each complete snapshot with the books."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Protocol

from msgspec.structs import replace

from mats.instruments import try_parse_instrument
from mats.ledger.books import BookKey, Books
from mats.ledger.quarantine import QuarantinePlace
from mats.ledger.reconciliation.break_causes import BreakCause
from mats.ledger.reconciliation.breaks import Break
from mats.ledger.reconciliation.comparison import aggregate
from mats.ledger.reconciliation.reconcile import Reconciliation, ReconciliationResult
from mats.model import ZERO, AccountId, BrokerPosition, Entry, InstrumentId, Nanos, PositionKey

POSITIONS_TIMEOUT_SECONDS = 30.0
"""How long to wait for requested positions before requesting them again."""
FILL_GRACE_SECONDS = 0.5
"""How long a position may run ahead of its fill before positions are compared."""
STATE_NAME = "reconciliation"


class BreakRecords(Protocol):
    """Breaks and saved state that survive a crash; the journal implements it."""

    def newest_entries(self, key: BookKey, after: int) -> Sequence[Entry]: ...
    def save_break(self, found: Break) -> None: ...
    def open_breaks(self) -> Sequence[Break]: ...
    def save_snapshot(self, stage: str, seq: int, payload: bytes) -> None: ...
    def load_snapshot(self, stage: str) -> tuple[int, bytes] | None: ...


class ReconciliationScheduler:
    """Requests positions every `every` seconds, soon after one differs, and `grace` seconds after a break is found.

    Spans are monotonic seconds. Only a complete snapshot is compared; a single update is a hint that one is due.
    Breaks are recorded before they are acted on.
    """

    def __init__(self, every: float, grace: float, records: BreakRecords) -> None:
        self._every, self._grace, self._records = every, grace, records
        self._reconciliation = Reconciliation(grace, records.newest_entries)
        saved = records.load_snapshot(STATE_NAME)
        self._reconciliation.restore(saved[1] if saved else None, records.open_breaks())
        self._due: float | None = None
        self._waiting: list[tuple[int, tuple[BrokerPosition, ...]]] = []
        self._hints: dict[PositionKey, tuple[float, Decimal]] = {}
        self._unrecorded: list[Break] = []
        self.accounts: tuple[AccountId, ...] = ()
        self.broker: dict[PositionKey, BrokerPosition] = {}
        self.compared_at: float | None = None

    def set_quarantine(self, places: tuple[QuarantinePlace, ...]) -> None:
        """Where a difference may be explained by what is in quarantine."""
        self._reconciliation.quarantine = places

    @property
    def open(self) -> tuple[Break, ...]:
        """All differences, including those that were seen only once."""
        return self._reconciliation.open

    @property
    def breaks(self) -> tuple[Break, ...]:
        """Differences that a second snapshot has confirmed; after the first one a fill may be in transit."""
        return tuple(found for found in self.open if found.confirmed)

    @property
    def differences(self) -> dict[PositionKey, Decimal]:
        """What the broker holds beyond the books, by position, where there is a break: no new risk is taken there."""
        return {found.key: found.difference for found in self.breaks}

    def held_instruments(self, books: Books) -> frozenset[InstrumentId]:
        """Every instrument held in the books or at the broker, of the types that can be resolved."""
        booked = {book.instrument for book in books if book.quantity}
        known = {position.instrument for position in self.broker.values() if position.quantity}
        return frozenset(name for name in booked | known if try_parse_instrument(name) is not None)

    # When to request positions

    def on_position_update(self, positions: Iterable[BrokerPosition], books: Books, now: float) -> None:
        """Positions that the broker reports. A changed one usually belongs to a fill that is being booked."""
        for position in positions:
            key = (position.account, position.instrument)
            known = self.broker.get(key)
            self.broker[key] = position
            changed = position.quantity != (known.quantity if known else ZERO)
            if changed and self._due is not None and position.quantity != books.net(*key):
                due, _ = self._hints.get(key, (now + FILL_GRACE_SECONDS, ZERO))
                self._hints[key] = (due, position.quantity)

    def compare_within(self, seconds: float, now: float) -> None:
        """Request positions not later than `seconds` from now."""
        if self._due is not None:
            self._due = min(self._due, now + seconds)

    def pop_due_request(self, books: Books, now: float) -> bool:
        """Whether to request positions now; schedules the next request then. Hints that the books have met end."""
        if self._due is None:
            return False
        due_hints = {key: quantity for key, (due, quantity) in self._hints.items() if now >= due}
        differing = any(quantity != books.net(*key) for key, quantity in due_hints.items())
        self._hints = {key: hint for key, hint in self._hints.items() if key not in due_hints}
        if now < self._due and not differing:
            return False
        self._due = now + POSITIONS_TIMEOUT_SECONDS
        return True

    def on_disconnect(self) -> None:
        """The connection is lost: positions are not requested until a new one has delivered a snapshot."""
        self._due = None
        self._hints.clear()

    # What the snapshots mean

    def on_snapshot(self, through: int, positions: tuple[BrokerPosition, ...]) -> None:
        """A complete snapshot arrived when the log was at entry `through`."""
        self._waiting.append((through, positions))

    def pop_comparable_snapshot(self, cursor: int) -> tuple[BrokerPosition, ...] | None:
        """The snapshot to compare: every execution that the log had by then is in the books.

        Only the newest one: two old snapshots compared at one moment would confirm each other's lack of later fills.
        """
        comparable = [positions for through, positions in self._waiting if through <= cursor]
        self._waiting = [(through, positions) for through, positions in self._waiting if through > cursor]
        return comparable[-1] if comparable else None

    def compare(
        self, books: Books, positions: tuple[BrokerPosition, ...], instant: Nanos, now: float
    ) -> ReconciliationResult:
        """Compare a complete snapshot with the books.

        Where a break cannot be recorded the error is raised: nothing may be done about it, and it is recorded by the
        next comparison.
        """
        snapshot = aggregate(positions)
        self.broker = {(position.account, position.instrument): position for position in snapshot}
        outcome = self._reconciliation.compare(books, snapshot, self.accounts, instant, now)
        self._due = now + self._pause(outcome)
        late = tuple(self._unrecorded)
        self._unrecorded += outcome.reportable
        self._record()
        self._records.save_snapshot(STATE_NAME, books.seq, self._reconciliation.dump())
        self.compared_at = now
        return replace(outcome, changed=(*late, *outcome.changed)) if late else outcome

    def _record(self) -> None:
        """Record what is not recorded yet."""
        for found in self._unrecorded:
            self._records.save_break(found)
        self._unrecorded.clear()

    def _pause(self, outcome: ReconciliationResult) -> float:
        """Seconds to the next comparison: soon after adjustments, to verify them."""
        if outcome.adjustments:
            return min(FILL_GRACE_SECONDS, self._every)
        return min(self._grace, self._every) if outcome.open else self._every

    def answer(self, name: str, cause: BreakCause, books: Books, now: float) -> tuple[Break, ...]:
        """The cause of a break as an operator gives it; returns the breaks that it explains. Raises AnswerRefused."""
        answered = self._reconciliation.answer(name, cause, books, self.broker)
        self._unrecorded += answered
        self._record()
        self.compare_within(0.0, now)
        return answered
