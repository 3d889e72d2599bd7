"""One life of an actor: begin, one step for each message, end. Hosts decide who calls these, and when."""

import asyncio
import inspect
import random
import sys
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from mats.runtime.actor import Actor, NoArgs
from mats.runtime.containment import contain, describe, format_trace, log_error
from mats.runtime.errors import ActorFailed, NotUnderstood, TestCrash
from mats.runtime.interfaces import ActorHome, ParentSink
from mats.runtime.messaging import (
    MAX_CLASSES,
    Crash,
    DownReason,
    Drain,
    Envelope,
    Fault,
    Meter,
    Outcome,
    Reply,
    Started,
    Stop,
    TaskEnded,
    Turn,
)
from mats.runtime.owed_replies import OwedReplies
from mats.runtime.resources import Resources
from mats.runtime.task_runner import start_task
from mats.runtime.timers import Timer

NO_METERS: dict[type, Meter] = {}
DONE = object()
"""In place of a message: there is nothing to hand to the actor."""


class Incarnation(Turn):
    """An actor object between `on_start` and `on_stop` or `on_failure`.

    `begin`, `step` and `end` return None, or an awaitable that the host must finish before the next call.
    `exit` becomes the reason to end; the host looks at it after each call.
    """

    __slots__ = (
        "_args",
        "_built",
        "_faults",
        "_meters",
        "_meters_seen",
        "_monotonic",
        "_parent",
        "actor",
        "actor_class",
        "begun",
        "error",
        "exit",
        "fenced",
        "handler",
        "loop",
        "may_wait",
        "number",
        "owed",
        "replies",
        "resources",
        "slot",
        "started",
        "tasks",
        "thread_id",
        "timers",
    )  # fmt: skip

    def __init__(
        self,
        slot: ActorHome,
        actor_class: type[Actor[Any]],
        args: object,
        parent: ParentSink | None = None,
    ) -> None:
        super().__init__(self, None)
        self.slot = slot
        self.actor_class = actor_class
        self.actor: Actor[Any]
        self.number = 0
        self.exit: DownReason | None = None
        self.error: BaseException | None = None
        self.fenced = self.started = False
        self.timers: set[Timer] = set()
        self.tasks: set[asyncio.Task[Outcome[Any]]] = set()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.begun = False
        self.handler: asyncio.Task[None] | None = None
        self.owed = 0
        self.may_wait = actor_class.host == "pykka"
        self.thread_id: int | None = None
        self._args, self._parent = args, parent
        self.resources = Resources()
        self.replies = OwedReplies()
        self._faults: list[BaseException] = []
        self._built = False
        self._meters_seen: dict[type, Meter] = {}
        self._meters = self._meters_seen
        self._monotonic = slot.runtime.monotonic

    @property
    def name(self) -> str:
        return self.slot.name

    def begin(self) -> Awaitable[None] | None:
        """Build the actor and run `on_start`."""
        if self.fenced:
            return None
        try:
            self.actor = self.actor_class.__new__(self.actor_class)
            self.actor.inhabit(self)
            given = () if isinstance(self._args, NoArgs) else (self._args,)
            self.actor.__init__(*given)  # type: ignore[misc]
            self._built = True
            result = self.actor.on_start()
            if result is not None:
                return self._finish(self._awaitable(result))
            self._begun()
        except BaseException as error:
            self.fail(error)
        return None

    def _begun(self) -> None:
        if self.actor.started_at_once:
            self.report_started()

    def report_started(self) -> None:
        """Tell the supervisor that the actor is up."""
        if not self.fenced and not self.started:
            self.started = True
            self.slot.enter("running")
            if self._parent is not None:
                self._parent(Started(self.slot.name, self.number))

    def step(self, envelope: Envelope) -> Awaitable[None] | None:
        """Handle one message."""
        message = envelope.message
        if (envelope.only or envelope.reply is not None) and (message := self._admit(envelope)) is DONE:
            return None
        self.envelope = envelope
        try:
            try:
                meter = self._meters[message.__class__]
            except KeyError:
                meter = self._meter_of(message)
            left = meter.left = meter.left - 1
            begun = None if left else self._begin_timing(meter)
            result = self.actor.on_receive(message)
            if result is not None and hasattr(result, "__await__") and not isinstance(result, Reply):
                return self._finish(self._awaitable(result), envelope, meter, begun)
            if begun is not None:
                meter.add(envelope.sent, begun, self._monotonic())
            if envelope.reply is not None:
                self._answer(envelope, result)
        except NotUnderstood:
            self._refuse(envelope, message)
        except BaseException as error:
            self.fail(error)
        return None

    def falls(self, envelope: Envelope) -> bool:
        """Whether it was abandoned before it took this message, which is then lost.

        The message is in hand before the look: who abandons in this very moment finds it there and fails its asker.
        """
        self.envelope = envelope
        if self.fenced:
            self.slot.runtime.lose(self.slot.name, envelope, "unprocessed")
        return self.fenced

    def woken(self) -> None:
        """The actor was idle: the message that comes is timed. Called by hosts, before the step.

        That message finds no meter at hand, so that all others are spared the question.
        """
        self._meters = NO_METERS

    def _meter_of(self, message: object) -> Meter:
        """For the first message after an idle time or of a class; raises NotUnderstood if it is none of the actor's."""
        self._meters = self._meters_seen
        kind = message.__class__
        meter = self._meters.get(kind)
        if meter is None:
            meter = self._new_meter(kind, message)
        meter.time_next()
        return meter

    def _new_meter(self, kind: type, message: object) -> Meter:
        if isinstance(message, Crash):
            raise TestCrash(message.reason) from None
        if not self.actor_class.vocabulary.understands(kind):
            raise NotUnderstood(f"{self.name} does not understand {kind.__name__}") from None
        meter = self.slot.telemetry.meter(kind, self._monotonic())
        if len(self._meters) < MAX_CLASSES:
            self._meters[kind] = meter
        return meter

    def _begin_timing(self, meter: Meter) -> float:
        meter.begin_batch()
        return self._monotonic()

    def _refuse(self, envelope: Envelope, message: object) -> None:
        """A message that is not among those of the actor: a dead letter, and an error for its asker."""
        foreign = Envelope(message, envelope.reply, envelope.id, envelope.cause, envelope.root, envelope.sent)
        self.slot.runtime.lose(self.name, foreign, "not understood")

    def _admit(self, envelope: Envelope) -> object:
        """An ask, or a message with an addressee: what to hand to the actor; DONE if that is handled, stale or void."""
        if envelope.reply is not None and envelope.reply.abandoned:
            self.slot.runtime.lose(self.slot.name, envelope, "expired")
            return DONE
        if envelope.only > 0 and envelope.only != self.number:
            return DONE
        message = envelope.message
        if not envelope.only:
            return message
        match message:
            case Timer():
                message.waiting = False
                if message.interval is None:
                    self.timers.discard(message)
                return DONE if message.cancelled else message.message
            case Stop() | Drain():
                self._guarded(envelope, lambda: self.actor.on_stop_asked(message))
            case Fault():
                self.envelope = envelope  # the message before it was handled, and is not lost
                self.fail(message.error)
            case TaskEnded():
                self._guarded(envelope, lambda: message.then(message.outcome))
            case _:
                return message
        return DONE

    def _guarded(self, envelope: Envelope, action: Callable[[], object]) -> None:
        self.envelope = envelope
        try:
            action()
        except BaseException as error:
            self.fail(error)

    def _awaitable(self, result: object) -> Awaitable[object]:
        if self.actor_class.host == "loop" and inspect.isawaitable(result):
            return result
        if inspect.iscoroutine(result):
            result.close()
        raise TypeError(f'{self.actor_class.__name__} returned a coroutine; give the class host = "loop"')

    async def _finish(
        self,
        result: Awaitable[object],
        envelope: Envelope | None = None,
        meter: Meter | None = None,
        begun: float | None = None,
    ) -> None:
        try:
            value = await result
            if envelope is not None and meter is not None and begun is not None:
                meter.add(envelope.sent, begun, self._monotonic())
            if envelope is None:
                self._begun()
            elif envelope.reply is not None:
                self._answer(envelope, value)
        except NotUnderstood:
            if envelope is None:
                raise
            self._refuse(envelope, envelope.message)
        except BaseException as error:
            self.fail(error)

    def _answer(self, envelope: Envelope, value: object) -> None:
        reply = envelope.reply
        if reply is None:
            return
        if value is reply:
            reply.on_late = partial(self._lose_late, envelope)
            self.replies.add(reply)
        elif not reply.answer(value):
            self._lose_late(envelope, value)

    def _lose_late(self, envelope: Envelope, value: object) -> None:
        """The answer has come, but the asker has gone."""
        late = Envelope(value, None, envelope.id, envelope.cause, envelope.root, envelope.sent)
        self.slot.runtime.lose(f"asker of {self.slot.name}", late, "expired")

    def fail(self, error: BaseException) -> None:
        """This incarnation ends with `error`, even if it was to end normally; the message in hand is lost with it."""
        if self.error is not None:
            return
        self.exit = "failed" if self.started or not self.actor_class.started_at_once else "start_failed"
        self.error = error
        envelope = self.envelope
        if envelope is None:
            return
        # The error's traceback knows this envelope: an envelope that knew the error would never be freed.
        reply, envelope.reply = envelope.reply, None
        if not envelope.only and envelope.message.__class__ is not Crash:
            self.slot.runtime.lose(self.slot.name, envelope, "failed", error)
        if reply is not None:
            reply.fail(ActorFailed(self.slot.name, error))

    def report_fault(self, error: BaseException) -> None:
        """An error from outside of the handlers, from any thread: it fails in its turn, or at the end at the latest."""
        self._faults.append(error)
        self.slot.ref.signal(Fault(error), self.number)

    def end(self) -> Awaitable[None] | None:
        """Run the last hook, once; `over` comes next."""
        if self.fenced or not self._built:
            return None
        self._built = False
        self.envelope = None
        if self._faults:
            self.fail(self._faults[0])
        try:
            if self.error is not None:
                self.actor.on_failure(self.error)
            elif (result := self.actor.on_stop()) is not None:
                return self._end_later(self._awaitable(result))
        except BaseException as error:
            self._last_hook_raised(error)
        return None

    async def _end_later(self, result: Awaitable[object]) -> None:
        try:
            await result
        except BaseException as error:
            self._last_hook_raised(error)

    def _last_hook_raised(self, error: BaseException) -> None:
        text, trace = describe(error), format_trace(error)
        log_error(self.name, "on_stop or on_failure raised", error=text, traceback=trace)
        if self.error is None:
            self.exit, self.error = "failed", error

    def over(self) -> None:
        """Release what it holds, settle what is owed and tell the watchers."""
        self.resources.release()
        contain("an ended actor was not settled", self.release)
        self.slot.runtime.incarnation_ended(self)

    def release(self) -> None:
        """Cancel the timers and fail the asks that will not be answered any more."""
        for timer in tuple(self.timers):
            timer.cancel()
        error = ActorFailed(self.slot.name, self.error or RuntimeError("ended before it answered"))
        self.replies.fail(error)
        if self.fenced and (envelope := self.envelope) is not None and envelope.reply is not None:
            envelope.reply.fail(error)

    def spawn_task(
        self, coroutine: Coroutine[Any, Any, object], then: Callable[[Outcome[Any]], object] | None
    ) -> object:
        """See `Actor.spawn_task`."""
        return start_task(self, coroutine, then)

    @property
    def is_born(self) -> bool:
        """Whether anything of the actor may have run."""
        return True

    def stack(self) -> str:
        """Where the thread of this incarnation is right now."""
        frame = sys._current_frames().get(self.thread_id) if self.thread_id is not None else None
        return "".join(traceback.format_stack(frame)) if frame is not None else ""

    def conclude(self) -> None:
        """The end where nothing has to be awaited."""
        try:
            self.end()
        finally:
            self.over()

    def random(self) -> random.Random:
        """A generator of its own, the same in each run with the same seed."""
        return random.Random(f"{self.slot.runtime.seed}/{self.slot.name}/{self.number}")
