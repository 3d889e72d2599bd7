"""What a supervisor remembers about one child."""

from collections import deque
from typing import Any, Literal

from mats.runtime.actor_slot import ActorSlot
from mats.runtime.events import ChildRestarted, ChildStarted
from mats.runtime.messaging import Ref, Reply
from mats.runtime.spec import ChildSpec, SupervisorSpec
from mats.runtime.supervisor.commands import CommandResult

Purpose = Literal["restart", "park", "forget"]
ChildState = Literal["starting", "running", "stopping", "down", "parked", "finished"]


class Child:
    """One child: its spec, its state, and its failures so far. `down`: to be started when its restart is due.

    `family` is the spec of a child that is a supervisor itself.
    """

    def __init__(self, spec: ChildSpec[Any], path: str, slot: ActorSlot, family: SupervisorSpec | None) -> None:
        self.spec = spec
        self.family = family
        self.path = path
        self.slot = slot
        self.state: ChildState = "down"
        self.incarnation = 0
        self.attempt = 0
        self.failures: deque[float] = deque()
        self.up_since: float | None = None
        self.purpose: Purpose | None = None
        self.park_reason = ""
        self.waiting: list[tuple[Reply, Ref[CommandResult] | None]] = []
        self._launched_before = False

    @property
    def ref(self) -> Ref[Any]:
        return self.slot.ref

    @property
    def live(self) -> bool:
        """Whether an incarnation is there, so that a Down is still to come."""
        return self.state in ("starting", "running", "stopping")

    @property
    def restartable(self) -> bool:
        return self.state not in ("parked", "finished")

    @property
    def had_its_only_life(self) -> bool:
        """A temporary child that was launched and has ended."""
        return self.spec.restart == "temporary" and self.slot.number > 0 and not self.live

    @property
    def stop_deadline(self) -> float:
        """Seconds it has to end; a supervisor has what all its children need, added ones too."""
        if self.family is None or self.slot.children is None:
            return self.spec.stop_deadline
        return self.family.stop_seconds(self.slot.children)

    def adopt_running(self) -> None:
        """Take over the incarnation that runs."""
        self.state = "running"
        self.incarnation = self.slot.number

    def forgive(self) -> None:
        """Forget the failures so far."""
        self.attempt = 0
        self.failures.clear()

    def started_event(self) -> ChildStarted | ChildRestarted:
        first, self._launched_before = not self._launched_before, True
        return ChildStarted(self.path, self.incarnation) if first else ChildRestarted(self.path, self.incarnation)

    def answer(self, event: CommandResult) -> None:
        """Answer those who wait for the result of a command."""
        waiting, self.waiting = self.waiting, []
        for reply, ref in waiting:
            reply.set(event)
            if ref is not None:
                ref.tell(event)
