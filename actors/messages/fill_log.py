"""What the fill log understands and says."""

import msgspec

from mats.ledger.reconciliation import Adjustment, Transfer
from mats.model import Commission, Entry, Execution
from mats.runtime import Ref


class OpenEpoch(msgspec.Struct, frozen=True):
    """A connection is about to be made: executions it reported earlier are void from here on."""

    connection: str
    reply_to: Ref


class EpochOpened(msgspec.Struct, frozen=True):
    connection: str
    epoch: int


class ReportExecutions(msgspec.Struct, frozen=True, kw_only=True):
    """What one packet, or one replay, of a connection brought; in the broker's order."""

    connection: str
    epoch: int
    executions: tuple[Execution, ...] = ()
    commissions: tuple[Commission, ...] = ()


class ReportReplay(msgspec.Struct, frozen=True, kw_only=True):
    """A connection's complete replay; answered by `ReplayMerged` when it is in the journal."""

    report: ReportExecutions
    reply_to: Ref


class ReplayMerged(msgspec.Struct, frozen=True):
    """Everything of the replay is in the log, at `through` or before."""

    epoch: int
    through: int


class BookAdjustments(msgspec.Struct, frozen=True):
    """Book all of these in one transaction; void when an entry beyond `as_of` has touched one of their instruments."""

    adjustments: tuple[Adjustment, ...]
    as_of: int


class BookTransfer(msgspec.Struct, frozen=True):
    """Asks to book both legs at once; answered by `TransferBooked`, or by `TransferStale` and nothing is booked."""

    assignment: Transfer


class TransferBooked(msgspec.Struct, frozen=True):
    """Both legs are in the journal, under this id."""

    id: str


class TransferStale(msgspec.Struct, frozen=True):
    """A book has got an entry since the legs were made for it, or another command took the assignment back."""


class StageCursor(msgspec.Struct, frozen=True):
    """A stage (re)started, or found a gap: it holds entries up to `cursor`."""

    stage: str
    cursor: int


class ApplyEntries(msgspec.Struct, frozen=True):
    """The next entries of the log, in order and without a gap between them."""

    entries: tuple[Entry, ...]


class Acknowledge(msgspec.Struct, frozen=True):
    """A stage has applied everything up to `seq`."""

    stage: str
    seq: int


class StagesBehind(msgspec.Struct, frozen=True):
    """The stages that are down or have been behind for too long; none when all is well."""

    stages: tuple[str, ...]


class GetLogPosition(msgspec.Struct, frozen=True):
    """Asks how far the log is, to compare with something else of this moment; answered by `LogPosition`."""

    reply_to: Ref


class LogPosition(msgspec.Struct, frozen=True):
    """The last entry of the log when it was asked."""

    seq: int


class ReadProgress(msgspec.Struct, frozen=True):
    """Asks for `Progress`."""


class Progress(msgspec.Struct, frozen=True):
    last_seq: int
    cursors: dict[str, int | None]


class ReportCursor(msgspec.Struct, frozen=True):
    """Asks a stage for its `StageCursor`."""
