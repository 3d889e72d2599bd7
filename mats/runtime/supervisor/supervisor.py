"""The supervisor: an actor that starts, watches, restarts, parks and stops other actors, by messages only."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Literal, assert_never

import msgspec

from mats.runtime.actor import Actor, checked_class
from mats.runtime.containment import describe
from mats.runtime.errors import RestartLimitReached
from mats.runtime.events import ChildFailed, ChildParked, ChildRestarting, ChildStarted, ChildStopped, Escalated
from mats.runtime.messaging import Down, Drain, MailboxSpec, Started, Stop
from mats.runtime.spec import ChildSpec, Spec, SupervisorSpec
from mats.runtime.supervisor.child import Child, Purpose
from mats.runtime.supervisor.closing import Closing
from mats.runtime.supervisor.commands import Park, Refused, StartChild, StopChild, SupervisorMessage, Unpark
from mats.runtime.supervisor.family import Family
from mats.runtime.supervisor.launcher import Launcher
from mats.runtime.supervisor.restart import Restart, group_of, over


class _StartDeadline(msgspec.Struct, frozen=True):
    path: str
    incarnation: int


class _StopDeadline(msgspec.Struct, frozen=True):
    path: str
    incarnation: int


class _RestartDue(msgspec.Struct, frozen=True):
    restart: int


class Supervisor(Actor[SupervisorMessage | Started | Down | _StartDeadline | _StopDeadline | _RestartDue]):
    """Runs the children of a `SupervisorSpec`."""

    mailbox: ClassVar[MailboxSpec] = MailboxSpec(never_full=(object,))
    started_at_once: ClassVar[bool] = False

    class Args(msgspec.Struct, frozen=True, kw_only=True):
        """`path` is the prefix of the children's names, empty for the root."""

        spec: SupervisorSpec
        path: str
        launcher: Launcher

    def __init__(self, args: Args) -> None:
        self._spec, self._launcher = args.spec, args.launcher
        self._children = Family(self.name, args.path, args.launcher, as_child)
        self._queue: deque[Child] = deque()
        self._awaited: Child | None = None
        self._awaited_from = 0
        self._restarts: list[Restart] = []
        self._restart_count = 0
        self._failures: deque[float] = deque()
        self._closing: Closing | None = None
        self._verdict: RestartLimitReached | None = None

    def on_start(self) -> None:
        """Starting is a restart of all children without delay: what a failed predecessor left over ends first."""
        for ended in self._children.recall(self._spec.children):
            self._finish(ended)
        for child in self._children.all:
            self._watch_over(child)
        boot = Restart(0, [child for child in self._children.all if child.restartable], in_turn=True)
        boot.due = True
        self._restarts.append(boot)
        self._advance()

    def _watch_over(self, child: Child) -> None:
        """One that was found running was launched by somebody else."""
        if child.live:
            child.slot.watch(self._sink(), None)

    def on_failure(self, error: BaseException) -> None:
        """Let no child run without a supervisor; the successor waits for their end."""
        for child in reversed(self._children.all):
            if child.live:
                child.ref.signal(Stop("restart"), child.incarnation)

    def on_receive(
        self, message: SupervisorMessage | Started | Down | _StartDeadline | _StopDeadline | _RestartDue
    ) -> object:
        match message:
            case Started():
                self._on_started(message)
            case Down():
                self._on_down(message)
            case _StartDeadline() | _StopDeadline():
                self._on_deadline(message)
            case _RestartDue(restart=number):
                for restart in self._restarts:
                    restart.due = restart.due or restart.number == number
                self._advance()
            case StartChild() | StopChild() | Park() | Unpark():
                return self._command(message)
            case _:
                assert_never(message)
        return None

    # Commands of operators and managers

    def _command(self, command: SupervisorMessage) -> object:
        path = self._children.path_of(command.spec.name if isinstance(command, StartChild) else command.name)
        if (reason := self._refusal(command, path)) is not None:
            refused = Refused(path, reason)
            if command.reply_to is not None:
                command.reply_to.tell(refused)
            return refused
        child = self._children.adopt(command.spec) if isinstance(command, StartChild) else self._children.get(path)
        assert child is not None
        reply = self.reply_later()
        child.waiting.append((reply, command.reply_to))
        match command:
            case StartChild(spec=spec):
                self._children.remember(spec)
                self._watch_over(child)
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

    def _refusal(self, command: SupervisorMessage, path: str) -> str | None:
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

    def _sink(self) -> Callable[[Started | Down], bool]:
        return partial(self.ref.signal, only=self.incarnation)

    def _launch(self, child: Child) -> None:
        child.state = "starting"
        child.incarnation = self._launcher.launch(
            child.path,
            child.spec.actor,
            child.spec.args,
            parent=self._sink(),
            supervised=True,
            process=child.spec.process,
        )
        self.after(child.spec.start_deadline, _StartDeadline(child.path, child.incarnation))

    def _start_next(self) -> None:
        while self._awaited is None and self._queue:
            self._awaited = self._queue.popleft()
            self._launch(self._awaited)
            self._awaited_from = self._awaited.incarnation
        if self._awaited is None and (self._spec.strategy == "one_for_one" or not self._restarts):
            self._incarnation.report_started()

    def _on_started(self, started: Started) -> None:
        child = self._children.get(started.name)
        if child is None or child.incarnation != started.incarnation or child.state != "starting":
            return
        child.state = "running"
        child.up_since = self.clock.monotonic()
        self._launcher.emit(child.started_event())
        child.answer(ChildStarted(child.path, child.incarnation))
        if self._awaited is child:
            self._awaited = None
        self._advance()

    def _on_deadline(self, deadline: _StartDeadline | _StopDeadline) -> None:
        child = self._children.get(deadline.path)
        if child is None:
            return
        overdue = "starting" if isinstance(deadline, _StartDeadline) else "stopping"
        patient = overdue == "starting" and not checked_class(child.spec.actor).started_at_once
        if child.incarnation == deadline.incarnation and child.state == overdue and not patient:
            self._launcher.abandon(child.path)
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
            self._launcher.emit(ChildFailed(child.path, child.incarnation, down.reason, text))
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
        last = f"failed too often, last: {child.slot.last_failure}" if abnormal else "ended too often, last: normally"
        match self._directive(child):
            case "restart":
                self._recover(child)
            case "park":
                self._park(child, last)
            case "escalate":
                self._escalate(child, last)

    def _directive(self, child: Child) -> str:
        """What to do about one more end: restart, park or escalate."""
        limit = child.spec.limit or self._spec.limit
        failures = child.failures if child.spec.limit else self._failures
        if limit is None or not over(limit, failures, self.clock.monotonic()):
            return "restart"
        decision = child.spec.over_limit or self._spec.over_limit
        return "restart" if decision == "keep" else decision

    def _finish(self, child: Child) -> None:
        """A child that is not to run again."""
        self._forget_start(child)
        self._launcher.close(child.path)
        child.state = "finished"
        if child.spec.restart == "temporary":
            self._children.disown(child)
        self._launcher.emit(ChildStopped(child.path))

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
        group = group_of(child, self._children.all, self._spec.strategy)
        for member in group:
            # A child that fails while the others wait for its start keeps them waiting, until its deadline.
            if self._spec.strategy != "one_for_one":
                self._forget_start(member)
            if not member.live:
                self._to_backoff(member)
        if any(set(group) <= set(restart.group) for restart in self._restarts):
            # It failed on its own before the restart that was to end it came so far.
            return
        self._restarts = [restart for restart in self._restarts if not set(restart.group) <= set(group)]
        self._restart_count += 1
        in_turn = self._spec.strategy != "one_for_one"
        self._restarts.append(Restart(self._restart_count, group, in_turn))
        self._launcher.emit(ChildRestarting(child.path, delay, child.attempt))
        self.after(delay, _RestartDue(self._restart_count))

    def _to_backoff(self, child: Child) -> None:
        child.state = "down"
        child.slot.enter("backoff")
        if child.spec.mailbox_at_restart == "flush":
            child.slot.flush()

    def _advance(self) -> None:
        """Do whatever can be done now; everything else waits for a message."""
        if self._closing is not None:
            self._close_next()
            return
        for restart in tuple(self._restarts):
            if (child := restart.still_up) is not None:
                self._dismiss(child, "restart")
            elif restart.due:
                self._restarts.remove(restart)
                self._revive(restart)
        self._start_next()

    def _revive(self, restart: Restart) -> None:
        for child in restart.group:
            if child.state == "down":
                if restart.in_turn:
                    self._queue.append(child)
                else:
                    self._launch(child)

    # Stopping

    def _dismiss(self, child: Child, purpose: Purpose, within: float | None = None) -> None:
        """Make the child end for a purpose; a lasting purpose overrides a restart, forgetting overrides parking.

        It has `within` seconds, or until its deadline.
        """
        ranking: tuple[Purpose, ...] = ("restart", "park", "forget")
        child.purpose = max(child.purpose or "restart", purpose, key=ranking.index)
        if not child.live:
            self._dismissed(child)
            return
        seconds = child.stop_deadline if within is None else within
        if child.state == "stopping" and within is None:
            return
        if child.state != "stopping" or child.family is not None:
            self._ask_to_stop(child, purpose, seconds)
        self._forget_start(child)
        child.state = "stopping"
        self.after(seconds, _StopDeadline(child.path, child.incarnation))

    def _ask_to_stop(self, child: Child, purpose: Purpose, seconds: float) -> None:
        if purpose != "restart" and child.spec.shutdown == "drain":
            child.ref.stop(child.incarnation, seconds)
        else:
            why: Literal["restart", "shutdown"] = "restart" if purpose == "restart" else "shutdown"
            child.ref.signal(Stop(why, seconds), child.incarnation)

    def _dismissed(self, child: Child) -> None:
        """The child has ended on request."""
        purpose, child.purpose = child.purpose, None
        self._forget_start(child)
        match purpose:
            case "forget":
                self._leave_restarts(child)
                self._children.forget(child)
                self._launcher.close(child.path)
                child.slot.retire()
                self._launcher.emit(ChildStopped(child.path))
                child.answer(ChildStopped(child.path))
            case "park":
                self._park(child, child.park_reason)
            case _ if child.spec.restart == "temporary":
                self._leave_restarts(child)
                self._finish(child)
            case _:
                self._to_backoff(child)

    def _leave_restarts(self, child: Child) -> None:
        for restart in self._restarts:
            if child in restart.group:
                restart.group.remove(child)

    def _park(self, child: Child, reason: str) -> None:
        self._forget_start(child)
        self._leave_restarts(child)
        child.state = "parked"
        self._launcher.close(child.path)
        child.slot.park(reason)
        self._launcher.emit(ChildParked(child.path, reason))
        child.answer(ChildParked(child.path, reason))

    def _escalate(self, child: Child, last: str) -> None:
        reason = f"{child.path} {last}"
        self._verdict = RestartLimitReached(f"{self.name} gave up: {reason}")
        self._launcher.emit(Escalated(self.name, reason))
        self._close(Stop("restart"))

    def on_stop_asked(self, request: Stop | Drain) -> None:
        self._close(request if isinstance(request, Stop) else Stop(within=request.within))

    def _close(self, request: Stop) -> None:
        self._closing = Closing(request, self.clock.monotonic(), together=self._spec.stop_together)
        self._asked: set[str] = set()
        self._queue.clear()
        self._restarts.clear()
        self._awaited = None
        self._close_next()

    def _close_next(self) -> None:
        """Let the next children end; when there are none left, end."""
        assert self._closing is not None
        why, children, now = self._closing.request.why, self._children.all, self.clock.monotonic()
        leaving = self._closing.next(children)
        shares = {child: self._closing.share(child, children, now) for child in leaving}
        for child in leaving:
            if child.path not in self._asked:
                self._asked.add(child.path)
                within = None if self._closing.request.within is None else shares[child]
                self._dismiss(child, "restart" if why == "restart" else "forget", within)
        if leaving:
            return
        for child in reversed(children):
            child.answer(Refused(child.path, f"{self.name} is stopping"))
            if why == "shutdown":
                self._launcher.close(child.path)
        if self._verdict is not None:
            raise self._verdict
        self.stop()


def as_child(spec: Spec, path: str, launcher: Launcher) -> ChildSpec[Any]:
    """A supervisor as a child of another: its failures count for the parent, by the parent's limit and backoff."""
    match spec:
        case ChildSpec():
            return spec
        case SupervisorSpec():
            return ChildSpec(
                name=spec.name,
                actor=Supervisor,
                args=Supervisor.Args(spec=spec, path=path, launcher=launcher),
                start_deadline=spec.start_deadline,
                stop_deadline=spec.stop_deadline,
            )
        case _:
            raise TypeError(f"{spec!r} is no spec of a child; give a ChildSpec or a SupervisorSpec")
