"""Each message is handled, or a dead letter with the reason; and nobody is held up by one that is not."""

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

import msgspec
import pytest

from mats.runtime import (
    Actor,
    ActorDeadError,
    Backoff,
    ChildSpec,
    DeadLetters,
    Event,
    HighWater,
    MailboxSpec,
    MessagesRefused,
    NoArgs,
    Ref,
    Runtime,
    StartChild,
    SupervisorSpec,
    ThreadRuntime,
    VirtualRuntime,
)
from mats.runtime.messaging import Envelope, Mailbox
from tests.patience import PATIENCE
from tests.runtime.actors_for_tests import Note, Teller

SOON = Backoff(min=0.001, max=0.001)


class Silent:
    """Nobody is told what a mailbox notices."""

    def high_water(self, depth: int) -> None:
        return

    def messages_refused(self, message: str, depth: int) -> None:
        return


def letter(message: object, number: int = 1) -> Envelope:
    return Envelope(message, None, number, 0, number, 0.0)


# A mailbox that closes while it is read


def test_a_conflating_mailbox_that_closes_between_two_steps_of_its_reader_keeps_its_message() -> None:
    """S2.5: the reader has the message in hand when the mailbox closes"""
    mailbox = Mailbox(Silent())
    mailbox.configure(MailboxSpec(conflate=lambda message: message))
    envelope = letter("a")
    mailbox.put(envelope)

    class Closing:
        """In place of the lock: the mailbox closes when the reader is about to take it."""

        def __enter__(self) -> None:
            mailbox._lock = lock
            assert mailbox.close() == []

        def __exit__(self, *_error: object) -> None:
            return

    lock, mailbox._lock = mailbox._lock, Closing()  # type: ignore[assignment]
    assert mailbox.poll() is envelope


@pytest.mark.parametrize("lane", ["_system", "_user", "_urgent"])
def test_a_mailbox_that_empties_before_its_reader_takes_is_empty(lane: str) -> None:
    """S2.5: it closed between the look and the taking"""

    class Emptied:
        def __bool__(self) -> bool:
            return True

        def popleft(self) -> Envelope:
            raise IndexError

    mailbox = Mailbox(Silent())
    setattr(mailbox, lane, Emptied())
    assert mailbox.poll() is None


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Conflating(Actor[int]):
    """Each message has a key of its own. Says when it has got as far as `point`."""

    mailbox: ClassVar[MailboxSpec] = MailboxSpec(capacity=100_000, conflate=lambda message: message)

    class Args(msgspec.Struct, frozen=True):
        got: list[int]
        point: int
        there: threading.Event

    def __init__(self, args: Args) -> None:
        self.args = args

    def on_receive(self, message: int) -> None:
        self.args.got.append(message)
        if message == self.args.point:
            self.args.there.set()


@pytest.mark.parametrize("trial", range(40))
@pytest.mark.usefixtures("hasty")
def test_an_actor_that_is_abandoned_while_it_is_busy_loses_nothing_in_silence(trial: int) -> None:
    """S2.5, S8.3"""
    runtime, n = ThreadRuntime(), 600
    runtime.dead_letters = DeadLetters(10 * n)
    args = Conflating.Args([], 20 + trial * 10, threading.Event())
    ref = runtime.spawn(Conflating, args, name="a")
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "a"]
    for number in range(n):
        ref.tell(number)
    assert args.there.wait(PATIENCE)
    runtime.abandon("a")
    runtime.slot("a").close()
    thread.join(PATIENCE)
    assert sorted({*args.got, *(lost.message for lost in runtime.dead_letters.recent)}) == list(range(n))


def test_the_policy_of_a_mailbox_holds_while_its_actor_is_down(virtual: VirtualRuntime) -> None:
    """S2.3, S8.3: an abandoned actor comes back after a while"""

    class Small(Teller):
        mailbox: ClassVar[MailboxSpec] = MailboxSpec(capacity=1, never_full=(Note,))

    virtual.launch("s", Small, Teller.Args(), supervised=True)
    virtual.run_until_idle()
    virtual.abandon("s")
    ref = virtual.slot("s").ref
    assert [ref.offer(message) for message in ("a", "b", Note(1), Note(2))] == [True, False, True, True]


# What observes


def test_an_event_hook_may_send_to_the_mailbox_that_the_event_is_about(runtime: Runtime) -> None:
    """S2.6, S1.2"""
    probe = runtime.probe("crowded")
    probe.ref.mailbox.configure(MailboxSpec(capacity=5))
    runtime.on_event.append(lambda event: probe.ref.tell(event))
    for n in range(20):
        probe.ref.tell(n)
    events: list[Event] = []
    runtime.on_event[:] = [events.append]
    assert probe.receive(5) == [0, 1, 2, 3, 4]
    kinds = Counter(type(lost.message).__name__ for lost in runtime.dead_letters.recent)
    assert kinds == {"int": 15, "HighWater": 1, "MessagesRefused": 3}, "of int, HighWater and MessagesRefused"


def test_a_conflation_key_may_send_to_its_own_mailbox(runtime: Runtime) -> None:
    """S2.4, S1.2"""
    probe = runtime.probe("conflating")

    def key(message: object) -> object:
        if message == "a":
            probe.ref.tell("b")
        return message

    probe.ref.mailbox.configure(MailboxSpec(conflate=key))
    probe.ref.tell("a")
    assert probe.receive(2) == ["b", "a"]


class Small(Teller):
    mailbox: ClassVar[MailboxSpec] = MailboxSpec(capacity=3)


def test_what_a_full_mailbox_refuses_is_counted_and_told_once_for_each_class(virtual: VirtualRuntime) -> None:
    """S2.8"""
    events: list[Event] = []
    virtual.on_event.append(events.append)
    virtual.spawn(Small, name="small")
    virtual.run_until_idle()
    ref: Ref[object] = virtual.slot("small").ref
    for n in range(3):
        ref.tell(n)
    for n in range(4):
        assert not ref.offer(n)
        assert not ref.offer(Note(n))
    said = [HighWater("small", 3), MessagesRefused("small", "int", 3), MessagesRefused("small", "Note", 3)]
    assert events == said
    (status,) = virtual.status()
    assert (status.refused, status.behind) == (8, "Note, int")
    virtual.run_until_idle()
    (status,) = virtual.status()
    assert (status.refused, status.behind) == (8, "")
    for n in range(4):
        ref.offer(n)
    assert events[3:] == said[:2]


# The urgent lane


class Alarm(Note, frozen=True):
    pass


class Price(Note, frozen=True):
    pass


class Louder(Alarm, frozen=True):
    """No urgent class itself."""


class Urgent(Teller):
    mailbox: ClassVar[MailboxSpec] = MailboxSpec(
        capacity=2, urgent=(Alarm, Price), conflate=lambda message: "price" if isinstance(message, Price) else None
    )


def test_urgent_messages_overtake_the_others_and_are_never_refused(runtime: Runtime) -> None:
    """S2.7, S1.3"""
    probe = runtime.probe()
    runtime.slot("u").mailbox.configure(Urgent.mailbox)
    ref = runtime.slot("u").ref
    offered = [ref.offer(message) for message in ("a", Alarm(1), "b", "c", Price(1), Louder(0), Alarm(2), Price(2))]
    assert offered == [True, True, True, False, True, False, True, True]
    runtime.spawn(Urgent, Urgent.Args(probe.ref), name="u")
    expected = [Alarm(1), Price(2), Alarm(2), "a", "b"]
    assert probe.receive(5) == [(1, message) for message in expected]


def test_urgent_messages_that_wait_for_the_first_start_are_urgent(runtime: Runtime) -> None:
    """S2.7, S1.4"""
    probe, ref = runtime.probe(), runtime.slot("u").ref
    for message in ("a", Alarm(1), "b", Alarm(2)):
        ref.tell(message)
    runtime.spawn(Urgent, Urgent.Args(probe.ref), name="u")
    assert probe.receive(4) == [(1, message) for message in (Alarm(1), Alarm(2), "a", "b")]


def test_urgent_messages_are_so_after_an_abandonment_and_come_before_a_stop(virtual: VirtualRuntime) -> None:
    """S2.7, S8.3"""
    probe = virtual.probe()
    virtual.launch("u", Urgent, Urgent.Args(probe.ref), supervised=True)
    virtual.run_until_idle()
    ref: Ref[object] = virtual.slot("u").ref
    for message in ("a", Alarm(1)):
        ref.tell(message)
    virtual.abandon("u")
    ref.stop()
    ref.tell(Alarm(2))
    virtual.launch("u", Urgent, Urgent.Args(probe.ref), supervised=True)
    assert probe.receive(3) == [(2, message) for message in (Alarm(1), Alarm(2), "a")]
    assert probe.expect_down(ref).reason in ("normal", "noproc")


# Names under which nobody runs


def tree(*children: ChildSpec[NoArgs] | SupervisorSpec) -> SupervisorSpec:
    return SupervisorSpec(name="root", backoff=SOON, children=children)


def child(name: str, actor: type[Actor[object]] = Actor) -> ChildSpec[NoArgs]:
    return ChildSpec(name=name, actor=actor, args=NoArgs(), start_deadline=PATIENCE, stop_deadline=PATIENCE)


def test_what_waits_for_a_name_that_nobody_starts_is_a_dead_letter_when_the_start_is_over(runtime: Runtime) -> None:
    """S1.9"""
    ref: Ref[object] = runtime.slot("core/ordrs").ref
    ref.tell("before")
    runtime.start(tree(child("a")))
    runtime.wait_started(PATIENCE)
    ref.tell("after")
    later: Ref[object] = runtime.slot("core/oders").ref
    later.tell("much later")
    assert not later.offer("an offer")
    with pytest.raises(ActorDeadError, match="no such actor"):
        later.ask("a question", timeout=PATIENCE)
    assert [(lost.reason, lost.message) for lost in runtime.dead_letters.recent] == [
        ("no such actor", "before"),
        ("no such actor", "after"),
        ("no such actor", "much later"),
    ]


def test_what_waits_for_an_actor_of_the_tree_waits_until_it_starts(runtime: Runtime) -> None:
    """S1.9, S1.4: under the policy of its class"""
    probe = runtime.probe()
    small = ChildSpec(name="small", actor=Small, args=Teller.Args(probe.ref), start_deadline=PATIENCE)
    spec = tree(child("a"), SupervisorSpec(name="group", children=(small,)))
    runtime.start(spec)
    ref = runtime.slot("group/small").ref
    ref.tell("early")
    assert probe.expect(tuple) == (1, "early")


def test_an_actor_of_the_tree_that_is_late_is_still_waited_for(virtual: VirtualRuntime) -> None:
    """S1.9, S7.1"""

    class Late(Actor[object]):
        host = "loop"

        async def on_start(self) -> None:
            await never.wait()

    never = asyncio.Event()
    late = ChildSpec(name="late", actor=Late, args=NoArgs(), start_deadline=1.0)
    after = ChildSpec(name="after", actor=Teller, args=Teller.Args())
    virtual.start(tree(SupervisorSpec(name="group", children=(late, after)), child("last")))
    virtual.slot("group/after").ref.tell("early")
    virtual.wait_started(60)
    virtual.dead_letters.assert_none()


def test_a_child_that_is_started_at_run_time_can_be_told_from_then_on(virtual: VirtualRuntime) -> None:
    """S1.9, S7.14"""
    probe = virtual.probe()
    root = virtual.start(tree())
    virtual.wait_started(1)
    ref: Ref[object] = virtual.slot("new").ref
    ref.tell("too early")
    root.ask(StartChild(ChildSpec(name="new", actor=Teller, args=Teller.Args(probe.ref))), timeout=1)
    ref.tell("now")
    probe.expect_message((1, "now"))
    assert virtual.dead_letters.counts == {"no such actor": 1}


def test_at_the_stop_what_waits_for_a_name_that_was_never_started_is_a_dead_letter(runtime: Runtime) -> None:
    """S1.9"""
    ref: Ref[object] = runtime.slot("never").ref
    for n in range(100):
        ref.tell(n)
    runtime.stop(PATIENCE)
    ref.tell("late")
    assert runtime.dead_letters.counts == {"no such actor": 101}
    assert len(ref.mailbox) == 0


def test_a_probe_is_read_whenever_it_is_made(runtime: Runtime) -> None:
    """S1.9"""
    runtime.start(tree())
    runtime.wait_started(PATIENCE)
    runtime.slot("p").ref.tell("nobody reads")
    probe = runtime.probe("p")
    probe.ref.tell("read")
    probe.expect_message("read")
    runtime.stop(PATIENCE)
    probe.ref.tell("still read")
    probe.expect_message("still read")
