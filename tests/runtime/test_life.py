"""How incarnations begin, fail and end."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from mats.runtime import Actor, ActorFailed, Down, NameTaken, Ref, Runtime, ThreadRuntime, VirtualRuntime
from tests.patience import PATIENCE
from tests.runtime.actors_for_tests import Boom, Hooks, Note, Teller, expect_no_more


class Raiser(Actor[object]):
    def on_receive(self, message: object) -> object:
        if isinstance(message, BaseException):
            raise message
        return message


class Counting(Actor[object]):
    """Changes its state before it fails."""

    def __init__(self) -> None:
        self.count = 0

    def on_receive(self, message: object) -> object:
        self.count += 1
        if isinstance(message, Boom):
            raise ValueError(message.text)
        return self.count


@pytest.mark.parametrize("error", [ValueError("v"), asyncio.CancelledError(), SystemExit(3), KeyboardInterrupt()])
def test_any_exception_ends_this_incarnation_and_nothing_else(runtime: Runtime, error: BaseException) -> None:
    """S4.1 and trap P3: one CancelledError stops every stock actor of the process"""
    probe = runtime.probe()
    bystander, ref = (
        runtime.spawn(Teller, Teller.Args(probe.ref), name="bystander"),
        runtime.spawn(Raiser, name="raiser"),
    )
    ref.tell(error)
    down = probe.expect_down(ref)
    assert (down.reason, down.error) == ("failed", error)
    bystander.tell("alive")
    probe.expect_message((1, "alive"))


def test_a_failing_ask_is_a_failure_too(runtime: Runtime) -> None:
    """S4.1 and S4.3, and trap P1: a stock actor lives on with half of a change"""
    probe = runtime.probe()
    ref = runtime.spawn(Counting, name="c")
    assert ref.ask(Note(1), timeout=PATIENCE) == 1
    with pytest.raises(ActorFailed):
        ref.ask(Boom(), timeout=PATIENCE)
    probe.expect_down(ref)
    runtime.spawn(Counting, name="c")
    assert ref.ask(Note(1), timeout=PATIENCE) == 1


def test_the_message_in_hand_is_a_dead_letter_with_its_traceback_and_never_handled_again(runtime: Runtime) -> None:
    """S4.2"""
    probe = runtime.probe()
    ref = runtime.spawn(Counting, name="c")
    ref.tell(Boom("why"))
    probe.expect_down(ref)
    (letter,) = runtime.dead_letters.recent
    assert (letter.reason, letter.message, letter.error) == ("failed", Boom("why"), "ValueError: why")
    assert "raise ValueError(message.text)" in letter.traceback
    runtime.spawn(Counting, name="c")
    assert ref.ask(Note(1), timeout=PATIENCE) == 1


@pytest.mark.parametrize("bad", ["init", "on_start"])
def test_a_failing_start_handles_no_message_and_is_told(runtime: Runtime, bad: str) -> None:
    """S4.4 and trap P2: no hook sees a stock actor's failing start"""
    probe, watcher = runtime.probe(), runtime.probe()
    ref = runtime.ref("h")
    ref.tell("waiting")
    watcher.watch(ref, "tag")
    runtime.spawn(Hooks, Hooks.Args(probe.ref, bad), name="h")
    down = watcher.expect(Down)
    assert (down.reason, down.tag, str(down.error)) == ("start_failed", "tag", f"bad {bad}")
    assert (1, "waiting") not in probe.receive(1)
    assert runtime.dead_letters.counts == {"unprocessed": 1}


@pytest.mark.parametrize(
    ("bad", "end", "hooks"),
    [
        ("", "stop", ["init", "on_start", "on_stop"]),
        ("", "boom", ["init", "on_start", "on_failure"]),
        ("init", "", ["init"]),
        ("on_start", "", ["init", "on_start", "on_failure"]),
    ],
)
def test_one_last_hook_runs(runtime: Runtime, bad: str, end: str, hooks: list[str]) -> None:
    """S4.5"""
    probe, watcher = runtime.probe(), runtime.probe()
    ref = runtime.ref("h")
    watcher.watch(ref)
    runtime.spawn(Hooks, Hooks.Args(probe.ref, bad), name="h")
    if end == "stop":
        ref.stop()
    if end == "boom":
        ref.tell(Boom())
    watcher.expect_down(ref)
    assert probe.receive(len(hooks)) == [("h", 1, hook) for hook in hooks]
    expect_no_more(runtime, probe)


def test_a_failing_on_stop_is_a_failure(runtime: Runtime) -> None:
    """S4.6"""
    probe, watcher = runtime.probe(), runtime.probe()
    ref = runtime.spawn(Hooks, Hooks.Args(probe.ref, "on_stop"), name="h")
    watcher.watch(ref)
    ref.stop()
    assert watcher.expect_down(ref).reason == "failed"


class Stopper(Teller):
    def on_receive(self, message: object) -> object:
        if message == "stop":
            self.stop()
        return super().on_receive(message)


def test_stop_from_inside_ends_after_the_message_in_hand(runtime: Runtime) -> None:
    """S4.7 and trap P8: a stock stop waits for the backlog"""
    probe, watcher = runtime.probe(), runtime.probe()
    ref = runtime.ref("s")
    for message in ("a", "stop", "b", "c"):
        ref.tell(message)
    watcher.watch(ref)
    runtime.spawn(Stopper, Stopper.Args(probe.ref), name="s")
    assert watcher.expect_down(ref).reason == "normal"
    assert probe.receive(2) == [(1, "a"), (1, "stop")]
    expect_no_more(runtime, probe)
    assert [letter.message for letter in runtime.dead_letters.recent] == ["b", "c"]
    assert runtime.dead_letters.counts == {"unprocessed": 2}


def test_stop_from_outside_ends_after_everything_told_before(runtime: Runtime) -> None:
    """S4.8"""
    probe, watcher = runtime.probe(), runtime.probe()
    ref = runtime.ref("s")
    for message in range(50):
        ref.tell(message)
    ref.stop()
    watcher.watch(ref)
    runtime.spawn(Teller, Teller.Args(probe.ref), name="s")
    assert watcher.expect_down(ref).reason == "normal"
    assert probe.receive(50) == [(1, n) for n in range(50)]
    runtime.dead_letters.assert_none()


class Dicer(Actor[object]):
    def on_receive(self, message: object) -> object:
        return (self.incarnation, self.random.random(), self.random.random())


def test_random_numbers_depend_on_seed_name_and_incarnation_only() -> None:
    """S4.10"""

    def roll(make: Callable[[], Runtime], name: str) -> object:
        runtime = make()
        result = runtime.spawn(Dicer, name=name).ask("roll", timeout=PATIENCE)
        runtime.stop(PATIENCE)
        return result

    first = roll(lambda: ThreadRuntime(seed=5), "d")
    assert roll(lambda: VirtualRuntime(seed=5), "d") == first
    assert roll(lambda: VirtualRuntime(seed=6), "d") != first
    assert roll(lambda: VirtualRuntime(seed=5), "e") != first


class Callbacks(Actor[object]):
    def on_receive(self, message: object) -> object:
        if message == "callback":
            self.fail(ConnectionError("from a library"))
        return message


def test_an_error_outside_of_a_handler_can_end_the_incarnation(runtime: Runtime) -> None:
    """S4.11"""
    probe = runtime.probe()
    ref = runtime.spawn(Callbacks, name="c")
    ref.tell("callback")
    down = probe.expect_down(ref)
    assert (down.reason, str(down.error)) == ("failed", "from a library")
    assert not len(runtime.dead_letters), "the message was handled"


def test_a_name_belongs_to_one_running_actor(runtime: Runtime) -> None:
    runtime.spawn(Teller, name="a")
    with pytest.raises(NameTaken, match="actor a is running already; choose another name"):
        runtime.spawn(Teller, name="a")


def test_actors_and_refs_offer_no_way_around_the_runtime(runtime: Runtime) -> None:
    ref = runtime.spawn(Teller, name="a")
    with pytest.raises(TypeError, match=r"Teller is started by Runtime\.spawn"):
        Teller.start()
    with pytest.raises(TypeError, match="a has no proxy"):
        ref.proxy()


class Unfit(Actor[object]):
    async def on_receive(self, message: object) -> None:
        await asyncio.sleep(0)


def test_a_coroutine_on_a_thread_fails_with_the_mend(runtime: Runtime) -> None:
    """S9.5"""
    ref = runtime.spawn(Unfit, name="u")
    with pytest.raises(ActorFailed, match='Unfit returned a coroutine; give the class host = "loop"'):
        ref.ask("go", timeout=PATIENCE)


def test_an_idle_actor_does_not_hold_its_last_message(threads: ThreadRuntime) -> None:
    """Trap P6: a stock loop keeps the last envelope alive."""
    import gc
    import weakref

    class Heavy:
        pass

    ref = threads.spawn(Raiser, name="idle")
    heavy = Heavy()
    gone = threading.Event()
    weakref.finalize(heavy, gone.set)
    ref.tell(heavy)
    del heavy
    ref.ask("handled", timeout=PATIENCE)
    gc.collect()
    assert gone.wait(PATIENCE)


def test_a_failed_ask_leaves_no_garbage_that_cannot_be_collected(threads: ThreadRuntime) -> None:
    import gc
    import weakref

    class Heavy:
        pass

    class Failing(Actor[object]):
        def on_receive(self, message: object) -> object:
            raise ValueError("boom")

    def once(ref: Ref[object]) -> "weakref.ref[Heavy]":
        heavy = Heavy()
        with pytest.raises(ActorFailed):
            ref.ask((heavy,), timeout=PATIENCE)
        threads.dead_letters.recent.clear()
        return weakref.ref(heavy)

    probe = threads.probe()
    ref = threads.spawn(Failing, name="f")
    probe.watch(ref)
    left = once(ref)
    down = probe.expect_down(ref)
    assert down.error is not None
    down.error.__traceback__ = None
    del down
    probe.close()
    del probe
    over = threading.Event()
    weakref.finalize(left(), over.set) if left() is not None else over.set()
    thread = next((thread for thread in threading.enumerate() if thread.name == "f"), None)
    if thread is not None:
        thread.join(PATIENCE)
    gc.collect()
    assert over.wait(0)
