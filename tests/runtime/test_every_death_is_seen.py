"""Whatever is raised, and wherever: the incarnation ends and its watchers are told."""

import asyncio
import threading
from collections.abc import Callable

import msgspec
import pytest
import structlog

from mats.runtime import (
    Actor,
    ActorFailed,
    AskTimeout,
    Backoff,
    ChildSpec,
    MailboxSpec,
    NoArgs,
    Reply,
    Runtime,
    SupervisorSpec,
    ThreadRuntime,
    Timer,
    VirtualRuntime,
)
from mats.runtime.containment import describe, format_trace, safe_repr
from mats.runtime.messaging import Envelope, Mailbox
from tests.patience import PATIENCE
from tests.runtime.actors_for_tests import Boom, Teller

SOON = Backoff(min=0.001, max=0.001)
HOSTS = ("thread", "loop")


class NoText(Exception):
    """A slip of a user: its own text cannot be made."""

    def __str__(self) -> str:
        return None  # type: ignore[return-value]

    __repr__ = __str__


class ExitInText(Exception):
    """Worse: its text ends the interpreter."""

    def __str__(self) -> str:
        raise SystemExit(3)

    __repr__ = __str__


class NoNotes(Exception):
    """Its traceback cannot be formatted."""

    @property
    def __cause__(self) -> BaseException | None:  # type: ignore[override]
        raise KeyboardInterrupt


ERRORS = [NoText(), ExitInText(), NoNotes(), MemoryError(), RecursionError(), KeyboardInterrupt(), SystemExit(1)]


class Raises(Actor[object]):
    """Raises what it is told."""

    def on_receive(self, message: object) -> object:
        if isinstance(message, BaseException):
            raise message
        return self.incarnation


class RaisesOnLoop(Raises):
    host = "loop"


def supervised(actor: type[Actor[object]]) -> SupervisorSpec:
    child = ChildSpec(name="a", actor=actor, args=NoArgs(), start_deadline=PATIENCE, stop_deadline=PATIENCE)
    return SupervisorSpec(name="root", children=(child,), backoff=SOON)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("actor", [Raises, RaisesOnLoop])
def test_an_error_without_a_text_is_a_failure_like_any_other(
    runtime: Runtime, actor: type[Raises], error: BaseException
) -> None:
    """S4.12"""
    probe = runtime.probe()
    runtime.start(supervised(actor))
    runtime.wait_started(PATIENCE)
    ref = runtime.ref("a")
    probe.watch(ref)
    runtime.slot("a").ref.tell(error)
    down = probe.expect_down(ref)
    assert (down.reason, down.error) == ("failed", error)
    assert runtime.slot("a").ref.ask("who", timeout=PATIENCE) == 2


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_can_be_described(error: BaseException) -> None:
    """S4.12"""
    assert describe(error).startswith(f"{type(error).__name__}: ")
    assert type(error).__name__ in safe_repr(error)
    assert type(error).__name__ in format_trace(error)
    assert type(error).__name__ in str(ActorFailed("a", error))


class Odd(str):
    def __format__(self, spec: str) -> str:
        raise ValueError(spec)


def test_a_text_that_misbehaves_when_it_is_used_is_made_a_plain_one() -> None:
    """S4.12"""

    class Subtle(Exception):
        def __str__(self) -> str:
            return Odd("subtle")

    assert f"{describe(Subtle())}" == "Subtle: subtle"


class BadAtTheEnd(Raises):
    def on_failure(self, error: BaseException) -> None:
        raise NoText


@pytest.mark.parametrize("host", HOSTS)
def test_a_last_hook_whose_error_has_no_text_is_the_end_too(runtime: Runtime, host: str) -> None:
    """S4.12"""
    probe = runtime.probe()
    ref = runtime.spawn(type("Bad", (BadAtTheEnd,), {"host": host}), name="bad")
    probe.watch(ref)
    ref.tell(ValueError("first"))
    assert str(probe.expect_down(ref).error) == "first"


def test_a_class_that_cannot_be_made_fails_in_its_own_host(runtime: Runtime) -> None:
    """S4.12, S1.7"""

    class Unmakeable(Raises):
        def __new__(cls) -> "Unmakeable":
            raise NoText

    probe = runtime.probe()
    ref = runtime.ref("u")
    probe.watch(ref)
    runtime.spawn(Unmakeable, name="u")
    assert probe.expect_down(ref).reason == "start_failed"


@pytest.mark.parametrize("host", HOSTS)
def test_an_error_in_a_line_of_the_runtime_is_a_failure_of_the_actor(
    threads: ThreadRuntime, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """S4.12"""
    probe = threads.probe()
    ref = threads.spawn(type("Fine", (Raises,), {"host": host}), name="fine")
    assert ref.ask("who", timeout=PATIENCE) == 1
    probe.watch(ref)
    mailbox = ref.mailbox

    poll = Mailbox.poll

    def broken(self: Mailbox) -> Envelope | None:
        if self is mailbox:
            raise NoText
        return poll(self)

    monkeypatch.setattr(Mailbox, "poll", broken)
    ref.tell("anything")
    down = probe.expect_down(ref)
    assert (down.reason, type(down.error)) == ("failed", NoText)


def test_an_actor_without_a_loop_fails_to_start(threads: ThreadRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    """S4.12: no more file descriptors"""

    def no_loop() -> asyncio.AbstractEventLoop:
        raise OSError(24, "Too many open files")

    probe = threads.probe()
    ref = threads.ref("l")
    probe.watch(ref)
    monkeypatch.setattr(asyncio, "new_event_loop", no_loop)
    threads.spawn(RaisesOnLoop, name="l")
    assert probe.expect_down(ref).reason == "start_failed"


class LibraryExit(Raises):
    """A library's task ends the interpreter when it is cancelled."""

    host = "loop"

    def on_start(self) -> None:
        self.library = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        try:
            await asyncio.sleep(1e6)
        except asyncio.CancelledError:
            raise SystemExit(3) from None


@pytest.mark.parametrize("end", [ValueError("told"), SystemExit(4)], ids=["error", "exit"])
def test_an_exit_of_a_library_at_the_end_leaves_no_ghost(threads: ThreadRuntime, end: BaseException) -> None:
    """S4.12"""
    probe = threads.probe()
    threads.start(supervised(LibraryExit))
    threads.wait_started(PATIENCE)
    ref = threads.slot("a").ref
    assert ref.ask("who", timeout=PATIENCE) == 1
    probe.watch(ref)
    ref.tell(end)
    assert probe.expect_down(ref).error == end
    assert ref.ask("who", timeout=PATIENCE) == 2


def test_an_exit_of_a_library_in_virtual_time_is_its_actors_failure(virtual: VirtualRuntime) -> None:
    """S4.12"""

    class Library(Raises):
        host = "loop"

        async def on_start(self) -> None:
            self.task = asyncio.get_running_loop().create_task(self._leave())

        async def _leave(self) -> None:
            raise SystemExit(3)

    probe = virtual.probe()
    ref = virtual.ref("l")
    probe.watch(ref)
    virtual.spawn(Library, name="l")
    assert isinstance(probe.expect_down(ref).error, SystemExit)


class StopsAndRaises(Raises):
    def on_receive(self, message: object) -> object:
        self.stop()
        return super().on_receive(message)


@pytest.mark.parametrize("host", HOSTS)
def test_an_error_after_stop_is_a_failure_and_its_asker_is_told(runtime: Runtime, host: str) -> None:
    """S4.13, S3.3, S4.2"""
    probe = runtime.probe()
    ref = runtime.spawn(type("Stops", (StopsAndRaises,), {"host": host}), name="s")
    probe.watch(ref)
    with pytest.raises(ActorFailed, match="ValueError: lost"):
        ref.ask(ValueError("lost"), timeout=PATIENCE)
    assert probe.expect_down(ref).reason == "failed"
    assert runtime.dead_letters.counts == {"failed": 1}


class StopsInTask(Raises):
    host = "loop"

    class Args(msgspec.Struct, frozen=True):
        error: BaseException | None

    def __init__(self, args: Args) -> None:
        self.error = args.error

    def on_receive(self, message: object) -> object:
        return self.spawn_task(self._work())

    async def _work(self) -> None:
        await asyncio.sleep(0)
        self.stop()
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(("error", "reason"), [(None, "normal"), (ValueError("lost"), "failed")])
def test_a_task_may_stop_its_actor_which_waits(runtime: Runtime, error: BaseException | None, reason: str) -> None:
    """S4.14, S4.13"""
    probe = runtime.probe()
    ref = runtime.spawn(StopsInTask, StopsInTask.Args(error), name="s")
    probe.watch(ref)
    ref.tell("go")
    down = probe.expect_down(ref)
    assert (down.reason, down.error) == (reason, error)


def test_a_callback_in_another_thread_may_stop_an_actor_that_waits(threads: ThreadRuntime) -> None:
    """S4.14"""

    class Callback(Raises):
        def on_receive(self, message: object) -> object:
            return self.stop

    probe = threads.probe()
    ref = threads.spawn(Callback, name="c")
    probe.watch(ref)
    stop = ref.ask("callback", timeout=PATIENCE)
    assert callable(stop)
    stop()
    assert probe.expect_down(ref).reason == "normal"


def test_an_error_of_a_callback_that_comes_with_the_end_is_not_lost(virtual: VirtualRuntime) -> None:
    """S4.13"""

    class Callback(Raises):
        def on_receive(self, message: object) -> object:
            self.fail(ValueError("from a callback"))
            self.stop()
            return None

    probe = virtual.probe()
    ref = virtual.spawn(Callback, name="c")
    probe.watch(ref)
    ref.tell("go")
    assert str(probe.expect_down(ref).error) == "from a callback"


def test_a_fault_does_not_make_a_dead_letter_of_the_message_before(virtual: VirtualRuntime) -> None:
    """S4.2, S4.11: it was handled"""

    class Callback(Raises):
        def on_receive(self, message: object) -> object:
            self.fail(ValueError("from a callback"))
            return None

    probe = virtual.probe()
    ref = virtual.spawn(Callback, name="c")
    probe.watch(ref)
    ref.tell("handled")
    probe.expect_down(ref)
    virtual.dead_letters.assert_none()


class Owner(Raises):
    """Holds two things; `hangs` while it starts."""

    class Args(msgspec.Struct, frozen=True):
        released: list[object]
        hangs: threading.Event
        told: threading.Event
        release: threading.Event
        bad: bool = False

    def __init__(self, args: Args) -> None:
        self.args = args

    def on_start(self) -> None:
        self.defer(lambda: self._released("first"))
        self.defer(lambda: self._released("second"))

    def _released(self, what: str) -> None:
        self.args.released.append(what)
        if what == "first":
            self.args.told.set()
        if self.args.bad:
            raise NoText

    def on_stop(self) -> None:
        self.args.released.append("on_stop")

    def on_failure(self, error: BaseException) -> None:
        self.args.released.append("on_failure")

    def on_receive(self, message: object) -> object:
        if message == "hang":
            self.args.hangs.set()
            self.args.release.wait(PATIENCE)
            self.defer(lambda: self.args.released.append("late"))
            self.args.told.set()
        return super().on_receive(message)


def owned(bad: bool = False) -> Owner.Args:
    return Owner.Args([], threading.Event(), threading.Event(), threading.Event(), bad)


@pytest.mark.parametrize("bad", [False, True])
@pytest.mark.parametrize("end", ["on_stop", "on_failure"])
@pytest.mark.parametrize("host", HOSTS)
def test_what_was_deferred_is_done_at_the_end_before_the_watchers_are_told(
    runtime: Runtime, host: str, end: str, bad: bool
) -> None:
    """S4.15"""
    args, probe = owned(bad), runtime.probe()
    ref = runtime.spawn(type("Owns", (Owner,), {"host": host}), args, name="o")
    probe.watch(ref)
    ref.tell(ValueError()) if end == "on_failure" else ref.stop()
    probe.expect_down(ref)
    assert args.released == [end, "second", "first"]


def test_what_an_abandoned_actor_deferred_is_done_at_once(threads: ThreadRuntime) -> None:
    """S4.15"""
    args = owned()
    ref = threads.spawn(Owner, args, name="o")
    ref.tell("hang")
    assert args.hangs.wait(PATIENCE)
    threads.abandon("o")
    assert args.told.wait(PATIENCE)
    assert args.released == ["second", "first"]
    args.told.clear()
    args.release.set()
    assert args.told.wait(PATIENCE)
    assert args.released == ["second", "first", "late"]


def test_what_an_abandoned_actor_deferred_is_done_before_the_runtime_has_stopped(threads: ThreadRuntime) -> None:
    """S4.15"""
    args = owned()
    ref = threads.spawn(Owner, args, name="o")
    ref.tell("hang")
    assert args.hangs.wait(PATIENCE)
    threads.stop(0.01)
    assert args.released == ["second", "first"]
    args.release.set()


def test_what_a_killed_actor_deferred_is_done(virtual: VirtualRuntime) -> None:
    """S4.15: the system takes back what a lost process held"""
    args = owned()
    ref = virtual.spawn(Owner, args, name="o")
    virtual.run_until_idle()
    virtual.kill(ref)
    assert args.released == ["second", "first"]


def test_without_a_thread_to_do_it_the_abandoning_one_does_it(
    threads: ThreadRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S4.15, S4.16"""
    args = owned()
    ref = threads.spawn(Owner, args, name="o")
    assert ref.ask("who", timeout=PATIENCE) == 1
    no_threads(monkeypatch)
    threads.abandon("o")
    assert args.released == ["second", "first"]


def no_threads(monkeypatch: pytest.MonkeyPatch, times: int = 1_000_000) -> None:
    """The next threads cannot be started."""
    left, start = iter(range(times)), threading.Thread.start

    def refuse(self: threading.Thread) -> None:
        if next(left, None) is not None:
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_a_thread_that_cannot_be_started_is_a_failing_start(
    threads: ThreadRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S4.16"""
    probe, ref = threads.probe(), threads.ref("a")
    probe.watch(ref)
    no_threads(monkeypatch)
    threads.spawn(Raises, name="a")
    down = probe.expect_down(ref)
    assert (down.reason, str(down.error)) == ("start_failed", "can't start new thread")


class StartsNoMore(Raises):
    """Its successor will have no thread."""

    class Args(msgspec.Struct, frozen=True):
        refuse: Callable[[], None]

    def __init__(self, args: Args) -> None:
        self.refuse = args.refuse

    def on_failure(self, error: BaseException) -> None:
        if self.incarnation == 1:
            self.refuse()


def test_a_supervisor_goes_on_when_there_is_no_thread_for_a_child(
    threads: ThreadRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S4.16"""
    child = ChildSpec(
        name="a", actor=StartsNoMore, args=StartsNoMore.Args(lambda: no_threads(monkeypatch, 3)), restart="permanent"
    )
    threads.start(SupervisorSpec(name="root", children=(child,), backoff=SOON))
    threads.wait_started(PATIENCE)
    ref = threads.slot("a").ref
    ref.tell(ValueError())
    assert ref.ask("who", timeout=PATIENCE) == 5
    assert not threads.escalated.is_set()


def test_timers_run_when_their_thread_could_not_be_started_at_first(
    threads: ThreadRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S4.16, S6.1"""

    class Timed(Teller):
        def on_receive(self, message: object) -> object:
            if message == "arm":
                self.after(0, "due")
            return super().on_receive(message)

    probe = threads.probe()
    ref = threads.spawn(Timed, Timed.Args(probe.ref), name="t")
    assert ref.ask("there", timeout=PATIENCE) == "there"
    probe.expect_message((1, "there"))
    no_threads(monkeypatch, 1)
    watcher = threads.probe()
    watcher.watch(ref)
    with pytest.raises(ActorFailed, match="can't start new thread"):
        ref.ask("arm", timeout=PATIENCE)
    watcher.expect_down(ref)
    threads.spawn(Timed, Timed.Args(probe.ref), name="t").tell("arm")
    assert probe.receive(2) == [(2, "arm"), (2, "due")]


def raises(*_args: object, **_kwargs: object) -> None:
    raise SystemExit("of somebody else")


def test_hooks_sinks_and_subscribers_that_raise_harm_nobody(runtime: Runtime) -> None:
    """S11.8"""
    probe = runtime.probe()
    runtime.on_event.append(raises)
    runtime.dead_letters.subscribe(raises)
    ref = runtime.spawn(Raises, name="a")
    ref.watch(raises, "first")
    probe.watch(ref)
    ref.tell(ValueError())
    assert probe.expect_down(ref).reason == "failed"


def test_a_log_that_raises_harms_nobody(runtime: Runtime) -> None:
    """S11.8"""
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[raises])
    try:
        probe = runtime.probe()
        ref = runtime.spawn(BadAtTheEnd, name="bad")
        probe.watch(ref)
        ref.tell(ValueError("first"))
        assert str(probe.expect_down(ref).error) == "first"
    finally:
        structlog.configure(processors=before)


def unhashable(message: object) -> list[object]:
    return [message]


class Unequal:
    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        raise NoText


@pytest.mark.parametrize("conflate", [raises, unhashable, lambda _message: Unequal()])
def test_a_key_that_cannot_be_used_costs_the_sender_nothing(
    runtime: Runtime, conflate: Callable[[object], object]
) -> None:
    """S11.8, S1.2"""
    probe = runtime.probe()
    actor = type("Conflating", (Teller,), {"mailbox": MailboxSpec(conflate=conflate)})
    runtime.spawn(Teller, name="first").ask("so that all run", timeout=PATIENCE)
    ref = runtime.spawn(actor, Teller.Args(probe.ref), name="c")
    for n in range(3):
        ref.tell(n)
    assert probe.receive(3) == [(1, 0), (1, 1), (1, 2)]


def test_a_timer_that_fails_does_not_end_the_timers(threads: ThreadRuntime) -> None:
    """S11.8, S6.1"""

    def deliver(_timer: Timer) -> None:
        raise SystemExit

    class Timed(Teller):
        def on_receive(self, message: object) -> object:
            if message == "arm":
                self.after(0, "due")
                self.after(1e12, "in a long time")
            return super().on_receive(message)

    probe = threads.probe()
    threads.add_timer(Timer(0.0, None, "x", deliver, set()))
    ref = threads.spawn(Timed, Timed.Args(probe.ref), name="t")
    ref.tell("arm")
    assert probe.receive(2) == [(1, "arm"), (1, "due")]
    ref.tell("arm")
    assert probe.receive(2) == [(1, "arm"), (1, "due")]


@pytest.mark.parametrize("arm", ["after", "every"])
def test_a_timer_that_is_never_due_is_refused(virtual: VirtualRuntime, arm: str) -> None:
    """S4.1"""

    class Timed(Raises):
        def on_receive(self, message: object) -> object:
            return getattr(self, arm)(float("nan"), "never")

    with pytest.raises(ActorFailed, match="nan s"):
        virtual.spawn(Timed, name="t").ask("arm", timeout=PATIENCE)


class PutsOff(Raises):
    """Answers each ask when it is told the answer."""

    def __init__(self) -> None:
        self.owed: list[Reply] = []

    def on_receive(self, message: object) -> object:
        if isinstance(message, str):
            self.owed.append(self.reply_later())
            return self.owed[-1]
        for reply in self.owed:
            reply.set(message)
        return None


def test_an_answer_in_a_later_turn_that_comes_too_late_is_a_dead_letter(virtual: VirtualRuntime) -> None:
    """S3.6"""
    ref = virtual.spawn(PutsOff, name="p")
    with pytest.raises(AskTimeout):
        ref.ask("question", timeout=1)
    ref.tell(42)
    virtual.run_until_idle()
    (letter,) = virtual.dead_letters.recent
    assert (letter.reason, letter.target, letter.message) == ("expired", "asker of p", 42)


def test_answers_whose_askers_have_gone_are_not_kept(virtual: VirtualRuntime) -> None:
    """S3.6"""
    ref = virtual.spawn(PutsOff, name="p")
    for _ in range(200):
        with pytest.raises(AskTimeout):
            ref.ask("question", timeout=1)
    incarnation = virtual.slot("p").incarnation
    assert incarnation is not None
    assert len(incarnation.replies) <= 16


def test_what_an_abandoned_actor_had_in_hand_is_a_dead_letter_when_it_fails(threads: ThreadRuntime) -> None:
    """S8.2, S4.2"""
    entered, release, lost = threading.Event(), threading.Event(), threading.Event()

    class Hangs(Raises):
        def on_receive(self, message: object) -> object:
            entered.set()
            release.wait(PATIENCE)
            raise ValueError(message)

    ref = threads.spawn(Hangs, name="h")
    threads.dead_letters.subscribe(lambda _letter: lost.set())
    ref.tell(Boom("in hand"))
    assert entered.wait(PATIENCE)
    threads.abandon("h")
    release.set()
    assert lost.wait(PATIENCE)
    (letter,) = threads.dead_letters.recent
    assert (letter.reason, letter.message) == ("failed", Boom("in hand"))
