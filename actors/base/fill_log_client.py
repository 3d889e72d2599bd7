"""A connection's session with the fill log: an epoch, the broker's snapshot, then live reports, in that order."""

from collections import deque
from collections.abc import Iterator, Sequence

import msgspec

from actors.base.owner import Owner
from actors.messages.fill_log import (
    EpochOpened,
    OpenEpoch,
    ReplayMerged,
    ReportExecutions,
    ReportHeld,
    ReportPart,
    ReportReplay,
)
from mats.ledger.fill_log import in_broker_order
from mats.model import BrokerSnapshot, Commission, Execution, IntentId
from mats.runtime import Ref
from mats.runtime.testing import chaos

REOPEN_SECONDS = 5.0
"""Seconds after which a fill log that has not answered is asked for a new epoch."""
PART = 1_000
"""Executions of a replay that are reported at once."""


class Replayed(msgspec.Struct, frozen=True):
    """The broker's complete answer to a question asked at `asked_at` (monotonic seconds) in `epoch`.

    `linked`: the gateway had its link to the broker's servers all the while. `unsent` waited in the line when it was
    asked.
    """

    replay: BrokerSnapshot
    epoch: int
    asked_at: float
    linked: bool = True
    unsent: frozenset[IntentId] = frozenset()


class FillLogClient:
    """Belongs to one connection, and works in its turns. The epoch is 0 until the log has opened one."""

    def __init__(
        self,
        connection: Owner[EpochOpened | ReplayMerged | ReportHeld],
        fill_log: Ref[OpenEpoch | ReportExecutions | ReportPart | ReportReplay],
    ) -> None:
        self._connection, self._fill_log = connection, fill_log
        self.open()

    def open(self) -> None:
        """Ask for a new epoch: earlier reports may not be in the log."""
        self.epoch = 0
        self._merging: list[Replayed] = []
        self._waiting: list[ReportExecutions] | None = []
        self._unsent = deque[ReportPart | ReportReplay]()
        self._sending = False
        self._asked: float | None = self._now()
        self._fill_log.tell(OpenEpoch(self._connection.name, self._connection.ref))

    def enter(self, epoch: int) -> bool:
        """The log has opened an epoch; False where it is the current one, or an older one."""
        self._asked = None
        newer = epoch > self.epoch
        self.epoch = max(epoch, self.epoch)
        return newer

    @property
    def silent(self) -> bool:
        """Whether an answer of the log is overdue."""
        return self._asked is not None and self._now() - self._asked >= REOPEN_SECONDS

    def held(self) -> None:
        """The log has everything, and books it or waits for its journal: its answer is not overdue."""
        if self._asked is not None:
            self._asked = self._now()
        self._send_next()

    def report_answer(self, replayed: Replayed) -> None:
        """Report the broker's snapshot, then the live reports that waited for the first one."""
        self._merging.append(replayed)
        self._asked = self._asked or self._now()
        *parts, last = self._parts(replayed.replay.executions, replayed.replay.commissions)
        chaos.point("connection: before the replay is reported")
        self._unsent.extend(ReportPart(report=part, reply_to=self._connection.ref) for part in parts)
        self._unsent.append(ReportReplay(report=last, reply_to=self._connection.ref))
        if not self._sending:
            self._send_next()

    def _send_next(self) -> None:
        """One part after the other is answered: the log serves everybody else in between."""
        self._sending = bool(self._unsent)
        if self._sending:
            message = self._unsent.popleft()
            self._fill_log.tell(message)
            if isinstance(message, ReportReplay):
                self._report_waiting(frozenset(self._merging[0].replay.commissions))

    def keep(self, executions: Sequence[Execution]) -> None:
        """The line is lost: report what came of a snapshot that was not finished, and what waited for its end."""
        if self.epoch:
            for part in self._parts(executions, ()):
                self._fill_log.tell(part)
            self._report_waiting(frozenset())

    def _parts(self, executions: Sequence[Execution], commissions: Sequence[Commission]) -> Iterator[ReportExecutions]:
        """All of it, at least one part; each commission with its execution, where that came."""
        ordered, charges = in_broker_order(executions), {charge.exec_id: charge for charge in commissions}
        for first in range(0, max(1, len(ordered)), PART):
            part = tuple(ordered[first : first + PART])
            own = tuple(charges.pop(e.exec_id) for e in part if e.exec_id in charges)
            rest = tuple(charges.values()) if first + PART >= len(ordered) else ()
            yield self._report(part, own + rest)

    def _report_waiting(self, known: frozenset[Commission]) -> None:
        """What came live before the snapshot was reported; its commissions are in the snapshot too."""
        waiting, self._waiting = self._waiting or [], None
        for live in waiting:
            commissions = tuple(charge for charge in live.commissions if charge not in known)
            if live.executions or commissions:
                self._fill_log.tell(self._report(live.executions, commissions))

    def pop_acknowledged(self) -> Replayed:
        """The oldest snapshot that was reported: the log has merged it."""
        merged = self._merging.pop(0)
        self._asked = self._now() if self._merging else None
        self._send_next()
        return merged

    def report(self, executions: tuple[Execution, ...], commissions: tuple[Commission, ...]) -> None:
        """Report live executions; until the first snapshot of an epoch is reported they wait, to come after it."""
        live = self._report(executions, commissions)
        if self._waiting is None:
            self._fill_log.tell(live)
        elif self.epoch:
            self._waiting.append(live)

    def _report(self, executions: tuple[Execution, ...], commissions: tuple[Commission, ...]) -> ReportExecutions:
        name = self._connection.name
        return ReportExecutions(connection=name, epoch=self.epoch, executions=executions, commissions=commissions)

    def _now(self) -> float:
        return self._connection.clock.monotonic()
