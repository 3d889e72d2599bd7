"""The supervisor: an actor that starts, watches, restarts, parks and stops other actors, by messages only."""

from collections import deque
from functools import partial
from typing import ClassVar

import msgspec

from mats.runtime.actor import Actor
from mats.runtime.cell import describe
from mats.runtime.child import Child, Purpose
from mats.runtime.errors import RestartLimitReached
from mats.runtime.events import ChildFailed, ChildParked, ChildRestarting, ChildStarted, ChildStopped, Escalated
from mats.runtime.mailbox import MailboxSpec
from mats.runtime.messages import Down, Drain, Park, Refused, StartChild, Started, Stop, StopChild, Unpark
from mats.runtime.recovery import Recovery, group_of, over
from mats.runtime.spec import ChildSpec, SupervisorSpec


class _StartDeadline(msgspec.Struct, frozen=True):
    path: str
    incarnation: int


class _StopDeadline(msgspec.Struct, frozen=True):
    path: str
    incarnation: int


class _Revive(msgspec.Struct, frozen=True):
    recovery: int


class Supervisor(Actor):
    """Runs the children of a `SupervisorSpec`. `path` is the prefix of their names, empty for the root."""

    mailbox: ClassVar[MailboxSpec] = MailboxSpec(never_full=(object,))
    started_at_once: ClassVar[bool] = False

    def __init__(self, spec: SupervisorSpec, path: str) -> None:
        self._spec = spec
        self._path = path
        self._children: dict[str, Child] = {}
        self._queue: deque[Child] = deque()
        self._awaited: Child | None = None
        self._awaited_from = 0
        self._recoveries: list[Recovery] = []
        self._recovery_count = 0
        self._failures: deque[float] = deque()
        self._closing: Stop | None = None
        self._verdict: RestartLimitReached | None = None

    def on_start(self) -> None:
        """Booting is a recovery of everybody that need not wait: what a failed predecessor left over ends first."""
        memory = self._incarnation.cell
        if memory.children is None:
            memory.children = self._spec.children
        for spec in memory.children:
            self._adopt(spec)
        boot = Recovery(0, [child for child in self._children.values() if child.restartable], in_turn=True)
        boot.ripe = True
        self._recoveries.append(boot)
        self._advance()

    def _adopt(self, spec: ChildSpec | SupervisorSpec) -> Child:
        path = self._path_of(spec.name)
        child = Child(as_child(spec, path), path, self.runtime.cell(path))
        self._children[path] = child
        if child.cell.parked:
            child.state = "parked"
        elif child.cell.incarnation is not None:
            child.adopt_running()
            child.cell.watch(self._sink(), None)
        return child

    def _path_of(self, name: str) -> str:
        return f"{self._path}/{name}" if self._path else name

    def on_failure(self, error: BaseException) -> None:
        """Let no child run without a supervisor; the successor waits for their end."""
        for child in reversed(self._children.values()):
            if child.live:
                child.ref.signal(Stop("restart"), child.incarnation)

    def on_receive(self, message: object) -> object:
        match message:
            case Started():
                self._on_started(message)
            case Down():
                self._on_down(message)
            case _StartDeadline() | _StopDeadline():
                self._on_deadline(message)
            case _Revive(recovery=number):
                for recovery in self._recoveries:
                    recovery.ripe = recovery.ripe or recovery.number == number
                self._advance()
            case StartChild() | StopChild() | Park() | Unpark():
                return self._command(message)
            case _:
                self.log.warning("unexpected message", message=repr(message))
        return None

    # Commands of operators and managers

    def _command(self, command: StartChild | StopChild | Park | Unpark) -> object:
        path = self._path_of(command.spec.name if isinstance(command, StartChild) else command.name)
        if (reason := self._refusal(command, path)) is not None:
            refused = Refused(path, reason)
            if command.reply_to is not None:
                command.reply_to.tell(refused)
            return refused
        child = self._adopt(command.spec) if isinstance(command, StartChild) else self._children[path]
        reply = self.reply_later()
        child.waiting.append((reply, command.reply_to))
        match command:
            case StartChild(spec=spec):
                self._remember((*self._remembered(), spec))
                if child.state == "down":
                    self._launch(child)
            case StopChild():
                self._dismiss(child, "forget")
            case Park(reason=reason):
                child.park_reason = reason
                self._dismiss(child, "park")
            case Unpark():
                child.forgive()
                self._launch(child)
        self._advance()
        return reply

    def _remembered(self) -> "tuple[ChildSpec | SupervisorSpec, ...]":
        return self._incarnation.cell.children or ()

    def _remember(self, specs: "tuple[ChildSpec | SupervisorSpec, ...]") -> None:
        """Children added or removed at run time stay so when this supervisor is restarted."""
        self._incarnation.cell.children = specs

    def _refusal(self, command: StartChild | StopChild | Park | Unpark, path: str) -> str | None:
        child = self._children.get(path)
        if self._closing is not None:
            return f"{self.name} is stopping"
        if isinstance(command, StartChild):
            return None if child is None else f"{path} exists already; stop it first"
        if child is None:
            return f"{self.name} has no child {path}"
        if isinstance(command, Unpark) and child.state != "parked":
            return f"{path} is not parked, it is {child.state}"
        return None

    # Starting

    def _sink(self) -> partial[bool]:
        return partial(self.ref.signal, only=self.incarnation)

    def _launch(self, child: Child) -> None:
        child.state = "starting"
        child.incarnation = self.runtime.launch(
            child.path, child.spec.actor, kwargs=child.spec.args, parent=self._sink(), supervised=True
        )
        self.after(child.spec.start_deadline, _StartDeadline(child.path, child.incarnation))

    def _start_next(self) -> None:
        while self._awaited is None and self._queue:
            self._awaited = self._queue.popleft()
            self._launch(self._awaited)
            self._awaited_from = self._awaited.incarnation
        if self._awaited is None and (self._spec.strategy == "one_for_one" or not self._recoveries):
            self._incarnation.report_started()

    def _on_started(self, started: Started) -> None:
        child = self._children.get(started.name)
        if child is None or child.incarnation != started.incarnation or child.state != "starting":
            return
        child.state = "running"
        child.up_since = self.clock.monotonic()
        self.runtime.emit(child.started_event())
        child.answer(ChildStarted(child.path, child.incarnation))
        if self._awaited is child:
            self._awaited = None
        self._advance()

    def _on_deadline(self, deadline: _StartDeadline | _StopDeadline) -> None:
        child = self._children.get(deadline.path)
        if child is None:
            return
        overdue = "starting" if isinstance(deadline, _StartDeadline) else "stopping"
        patient = overdue == "starting" and not child.spec.actor.started_at_once
        if child.incarnation == deadline.incarnation and child.state == overdue and not patient:
            self.runtime.abandon(child.path)
        patience_over = isinstance(deadline, _StartDeadline) and deadline.incarnation >= self._awaited_from
        if patience_over and self._awaited is child:
            self._awaited = None
            self._advance()

    # Ends

    def _on_down(self, down: Down) -> None:
        child = self._children.get(down.name)
        if child is None or child.incarnation != down.incarnation or not child.live:
            return
        expected = child.state == "stopping"
        child.state = "down"
        if down.reason != "normal" and not expected:
            text = describe(down.error) if down.error is not None else down.reason
            self.runtime.emit(ChildFailed(child.path, child.incarnation, down.reason, text))
            child.answer(ChildFailed(child.path, child.incarnation, down.reason, text))
        if self._closing is None:
            if expected:
                self._dismissed(child)
            else:
                self._died(child, down)
        self._advance()

    def _died(self, child: Child, down: Down) -> None:
        abnormal = down.reason != "normal"
        if child.spec.restart == "temporary" or (child.spec.restart == "transient" and not abnormal):
            self._finish(child)
            return
        match self._directive(child) if abnormal else "restart":
            case "restart":
                self._recover(child)
            case "park":
                self._park(child, f"failed too often, last: {child.cell.last_failure}")
            case "escalate":
                self._escalate(child)

    def _directive(self, child: Child) -> str:
        """What to do about one more failure: restart, park or escalate."""
        limit = child.spec.limit or self._spec.limit
        failures = child.failures if child.spec.limit else self._failures
        if limit is None or not over(limit, failures, self.clock.monotonic()):
            return "restart"
        decision = child.spec.over_limit or self._spec.over_limit
        return "restart" if decision == "keep" else decision

    def _finish(self, child: Child) -> None:
        """A child that is not to run again."""
        self._forget_start(child)
        self.runtime.close(child.path)
        child.state = "finished"
        self.runtime.emit(ChildStopped(child.path))

    def _forget_start(self, child: Child) -> None:
        if self._awaited is child:
            self._awaited = None
        if child in self._queue:
            self._queue.remove(child)

    # Restarting

    def _recover(self, child: Child) -> None:
        backoff = child.spec.backoff or self._spec.backoff
        if child.up_since is not None and self.clock.monotonic() - child.up_since >= backoff.reset_after:
            child.attempt = 0
        child.up_since = None
        delay = backoff.delay(child.attempt, self.random.random())
        child.attempt += 1
        group = group_of(child, tuple(self._children.values()), self._spec.strategy)
        for member in group:
            # A child that fails while the others wait for its start keeps them waiting, until its deadline.
            if self._spec.strategy != "one_for_one":
                self._forget_start(member)
            if not member.live:
                self._to_backoff(member)
        if any(set(group) <= set(recovery.group) for recovery in self._recoveries):
            # It failed on its own before the recovery that was to end it came so far.
            return
        self._recoveries = [recovery for recovery in self._recoveries if not set(recovery.group) <= set(group)]
        self._recovery_count += 1
        in_turn = self._spec.strategy != "one_for_one"
        self._recoveries.append(Recovery(self._recovery_count, group, in_turn))
        self.runtime.emit(ChildRestarting(child.path, delay, child.attempt))
        self.after(delay, _Revive(self._recovery_count))

    def _to_backoff(self, child: Child) -> None:
        child.state = "down"
        child.cell.enter("backoff")
        if child.spec.mailbox_at_restart == "flush":
            child.cell.flush()

    def _advance(self) -> None:
        """Do whatever can be done now; everything else waits for a message."""
        if self._closing is not None:
            self._close_next()
            return
        for recovery in tuple(self._recoveries):
            if (child := recovery.still_up) is not None:
                self._dismiss(child, "restart")
            elif recovery.ripe:
                self._recoveries.remove(recovery)
                self._revive(recovery)
        self._start_next()

    def _revive(self, recovery: Recovery) -> None:
        for child in recovery.group:
            if child.state == "down":
                if recovery.in_turn:
                    self._queue.append(child)
                else:
                    self._launch(child)

    # Stopping

    def _dismiss(self, child: Child, purpose: Purpose) -> None:
        """Make the child end for a purpose; a lasting purpose overrides a restart, forgetting overrides parking."""
        ranking: tuple[Purpose, ...] = ("restart", "park", "forget")
        child.purpose = max(child.purpose or "restart", purpose, key=ranking.index)
        if child.state == "stopping":
            return
        if not child.live:
            self._dismissed(child)
            return
        self._forget_start(child)
        child.state = "stopping"
        if purpose != "restart" and child.spec.shutdown == "drain":
            child.ref.stop(child.incarnation)
        else:
            child.ref.signal(Stop("restart" if purpose == "restart" else "shutdown"), child.incarnation)
        self.after(child.stop_deadline, _StopDeadline(child.path, child.incarnation))

    def _dismissed(self, child: Child) -> None:
        """The child has ended as it was told to."""
        purpose, child.purpose = child.purpose, None
        self._forget_start(child)
        match purpose:
            case "forget":
                self._leave_recoveries(child)
                del self._children[child.path]
                self._remember(tuple(spec for spec in self._remembered() if spec.name != child.spec.name))
                self.runtime.close(child.path)
                child.cell.retire()
                self.runtime.emit(ChildStopped(child.path))
                child.answer(ChildStopped(child.path))
            case "park":
                self._park(child, child.park_reason)
            case _ if child.spec.restart == "temporary":
                self._leave_recoveries(child)
                self._finish(child)
            case _:
                self._to_backoff(child)

    def _leave_recoveries(self, child: Child) -> None:
        for recovery in self._recoveries:
            if child in recovery.group:
                recovery.group.remove(child)

    def _park(self, child: Child, reason: str) -> None:
        self._forget_start(child)
        self._leave_recoveries(child)
        child.state = "parked"
        self.runtime.close(child.path)
        child.cell.park(reason)
        self.runtime.emit(ChildParked(child.path, reason))
        child.answer(ChildParked(child.path, reason))

    def _escalate(self, child: Child) -> None:
        reason = f"{child.path} failed too often, last: {child.cell.last_failure}"
        self._verdict = RestartLimitReached(f"{self.name} gave up: {reason}")
        self.runtime.emit(Escalated(self.name, reason))
        self._close(Stop("restart"))

    def on_stop_asked(self, request: Stop | Drain) -> None:
        self._close(request if isinstance(request, Stop) else Stop())

    def _close(self, request: Stop) -> None:
        self._closing = request
        self._queue.clear()
        self._recoveries.clear()
        self._awaited = None
        self._close_next()

    def _close_next(self) -> None:
        """Stop the children from the last to the first, one after the other; then end."""
        assert self._closing is not None
        for child in reversed(self._children.values()):
            if child.live:
                self._dismiss(child, "restart" if self._closing.why == "restart" else "forget")
                return
            child.answer(Refused(child.path, f"{self.name} is stopping"))
            if self._closing.why == "shutdown":
                self.runtime.close(child.path)
        if self._verdict is not None:
            raise self._verdict
        self.stop()


def as_child(spec: ChildSpec | SupervisorSpec, path: str) -> ChildSpec:
    """A supervisor as a child of another: its failures count for the parent, by the parent's limit and backoff."""
    if isinstance(spec, ChildSpec):
        return spec
    return ChildSpec(
        name=spec.name,
        actor=Supervisor,
        args={"spec": spec, "path": path},
        start_deadline=spec.start_deadline,
        stop_deadline=spec.stop_deadline,
    )
