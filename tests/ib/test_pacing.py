"""Pacing in fake time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.ib.errors import QueueFull
from mats.ib.events import Unsent
from mats.ib.pacing import Outgoing, Pacer, SendLane


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """A pacer whose messages note when they were sent."""

    def __init__(self, **options: float) -> None:
        self.clock = Clock()
        self.pacer = Pacer(self.clock, **options)  # type: ignore[arg-type]
        self.sent: list[tuple[float, str]] = []
        self._made = 1_000

    def put(self, lane: SendLane, name: str, order_id: int = 0) -> None:
        """A message about the order `order_id`; every message is about one of its own unless that is given."""
        self._made += 1
        about = Unsent(order_id or self._made, name, intent_id=f"i{order_id}")
        self.pacer.put(lane, Outgoing(lambda: self.sent.append((self.clock.now, name)), about))

    @property
    def names(self) -> list[str]:
        return [name for _, name in self.sent]

    def pump(self) -> None:
        while message := self.pacer.take():
            message.send()

    def run(self) -> None:
        """Until nothing waits, as a loop's timer would."""
        self.pump()
        while (delay := self.pacer.delay()) is not None:
            self.clock.now += delay
            self.pump()


def busiest_second(times: list[float]) -> int:
    return max(sum(1 for other in times if start <= other < start + 1.0) for start in times)


def test_no_second_sees_more_than_the_limit() -> None:
    bench = Bench()
    for n in range(500):
        bench.put(SendLane.DATA if n % 3 else SendLane.ORDER, str(n))
    bench.run()
    assert len(bench.sent) == 500
    assert busiest_second([time for time, _ in bench.sent]) <= 48


def test_what_leaves_in_one_counts_as_what_it_is() -> None:
    bench = Bench()
    for _ in range(60):
        bench.pacer.put(SendLane.ORDER, Outgoing(lambda: bench.sent.append((bench.clock.now, "3")), messages=3))
    bench.run()
    assert len(bench.sent) == 60
    assert busiest_second([time for time, _ in bench.sent for _ in range(3)]) <= 48


def test_an_order_overtakes_every_waiting_request() -> None:
    bench = Bench()
    for n in range(180):
        bench.put(SendLane.DATA, f"data {n}")
    bench.pump()
    before = len(bench.sent)
    bench.put(SendLane.ORDER, "order")
    bench.pump()
    assert bench.sent[before:] == [(1_000.0, "order")], "the reserve sends it at once"


def test_orders_keep_their_order() -> None:
    bench = Bench()
    for n in range(60):
        bench.put(SendLane.ORDER, str(n))
    bench.run()
    assert [name for _, name in bench.sent] == [str(n) for n in range(60)]


def test_a_full_lane_refuses_and_leaves_the_other_open() -> None:
    bench = Bench(capacity=3)
    for n in range(3):
        bench.put(SendLane.DATA, str(n))
    with pytest.raises(QueueFull, match="3 messages already wait in lane DATA"):
        bench.put(SendLane.DATA, "one too many")
    bench.put(SendLane.ORDER, "order")
    bench.run()
    assert [name for _, name in bench.sent] == ["order", "0", "1", "2"]


def test_what_was_never_sent_is_named_when_cleared() -> None:
    bench = Bench(rate=1.0, burst=1.0, reserve=0.0)
    bench.put(SendLane.ORDER, "place", 1)
    bench.pump()
    bench.put(SendLane.ORDER, "modify", 2)
    bench.put(SendLane.CANCEL, "cancel", 1)
    bench.put(SendLane.LINK, "heartbeat", 9)
    assert bench.pacer.clear() == (Unsent(2, "modify", "i2"), Unsent(1, "cancel", "i1"))
    assert len(bench.pacer) == 0


def test_cancels_overtake_new_orders_and_heartbeats_overtake_both() -> None:
    bench = Bench()
    for n in range(3_000):
        bench.put(SendLane.ORDER, f"order {n}", n + 1)
    bench.pump()
    before = len(bench.sent)
    for n in range(100):
        bench.put(SendLane.CANCEL, f"cancel {n}", n + 1)
    bench.put(SendLane.DATA, "data")
    bench.put(SendLane.LINK, "heartbeat")
    bench.run()
    after = bench.names[before:]
    assert after[:101] == ["heartbeat", *(f"cancel {n}" for n in range(100))]
    assert after[-1] == "data"
    assert len(after) == 3_000 - before + 102


def test_a_heartbeat_never_waits_for_more_than_one_message_however_many_orders_wait() -> None:
    bench = Bench()
    waits = []
    for n in range(5_000):
        bench.put(SendLane.ORDER, f"order {n}", n + 1)
        bench.put(SendLane.CANCEL, f"cancel {n}", n + 1)
    for beat in range(50):
        for _ in range(7):
            bench.pump()
            bench.clock.now += bench.pacer.delay() or 0.0
        asked = bench.clock.now
        bench.put(SendLane.LINK, f"beat {beat}")
        bench.pump()
        while bench.names[-1] != f"beat {beat}":
            bench.clock.now += bench.pacer.delay() or 0.0
            bench.pump()
        waits.append(bench.clock.now - asked)
    assert max(waits) <= 1 / 40 + 0.001


def test_the_last_token_is_for_cancels_and_heartbeats() -> None:
    bench = Bench()
    for n in range(20):
        bench.put(SendLane.ORDER, f"order {n}")
    bench.pump()
    assert len(bench.sent) == 7
    bench.put(SendLane.CANCEL, "cancel")
    bench.pump()
    assert bench.sent[-1] == (1_000.0, "cancel")


def test_a_cancel_that_waits_is_not_put_twice() -> None:
    bench = Bench(rate=1.0, burst=1.0, reserve=0.0)
    for _ in range(3):
        bench.put(SendLane.CANCEL, "cancel", 4)
        bench.put(SendLane.CANCEL, "other", 5)
    bench.run()
    assert bench.names == ["cancel", "other"]
    bench.put(SendLane.CANCEL, "again", 4)
    bench.run()
    assert bench.names == ["cancel", "other", "again"]


def test_what_waits_about_an_order_is_withdrawn_and_nothing_else() -> None:
    bench = Bench(rate=1.0, burst=1.0, reserve=0.0)
    bench.put(SendLane.ORDER, "first", 1)
    bench.pump()
    for name, order_id in (("place", 2), ("modify", 1), ("place", 3), ("modify", 2)):
        bench.put(SendLane.ORDER, name, order_id)
    assert bench.pacer.unsent_orders() == {"i2", "i3"}
    assert bench.pacer.withdraw(2) == (Unsent(2, "place", "i2"), Unsent(2, "modify", "i2"))
    assert bench.pacer.withdraw(2) == ()
    assert bench.pacer.withdraw(1) == (Unsent(1, "modify", "i1"),)
    assert bench.pacer.unsent_orders() == {"i3"}
    bench.run()
    assert bench.names == ["first", "place"]
    assert len(bench.pacer) == 0


def test_changes_of_one_order_keep_their_order() -> None:
    bench = Bench()
    for n in range(100):
        bench.put(SendLane.ORDER, f"{n}", 1 + n % 3)
    bench.run()
    assert bench.names == [f"{n}" for n in range(100)]


def test_an_idle_pacer_has_nothing_to_wait_for() -> None:
    bench = Bench()
    assert bench.pacer.delay() is None
    assert bench.pacer.take() is None


def test_an_impossible_bucket_is_refused() -> None:
    with pytest.raises(ValueError, match="burst"):
        Pacer(Clock(), burst=2.0, reserve=2.0)


@given(
    steps=st.lists(st.tuples(st.floats(0, 0.3), st.integers(0, 30), st.sampled_from(list(SendLane))), max_size=40),
)
@settings(max_examples=60)
def test_the_limit_holds_for_every_arrival(steps: list[tuple[float, int, SendLane]]) -> None:
    bench = Bench()
    for pause, count, lane in steps:
        bench.clock.now += pause
        for n in range(count):
            bench.put(lane, str(n))
        bench.pump()
    bench.run()
    assert len(bench.sent) == sum(count for _, count, _ in steps)
    assert not bench.sent or busiest_second([time for time, _ in bench.sent]) <= 49
