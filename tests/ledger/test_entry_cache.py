"""The newest entries in memory: what it still has it gives exactly, and what it forgot it does not pretend to have."""

from hypothesis import given
from hypothesis import strategies as st

from mats.ledger.fill_log.entry_cache import EntryCache


def some(log, count):
    for _ in range(count):
        log.fill("1", "10")
    return log.entries


def test_an_empty_tail_has_nothing(log):
    assert EntryCache(4).span(1, 1) is None


def test_a_span_holds_both_its_ends(log):
    tail = EntryCache(10)
    tail.extend(some(log, 5))
    assert [entry.seq for entry in tail.span(2, 4)] == [2, 3, 4]


def test_a_tail_that_begins_late_does_not_know_what_was_before(log):
    tail = EntryCache(10)
    tail.extend(some(log, 5)[2:])
    assert tail.span(2, 4) is None
    assert [entry.seq for entry in tail.span(3, 3)] == [3]


@given(capacity=st.integers(1, 5), batches=st.lists(st.integers(0, 7), max_size=8), data=st.data())
def test_it_keeps_the_newest_of_its_capacity_and_never_more_than_twice_that(new_log, capacity, batches, data):
    log, tail = new_log(), EntryCache(capacity)
    for size in batches:
        before = len(log.entries)
        some(log, size)
        tail.extend(log.entries[before:])
    last = len(log.entries)
    assert tail.span(max(last - 2 * capacity, 0), last) is None
    if last:
        first = data.draw(st.integers(max(last - capacity, 0) + 1, last))
        assert list(tail.span(first, last)) == log.entries[first - 1 :]
