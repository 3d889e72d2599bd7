"""Refs, mailboxes, dead letters: the same on every host."""

import threading
from collections.abc import Hashable
from typing import ClassVar

import msgspec
import pytest

from mats.runtime import (
    Actor,
    Crash,
    DeadLetter,
    HighWater,
    MailboxSpec,
    MessagesRefused,
    Ref,
    Runtime,
    ThreadRuntime,
    VirtualRuntime,
)
from tests.patience import PATIENCE
from tests.runtime.actors_for_tests import Boom, Forward, Note, Teller, expect_no_more


class Quote(Note, frozen=True):
    """Conflated by its n's first letter."""


def by_letter(message: object) -> Hashable | None:
    return str(message.n)[0] if isinstance(message, Quote) else None


class Small(Teller):
    mailbox: ClassVar[MailboxSpec] = MailboxSpec(capacity=3, never_full=(Boom,))

    def on_receive(self, message: object) -> object:
        assert self.out is not None
        self.out.tell(message)
        return message


class Conflating(Small):
    mailbox: ClassVar[MailboxSpec] = MailboxSpec(capacity=5, conflate=by_letter)


class SelfTeller(Actor[object]):
    mailbox: ClassVar[MailboxSpec] = MailboxSpec(capacity=2)

    class Args(msgspec.Struct, frozen=True):
        out: Ref[object]

    def __init__(self, args: Args) -> None:
        self.out = args.out

    def on_receive(self, message: object) -> None:
        if message == "go":
            for n in range(5):
                self.ref.tell(n)
            self.out.tell("still here")


def waiting_for(runtime: Runtime, actor: type[Actor], name: str = "small") -> Ref[object]:
    """A ref with the mailbox of `actor`, before anybody runs there."""
    ref = runtime.ref(name)
    ref.mailbox.configure(actor.mailbox)
    return ref


def test_refs_of_one_name_are_equal_and_survive_incarnations(runtime: Runtime) -> None:
    """S1.1"""
    probe = runtime.probe()
    first = runtime.spawn(Teller, Teller.Args(probe.ref), name="a")
    first.tell(Boom())
    probe.expect_down(first)
    again = runtime.spawn(Teller, Teller.Args(probe.ref), name="a")
    assert again == first
    assert hash(again) == hash(first)
    assert first != probe.ref
    first.tell("old ref")
    probe.expect_message((2, "old ref"))
    assert first.incarnation == 2
    assert first.is_alive()


def test_telling_a_closed_actor_raises_nothing_and_leaves_a_dead_letter(runtime: Runtime) -> None:
    """S1.2"""
    probe = runtime.probe()
    ref = runtime.spawn(Teller, name="a")
    ref.stop()
    probe.expect_down(ref)
    ref.tell(Note(7))
    (letter,) = runtime.dead_letters.recent
    assert (letter.reason, letter.target, letter.message) == ("closed", "a", Note(7))
    with pytest.raises(AssertionError, match=r"closed at a: Note\(n=7\)"):
        runtime.dead_letters.assert_none()
    runtime.dead_letters.assert_none("closed")


def test_messages_of_one_sender_keep_their_order(runtime: Runtime) -> None:
    """S1.3"""
    probe = runtime.probe()
    ref = runtime.spawn(Teller, Teller.Args(probe.ref), name="a")
    for n in range(200):
        ref.tell(n)
    assert probe.receive(200) == [(1, n) for n in range(200)]


def test_messages_wait_for_an_actor_that_does_not_run_yet(runtime: Runtime) -> None:
    """S1.4"""
    probe = runtime.probe()
    ref = runtime.ref("later")
    ref.tell("early")
    expect_no_more(runtime, probe)
    assert not ref.is_alive()
    runtime.spawn(Teller, Teller.Args(probe.ref), name="later")
    probe.expect_message((1, "early"))


def test_every_message_points_at_its_cause_and_its_root(runtime: Runtime) -> None:
    """S1.5"""
    probe = runtime.probe()
    a, b = runtime.spawn(Teller, name="a"), runtime.spawn(Teller, name="b")
    runtime.trace.switch_on()
    a.tell(Forward(b, Forward(probe.ref, "end")))
    probe.expect_message("end")
    first, second = runtime.trace.chain(probe.last.root)
    assert (first.name, second.name) == ("a", "b")
    assert (first.cause, first.root) == (0, first.id)
    assert (second.cause, second.root) == (first.id, first.id)
    assert (probe.last.cause, probe.last.root) == (second.id, first.id)
    assert first.id < second.id < probe.last.id


def test_an_offer_that_is_refused_says_so_and_is_no_dead_letter(runtime: Runtime) -> None:
    """S1.6"""
    ref = waiting_for(runtime, Small)
    assert [ref.offer(n) for n in range(5)] == [True, True, True, False, False]
    probe = runtime.probe()
    runtime.spawn(Small, Small.Args(probe.ref), name="small")
    assert probe.receive(3) == [0, 1, 2]
    ref.stop()
    probe.expect_down(ref)
    assert not ref.offer("late")
    runtime.dead_letters.assert_none()


def test_all_of_an_actor_runs_in_one_thread_of_its_own(threads: ThreadRuntime) -> None:
    """S1.7"""

    class Where(Actor[object]):
        def __init__(self) -> None:
            self.seen = [threading.get_ident()]

        def on_start(self) -> None:
            self.seen.append(threading.get_ident())

        def on_receive(self, message: object) -> object:
            return [*self.seen, threading.get_ident()]

    seen = threads.spawn(Where, name="w").ask("where", timeout=PATIENCE)
    assert isinstance(seen, list)
    assert len(seen) == 3
    assert len(set(seen)) == 1
    assert threading.get_ident() not in seen


def test_the_system_lane_goes_first_and_knows_no_bound(runtime: Runtime) -> None:
    """S2.1"""
    probe = runtime.probe()
    ref = waiting_for(runtime, Small)
    for n in range(3):
        ref.tell(n)
    for n in range(10):
        assert ref.signal(f"signal {n}")
    runtime.spawn(Small, Small.Args(probe.ref), name="small")
    assert probe.receive(13) == [*(f"signal {n}" for n in range(10)), 0, 1, 2]


def test_a_full_mailbox_refuses_and_a_self_tell_does_not_block(runtime: Runtime) -> None:
    """S2.2 and trap P9 of blocking inboxes"""
    probe = runtime.probe()
    ref = runtime.spawn(SelfTeller, SelfTeller.Args(probe.ref), name="self")
    ref.tell("go")
    probe.expect_message("still here")
    assert runtime.dead_letters.counts == {"full": 3}


def test_classes_that_are_never_refused_are_taken_beyond_the_capacity(runtime: Runtime) -> None:
    """S2.3"""
    probe = runtime.probe()
    ref = waiting_for(runtime, Small)
    accepted = [ref.offer(m) for m in (1, 2, 3, 4, Boom("a"), Boom("b"), 5)]
    assert accepted == [True, True, True, False, True, True, False]
    runtime.spawn(Small, Small.Args(probe.ref), name="small")
    assert probe.receive(5) == [1, 2, 3, Boom("a"), Boom("b")]


def test_conflation_keeps_the_latest_at_the_place_of_the_first(runtime: Runtime) -> None:
    """S2.4"""
    probe = runtime.probe()
    ref = waiting_for(runtime, Conflating)
    for message in (Quote("a1"), Note("x"), Quote("b1"), Quote("a2"), Quote("b2"), Quote("a3")):
        ref.tell(message)
    assert len(ref.mailbox) == 3
    assert ref.mailbox.conflated == 3
    runtime.spawn(Conflating, Conflating.Args(probe.ref), name="small")
    assert probe.receive(3) == [Quote("a3"), Note("x"), Quote("b2")]
    ref.tell(Quote("a4"))
    probe.expect_message(Quote("a4"))


class Strict(Teller):
    """Its key raises for whatever is no Quote; a timer of its own is none."""

    mailbox: ClassVar[MailboxSpec] = MailboxSpec(conflate=lambda message: message.n)  # type: ignore[attr-defined]

    def on_start(self) -> None:
        self.after(0.01, Quote("timer"))
        self.after(0.02, Quote("timer"))


def test_a_key_that_raises_costs_the_sender_nothing_and_timers_are_not_conflated(runtime: Runtime) -> None:
    """S1.2 and S2.4"""
    probe = runtime.probe()
    waiting_for(runtime, Strict, "strict").tell("no n")
    runtime.spawn(Strict, Strict.Args(probe.ref), name="strict")
    assert probe.receive(3) == [(1, "no n"), (1, Quote("timer")), (1, Quote("timer"))]


def test_asks_are_not_conflated(threads: ThreadRuntime) -> None:
    """S2.4"""
    probe = threads.probe()
    ref = waiting_for(threads, Conflating)
    ref.tell(Quote("a1"))
    answers: list[object] = []
    asker = threading.Thread(target=lambda: answers.append(ref.ask(Quote("a2"), timeout=PATIENCE)))
    asker.start()
    while len(ref.mailbox) < 2:
        assert asker.is_alive()
    threads.spawn(Conflating, Conflating.Args(probe.ref), name="small")
    asker.join(PATIENCE)
    assert answers == [Quote("a2")]
    assert probe.receive(2) == [Quote("a1"), Quote("a2")]


def test_high_water_is_reported_once_until_the_mailbox_was_empty(runtime: Runtime) -> None:
    """S2.6"""
    events: list[object] = []
    runtime.on_event.append(events.append)
    probe = runtime.probe()
    ref = waiting_for(runtime, Small)
    for n in range(6):
        ref.offer(n)
    assert events == [HighWater("small", 3), MessagesRefused("small", "int", 3)]
    runtime.spawn(Small, Small.Args(probe.ref), name="small")
    probe.receive(3)
    expect_no_more(runtime, probe)
    if isinstance(runtime, VirtualRuntime):
        del events[2:]
        runtime.pause(ref)
        for n in range(6):
            ref.offer(n)
        assert events[2:] == [HighWater("small", 3), MessagesRefused("small", "int", 3)]


def test_a_mailbox_spec_without_room_is_refused() -> None:
    """S7.16"""
    with pytest.raises(ValueError, match="mailbox capacity is 0; give at least 1"):
        MailboxSpec(capacity=0)
    with pytest.raises(ValueError, match="high_water is 11; give 1 to the capacity, 10"):
        MailboxSpec(capacity=10, high_water=11)


def test_dead_letters_are_counted_kept_and_told(runtime: Runtime) -> None:
    """S11.1"""
    told: list[object] = []

    def faulty(letter: DeadLetter) -> None:
        if letter.message == 3:
            raise RuntimeError("a subscriber must not hurt a sender")

    runtime.dead_letters.subscribe(faulty)
    runtime.dead_letters.subscribe(lambda letter: told.append(letter.message))
    ref = waiting_for(runtime, Small)
    for n in range(1_203):
        ref.tell(n)
    assert runtime.dead_letters.counts == {"full": 1_200}
    assert len(runtime.dead_letters) == 1_200
    assert len(runtime.dead_letters.recent) == 1_000
    assert told == list(range(3, 1_203))


def test_crashes_travel_in_line_or_past_it(runtime: Runtime) -> None:
    """S4.9"""
    for in_line, heard in ((True, 3), (False, 0)):
        probe = runtime.probe()
        name = f"crash-{in_line}"
        ref = runtime.ref(name)
        for n in range(3):
            ref.tell(n)
        if in_line:
            ref.tell(Crash("test"))
        else:
            ref.signal(Crash("test"))
        runtime.spawn(Teller, Teller.Args(probe.ref), name=name)
        probe.watch(ref)
        got = [message for message in probe.receive(heard + 1) if isinstance(message, tuple)]
        assert got == [(1, n) for n in range(heard)]
    assert "failed" not in runtime.dead_letters.counts
