"""A connection's session with the fill log: an epoch, the broker's snapshot, then live reports, in that order."""

import msgspec

from actors.base.owner import Owner
from actors.messages.fill_log import (
    EpochOpened,
    OpenEpoch,
    ReplayMerged,
    ReportExecutions,
    ReportHeld,
    ReportReplay,
)
from mats.model import BrokerSnapshot, Commission, Execution
from mats.runtime import Ref
from mats.runtime.testing import chaos

REOPEN_SECONDS = 5.0
"""Seconds after which a fill log that has not answered is asked for a new epoch."""


class Replayed(msgspec.Struct, frozen=True):
    """The broker's complete answer to a question asked at `asked_at` (monotonic seconds) in `epoch`.

    `from_memory`: the gateway was cut off from the broker when it answered.
    """

    replay: BrokerSnapshot
    epoch: int
    asked_at: float
    from_memory: bool = False


class FillLogClient:
    """Belongs to one connection, and works in its turns. The epoch is 0 until the log has opened one."""

    def __init__(
        self,
        connection: Owner[EpochOpened | ReplayMerged | ReportHeld],
        fill_log: Ref[OpenEpoch | ReportExecutions | ReportReplay],
    ) -> None:
        self._connection, self._fill_log = connection, fill_log
        self.open()

    def open(self) -> None:
        """Ask for a new epoch: earlier reports may not be in the log."""
        self.epoch = 0
        self._merging: list[Replayed] = []
        self._waiting: list[ReportExecutions] | None = []
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
        """The log has everything and waits for its journal: its answer is not overdue."""
        if self._asked is not None:
            self._asked = self._now()

    def report_answer(self, replayed: Replayed) -> None:
        """Report the broker's snapshot, then the live reports that waited for the first one."""
        self._merging.append(replayed)
        self._asked = self._asked or self._now()
        report = self._report(replayed.replay.executions, replayed.replay.commissions)
        chaos.point("connection: before the replay is reported")
        self._fill_log.tell(ReportReplay(report=report, reply_to=self._connection.ref))
        waiting, self._waiting = self._waiting or [], None
        for live in waiting:
            self._fill_log.tell(live)

    def pop_acknowledged(self) -> Replayed:
        """The oldest snapshot that was reported: the log has merged it."""
        merged = self._merging.pop(0)
        self._asked = self._now() if self._merging else None
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
