"""The budget of historical requests: never above a limit of IB, and nearly as much as the limits allow."""

import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.ib.history import HistoricalBudget, HistoricalLimits, RequestCost

LIMITS = HistoricalLimits()


class Hand:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


Sent = tuple[float, RequestCost]


def peak(events: list[tuple[float, int]], span: float) -> int:
    """The greatest weight of events within any span."""
    most = 0
    for begin, _ in events:
        most = max(most, sum(weight for at, weight in events if begin <= at < begin + span))
    return most


def check(sent: list[Sent]) -> None:
    """IB's rules, by its own words, over what was sent."""
    small = [(at, cost.weight) for at, cost in sent if cost.small]
    assert peak(small, LIMITS.window) <= LIMITS.small_requests
    assert peak([(at, 1) for at, cost in sent if not cost.small], LIMITS.window) <= LIMITS.larger_requests
    series, same = defaultdict(list), defaultdict(list)
    for at, cost in sent:
        series[cost.series].append((at, cost.weight))
        same[cost.identity].append(at)
    assert all(peak(events, LIMITS.burst) <= LIMITS.burst_requests for events in series.values())
    for times in same.values():
        assert all(later - earlier >= LIMITS.identical for earlier, later in pairwise(times))


costs = st.builds(
    lambda series, number, small, double: RequestCost(f"{series} {number}", str(series), small, 1 + double),
    series=st.integers(0, 4),
    number=st.integers(0, 30),
    small=st.booleans(),
    double=st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(costs, st.floats(0, 3), st.floats(0, 20), st.booleans()), min_size=50, max_size=300))
def test_no_schedule_is_above_a_limit(schedule: list[tuple[RequestCost, float, float, bool]]) -> None:
    """Requests of random series and sizes, sent late by random times, answered after random times or not at all."""
    clock = Hand()
    budget = HistoricalBudget(clock)
    sent: list[Sent] = []
    under_way: list[tuple[float, object]] = []
    for cost, pause, answer_after, leaves in schedule:
        while delay := budget.wait(cost):
            if math.isinf(delay):
                under_way.sort(key=lambda item: item[0])
                at, ticket = under_way.pop(0)
                clock.now = max(clock.now, at)
                budget.returned(ticket)  # type: ignore[arg-type]
            else:
                clock.now += delay
        ticket = budget.take(cost)
        if leaves:
            budget.returned(ticket)  # its caller left before it was sent
            continue
        clock.now += pause / 100
        budget.sent(ticket)
        sent.append((clock.now, cost))
        under_way.append((clock.now + answer_after, ticket))
        assert len(under_way) <= LIMITS.open_requests
        clock.now += pause
    check(sent)


def saturated(costs: Iterator[RequestCost], seconds: float) -> list[Sent]:
    """What is sent when everything is sent as soon as the budget allows."""
    clock = Hand()
    budget = HistoricalBudget(clock)
    sent: list[Sent] = []
    for cost in costs:
        clock.now += budget.wait(cost)
        if clock.now >= seconds:
            return sent
        ticket = budget.take(cost)
        budget.sent(ticket)
        budget.returned(ticket)
        sent.append((clock.now, cost))
    raise AssertionError("there is always one more")


def distinct(series: int, small: bool, weight: int = 1) -> Iterator[RequestCost]:
    number = 0
    while True:
        number += 1
        yield RequestCost(str(number), str(number % series), small, weight)


@pytest.mark.parametrize(
    ("series", "small", "weight", "seconds", "allowed"),
    [
        (30, True, 1, 6 * 3600.0, 60 * 36),
        (30, True, 2, 6 * 3600.0, 30 * 36),
        (30, False, 1, 6 * 3600.0, 1_200 * 36),
        (1, False, 1, 200.0, 500),
    ],
    ids=["small", "bid and ask", "larger", "one series"],
)
def test_a_saturated_budget_uses_nearly_all_that_is_allowed(
    series: int, small: bool, weight: int, seconds: float, allowed: int
) -> None:
    sent = saturated(distinct(series, small, weight), seconds)
    assert allowed >= len(sent) >= 0.95 * allowed
    check(sent[:1_500])


def test_only_so_many_are_open_at_once() -> None:
    budget = HistoricalBudget(Hand())
    tickets = []
    for cost in distinct(100, small=False):
        if budget.wait(cost):
            break
        tickets.append(budget.take(cost))
    assert len(tickets) == LIMITS.open_requests
    assert math.isinf(budget.wait(next(distinct(1, small=False))))
    budget.returned(tickets[0])
    assert budget.wait(RequestCost("new", "new", False)) == 0


def test_after_a_violation_nothing_is_asked_and_longer_each_time() -> None:
    clock = Hand()
    budget = HistoricalBudget(clock)
    cost = RequestCost("1", "1", small=True)
    holds = []
    for _ in range(8):
        budget.refused()
        holds.append(budget.wait(cost))
        clock.now += holds[-1]
    assert holds == [15, 30, 60, 120, 240, 480, 600, 600]
    budget.accepted()
    budget.refused()
    assert budget.wait(cost) == 15
    assert budget.use().violations == 9


def test_what_an_earlier_process_sent_counts() -> None:
    clock = Hand()
    budget = HistoricalBudget(clock)
    for number in range(60):
        budget.remember(RequestCost(str(number), str(number % 30), small=True), 500.0 - number)
    assert budget.wait(RequestCost("new", "new", small=True)) == pytest.approx(601.0 - 500.0)
    assert budget.use().small == 60


def test_what_was_never_sent_does_not_count() -> None:
    budget = HistoricalBudget(Hand())
    cost = RequestCost("1", "1", small=True)
    budget.returned(budget.take(cost))
    assert budget.wait(cost) == 0
    assert (budget.use().small, budget.use().open) == (0, 0)
