"""Books against the broker's positions: Σ strategies + `Discretionary` must equal what the broker holds.

A difference is first a candidate, because a fill may be in transit. It is acted on only when a second complete
snapshot, `grace` seconds later, shows the same difference and no log entry touched the instrument in between. Then a
possible corporate action becomes a question to an operator, and every other difference is booked to `Discretionary`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from mats.ledger.books import BookKey, Books
from mats.ledger.quarantine import QuarantinePlace
from mats.ledger.reconciliation.adjustments import Adjustment, CauseMismatch, adjustments_for, are_terms_known
from mats.ledger.reconciliation.break_causes import (
    BreakCause,
    ExerciseCause,
    ExpiryCause,
    Residual,
    instruments_of,
)
from mats.ledger.reconciliation.break_classifier import ReconciliationSnapshot, classify_breaks
from mats.ledger.reconciliation.breaks import (
    Agreement,
    Break,
    BreakState,
    Holder,
    Proof,
    ProofLine,
    proof_lines,
)
from mats.ledger.reconciliation.comparison import compare
from mats.model import ZERO, AccountId, BrokerPosition, Entry, Nanos, PositionKey

RETRY_FACTOR = 10
"""Entries that do not arrive are requested again after 10, 100, … times the grace."""

History = Callable[[BookKey, int], Sequence[Entry]]
"""The entries of a book after a seq, in the order of the log; at least the newest ones where there are many."""


class ReconciliationResult(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one comparison.

    `open` are all breaks, `changed` those that changed since the comparison before, candidates left out; `closed` have
    ended. `adjustments` are due now, each group to be booked as a whole.
    """

    open: tuple[Break, ...]
    changed: tuple[Break, ...]
    closed: tuple[Break, ...]
    adjustments: tuple[tuple[Adjustment, ...], ...]

    @property
    def reportable(self) -> tuple[Break, ...]:
        """What an operator should see: changed and closed breaks that were ever confirmed."""
        return tuple(found for found in (*self.changed, *self.closed) if found.confirmed_at is not None)


class AnswerRefused(Exception):
    """The answer cannot be accepted; one sentence with the fix."""


class _SavedState(msgspec.Struct, frozen=True):
    agreed: tuple[tuple[PositionKey, Agreement], ...] = ()
    elsewhere: Agreement | None = None


class Reconciliation:
    """The open breaks from one comparison to the next. `grace` is in seconds."""

    def __init__(self, grace: float, history: History) -> None:
        self._grace, self._history = grace, history
        self._open: dict[PositionKey, Break] = {}
        self._since: dict[PositionKey, float] = {}
        self._agreed: dict[PositionKey, Agreement] = {}
        self._elsewhere: Agreement | None = None
        self.quarantine: tuple[QuarantinePlace, ...] = ()
        """Where the books may lack something that is kept elsewhere: a difference there is not booked."""

    @property
    def open(self) -> tuple[Break, ...]:
        """Breaks that are not settled, by account and instrument."""
        return tuple(self._open[key] for key in sorted(self._open))

    def find(self, name: str) -> Break | None:
        """The open break of an id."""
        return next((found for found in self._open.values() if found.id == name), None)

    def compare(
        self,
        books: Books,
        snapshot: Collection[BrokerPosition],
        accounts: Collection[AccountId],
        now: Nanos,
        at: float,
    ) -> ReconciliationResult:
        """Compare books and broker; `now` is wall-clock time, `at` measures spans (monotonic seconds).

        Adjustments that were requested and have not arrived are requested again, each time `RETRY_FACTOR` times later.
        """
        positions = {(position.account, position.instrument): position for position in snapshot}
        before = dict(self._open)
        compared = {key for key in before if key[0] in accounts}
        found = {b.key: self._merged_with_known(b, at) for b in compare(books, positions, accounts, now)}
        closed = tuple(self._closed(before[key], books, now) for key in sorted(compared - found.keys()))
        self._open = {key: b for key, b in before.items() if key not in compared} | found
        self._record_agreements(books, positions, accounts, now)
        suspects = classify_breaks(ReconciliationSnapshot(found, books, positions, now))
        for key in found:
            self._open[key] = self._classified(self._open[key], suspects.get(key, ()), books, positions, now)
        adjustments = self._adjustments_due(books, positions, at)
        changed = tuple(
            b for b in self.open if b.confirmed_at and _reported_state(b) != _reported_state(before.get(b.key))
        )
        return ReconciliationResult(open=self.open, changed=changed, closed=closed, adjustments=adjustments)

    def answer(
        self, name: str, cause: BreakCause, books: Books, positions: Mapping[PositionKey, BrokerPosition]
    ) -> tuple[Break, ...]:
        """Accept the cause that an operator gives for a break, and for each other one that it explains.

        It is booked at the next comparison that shows them unchanged. Raises AnswerRefused where there is no such
        break, it is not confirmed or is being settled already, or the cause would not settle it.
        """
        found = self.find(name)
        if found is None:
            raise AnswerRefused(f"no break {name} is open; `mats breaks` lists the open ones")
        if not found.confirmed or found.booking_requests:
            status = "is being settled" if found.booking_requests else "was seen only once"
            raise AnswerRefused(f"break {name} {status}; wait for the next comparison, or request one")
        keys = _affected_keys(found, cause)
        if found.key not in keys or not all(key in self._open for key in keys):
            raise AnswerRefused(
                f"break {name} is not {cause.text}: books and broker do not differ in both instruments;"
                " check `mats breaks`"
            )
        try:
            adjustments_for(self._open[keys[0]], cause, books, positions)
        except CauseMismatch as error:
            raise AnswerRefused(str(error)) from None
        for key in keys:
            self._open[key] = replace(self._open[key], answer=cause, state=BreakState.CONFIRMED)
        return tuple(self._open[key] for key in keys)

    # Saved state

    def dump(self) -> bytes:
        """When each position last agreed, as bytes."""
        return msgspec.msgpack.encode(_SavedState(tuple(self._agreed.items()), self._elsewhere))

    def restore(self, payload: bytes | None, open_breaks: Iterable[Break]) -> None:
        """Continue where an earlier run ended: its breaks keep their state, and wait for the grace of this run."""
        if payload is not None:
            saved = msgspec.msgpack.decode(payload, type=_SavedState)
            self._agreed, self._elsewhere = dict(saved.agreed), saved.elsewhere
        self._open = {found.key: found for found in open_breaks}

    # One comparison

    def _merged_with_known(self, found: Break, at: float) -> Break:
        """Count the same difference over the same entries once more; other figures begin their proof again."""
        known = self._open.get(found.key)
        if known is not None and _figures(known) == _figures(found):
            self._since.setdefault(found.key, at)
            return replace(known, comparisons=known.comparisons + 1)
        self._since[found.key] = at
        if known is None:
            return replace(found, agreed=self._agreed.get(found.key, self._elsewhere))
        return replace(
            found,
            agreed=known.agreed,
            first_seen=known.first_seen,
            first_seq=known.first_seq,
            confirmed_at=known.confirmed_at,
            attempts=known.attempts,
        )

    def _record_agreements(
        self, books: Books, positions: Mapping[PositionKey, BrokerPosition], accounts: Collection[AccountId], now: Nanos
    ) -> None:
        """Record that every position without a break agrees as of now; of one that neither knows, both hold zero."""
        self._elsewhere = Agreement(now, books.seq, ZERO, ZERO)
        for key in books.nets.keys() | positions.keys():
            if key not in self._open and key[0] in accounts:
                position = positions.get(key)
                quantity, cost = (position.quantity, position.average_cost) if position else (ZERO, ZERO)
                self._agreed[key] = Agreement(now, books.seq, quantity, cost)

    def _classified(
        self,
        found: Break,
        suspects: tuple[BreakCause, ...],
        books: Books,
        positions: Mapping[PositionKey, BrokerPosition],
        now: Nanos,
    ) -> Break:
        """The break with its possible causes and its state; with its proof once a second snapshot has confirmed it."""
        if not found.booking_requests:
            found = replace(found, suspects=suspects)
        if not found.confirmed:
            return found
        unanswered = found.answer is None and bool(found.suspects) and _contractual_cause(found) is None
        return replace(
            found,
            state=BreakState.QUESTION if unanswered else BreakState.CONFIRMED,
            confirmed_at=found.confirmed_at or now,
            proof=found.proof or self._prove(found, books, positions.get(found.key), now),
        )

    def _prove(self, found: Break, books: Books, position: BrokerPosition | None, now: Nanos) -> Proof:
        lines = self._lines(found, books, found.agreed.seq if found.agreed else 0)
        return Proof(
            time=now,
            start=found.expected - sum((line.quantity for line in lines), ZERO),
            lines=lines,
            holders=tuple(Holder(book.strategy, book.quantity, book.seq) for book in books.of_instrument(*found.key)),
            average_cost=position.average_cost if position else ZERO,
        )

    def _lines(self, found: Break, books: Books, after: int) -> tuple[ProofLine, ...]:
        """What changed the books of a position beyond entry `after`; the log may be ahead of the books."""
        entries = (entry for book in books.of_instrument(*found.key) for entry in self._history(book.key, after))
        return proof_lines([entry for entry in entries if entry.seq <= books.seq])

    def _adjustments_due(
        self, books: Books, positions: Mapping[PositionKey, BrokerPosition], at: float
    ) -> tuple[tuple[Adjustment, ...], ...]:
        """The adjustments to book now. A cause that changes two instruments waits until both are proved."""
        due = {key for key, found in self._open.items() if self._is_due(found, at)}
        groups = []
        for key in sorted(due):
            found = self._open[key]
            cause = found.answer or _contractual_cause(found) or Residual()
            keys = _affected_keys(found, cause)
            if not (due.issuperset(keys) and all(are_terms_known(*affected, positions) for affected in keys)):
                continue
            attempt = f"{found.difference:+f} to Discretionary" if isinstance(cause, Residual) else cause.text
            self._open[key] = replace(
                found,
                booking_requests=found.booking_requests + 1,
                attempts=tuple(dict.fromkeys((*found.attempts, f"booked as {attempt}"))),
            )
            if key == keys[0]:
                groups.append(adjustments_for(found, cause, books, positions))
        return tuple(groups)

    def _is_due(self, found: Break, at: float) -> bool:
        if found.state is not BreakState.CONFIRMED or explained_by(found.key, self.quarantine):
            return False
        wait = (
            self._grace if not found.booking_requests else max(self._grace, 1.0) * RETRY_FACTOR**found.booking_requests
        )
        since = self._since.get(found.key)
        return since is not None and at - since >= wait

    def _closed(self, known: Break, books: Books, now: Nanos) -> Break:
        """The break as it ended: by what was booked for it, or without an adjustment."""
        self._since.pop(known.key, None)
        lines = self._lines(known, books, known.first_seq)
        adjusted = any(line.what == "adjustment" for line in lines)
        why = "; ".join(known.attempts) if adjusted else "its fills arrived" if lines else "the broker's figure changed"
        return replace(
            known,
            state=BreakState.ADJUSTED if adjusted else BreakState.SETTLED,
            resolved=now,
            resolution=why,
            settled_by=lines,
        )


def explained_by(key: PositionKey, quarantine: Iterable[QuarantinePlace]) -> str:
    """What in quarantine may explain a difference of this position; empty where nothing does."""
    places = [place for place in quarantine if place.holds_instrument(*key)]
    return "; ".join(f"{place.kind} {place.id} is in quarantine: `mats quarantine show {place.id}`" for place in places)


def _figures(found: Break) -> tuple[Decimal, Decimal, int]:
    return found.expected, found.broker, found.seq


def _reported_state(found: Break | None) -> tuple[object, ...] | None:
    """The part of a break whose change is recorded."""
    return (
        None if found is None else (found.state, _figures(found), found.booking_requests, found.answer, found.suspects)
    )


def _contractual_cause(found: Break) -> BreakCause | None:
    """The cause that follows from the terms of the contract, so that no operator is needed."""
    return next((cause for cause in found.suspects if isinstance(cause, ExerciseCause | ExpiryCause)), None)


def _affected_keys(found: Break, cause: BreakCause) -> tuple[PositionKey, ...]:
    """Every position that a cause settles; the first one carries its entries."""
    return tuple((found.account, name) for name in instruments_of(cause)) or (found.key,)
