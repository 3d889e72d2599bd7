"""The one protocol of those who follow a state: whatever is lost, doubled, late or restarted, they end up with it."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from actors.base.subscription import RENEW_TICKS, FollowerDown, Publisher, Subscription
from actors.messages.subscription import NOTHING, Change, Snapshot, Subscribe, Unsubscribe, Unsubscribed, Version
from mats.runtime import Down

TOPIC = "numbers"
FAILED, STOPPED = Down("service", 1, None, "failed"), Down("service", 1, None, "normal")
Message = Snapshot[tuple[int, ...]] | Change[int]


class Wire:
    """A ref whose messages stay under way until they are delivered, dropped or doubled."""

    name = "wire"

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def offer(self, message: Any) -> bool:
        self.messages.append(message)
        return True

    tell = offer


class Life:
    """One life of an actor that a half belongs to."""

    name = "service"

    def __init__(self, incarnation: int) -> None:
        self.incarnation, self.watched = incarnation, list[Any]()

    def watch(self, ref: Any, tag: object = None) -> None:
        self.watched.append(tag)


class Pair:
    """A publisher of a growing tuple, a follower, and what is under way between them."""

    def __init__(self) -> None:
        self.requests, self.answers = Wire(), Wire()
        self.state: tuple[int, ...] = ()
        self.lives = 0
        self.restart_publisher()
        self.restart_follower()

    def restart_publisher(self) -> None:
        """What it had not saved is lost, and nobody follows the new one yet."""
        self.lives += 1
        self.state = self.state[: len(self.state) // 2]
        self.service = Life(self.lives)
        self.publisher = Publisher[tuple[int, ...], int](self.service, "numbers", lambda topic: self.state)  # type: ignore[arg-type]

    def restart_follower(self) -> None:
        self.seen: tuple[int, ...] | None = None
        self.reader = Life(1)
        follower: Any = self.answers
        self.subscription = Subscription[tuple[int, ...], int](
            self.reader,  # type: ignore[arg-type]
            self.requests,  # type: ignore[arg-type]
            lambda since: self.requests.offer(Subscribe(TOPIC, follower, since)),
        )
        self.subscription.renew()

    def change(self, number: int) -> None:
        self.state += (number,)
        self.publisher.publish(TOPIC, number)

    def deliver(self, message: Message | Subscribe[tuple[int, ...], int]) -> None:
        if isinstance(message, Subscribe):
            self.publisher.subscribe(message)
            return
        taken = self.subscription.take(message)
        if isinstance(taken, tuple):
            self.seen = taken
        elif taken is not None:
            assert self.seen is not None
            self.seen += (taken,)

    def deliver_all(self) -> int:
        """In order; how many messages there were."""
        count = 0
        while wires := [wire for wire in (self.requests, self.answers) if wire.messages]:
            self.deliver(wires[0].messages.pop(0))
            count += 1
        return count


class AnythingHappens(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair()
        self.numbers = iter(range(1, 1_000_000))

    @rule()
    def change(self) -> None:
        self.pair.change(next(self.numbers))

    @rule()
    def publisher_restarts(self) -> None:
        self.pair.restart_publisher()

    @rule()
    def follower_restarts(self) -> None:
        self.pair.restart_follower()

    @rule()
    def time_passes(self) -> None:
        self.pair.subscription.tick()

    @rule()
    def publisher_is_seen_to_end(self) -> None:
        self.pair.subscription.lost(FAILED)

    @rule()
    def follower_is_seen_to_end(self) -> None:
        self.pair.publisher.drop(FollowerDown(self.pair.answers))  # type: ignore[arg-type]

    @precondition(lambda self: self.pair.requests.messages or self.pair.answers.messages)
    @rule(data=st.data(), fate=st.sampled_from(("delivered", "doubled", "lost")))
    def something_under_way_is(self, data: st.DataObject, fate: str) -> None:
        wires = [wire for wire in (self.pair.requests, self.pair.answers) if wire.messages]
        wire = data.draw(st.sampled_from(wires))
        place = data.draw(st.integers(0, len(wire.messages) - 1))
        message = wire.messages[place] if fate == "doubled" else wire.messages.pop(place)
        if fate != "lost":
            self.pair.deliver(message)

    def teardown(self) -> None:
        """Nothing more happens but that time passes."""
        for _ in range(RENEW_TICKS):
            self.pair.subscription.tick()
            self.pair.deliver_all()
        assert self.pair.seen == self.pair.state
        for _ in range(2 * RENEW_TICKS):
            self.pair.subscription.tick()
        requests = len(self.pair.requests.messages)
        assert self.pair.deliver_all() == requests == 2, "who has missed nothing gets no answer"


TestAnythingHappens = AnythingHappens.TestCase
TestAnythingHappens.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


@given(st.lists(st.integers(1, 9), max_size=20))
def test_changes_that_arrive_are_applied_one_by_one_and_nothing_is_asked(numbers: list[int]) -> None:
    pair = Pair()
    pair.deliver_all()
    for number in numbers:
        pair.change(number)
    assert pair.deliver_all() == len(numbers)
    assert pair.seen == tuple(numbers)


def test_a_gap_is_asked_about_once_and_closed_by_a_snapshot() -> None:
    pair = Pair()
    pair.deliver_all()
    pair.change(1)
    pair.answers.messages.clear()
    pair.change(2)
    pair.change(3)
    assert pair.deliver_all() == 2 + 1 + 1
    assert pair.seen == (1, 2, 3)


def test_the_end_of_the_publisher_is_watched_once_in_each_of_its_lives() -> None:
    pair = Pair()
    pair.deliver_all()
    pair.change(1)
    pair.answers.messages.clear()
    pair.subscription.lost(FAILED)
    pair.deliver_all()
    assert len(pair.reader.watched) == 1
    pair.restart_publisher()
    pair.subscription.lost(FAILED)
    pair.deliver_all()
    assert len(pair.reader.watched) == 2


def test_a_publisher_that_was_stopped_is_asked_only_as_time_passes() -> None:
    pair = Pair()
    pair.deliver_all()
    pair.subscription.lost(STOPPED)
    assert not pair.requests.messages
    pair.subscription.tick()
    assert len(pair.requests.messages) == 1


def test_a_follower_is_watched_once_however_often_it_asks() -> None:
    pair = Pair()
    for _ in range(3):
        pair.subscription.renew()
    pair.deliver_all()
    assert pair.service.watched == [FollowerDown(pair.answers)]  # type: ignore[arg-type]


def test_a_late_snapshot_takes_nobody_back() -> None:
    pair = Pair()
    pair.subscription.renew()
    pair.deliver(pair.requests.messages[0])
    late = pair.answers.messages[0]
    pair.deliver_all()
    pair.change(1)
    pair.deliver_all()
    pair.deliver(late)
    assert pair.seen == (1,)


def test_a_state_that_is_replaced_is_sent_whole_and_counts_as_one_change() -> None:
    pair = Pair()
    pair.deliver_all()
    pair.state = (7, 7)
    pair.publisher.replace(TOPIC)
    pair.change(8)
    assert pair.deliver_all() == 2
    assert pair.seen == (7, 7, 8)


def test_one_who_leaves_is_told_so_last() -> None:
    pair = Pair()
    pair.deliver_all()
    pair.publisher.unsubscribe(Unsubscribe(pair.answers))  # type: ignore[arg-type]
    pair.change(1)
    assert pair.answers.messages == [Unsubscribed("service")]


def test_a_later_life_is_newer_whatever_its_number() -> None:
    assert NOTHING < Version(1, 0) < Version(1, 7) < Version(2, 0)
