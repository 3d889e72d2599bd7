"""Asks: for edges only, always with a timeout, always answered."""

import asyncio
import threading

import msgspec
import pytest

from mats.runtime import (
    Actor,
    ActorDeadError,
    ActorFailed,
    AskInHandler,
    AskTimeout,
    DeadLetter,
    Ref,
    Reply,
    Runtime,
    ThreadRuntime,
    VirtualRuntime,
)
from tests.patience import PATIENCE
from tests.runtime.actors_for_tests import Boom, Note, Teller


class Asker(Actor[object]):
    class Args(msgspec.Struct, frozen=True):
        target: Ref[object]
        out: Ref[object]

    def __init__(self, args: Args) -> None:
        self.target, self.out = args.target, args.out

    def on_receive(self, message: object) -> None:
        try:
            self.target.ask("no", timeout=1)
        except AskInHandler as error:
            self.out.tell(str(error))


class Later(Actor[object]):
    """Answers every ask when it is told a Note."""

    def __init__(self) -> None:
        self.waiting: list[Reply] = []

    def on_receive(self, message: object) -> object:
        if isinstance(message, Note):
            for reply in self.waiting:
                reply.set(message.n)
                reply.set("a second answer")
            return None
        if isinstance(message, Boom):
            raise ValueError(message.text)
        self.waiting.append(self.reply_later())
        return self.waiting[-1]


def test_an_ask_without_an_answer_times_out(runtime: Runtime) -> None:
    """S3.1"""
    probe = runtime.probe()
    before = runtime.monotonic()
    with pytest.raises(AskTimeout, match=r"no reply within 0\.05"):
        probe.ref.ask("hello", timeout=0.05)
    assert runtime.monotonic() - before >= 0.05
    with pytest.raises(TypeError):
        probe.ref.ask("hello")  # type: ignore[call-arg]


def test_a_probe_answers_an_ask(threads: ThreadRuntime) -> None:
    probe = threads.probe()
    answers: list[object] = []
    asker = threading.Thread(target=lambda: answers.append(probe.ref.ask("question", timeout=PATIENCE)))
    asker.start()
    probe.expect_message("question")
    probe.reply("answer")
    asker.join(PATIENCE)
    assert answers == ["answer"]


def test_no_actor_waits_for_another(runtime: Runtime) -> None:
    """S3.2"""
    probe = runtime.probe()
    target = runtime.spawn(Teller, name="target")
    runtime.spawn(Asker, Asker.Args(target, probe.ref), name="asker").tell("go")
    assert probe.expect(str) == "target was asked inside a handler; send it a message and get the answer as a message"


def test_an_asker_learns_at_once_that_the_handler_raised(runtime: Runtime) -> None:
    """S3.3"""
    ref = runtime.spawn(Teller, name="a")
    with pytest.raises(ActorFailed, match="a failed: ValueError: boom") as caught:
        ref.ask(Boom(), timeout=PATIENCE)
    assert isinstance(caught.value.error, ValueError)


def test_asking_the_closed_and_the_full_fails_at_once(runtime: Runtime) -> None:
    """S3.4"""
    ref = runtime.spawn(Teller, name="a")
    probe = runtime.probe()
    ref.stop()
    probe.expect_down(ref)
    with pytest.raises(ActorDeadError, match="a does not take Note: closed"):
        ref.ask(Note(1), timeout=PATIENCE)
    runtime.dead_letters.assert_none()


def test_an_ask_that_waits_when_the_mailbox_closes_is_answered(threads: ThreadRuntime) -> None:
    """S3.4"""
    errors: list[BaseException] = []
    ref = threads.ref("nobody")

    def ask() -> None:
        try:
            ref.ask("hello", timeout=PATIENCE)
        except ActorDeadError as error:
            errors.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    while len(ref.mailbox) == 0:
        assert asker.is_alive()
    threads.close("nobody")
    asker.join(PATIENCE)
    assert [str(error) for error in errors] == ["nobody did not handle str: no such actor"]


def test_a_message_whose_asker_gave_up_is_not_handled(virtual: VirtualRuntime) -> None:
    """S3.5"""
    probe = virtual.probe()
    ref = virtual.spawn(Teller, Teller.Args(probe.ref), name="a")
    virtual.pause(ref)
    with pytest.raises(AskTimeout):
        ref.ask("void", timeout=1)
    ref.tell("good")
    virtual.resume(ref)
    probe.expect_message((1, "good"))
    (letter,) = virtual.dead_letters.recent
    assert (letter.reason, letter.target, letter.message) == ("expired", "a", "void")


def test_a_reply_that_comes_too_late_is_a_dead_letter(threads: ThreadRuntime) -> None:
    """S3.6"""
    release, entered, lost = threading.Event(), threading.Event(), threading.Event()
    late: list[DeadLetter] = []

    def hear(letter: DeadLetter) -> None:
        if letter.message == "late":
            late.append(letter)
            lost.set()

    threads.dead_letters.subscribe(hear)

    class Slow(Actor[object]):
        def on_receive(self, message: object) -> object:
            entered.set()
            release.wait(PATIENCE)
            return "late"

    ref = threads.spawn(Slow, name="slow")
    while not entered.is_set():  # an ask that its asker gives up before it is handled is not handled
        with pytest.raises(AskTimeout):
            ref.ask("hello", timeout=0.05)
    release.set()
    assert lost.wait(PATIENCE)
    (letter,) = late
    assert (letter.reason, letter.target, letter.message) == ("expired", "asker of slow", "late")


def test_an_answer_may_come_in_a_later_turn_and_the_first_one_holds(threads: ThreadRuntime) -> None:
    """S3.7 and S3.8"""
    ref = threads.spawn(Later, name="later")
    answers: list[object] = []
    asker = threading.Thread(target=lambda: answers.append(ref.ask("question", timeout=PATIENCE)))
    threads.trace.switch_on("later")
    asker.start()
    while not threads.trace.steps:
        assert asker.is_alive()
    ref.tell(Note("answer"))
    asker.join(PATIENCE)
    assert answers == ["answer"]
    assert ref.is_alive()


def test_an_owed_answer_becomes_a_failure_when_the_incarnation_ends(threads: ThreadRuntime) -> None:
    """S3.7"""
    ref = threads.spawn(Later, name="later")
    errors: list[str] = []

    def ask() -> None:
        try:
            ref.ask("question", timeout=PATIENCE)
        except ActorFailed as error:
            errors.append(str(error))

    threads.trace.switch_on("later")
    asker = threading.Thread(target=ask)
    asker.start()
    while not threads.trace.steps:
        assert asker.is_alive()
    ref.tell(Boom("gone"))
    asker.join(PATIENCE)
    assert errors == ["later failed: ValueError: gone"]


def test_a_second_answer_changes_nothing_and_harms_nobody() -> None:
    """S3.8 and trap P5"""
    reply = Reply()
    reply.set(1)
    reply.set(2)
    reply.fail(ValueError("late"))
    assert reply.get(timeout=0) == 1


def test_a_reply_cannot_be_awaited() -> None:
    """Trap P10: awaiting a stock future blocks its loop."""

    async def wait() -> object:
        return await Reply()

    with pytest.raises(TypeError, match="a reply cannot be awaited, it would block the loop"):
        asyncio.run(wait())


def test_an_ask_runs_the_world_and_times_out_at_its_virtual_deadline(virtual: VirtualRuntime) -> None:
    """S10.4"""
    ref = virtual.spawn(Teller, name="a")
    assert ref.ask("echo", timeout=1) == "echo"
    assert virtual.monotonic() == 0
    virtual.pause(ref)
    with pytest.raises(AskTimeout):
        ref.ask("echo", timeout=2.5)
    assert virtual.monotonic() == 2.5
