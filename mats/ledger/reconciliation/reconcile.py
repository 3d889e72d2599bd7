"""Books against the broker's positions: Σ strategies + `Discretionary` must equal what the broker holds.

A difference is first a candidate, because news may be on its way. It is acted on only when a second complete look,
`grace` seconds later, shows the same difference and no entry of the log touched the instrument between. What looks like
a corporate action is a question then; anything else is booked to `Discretionary`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from mats.ledger.books import BookKey, Books
from mats.ledger.reconciliation.adjustments import Adjustment, DoesNotFit, adjustments_for
from mats.ledger.reconciliation.break_classifier import ReconciliationSnapshot, recognise
from mats.ledger.reconciliation.breaks import (
    Agreement,
    Break,
    BreakState,
    Holder,
    PositionKey,
    Proof,
    ProofLine,
    lines_of,
)
from mats.ledger.reconciliation.comparison import compare
from mats.ledger.reconciliation.corporate_actions import Action, ExerciseCause, ExpiryCause, Residual, instruments_of
from mats.model import ZERO, AccountId, BrokerPosition, Entry, Nanos

PATIENCE = 10
"""Entries that do not arrive are asked for again at 10, 100, … times the grace."""

History = Callable[[BookKey, int], Sequence[Entry]]
"""The entries of a book beyond a seq, in the order of the log; at least the newest ones where they are many."""


class ReconciliationResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one look found.

    `open` are all breaks, `changed` those of them that stand otherwise than before, candidates left out; `closed` went
    away. `adjustments` are due now, each group to be booked as a whole.
    """

    open: tuple[Break, ...]
    changed: tuple[Break, ...]
    closed: tuple[Break, ...]
    adjustments: tuple[tuple[Adjustment, ...], ...]

    @property
    def told(self) -> tuple[Break, ...]:
        """What somebody should hear of: every break that was ever confirmed and stands otherwise than before."""
        return tuple(found for found in (*self.changed, *self.closed) if found.confirmed_at is not None)


class AnswerRefused(Exception):
    """The answer cannot be taken; one sentence with the mend."""


class _Memory(msgspec.Struct, frozen=True):
    agreed: tuple[tuple[PositionKey, Agreement], ...] = ()
    elsewhere: Agreement | None = None


class Reconciliation:
    """The open breaks, from look to look. `grace` is in seconds."""

    def __init__(self, grace: float, history: History) -> None:
        self._grace, self._history = grace, history
        self._open: dict[PositionKey, Break] = {}
        self._since: dict[PositionKey, float] = {}
        self._agreed: dict[PositionKey, Agreement] = {}
        self._elsewhere: Agreement | None = None

    @property
    def open(self) -> tuple[Break, ...]:
        """Breaks that are not settled, by account and instrument."""
        return tuple(self._open[place] for place in sorted(self._open))

    def find(self, name: str) -> Break | None:
        """The open break of an id."""
        return next((found for found in self._open.values() if found.id == name), None)

    def look(
        self,
        books: Books,
        snapshot: Collection[BrokerPosition],
        accounts: Collection[AccountId],
        now: Nanos,
        at: float,
    ) -> ReconciliationResult:
        """Compare again; `now` is the time for people, `at` measures spans (monotonic seconds).

        What was asked for is on its way; it is asked for again after `PATIENCE` times the wait before.
        """
        positions = {(position.account, position.instrument): position for position in snapshot}
        before = dict(self._open)
        judged = {place for place in before if place[0] in accounts}
        found = {b.place: self._aged(b, at) for b in compare(books, positions, accounts, now)}
        closed = tuple(self._closed(before[place], books, now) for place in sorted(judged - found.keys()))
        self._open = {place: b for place, b in before.items() if place not in judged} | found
        self._agree(books, positions, accounts, now)
        suspects = recognise(ReconciliationSnapshot(found, books, positions, now))
        for place in found:
            self._open[place] = self._judged(self._open[place], suspects.get(place, ()), books, positions, now)
        adjustments = self._due(books, positions, at)
        changed = tuple(b for b in self.open if b.confirmed_at and _standing(b) != _standing(before.get(b.place)))
        return ReconciliationResult(open=self.open, changed=changed, closed=closed, adjustments=adjustments)

    def answer(
        self, name: str, action: Action, books: Books, positions: Mapping[PositionKey, BrokerPosition]
    ) -> tuple[Break, ...]:
        """Take an operator's word for what a break is, and each other one that it explains.

        It is booked at the next look that shows them unchanged. Raises AnswerRefused where there is no such break, it
        is not confirmed or is being settled already, or the action would not settle it.
        """
        found = self.find(name)
        if found is None:
            raise AnswerRefused(f"no break {name} is open; `mats breaks` shows those that are")
        if not found.confirmed or found.asked:
            stands = "is being settled" if found.asked else "was seen once only"
            raise AnswerRefused(f"break {name} {stands}; wait for the next comparison, or ask for one")
        places = _places(found, action)
        if found.place not in places or not all(place in self._open for place in places):
            raise AnswerRefused(
                f"break {name} is not {action.text}: books and broker do not differ in both; look again"
            )
        try:
            adjustments_for(self._open[places[0]], action, books, positions)
        except DoesNotFit as error:
            raise AnswerRefused(str(error)) from None
        for place in places:
            self._open[place] = replace(self._open[place], answer=action, state=BreakState.CONFIRMED)
        return tuple(self._open[place] for place in places)

    # What a restart must find again

    def dump(self) -> bytes:
        """When each place last agreed, as bytes."""
        return msgspec.msgpack.encode(_Memory(tuple(self._agreed.items()), self._elsewhere))

    def restore(self, payload: bytes | None, open_breaks: Iterable[Break]) -> None:
        """Begin where an earlier run ended: its breaks stay what they are, and wait for the grace of this run."""
        if payload is not None:
            memory = msgspec.msgpack.decode(payload, type=_Memory)
            self._agreed, self._elsewhere = dict(memory.agreed), memory.elsewhere
        self._open = {found.place: found for found in open_breaks}

    # One look

    def _aged(self, found: Break, at: float) -> Break:
        """The same difference over the same entries has been seen once more; other figures begin their proof anew."""
        known = self._open.get(found.place)
        if known is not None and _figures(known) == _figures(found):
            self._since.setdefault(found.place, at)
            return replace(known, looks=known.looks + 1)
        self._since[found.place] = at
        if known is None:
            return replace(found, agreed=self._agreed.get(found.place, self._elsewhere))
        return replace(
            found,
            agreed=known.agreed,
            first_seen=known.first_seen,
            first_seq=known.first_seq,
            confirmed_at=known.confirmed_at,
            attempts=known.attempts,
        )

    def _agree(
        self, books: Books, positions: Mapping[PositionKey, BrokerPosition], accounts: Collection[AccountId], now: Nanos
    ) -> None:
        """Every place without a break is proved equal as of now; where nothing is known of, both hold nothing."""
        self._elsewhere = Agreement(now, books.seq, ZERO, ZERO)
        for place in books.nets.keys() | positions.keys():
            if place not in self._open and place[0] in accounts:
                position = positions.get(place)
                quantity, cost = (position.quantity, position.average_cost) if position else (ZERO, ZERO)
                self._agreed[place] = Agreement(now, books.seq, quantity, cost)

    def _judged(
        self,
        found: Break,
        suspects: tuple[Action, ...],
        books: Books,
        positions: Mapping[PositionKey, BrokerPosition],
        now: Nanos,
    ) -> Break:
        """The break with its suspects and its state; with its proof when a second look has confirmed it."""
        if not found.asked:
            found = replace(found, suspects=suspects)
        if not found.confirmed:
            return found
        asks = found.answer is None and bool(found.suspects) and _plain(found) is None
        return replace(
            found,
            state=BreakState.QUESTION if asks else BreakState.CONFIRMED,
            confirmed_at=found.confirmed_at or now,
            proof=found.proof or self._prove(found, books, positions.get(found.place), now),
        )

    def _prove(self, found: Break, books: Books, position: BrokerPosition | None, now: Nanos) -> Proof:
        lines = self._lines(found, books, found.agreed.seq if found.agreed else 0)
        return Proof(
            time=now,
            start=found.expected - sum((line.quantity for line in lines), ZERO),
            lines=lines,
            holders=tuple(Holder(book.strategy, book.quantity, book.seq) for book in books.of_instrument(*found.place)),
            average_cost=position.average_cost if position else ZERO,
        )

    def _lines(self, found: Break, books: Books, after: int) -> tuple[ProofLine, ...]:
        """What moved the books of a place beyond entry `after`; the log may be ahead of the books."""
        entries = (entry for book in books.of_instrument(*found.place) for entry in self._history(book.key, after))
        return lines_of([entry for entry in entries if entry.seq <= books.seq])

    def _due(
        self, books: Books, positions: Mapping[PositionKey, BrokerPosition], at: float
    ) -> tuple[tuple[Adjustment, ...], ...]:
        """The entries to book now. An action that moves two instruments waits until both are proved."""
        ripe = {place for place, found in self._open.items() if self._ripe(found, at)}
        groups = []
        for place in sorted(ripe):
            found = self._open[place]
            action = found.answer or _plain(found) or Residual()
            places = _places(found, action)
            if not ripe.issuperset(places):
                continue
            attempt = f"{found.difference:+f} to Discretionary" if isinstance(action, Residual) else action.text
            self._open[place] = replace(
                found, asked=found.asked + 1, attempts=tuple(dict.fromkeys((*found.attempts, f"booked as {attempt}")))
            )
            if place == places[0]:
                groups.append(adjustments_for(found, action, books, positions))
        return tuple(groups)

    def _ripe(self, found: Break, at: float) -> bool:
        if found.state is not BreakState.CONFIRMED:
            return False
        wait = self._grace if not found.asked else max(self._grace, 1.0) * PATIENCE**found.asked
        since = self._since.get(found.place)
        return since is not None and at - since >= wait

    def _closed(self, known: Break, books: Books, now: Nanos) -> Break:
        """How a break ended: by what was booked for it, or by itself."""
        self._since.pop(known.place, None)
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


def _figures(found: Break) -> tuple[Decimal, Decimal, int]:
    return found.expected, found.broker, found.seq


def _standing(found: Break | None) -> tuple[object, ...] | None:
    """What of a break is worth writing down when it changes."""
    return None if found is None else (found.state, _figures(found), found.asked, found.answer, found.suspects)


def _plain(found: Break) -> Action | None:
    """What the terms of the contract say, so that nobody need be asked."""
    return next((action for action in found.suspects if isinstance(action, ExerciseCause | ExpiryCause)), None)


def _places(found: Break, action: Action) -> tuple[PositionKey, ...]:
    """Every place that an action settles; the first one carries its entries."""
    return tuple((found.account, name) for name in instruments_of(action)) or (found.place,)
