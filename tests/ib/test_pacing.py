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

    def put(self, lane: SendLane, name: str) -> None:
        self.pacer.put(lane, Outgoing(lambda: self.sent.append((self.clock.now, name)), Unsent(1, name)))

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
        bench.put(SendLane.DATA if n % 3 else SendLane.URGENT, str(n))
    bench.run()
    assert len(bench.sent) == 500
    assert busiest_second([time for time, _ in bench.sent]) <= 48


def test_an_order_overtakes_every_waiting_request() -> None:
    bench = Bench()
    for n in range(180):
        bench.put(SendLane.DATA, f"data {n}")
    bench.pump()
    before = len(bench.sent)
    bench.put(SendLane.URGENT, "order")
    bench.pump()
    assert bench.sent[before:] == [(1_000.0, "order")], "the reserve sends it at once"


def test_orders_keep_their_order() -> None:
    bench = Bench()
    for n in range(60):
        bench.put(SendLane.URGENT, str(n))
    bench.run()
    assert [name for _, name in bench.sent] == [str(n) for n in range(60)]


def test_a_full_lane_refuses_and_leaves_the_other_open() -> None:
    bench = Bench(capacity=3)
    for n in range(3):
        bench.put(SendLane.DATA, str(n))
    with pytest.raises(QueueFull, match="3 messages already wait in lane DATA"):
        bench.put(SendLane.DATA, "one too many")
    bench.put(SendLane.URGENT, "order")
    bench.run()
    assert [name for _, name in bench.sent] == ["order", "0", "1", "2"]


def test_what_was_never_sent_is_named_when_cleared() -> None:
    bench = Bench(rate=1.0, burst=1.0, reserve=0.0)
    for name in ("place", "modify", "cancel"):
        bench.put(SendLane.URGENT, name)
    bench.pump()
    assert bench.pacer.clear() == (Unsent(1, "modify"), Unsent(1, "cancel"))
    assert len(bench.pacer) == 0


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
