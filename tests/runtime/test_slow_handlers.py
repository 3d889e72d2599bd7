"""A handler that holds its actor too long is seen, while it does."""

import re
from threading import Event as Flag

import msgspec
import pytest

from mats.runtime import Actor, ChildSpec, HandlerSlow, SupervisorSpec, ThreadRuntime, VirtualClock
from tests.patience import PATIENCE

STEP = 0.1
"""Seconds: what is slow, and how far the test turns the clock at a time. Nothing is slow while the clock stands."""


class Ponder(Actor[object]):
    """Is slow when it is handed a flag: until the flag is set."""

    class Args(msgspec.Struct, frozen=True):
        began: Flag

    def __init__(self, args: Args) -> None:
        self.began = args.began

    def on_receive(self, message: object) -> object:
        if isinstance(message, Flag):
            self.began.set()
            message.wait(PATIENCE)
        return message


@pytest.fixture
def runtime():
    made = ThreadRuntime(slow_seconds=STEP, clock=VirtualClock())
    yield made
    made.stop(PATIENCE)


@pytest.fixture
def ponder(runtime):
    """An actor in a tree, what is said of slow handlers, a flag for its first, and one for the begin of a handler."""
    told, first, began = [], Flag(), Flag()

    def hear(event):
        if isinstance(event, HandlerSlow):
            told.append(event)
            first.set()

    runtime.on_event.append(hear)
    child = ChildSpec(name="ponder", actor=Ponder, args=Ponder.Args(began=began))
    runtime.start(SupervisorSpec(name="root", children=(child,)))
    runtime.wait_started(PATIENCE)
    return runtime.ref("ponder"), told, first, began


def status(runtime):
    return next(line for line in runtime.status() if line.name == "ponder")


def test_a_slow_handler_is_told_once_with_its_message_and_place_while_it_lasts(runtime, ponder):
    """S11.7"""
    ref, told, first, began = ponder
    done = Flag()
    ref.tell(done)
    assert began.wait(PATIENCE)
    while not first.wait(STEP):
        runtime.clock.set(runtime.clock.seconds + STEP)
        assert runtime.clock.seconds < PATIENCE
    assert not done.is_set()
    runtime._watchdog.look()
    done.set()
    assert ref.ask("over", timeout=PATIENCE) == "over"
    (event,) = told
    assert (event.name, event.message) == ("ponder", "Event")
    assert event.seconds >= STEP
    assert "message.wait" in event.stack
    assert re.fullmatch(r"Event \d+\.\d s", status(runtime).slow)


def test_many_quick_messages_and_an_idle_actor_are_not_slow(runtime, ponder):
    """S11.7"""
    ref, told, _, began = ponder
    for number in range(500):
        ref.tell(number)
    assert ref.ask("over", timeout=PATIENCE) == "over"
    done = Flag()
    ref.tell(done)
    assert began.wait(PATIENCE)
    runtime._watchdog.look()
    done.set()
    assert ref.ask("over", timeout=PATIENCE) == "over"
    assert told == []
    assert status(runtime).slow == ""
