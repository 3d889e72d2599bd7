"""A break: a difference between books and broker in one position, the proof of both figures, and how it ended."""

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from mats.ledger.reconciliation.break_causes import BreakCause
from mats.model import (
    SECOND,
    ZERO,
    AccountId,
    AdjustmentRecorded,
    CommissionRecorded,
    Entry,
    FillCorrected,
    InstrumentId,
    Nanos,
    PositionKey,
    StrategyName,
    iso,
)

MAX_PROOF_LINES = 100
"""A proof lists at most this many entries, the newest ones; what lies before them is its starting quantity."""


class BreakState(StrEnum):
    """The life of a break.

    `CANDIDATE`: seen once; a fill may still be in transit. `CONFIRMED`: a second complete snapshot showed the same.
    `QUESTION`: it resembles a corporate action, and an operator must say what it is. `ADJUSTED` and `SETTLED` are
    final: closed by entries booked for it, or without any.
    """

    CANDIDATE = "candidate"
    CONFIRMED = "confirmed"
    QUESTION = "question"
    ADJUSTED = "adjusted"
    SETTLED = "settled"


class Agreement(msgspec.Struct, frozen=True):
    """A comparison in which books and broker agreed: signed units, the broker's cost of one, the last entry.

    `average_cost` is in the instrument's currency, multiplier included; 0 when flat.
    """

    time: Nanos
    seq: int
    quantity: Decimal
    average_cost: Decimal


class ProofLine(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the log and what it added to a strategy's position. `reference` is the execution, or the reason."""

    seq: int
    time: Nanos
    strategy: StrategyName
    what: str
    quantity: Decimal
    price: Decimal
    reference: str


class Holder(msgspec.Struct, frozen=True):
    """What a strategy's book holds, and its last entry."""

    strategy: StrategyName
    quantity: Decimal
    seq: int


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What makes up both figures at one comparison.

    Books: `start` units before the first of `lines`, and what each of these added; `holders` are the books that
    hold the sum. Broker: the figure of a complete snapshot that arrived at `time`, at `average_cost` for one unit,
    multiplier included.
    """

    time: Nanos
    start: Decimal
    lines: tuple[ProofLine, ...]
    holders: tuple[Holder, ...]
    average_cost: Decimal

    @property
    def expected(self) -> Decimal:
        """The books' figure, added up again from the lines."""
        return sum((line.quantity for line in self.lines), self.start)


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """A difference of `broker` − `expected` signed units.

    `first_seen` is when books and broker began to differ, `first_seq` the last log entry that had touched the
    instrument by then, `agreed` the last agreement before. The figures may have changed since; `seq` is the last entry
    behind the present ones. `comparisons` counts the snapshots that showed these figures, `booking_requests` how often
    entries were requested to settle them. `suspects` are its possible causes, `answer` the cause that an operator
    gave, `attempts` what was booked or requested. `resolution` says how it ended, `settled_by` lists the entries from
    its beginning to its end. Stored and sent as `looks` and `asked`: the two counters.
    """

    account: AccountId
    instrument: InstrumentId
    expected: Decimal
    broker: Decimal
    first_seen: Nanos
    first_seq: int
    seq: int
    agreed: Agreement | None = None
    comparisons: int = msgspec.field(default=1, name="looks")
    booking_requests: int = msgspec.field(default=0, name="asked")
    state: BreakState = BreakState.CANDIDATE
    confirmed_at: Nanos | None = None
    proof: Proof | None = None
    suspects: tuple[BreakCause, ...] = ()
    answer: BreakCause | None = None
    attempts: tuple[str, ...] = ()
    resolution: str = ""
    resolved: Nanos | None = None
    settled_by: tuple[ProofLine, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.account}/{self.instrument}@{iso(self.first_seen)}"

    @property
    def key(self) -> PositionKey:
        return self.account, self.instrument

    @property
    def difference(self) -> Decimal:
        return self.broker - self.expected

    @property
    def confirmed(self) -> bool:
        """Whether a second snapshot has shown these figures."""
        return self.comparisons > 1

    def age(self, now: Nanos) -> float:
        """Seconds from its beginning to its end, or to `now`."""
        return ((now if self.resolved is None else self.resolved) - self.first_seen) / SECOND


def quantity_change(entry: Entry) -> Decimal:
    """What an entry adds to the position of its book, in signed units."""
    match entry:
        case CommissionRecorded():
            return ZERO
        case AdjustmentRecorded():
            return entry.quantity
        case FillCorrected():
            return entry.execution.signed_quantity - entry.previous.signed_quantity
    return entry.execution.signed_quantity


def proof_line(entry: Entry) -> ProofLine:
    """An entry as a line of a proof."""
    if isinstance(entry, AdjustmentRecorded):
        what, price, reference, time = "adjustment", entry.price, entry.reason, entry.recorded
    else:
        execution = entry.execution
        what = "correction" if isinstance(entry, FillCorrected) else "fill"
        price, reference, time = execution.price, execution.exec_id, execution.time
    return ProofLine(
        seq=entry.seq,
        time=time,
        strategy=entry.strategy,
        what=what,
        quantity=quantity_change(entry),
        price=price,
        reference=reference,
    )


def proof_lines(entries: Sequence[Entry]) -> tuple[ProofLine, ...]:
    """The newest `MAX_PROOF_LINES` entries that changed the position, in the order of the log."""
    moved = [entry for entry in sorted(entries, key=lambda entry: entry.seq) if quantity_change(entry)]
    return tuple(proof_line(entry) for entry in moved[-MAX_PROOF_LINES:])


def summary(found: Break) -> str:
    """A break in one line, for logs and tables."""
    why = found.resolution or "; ".join([*(action.text for action in found.suspects), *found.attempts])
    return (
        f"break {found.id} {found.state.value}: broker {found.broker:f}, books {found.expected:f},"
        f" difference {found.difference:+f}{': ' if why else ''}{why}"
    )


def describe(found: Break, now: Nanos) -> str:
    """All details of a break, as text for an operator."""
    head = f"{found.state.value}, open for {found.age(now):.1f} s"
    if found.resolved is not None:
        head = f"{found.state.value} at {iso(found.resolved)}, was open for {found.age(now):.1f} s"
    lines = [
        f"break {found.id}",
        f"  {head}",
        f"  broker {found.broker:f}, books {found.expected:f}, difference {found.difference:+f}",
    ]
    if found.agreed is not None:
        known = found.agreed
        lines.append(f"  agreed on {known.quantity:f} at {iso(known.time)}, entry {known.seq}")
    lines += _proof_text(found, found.proof) if found.proof else ["  seen once; the next comparison confirms it or not"]
    for suspect in found.suspects:
        lines.append(f"  may be {suspect.text}")
    if found.answer is not None:
        lines.append(f"  an operator says it is {found.answer.text}")
    lines += [f"  {attempt}" for attempt in found.attempts]
    if found.resolution:
        lines.append(f"  {found.resolution}")
    lines += [f"  settled by {_line_text(line)}" for line in found.settled_by]
    return "\n".join(lines)


def _proof_text(found: Break, proof: Proof) -> list[str]:
    held = ", ".join(f"{holder.strategy} {holder.quantity:f}" for holder in proof.holders) or "no book holds any"
    return [
        f"  broker: {found.broker:f} at {proof.average_cost:f}, in the snapshot of {iso(proof.time)}",
        f"  books: {held}",
        f"    {proof.start:f} before",
        *(f"    {_line_text(line)}" for line in proof.lines),
        f"    = {proof.expected:f}",
    ]


def _line_text(line: ProofLine) -> str:
    return (
        f"{line.quantity:+f} {line.what} of {line.strategy} at {line.price:f}, entry {line.seq},"
        f" {iso(line.time)}: {line.reference}"
    )
