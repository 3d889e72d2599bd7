"""Actors on a loop: coroutines and tasks, in real and in virtual time."""

import asyncio
import threading
import time

import msgspec

from mats.runtime import Actor, Backoff, ChildSpec, Outcome, Ref, Runtime, SupervisorSpec, ThreadRuntime, VirtualRuntime
from tests.patience import PATIENCE


class Looping(Actor[object]):
    host = "loop"

    class Args(msgspec.Struct, frozen=True):
        out: Ref[object]

    def __init__(self, args: Args) -> None:
        self.out = args.out
        self.go = asyncio.Event()

    async def on_start(self) -> None:
        await asyncio.sleep(0.001)
        self.out.tell("on_start")

    async def on_stop(self) -> None:
        await asyncio.sleep(0.001)
        self.out.tell("on_stop")

    async def on_receive(self, message: object) -> object:
        match message:
            case ("sleep", float(seconds)):
                await asyncio.sleep(seconds)
            case "hang":
                self.out.tell("hangs")
                await asyncio.Event().wait()
            case ("task", what):
                self.spawn_task(self._work(what))
            case ("task then", what):
                self.spawn_task(self._work(what), self._done)
            case "go":
                self.go.set()
            case "forever":
                self.spawn_task(self._forever())
            case "cancel at once":
                self.spawn_task(self._work("never")).cancel()  # type: ignore[attr-defined]
        self.out.tell(message)
        return message

    async def _work(self, what: object) -> object:
        await self.go.wait()
        if what == "bad":
            raise ConnectionError("lost")
        if what == "exit":
            raise SystemExit(1)
        return ("result", what)

    def _done(self, outcome: Outcome) -> None:
        self.out.tell(("done", repr(outcome.error), outcome.value))

    async def _forever(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.out.tell("cancelled")
            raise


def test_hooks_and_handlers_may_be_coroutines_and_hold_the_mailbox(runtime: Runtime) -> None:
    """S9.1"""
    probe = runtime.probe()
    ref = runtime.spawn(Looping, Looping.Args(probe.ref), name="loop")
    ref.tell(("sleep", 0.03))
    ref.tell("next")
    ref.stop()
    assert probe.receive(4) == ["on_start", ("sleep", 0.03), "next", "on_stop"]
    assert probe.expect_down(ref).reason in ("normal", "noproc")


class InCallback(Actor[str]):
    """Answers whether it is handled in a callback of the loop, and not in a task."""

    host = "loop"

    def on_receive(self, message: str) -> bool:
        return asyncio.current_task() is None


def test_an_idle_actor_handles_what_comes_in_the_callback_that_wakes_its_loop(threads: ThreadRuntime) -> None:
    """No turn of the loop, and so no look at its sockets, is between the two."""
    ref = threads.spawn(InCallback, name="loop")
    deadline = time.monotonic() + PATIENCE
    while not ref.ask("?", timeout=PATIENCE):  # the first ones may find it busy with its start
        assert time.monotonic() < deadline


def test_a_task_runs_beside_the_handlers_and_its_result_has_its_cause(runtime: Runtime) -> None:
    """S9.2"""
    probe = runtime.probe()
    runtime.trace.switch_on("loop")
    ref = runtime.spawn(Looping, Looping.Args(probe.ref), name="loop")
    ref.tell(("task", 1))
    ref.tell("meanwhile")
    ref.tell("go")
    assert probe.receive(5) == ["on_start", ("task", 1), "meanwhile", "go", ("result", 1)]
    first = runtime.trace.steps[0]
    assert probe.last.root == first.id
    ref.tell(("task then", 2))
    assert probe.receive(2) == [("task then", 2), ("done", "None", ("result", 2))]


def test_an_exception_in_a_task_is_a_failure_unless_somebody_takes_it(runtime: Runtime) -> None:
    """S9.3"""
    probe, watcher = runtime.probe(), runtime.probe()
    ref = runtime.spawn(Looping, Looping.Args(probe.ref), name="loop")
    ref.tell("go")
    ref.tell(("task then", "bad"))
    assert probe.receive(4)[3] == ("done", "ConnectionError('lost')", None)
    ref.tell("cancel at once")
    probe.expect_message("cancel at once")
    watcher.watch(ref)
    ref.tell(("task", "bad"))
    down = watcher.expect_down(ref)
    assert (down.reason, str(down.error)) == ("failed", "lost")


def test_an_exit_out_of_a_task_ends_its_actor_only(runtime: Runtime) -> None:
    """S9.3, S4.1"""
    probe, watcher = runtime.probe(), runtime.probe()
    ref = runtime.spawn(Looping, Looping.Args(probe.ref), name="loop")
    watcher.watch(ref)
    ref.tell("go")
    ref.tell(("task", "exit"))
    down = watcher.expect_down(ref)
    assert down.reason == "failed"
    assert isinstance(down.error, SystemExit)


def test_an_exit_out_of_a_callback_ends_its_actor_only(threads: ThreadRuntime) -> None:
    """S4.1"""

    class Library(Actor[object]):
        host = "loop"

        def on_receive(self, message: object) -> None:
            asyncio.get_running_loop().call_soon(self._leave)

        def _leave(self) -> None:
            raise SystemExit(1)

    probe = threads.probe()
    ref = threads.spawn(Library, name="library")
    probe.watch(ref)
    ref.tell("go")
    assert isinstance(probe.expect_down(ref).error, SystemExit)


def test_tasks_are_cancelled_before_the_watchers_are_told(runtime: Runtime) -> None:
    """S9.4"""
    probe, watcher = runtime.probe(), runtime.probe()
    ref = runtime.spawn(Looping, Looping.Args(probe.ref), name="loop")
    ref.tell("forever")
    ref.tell(("sleep", 0.01))
    probe.receive(3)
    watcher.watch(ref)
    ref.stop()
    watcher.expect_down(ref)
    assert "cancelled" in probe.receive(2, timeout=0.0 if isinstance(runtime, ThreadRuntime) else 1.0)


def test_the_loop_is_the_threads_own_and_is_closed_at_the_end(threads: ThreadRuntime) -> None:
    """S1.7, trap P11: libraries look for the loop of the thread"""
    seen: list[object] = []

    class Own(Actor[object]):
        host = "loop"

        def on_start(self) -> None:
            seen.extend([threading.get_ident(), asyncio.get_event_loop_policy().get_event_loop()])

        async def on_receive(self, message: object) -> object:
            return [threading.get_ident(), asyncio.get_running_loop()]

    probe = threads.probe()
    ref = threads.spawn(Own, name="own")
    assert ref.ask("where", timeout=PATIENCE) == seen
    ref.stop()
    probe.expect_down(ref)
    assert isinstance(seen[1], asyncio.AbstractEventLoop)
    assert seen[1].is_closed()


def test_an_abandoned_await_is_freed(threads: ThreadRuntime) -> None:
    """S8.1"""
    out = threads.probe()
    args = Looping.Args(out.ref)
    child = ChildSpec(
        name="loop", actor=Looping, args=args, start_deadline=PATIENCE, stop_deadline=0.05, shutdown="stop"
    )
    threads.start(SupervisorSpec(name="root", children=(child,), backoff=Backoff(min=0.001, max=0.001)))
    threads.wait_started(PATIENCE)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "loop"]
    threads.ref("loop").tell("hang")
    assert out.receive(2) == ["on_start", "hangs"]
    report = threads.stop(PATIENCE)
    assert [abandoned.name for abandoned in report.abandoned] == ["loop"]
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_many_messages_do_not_keep_the_loop_from_its_other_work(threads: ThreadRuntime) -> None:
    """S9.1"""

    class Busy(Actor[object]):
        host = "loop"

        class Args(msgspec.Struct, frozen=True):
            out: Ref[object]

        def __init__(self, args: Args) -> None:
            self.out, self.handled = args.out, 0

        def on_receive(self, message: object) -> None:
            self.handled += 1
            if message == "tick":
                asyncio.get_running_loop().call_soon(lambda: self.out.tell(self.handled))

    probe = threads.probe()
    ref = threads.ref("busy")
    ref.tell("tick")
    for n in range(500):
        ref.tell(n)
    threads.spawn(Busy, Busy.Args(probe.ref), name="busy")
    assert probe.expect(int) < 100


def test_a_coroutine_sleeps_in_virtual_time(virtual: VirtualRuntime) -> None:
    """S10.3"""
    probe = virtual.probe()
    ref = virtual.spawn(Looping, Looping.Args(probe.ref), name="loop")
    assert ref.ask(("sleep", 3600.0), timeout=7200) == ("sleep", 3600.0)
    assert virtual.monotonic() == 3600.001
