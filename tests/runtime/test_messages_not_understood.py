"""A message that its receiver does not understand: not delivered, and no failure of the receiver."""

from typing import Generic, Never, TypeVar

import msgspec
import pytest

from mats.runtime import Actor, ActorDeadError, Down, NotUnderstood, Question, Ref, Runtime, VirtualRuntime
from tests.patience import PATIENCE
from tests.runtime.actors_for_tests import Teller

M = TypeVar("M")


class Sell(msgspec.Struct, frozen=True):
    what: str


class SellGift(Sell, frozen=True):
    """A subclass of what is understood."""


class Count(Question[int], frozen=True):
    pass


class Foreign(Question[str], frozen=True):
    pass


ShopMessage = Sell | Count


class Shop(Actor[ShopMessage]):
    def on_start(self) -> None:
        self.sold = 0

    def on_receive(self, message: ShopMessage) -> object:
        match message:
            case Sell():
                self.sold += 1
            case Count():
                return message.answer(self.sold)
        return None


class LoopShop(Shop):
    host = "loop"


class Untyped(Actor):
    """Names no union: what its handler passes on to the base is not understood."""

    sold = 0

    def on_receive(self, message):
        match message:
            case Sell():
                self.sold += 1
            case Count():
                return self.sold
            case _:
                super().on_receive(message)
        return None


class UntypedLoop(Untyped):
    host = "loop"

    async def on_receive(self, message):
        return super().on_receive(message)


class Counting(Actor[Count | M], Generic[M]):
    """A base that understands Count, and leaves it to subclasses what else."""


class Special(Counting[Sell]):
    def on_receive(self, message: Count | Sell) -> object:
        return message.answer(0) if isinstance(message, Count) else None


class Plain(Counting[Never]):
    """Adds nothing."""

    def on_receive(self, message: Count) -> object:
        return message.answer(0)


class Waiting(Actor[Sell]):
    """Arms a timer of a message that it does not understand, past the type checker."""

    def on_start(self) -> None:
        self.after(0.001, Foreign())  # type: ignore[arg-type]


class Inattentive(Actor[Sell]):
    """Watches, and does not understand Down."""

    def on_start(self) -> None:
        self.watch(self.runtime.ref("target"))  # type: ignore[misc]


def lost(runtime: Runtime) -> list[tuple[str, str, object]]:
    return [(letter.reason, letter.target, letter.message) for letter in runtime.dead_letters.recent]


@pytest.mark.parametrize("kind", [Shop, LoopShop, Untyped, UntypedLoop])
def test_it_is_a_dead_letter_and_the_actor_goes_on(runtime: Runtime, kind: type[Actor]) -> None:
    """S1.8"""
    ref = runtime.spawn(kind, name="shop")
    ref.tell(Sell("apple"))
    ref.tell(Foreign())
    ref.tell(SellGift("pear"))
    assert ref.ask(Count(), timeout=PATIENCE) == 2
    assert lost(runtime) == [("not understood", "shop", Foreign())]
    assert ref.incarnation == 1


@pytest.mark.parametrize("kind", [Shop, LoopShop, Untyped, UntypedLoop])
def test_its_asker_is_told_at_once(runtime: Runtime, kind: type[Actor]) -> None:
    """S3.9"""
    ref = runtime.spawn(kind, name="shop")
    before = runtime.monotonic()
    with pytest.raises(NotUnderstood, match="shop did not handle Foreign: not understood"):
        ref.ask(Foreign(), timeout=PATIENCE)
    if isinstance(runtime, VirtualRuntime):
        assert runtime.monotonic() == before
    assert issubclass(NotUnderstood, ActorDeadError)
    assert ref.ask(Count(), timeout=PATIENCE) == 0
    assert lost(runtime) == [("not understood", "shop", Foreign())]


def test_a_subclass_adds_to_the_messages_of_its_base(runtime: Runtime) -> None:
    ref = runtime.spawn(Special, name="special")
    assert ref.ask(Count(), timeout=PATIENCE) == 0
    ref.tell(Sell("apple"))
    with pytest.raises(NotUnderstood):
        ref.ask(Foreign(), timeout=PATIENCE)
    plain = runtime.spawn(Plain, name="plain")
    assert plain.ask(Count(), timeout=PATIENCE) == 0
    plain.tell(Sell("pear"))  # type: ignore[arg-type]
    with pytest.raises(NotUnderstood):
        plain.ask(Foreign(), timeout=PATIENCE)
    assert lost(runtime) == [
        ("not understood", "special", Foreign()),
        ("not understood", "plain", Sell("pear")),
        ("not understood", "plain", Foreign()),
    ]


def test_a_timer_and_a_watch_are_no_exception(runtime: Runtime) -> None:
    letters = runtime.probe()
    runtime.dead_letters.subscribe(lambda letter: letters.ref.tell((letter.reason, letter.target, letter.message)))
    runtime.spawn(Waiting, name="waiting")
    assert letters.receive(1) == [("not understood", "waiting", Foreign())]
    target = runtime.spawn(Teller, name="target")
    target.stop()
    letters.expect_down(target)
    runtime.spawn(Inattentive, name="inattentive")
    assert letters.receive(1) == [("not understood", "inattentive", Down("target", 1, None, "noproc"))]


def test_whoever_names_no_messages_gets_all(runtime: Runtime) -> None:
    probe = runtime.probe()
    ref: Ref[object] = runtime.spawn(Teller, Teller.Args(probe.ref), name="open")
    ref.tell(Foreign())
    probe.expect_message((1, Foreign()))
    runtime.dead_letters.assert_none()
