"""Actors on threads are pykka actors, and a plain pykka actor is a child like any other."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec
import pykka
import pytest
from pykka.messages import ProxyCall

from mats.runtime import (
    Actor,
    ActorFailed,
    Address,
    AskTimeout,
    Backoff,
    ChildSpec,
    Limit,
    OwnProcess,
    PlainArgs,
    Ref,
    Reply,
    SupervisorSpec,
    ThreadRuntime,
    VirtualRuntime,
    plain_actor,
)
from mats.runtime.testing import Probe
from tests.patience import PATIENCE
from tests.runtime.actors_for_tests import Boom, Teller, Watcher, patient

ROOT = Path(__file__).parents[2]
AT_ONCE = Backoff(min=0, max=0)


class Greeter(pykka.ThreadingActor):
    """Written as in pykka's documentation, but for the probe that learns of its hooks."""

    def __init__(self, out: Ref[Any], greeting: str = "Hi") -> None:
        super().__init__()
        self.greeting, self._out = greeting, out

    def on_start(self) -> None:
        self._out.tell(("started", threading.current_thread().name))

    def on_receive(self, message: Any) -> Any:
        match message:
            case Boom(text="exit"):
                sys.exit(3)
            case Boom(text=text):
                raise ValueError(text)
            case (pykka.ActorRef() as other, question):
                return self._ask(other, question)
            case "me":
                return self.actor_ref
            case "stop":
                self.stop()
            case "wait":
                self._out.tell("waits")
                threading.Event().wait()
        self._out.tell(message)
        return message

    def _ask(self, other: pykka.ActorRef[Any], question: object) -> object:
        try:
            return other.ask(question, timeout=PATIENCE)
        except Exception as error:
            return error

    def greet(self, name: str) -> str:
        return f"{self.greeting}, {name}"

    def on_stop(self) -> None:
        self._out.tell("stopped")

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self._out.tell(("failed", exception_type, traceback is not None))


class Started(pykka.ThreadingActor):
    """Raises where it starts; `out` would be told of a hook that ran after it."""

    def __init__(self, out: Ref[Any], where: str) -> None:
        super().__init__()
        self._out, self._where = out, where
        if where == "init":
            raise ValueError("bad init")

    def on_start(self) -> None:
        raise ValueError("bad on_start")

    def on_failure(self, *_error: object) -> None:
        self._out.tell("on_failure")

    def on_stop(self) -> None:
        self._out.tell("on_stop")


class Late(Actor[str]):
    """Answers with the next message that it is told."""

    def __init__(self) -> None:
        self.reply = Reply()

    def on_receive(self, message: str) -> object:
        if message == "question":
            self.reply = self.reply_later()
            return self.reply
        self.reply.set(message)
        return None


class Curious(Actor[object]):
    """Asks a plain actor by the ref that pykka gave it, in its handler, as actors of pykka do."""

    class Args(msgspec.Struct, frozen=True):
        other: "pykka.ActorRef[Any]"
        out: Ref[object]

    def __init__(self, args: Args) -> None:
        self.other, self.out = args.other, args.out

    def on_receive(self, message: object) -> None:
        self.out.tell(self.other.ask(message, timeout=PATIENCE))


def registered(name: str) -> "pykka.ActorRef[Any] | None":
    return pykka.ActorRegistry.get_by_urn(f"mats:{name}")


def start_tree(runtime: ThreadRuntime, *children: ChildSpec[Any]) -> None:
    runtime.start(patient(SupervisorSpec(name="root", children=children, backoff=AT_ONCE)))
    runtime.wait_started(PATIENCE)


def greeter(probe: Probe, **spec: Any) -> ChildSpec[PlainArgs]:
    return ChildSpec(name="greeter", actor=plain_actor(Greeter), args=PlainArgs((probe.ref, "Hello")), **spec)


def the_greeter() -> "pykka.ActorRef[Greeter]":
    (ref,) = pykka.ActorRegistry.get_by_class(Greeter)
    assert registered("greeter") is ref
    return ref


# Ours, as pykka sees them


@pytest.mark.parametrize("host", ["thread", "loop"])
def test_the_registry_has_an_actor_of_ours_while_it_runs(threads: ThreadRuntime, host: str) -> None:
    """S13.1"""
    kind: Any = type("Named", (Teller,), {"host": host})
    ref = threads.spawn(kind, name="ours")
    found = registered("ours")
    assert found is not None
    assert found.actor_class is kind
    assert pykka.ActorRegistry.get_by_class(kind) == pykka.ActorRegistry.get_by_class_name("Named") == [found]
    assert found.is_alive()
    probe = threads.probe()
    probe.watch(ref)
    ref.stop()
    probe.expect_down(ref)
    assert registered("ours") is None
    assert not found.is_alive()
    with pytest.raises(pykka.ActorDeadError):
        found.tell("anybody?")


def test_a_restart_is_another_actor_to_pykka(threads: ThreadRuntime) -> None:
    """S13.1"""
    probe = threads.probe()
    start_tree(threads, ChildSpec(name="ours", actor=Teller, args=Teller.Args(probe.ref)))
    first = registered("ours")
    assert first is not None
    first.tell(Boom())
    threads.ref(Address[object]("ours")).tell("after")
    probe.expect_message((2, "after"))
    second = registered("ours")
    assert second is not None
    assert second is not first
    assert not first.is_alive()
    assert second.ask("again", timeout=PATIENCE) == "again"


def test_an_abandoned_actor_is_dead_to_pykka_while_it_hangs(threads: ThreadRuntime) -> None:
    """S13.1"""
    probe = threads.probe()
    start_tree(threads, greeter(probe, stop_deadline=0.1, shutdown="stop"))
    probe.receive(1)
    plain = the_greeter()
    plain.tell("wait")
    probe.expect_message("waits")
    report = threads.stop(PATIENCE)
    assert [actor.name for actor in report.abandoned] == ["greeter"]
    assert not plain.is_alive()
    assert pykka.ActorRegistry.get_by_class(Greeter) == []


def test_an_ask_by_a_pykka_ref_returns_what_pykka_says(threads: ThreadRuntime) -> None:
    """S13.2"""
    threads.spawn(Teller, name="ours")
    found = registered("ours")
    assert found is not None
    assert found.ask("echo") == "echo"
    future = found.ask("later", block=False)
    assert isinstance(future, pykka.ThreadingFuture)
    assert pykka.get_all([future, future.map(str.upper)], timeout=PATIENCE) == ["later", "LATER"]
    with pytest.raises(ActorFailed, match="ours failed: ValueError: boom"):
        found.ask(Boom(), timeout=PATIENCE)


def test_a_pykka_ask_that_has_timed_out_may_still_be_got(threads: ThreadRuntime) -> None:
    """S13.2"""
    threads.spawn(Late, name="late")
    late = registered("late")
    assert late is not None
    future = late.ask("question", block=False)
    with pytest.raises(pykka.Timeout):
        future.get(timeout=0.01)
    late.tell("answer")
    assert future.get(timeout=PATIENCE) == "answer"


def test_pykka_stops_an_actor_of_ours_after_what_was_sent_before(threads: ThreadRuntime) -> None:
    """S13.3"""
    probe = threads.probe()
    ref = threads.spawn(Teller, Teller.Args(probe.ref), name="ours")
    found = registered("ours")
    assert found is not None
    for n in range(3):
        found.tell(n)
    assert found.stop(timeout=PATIENCE) is True
    assert probe.receive(3) == [(1, 0), (1, 1), (1, 2)]
    assert not ref.is_alive()
    assert found.stop(timeout=PATIENCE) is False


# Plain pykka actors in the tree


def test_a_plain_actor_lives_in_the_tree_with_its_hooks_proxy_and_asks(threads: ThreadRuntime) -> None:
    """S13.4"""
    probe = threads.probe()
    start_tree(threads, greeter(probe))
    probe.expect_message(("started", "greeter"))
    plain = the_greeter()
    assert plain.actor_class is Greeter
    assert plain.ask("ping", timeout=PATIENCE) == "ping"
    plain.tell("pong")
    threads.ref(Address[object]("greeter")).tell("by its name")
    assert probe.receive(3) == ["ping", "pong", "by its name"]
    proxy = plain.proxy()
    assert proxy.greet("Ann").get(timeout=PATIENCE) == "Hello, Ann"
    proxy.greeting = "Bye"
    assert proxy.greeting.get(timeout=PATIENCE) == "Bye"
    assert plain.ask(ProxyCall(("greet",), ("Bob",), {}), timeout=PATIENCE) == "Bye, Bob"
    (status,) = (line for line in threads.status() if line.name == "greeter")
    assert (status.actor, status.state) == ("Greeter", "running")
    assert threads.stop(PATIENCE).clean
    probe.expect_message("stopped")
    assert not plain.is_alive()


def test_a_plain_actor_that_fails_is_restarted_and_its_watchers_are_told(threads: ThreadRuntime) -> None:
    """S13.4, S13.5"""
    probe, downs = threads.probe(), threads.probe()
    start_tree(
        threads,
        greeter(probe, limit=Limit(1, 3600), over_limit="park"),
        ChildSpec(name="watcher", actor=Watcher, args=Watcher.Args(threads.ref(Address[object]("greeter")), downs.ref)),
    )
    first = the_greeter()
    first.tell(Boom("told"))
    threads.ref(Address[object]("greeter")).tell("waits for the next one")
    assert probe.receive(4) == [
        ("started", "greeter"),
        ("failed", ValueError, True),
        ("started", "greeter"),
        "waits for the next one",
    ]
    down: Any = downs.receive(1)[0]
    assert (down.name, down.reason, str(down.error)) == ("greeter", "failed", "told")
    assert not first.is_alive()
    second = the_greeter()
    probe.watch(threads.ref("greeter"))
    second.tell(Boom("again"))
    probe.expect_down(threads.ref("greeter"))
    assert pykka.ActorRegistry.get_by_class(Greeter) == []


def test_an_exception_in_an_ask_of_a_plain_actor_is_the_answer(threads: ThreadRuntime) -> None:
    """S13.5"""
    probe = threads.probe()
    start_tree(threads, greeter(probe))
    plain = the_greeter()
    with pytest.raises(ValueError, match="asked"):
        plain.ask(Boom("asked"), timeout=PATIENCE)
    assert plain.ask("still here", timeout=PATIENCE) == "still here"
    assert threads.ref("greeter").incarnation == 1


@pytest.mark.parametrize("asked", [True, False])
def test_an_exit_of_a_plain_actor_stops_nobody_else(threads: ThreadRuntime, asked: bool) -> None:
    """S13.5"""
    probe = threads.probe()
    start_tree(threads, greeter(probe), ChildSpec(name="ours", actor=Teller, args=Teller.Args()))
    bystander = registered("ours")
    assert bystander is not None
    plain = the_greeter()
    if asked:
        with pytest.raises(ActorFailed, match="greeter failed: SystemExit: 3"):
            plain.ask(Boom("exit"), timeout=PATIENCE)
    else:
        plain.tell(Boom("exit"))
    assert probe.receive(3) == [("started", "greeter"), ("failed", SystemExit, True), ("started", "greeter")]
    assert bystander.ask("alive", timeout=PATIENCE) == "alive"
    assert threads.ref("ours").incarnation == 1


@pytest.mark.parametrize("where", ["init", "on_start"])
def test_a_plain_actor_that_cannot_start_has_failed_to_start(threads: ThreadRuntime, where: str) -> None:
    """S13.4"""
    probe = threads.probe()
    ref = threads.spawn(plain_actor(Started), PlainArgs((probe.ref,), {"where": where}), name="bad")
    down = probe.expect_down(ref)
    assert down.reason in ("start_failed", "noproc")
    (status,) = (line for line in threads.status() if line.name == "bad")
    assert status.last_failure == f"ValueError: bad {where}"
    probe.ref.tell("nothing else")
    probe.expect_message("nothing else")
    assert pykka.ActorRegistry.get_by_class(Started) == []


def test_a_plain_actor_that_stops_itself_has_ended_normally(threads: ThreadRuntime) -> None:
    """S13.3, S13.4"""
    probe = threads.probe()
    start_tree(threads, greeter(probe, restart="transient"))
    probe.watch(threads.ref("greeter"))
    plain = the_greeter()
    plain.tell("stop")
    down = probe.expect_down(threads.ref("greeter"))
    assert down.reason == "normal"
    with pytest.raises(pykka.ActorDeadError):
        plain.ask("anybody?", timeout=PATIENCE)


def test_what_waits_for_a_plain_actor_at_its_stop_is_answered(threads: ThreadRuntime) -> None:
    """S13.2: of asks to a stock actor that is stopped, some are never answered"""
    probe = threads.probe()
    start_tree(threads, greeter(probe, restart="temporary"))
    plain = the_greeter()
    asked: list[pykka.Future[Any]] = []
    for n in range(200):
        if n == 100:
            plain.stop(block=False)
        asked.append(plain.ask(n, block=False))
    answers = []
    for future in asked:
        try:
            answers.append(future.get(timeout=PATIENCE))
        except pykka.ActorDeadError:
            answers.append(None)
    assert answers[:100] == list(range(100))
    assert set(answers[100:]) == {None}


# Together


def test_a_plain_actor_asks_ours_and_is_asked_by_ours(threads: ThreadRuntime) -> None:
    """S13.6"""
    probe = threads.probe()
    start_tree(threads, greeter(probe), ChildSpec(name="ours", actor=Teller, args=Teller.Args()))
    probe.receive(1)
    plain, ours = the_greeter(), registered("ours")
    by_name = threads.ref(Address[object]("ours"))
    assert plain.ask((ours, "by pykka's ref"), timeout=PATIENCE) == "by pykka's ref"
    assert plain.ask((by_name, "by our ref"), timeout=PATIENCE) == "by our ref"
    assert isinstance(plain.ask((by_name, Boom()), timeout=PATIENCE), ActorFailed)
    own: pykka.ActorRef[Any] = plain.ask("me", timeout=PATIENCE)
    curious = threads.spawn(Curious, Curious.Args(own, probe.ref), name="curious")
    curious.tell("a question")
    assert probe.receive(2) == ["a question", "a question"]


def test_what_a_plain_actor_sends_has_its_message_as_cause(threads: ThreadRuntime) -> None:
    """S13.6"""
    probe = threads.probe()
    start_tree(threads, greeter(probe))
    probe.receive(1)
    threads.trace.switch_on("greeter")
    the_greeter().tell("pong")
    probe.expect_message("pong")
    (step,) = threads.trace.steps
    assert probe.last.cause == step.id


def test_an_ask_of_a_plain_actor_has_its_timeout(threads: ThreadRuntime) -> None:
    """S13.6"""
    probe = threads.probe()

    class Impatient(pykka.ThreadingActor):
        def on_receive(self, message: Any) -> Any:
            return probe.ref.ask(message, timeout=0.01)

    impatient = threads.spawn(plain_actor(Impatient), PlainArgs(), name="impatient")
    with pytest.raises(AskTimeout):
        impatient.ask("anybody?", timeout=PATIENCE)
    assert impatient.is_alive()


def test_a_plain_actor_lives_in_real_time_and_in_our_process_only(virtual: VirtualRuntime) -> None:
    """S13.7"""
    ref = virtual.spawn(plain_actor(Greeter), PlainArgs((virtual.probe().ref,)), name="greeter")
    assert not ref.is_alive()
    (status,) = (line for line in virtual.status() if line.name == "greeter")
    assert status.last_failure == "TypeError: greeter is a plain pykka actor, which may block; run it in real time"
    with pytest.raises(ValueError, match="Greeter is a plain pykka actor; only actors on a thread can move"):
        ChildSpec(name="greeter", actor=plain_actor(Greeter), args=PlainArgs(), process=OwnProcess())


# Without pykka

EMPTY = """
from typing import Generic, TypeVar
A = TypeVar("A")
class Actor: pass
class ThreadingActor(Actor): pass
class ActorRef(Generic[A]): pass
class Future(Generic[A]): pass
class ThreadingFuture(Future[A]): pass
class ActorRegistry: pass
class ActorDeadError(Exception): pass
class Timeout(Exception): pass
"""


def test_with_empty_classes_in_place_of_pykka_actors_on_threads_do_not_run(tmp_path: Path) -> None:
    """S13.1"""
    (tmp_path / "pykka").mkdir()
    (tmp_path / "pykka" / "__init__.py").write_text(EMPTY)
    (tmp_path / "pykka" / "messages.py").write_text("class _ActorStop: pass\n")
    tests = (
        "test_asks.py::test_an_asker_learns_at_once_that_the_handler_raised",
        "test_life.py::test_a_failing_ask_is_a_failure_too",
    )
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-q", "-rA", "-p", "no:cacheprovider"]
        + [f"tests/runtime/{test}" for test in tests],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    outcomes = set(re.findall(r"^(PASSED|FAILED|ERROR) \S+\[(\w+)\]", ran.stdout, re.MULTILINE))
    assert outcomes == {("FAILED", "thread"), ("PASSED", "virtual"), ("PASSED", "seeded")}, ran.stdout + ran.stderr
    assert "type object 'ThreadHost' has no attribute 'start'" in ran.stdout
