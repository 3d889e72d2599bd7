"""Messages handled and sent by the fill log and its stages."""

import msgspec

from mats.ledger.reconciliation import Adjustment, Transfer
from mats.model import Commission, Entry, Execution
from mats.runtime import Question, Ref
from mats.store.outages import Outage


class ReportHeld(msgspec.Struct, frozen=True):
    """What the connection asked or reported is not lost: it is booked in its turn, or waits for the journal."""


class EpochOpened(msgspec.Struct, frozen=True):
    connection: str
    epoch: int


class OpenEpoch(msgspec.Struct, frozen=True):
    """A connection is about to be made: reports of its earlier epochs are ignored from here on."""

    connection: str
    reply_to: Ref[EpochOpened | ReportHeld]


class ReportExecutions(msgspec.Struct, frozen=True, kw_only=True):
    """The executions and commissions of one packet, or one snapshot, of a connection; in the broker's order."""

    connection: str
    epoch: int
    executions: tuple[Execution, ...] = ()
    commissions: tuple[Commission, ...] = ()


class ReplayProgressed(msgspec.Struct, frozen=True):
    """How many executions have come of a connection's replay that is under way."""

    connection: str
    executions: int


class ReplayMerged(msgspec.Struct, frozen=True):
    """Everything of the replay is in the log, at `through` or before."""

    epoch: int
    through: int


class ReportPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a connection's replay that is not its last; answered by `ReportHeld` when it is in the journal."""

    report: ReportExecutions
    reply_to: Ref[ReportHeld]


class ReportReplay(msgspec.Struct, frozen=True, kw_only=True):
    """A connection's replay, or the last part of it; answered by `ReplayMerged` when it is in the journal."""

    report: ReportExecutions
    reply_to: Ref[ReplayMerged | ReportHeld]


class BookAdjustments(msgspec.Struct, frozen=True):
    """Book all of these in one transaction; none when an entry beyond `as_of` has touched one of their instruments."""

    adjustments: tuple[Adjustment, ...]
    as_of: int


class TransferBooked(msgspec.Struct, frozen=True):
    """Both legs are in the journal, under this id."""

    id: str


class TransferStale(msgspec.Struct, frozen=True):
    """Nothing was booked: a book changed since the legs were computed, or the transfer was reversed already."""


class TransferRefused(msgspec.Struct, frozen=True):
    """Nothing was booked: the journal could not take it."""

    reason: str


class BookTransfer(Question[TransferBooked | TransferStale | TransferRefused], frozen=True):
    """Asks to book both legs in one transaction."""

    assignment: Transfer


class StageCursor(msgspec.Struct, frozen=True):
    """A stage (re)started, or found a gap: it has applied entries up to `cursor`."""

    stage: str
    cursor: int


class ApplyEntries(msgspec.Struct, frozen=True):
    """The next entries of the log, in order and without a gap between them.

    Who has applied them hands them on to the first of `onward`, with the rest of `onward`.
    """

    entries: tuple[Entry, ...]
    onward: "tuple[Ref[ApplyEntries], ...]" = ()


class Acknowledge(msgspec.Struct, frozen=True):
    """A stage has applied everything up to `seq`."""

    stage: str
    seq: int


class StagesBehind(msgspec.Struct, frozen=True):
    """The stages that are down or have been behind for too long; none when all is well.

    `store` says what is wrong with the store, once that has lasted longer than new risk may go on without it.
    """

    stages: tuple[str, ...]
    store: str = ""


class StoreReported(msgspec.Struct, frozen=True):
    """The store as its writer finds it, every second: the outage, and whether the tables of operators were read."""

    outage: Outage | None
    known: bool


class LogPosition(msgspec.Struct, frozen=True):
    """The last entry of the log when `GetLogPosition` arrived."""

    seq: int


class GetLogPosition(msgspec.Struct, frozen=True):
    """Asks for the last entry of the log, to compare it with a snapshot of the same moment."""

    reply_to: Ref[LogPosition]


class Progress(msgspec.Struct, frozen=True):
    """The last entry of the log, and the cursor of each stage; None where a stage is down.

    `store` says what is wrong with the store, `clock` with the time of executions; empty when all is well.
    `quarantined` counts what is in quarantine, `replayed` the executions that have come of replays under way.
    """

    last_seq: int
    cursors: dict[str, int | None]
    store: str = ""
    clock: str = ""
    quarantined: int = 0
    replayed: int = 0


class ReadProgress(Question[Progress], frozen=True):
    """Asks how far the log and its stages are."""


class ReportCursor(msgspec.Struct, frozen=True):
    """The fill log (re)started: asks a stage for its `StageCursor`."""
