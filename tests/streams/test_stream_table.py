"""Streams as states: whatever the broker says or fails to say, data are asked for until they flow."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mats.model.market_data import Bar, MarketStream, StreamMeaning, StreamNotice
from mats.model.timestamp import SECOND
from mats.streams import ANSWER_SECONDS, LONGEST_RETRY, StreamPhase, StreamTable

BARS = MarketStream.BARS
SPY = ("SPY", BARS)
BAR = 5
OPEN = 0.0

OF_ONE = [
    StreamMeaning.STOPPED,
    StreamMeaning.COMPETING,
    StreamMeaning.PACED,
    StreamMeaning.NOT_SUBSCRIBED,
    StreamMeaning.DELAYED,
    StreamMeaning.REFUSED,
]


@dataclass
class Broker:
    """A broker that serves requests, unless something is wrong with it; time goes in seconds."""

    table: StreamTable
    names: tuple[str, ...] = ("SPY",)
    now: float = 0.0
    refusing: StreamMeaning | None = None
    silent: bool = False
    linked: bool = True
    serving: set[str] = field(default_factory=set)
    asked: list[tuple[float, str]] = field(default_factory=list)
    open: bool = True
    extended: bool = False
    opened: float = OPEN
    last: dict[str, float] = field(default_factory=dict)
    used: list[tuple[float, str]] = field(default_factory=list)

    def ask(self, name: str) -> None:
        self.table.asked((name, BARS), self.now)
        self.asked.append((self.now, name))
        if self.refusing:
            self.serving.discard(name)
            self.table.noticed(StreamNotice(self.refusing, "refused (code 1)", name, BARS), self.now)
        elif not self.silent and self.linked:
            self.serving.add(name)

    def second(self) -> None:
        """One second: a bar where one is due, then the look at every stream."""
        self.now += 1.0
        if self.now % BAR == 0 and (self.open or self.extended):
            for name in self.serving:
                start = int(self.now - BAR) * SECOND
                if self.table.received_bar(Bar(name, start, BAR, 1.0, 1.0, 1.0, 1.0, 0.0), self.now):
                    self.used.append((self.now, name))
                self.last[name] = self.now
        for name, _ in self.table.look(self.now, dict.fromkeys(self.names, self.opened if self.open else None)):
            self.ask(name)

    def seconds(self, count: float) -> None:
        for _ in range(int(count)):
            self.second()

    def until_flowing(self, most: float) -> float:
        """The seconds until every stream flows."""
        begun = self.now
        while not all(self.table[(name, BARS)].phase is StreamPhase.FLOWING for name in self.names):
            self.second()
            assert self.now - begun <= most, [self.table[(name, BARS)] for name in self.names]
        return self.now - begun


def a_broker(*names: str, seed: int = 1, delayed: bool = False) -> Broker:
    broker = Broker(StreamTable(random.Random(seed).random, delayed=delayed), names or ("SPY",))
    for name in broker.names:
        broker.ask(name)
    broker.seconds(20)
    return broker


def phase(broker: Broker, name: str = "SPY") -> StreamPhase:
    return broker.table[(name, BARS)].phase


def test_a_stream_that_is_served_flows_and_is_asked_for_once() -> None:
    broker = a_broker()
    broker.seconds(3_600)
    assert phase(broker) is StreamPhase.FLOWING
    assert len(broker.asked) == 1
    assert broker.table.transitions() == []
    assert broker.table.faults() == {}


def test_a_dead_stream_is_found_within_two_bars_and_asked_for_at_once() -> None:
    broker = a_broker()
    broker.serving.clear()
    died = broker.now
    broker.seconds(ANSWER_SECONDS + 1)
    assert len(broker.asked) == 2
    assert broker.asked[-1][0] - died <= 2 * BAR + 3
    assert broker.until_flowing(BAR + 1) <= BAR
    hole = broker.table.holes()
    assert [(one.start // SECOND, one.end // SECOND) for one in hole] == [(20, int(broker.now) - BAR)]


def test_a_night_is_silent_and_costs_one_request() -> None:
    broker = a_broker()
    broker.open = False
    broker.seconds(8 * 3_600)
    assert phase(broker) is StreamPhase.CLOSED
    assert len(broker.asked) == 2
    assert broker.table.faults() == {}
    assert broker.table.transitions() == []
    broker.open, broker.opened = True, broker.now
    broker.until_flowing(BAR)
    assert len(broker.asked) == 2


def test_a_stream_that_dies_in_extended_hours_is_asked_for_once_more() -> None:
    broker = a_broker()
    broker.open, broker.extended = False, True
    broker.seconds(60)
    broker.serving.clear()
    broker.seconds(2 * ANSWER_SECONDS + 2)
    assert len(broker.asked) == 2
    broker.until_flowing(BAR)


def test_a_stream_that_died_at_night_is_found_at_the_open() -> None:
    broker = a_broker()
    broker.open = False
    broker.seconds(1_800)
    broker.serving.clear()
    broker.seconds(1_800)
    broker.open, broker.opened = True, broker.now
    broker.until_flowing(ANSWER_SECONDS + BAR + 2)
    assert len(broker.asked) == 3


@pytest.mark.parametrize("meaning", OF_ONE)
def test_whatever_is_said_of_a_stream_it_is_asked_for_again(meaning: StreamMeaning) -> None:
    broker = a_broker()
    broker.table.noticed(StreamNotice(meaning, "no (code 7)", "SPY", BARS), broker.now)
    broker.serving.clear()
    assert phase(broker).troubled
    assert broker.table[SPY].reason == "no (code 7)"
    broker.until_flowing(LONGEST_RETRY)


@pytest.mark.parametrize("meaning", OF_ONE)
def test_requests_of_a_stream_that_is_always_refused_are_bounded_and_told_once(meaning: StreamMeaning) -> None:
    broker = a_broker()
    broker.table.transitions()
    broker.refusing = meaning
    broker.serving.clear()
    broker.seconds(86_400)
    assert 200 < len(broker.asked) < 320
    told = broker.table.transitions()
    assert len(told) <= 2  # that it fell silent, and what the broker said when it was asked for again
    assert broker.table.faults() == {"SPY": f"the bars of SPY are {phase(broker)}: refused (code 1)"}


def test_retries_of_many_streams_do_not_come_together() -> None:
    broker = a_broker(*(f"I{number}" for number in range(50)))
    broker.refusing = StreamMeaning.COMPETING
    broker.serving.clear()
    broker.seconds(3_600)
    last = [at for at, _ in broker.asked if at > 3_000]
    assert max(last.count(at) for at in last) < 10


def test_the_farm_is_waited_for_and_streams_are_verified_when_it_is_back() -> None:
    broker = a_broker()
    broker.table.noticed(StreamNotice(StreamMeaning.FARM_DOWN, "farm connection is broken:usfarm"), broker.now)
    assert phase(broker) is StreamPhase.FLOWING  # it may be another farm's
    broker.serving.clear()
    broker.silent = True
    broker.seconds(600)
    assert phase(broker) is StreamPhase.WAITING
    assert broker.table[SPY].reason == "farm connection is broken:usfarm"
    broker.silent = False
    broker.table.noticed(StreamNotice(StreamMeaning.FARM_UP, "farm connection is OK:usfarm"), broker.now)
    broker.until_flowing(1.2 * ANSWER_SECONDS + BAR + 1)


def test_a_farm_that_comes_back_with_its_data_costs_no_request() -> None:
    broker = a_broker()
    broker.table.noticed(StreamNotice(StreamMeaning.FARM_DOWN, "broken:usfarm"), broker.now)
    broker.table.noticed(StreamNotice(StreamMeaning.FARM_UP, "OK:usfarm"), broker.now)
    broker.seconds(60)
    assert len(broker.asked) == 1


def test_nothing_is_asked_without_a_link_and_everything_is_verified_after_it() -> None:
    broker = a_broker("SPY", "QQQ")
    broker.table.noticed(StreamNotice(StreamMeaning.LINK_DOWN, "1100 lost"), broker.now)
    broker.serving.clear()
    broker.seconds(3_600)
    assert len(broker.asked) == 2
    assert broker.table.faults()["QQQ"] == "the bars of QQQ are waiting: 1100 lost"
    broker.table.noticed(StreamNotice(StreamMeaning.LINK_UP, "1102 back"), broker.now)
    broker.until_flowing(1.2 * ANSWER_SECONDS + BAR + 1)


def test_lost_streams_were_asked_for_by_their_connection() -> None:
    broker = a_broker()
    broker.table.noticed(StreamNotice(StreamMeaning.STREAMS_LOST, "1101"), broker.now)
    assert phase(broker) is StreamPhase.STALE
    broker.until_flowing(BAR)
    assert len(broker.asked) == 1


def test_a_slow_stream_is_learned_and_not_asked_for_for_ever() -> None:
    table = StreamTable(random.Random(1).random, delayed=False)
    table.asked(SPY, 0.0)
    asked = 0
    for second in range(1, 4 * 3_600):
        if second % 60 == 0:
            table.received_bar(Bar("SPY", (second - 5) * SECOND, BAR, 1.0, 1.0, 1.0, 1.0, 0.0), float(second))
        for key in table.look(float(second), {"SPY": OPEN}):
            table.asked(key, float(second))
            asked += 1
    assert asked < 10
    assert 60.0 <= table[SPY].limit <= 130.0
    assert table.faults() == {}


def test_delayed_data_are_used_only_where_the_settings_allow_them() -> None:
    bar = Bar("SPY", 100 * SECOND, BAR, 1.0, 1.0, 1.0, 1.0, 0.0)
    notice = StreamNotice(StreamMeaning.DELAYED, "displaying delayed data (code 2)", "SPY", BARS)
    refused, allowed = a_broker(), a_broker(delayed=True)
    for broker in (refused, allowed):
        broker.table.noticed(notice, broker.now)
    assert not refused.table.received_bar(bar, refused.now)
    assert phase(refused) is StreamPhase.REFUSED
    assert allowed.table.received_bar(bar, allowed.now)
    assert phase(allowed) is StreamPhase.DELAYED
    assert allowed.table.faults() == {}
    assert [state.phase for _, state in allowed.table.transitions()] == [StreamPhase.DELAYED]


def test_a_new_connection_is_asked_by_its_owner() -> None:
    broker = a_broker()
    broker.table.disconnected("the connection is lost", broker.now)
    broker.serving.clear()
    broker.seconds(60)
    broker.table.connected()
    broker.seconds(60)
    assert len(broker.asked) == 1
    assert not broker.table.requested(SPY)
    broker.ask("SPY")
    broker.until_flowing(BAR)


# Any faults in any order

FAULTS = ["stop", "farm", "blip", "link", "lost", "silence", "refuse", "reconnect", "night", *OF_ONE]


def play(broker: Broker, fault: str, length: int) -> None:
    """A fault that begins, lasts, and has gone."""
    table, names = broker.table, broker.names
    if fault in OF_ONE:
        broker.refusing = StreamMeaning(fault)
        for name in names:
            broker.serving.discard(name)
            table.noticed(StreamNotice(broker.refusing, "said (code 9)", name, BARS), broker.now)
        broker.seconds(length)
        broker.refusing = None
    elif fault == "silence":
        broker.serving.clear()
        broker.silent = True
        broker.seconds(length)
        broker.silent = False
    elif fault == "stop":
        broker.serving.clear()
        broker.seconds(length)
    elif fault in ("farm", "blip"):
        table.noticed(StreamNotice(StreamMeaning.FARM_DOWN, "broken:f"), broker.now)
        broker.serving.clear()
        broker.silent = fault == "farm"
        broker.seconds(length)
        broker.silent = False
        table.noticed(StreamNotice(StreamMeaning.FARM_UP, "OK:f"), broker.now)
    elif fault in ("link", "lost"):
        table.noticed(StreamNotice(StreamMeaning.LINK_DOWN, "1100"), broker.now)
        broker.linked = False
        broker.serving.clear()
        broker.seconds(length)
        broker.linked = True
        if fault == "lost":
            broker.serving.update(names)
        table.noticed(
            StreamNotice(StreamMeaning.STREAMS_LOST if fault == "lost" else StreamMeaning.LINK_UP, "back"), broker.now
        )
    elif fault == "reconnect":
        table.disconnected("lost", broker.now)
        broker.serving.clear()
        broker.seconds(length)
        table.connected()
        for name in names:
            broker.ask(name)
    elif fault == "night":
        broker.open = False
        broker.seconds(length)
        broker.open, broker.opened = True, broker.now


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int]]:
    return draw(st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, 1_200)), min_size=1, max_size=6))


def silences(broker: Broker) -> Iterator[float]:
    for name in broker.names:
        yield broker.now - broker.last.get(name, 0.0)


@given(history=histories(), seed=st.integers(0, 1_000))
@settings(max_examples=300)
def test_after_any_faults_data_flow_again_in_time(history: list[tuple[str, int]], seed: int) -> None:
    broker = a_broker("SPY", "QQQ", seed=seed)
    for fault, length in history:
        play(broker, fault, length)
    # A farm's and a link's return are verified at once; any other cause may go just after a try.
    took = broker.until_flowing(LONGEST_RETRY + 2 * ANSWER_SECONDS)
    if history[-1][0] in ("farm", "blip", "link", "lost", "reconnect", "night", "stop"):
        assert took <= LONGEST_RETRY + ANSWER_SECONDS + BAR
    assert broker.table.faults() == {}
    per_stream = len(broker.asked) / len(broker.names)
    assert per_stream <= 4 + sum(6 + length / 15 for _, length in history)


@given(history=histories(), seed=st.integers(0, 1_000))
@settings(max_examples=200)
def test_a_stream_that_has_been_silent_is_a_fault_while_its_market_is_open(
    history: list[tuple[str, int]], seed: int
) -> None:
    broker = a_broker("SPY", "QQQ", seed=seed)
    plain = broker.second

    def checked() -> None:
        plain()
        if not broker.open:
            return
        for name in broker.names:
            state = broker.table[(name, BARS)]
            heard = max(broker.last.get(name, 0.0), broker.opened, state.asked_at or 0.0)
            if broker.now - heard > state.limit:
                assert name in broker.table.faults(), (fault, state)

    broker.second = checked  # type: ignore[method-assign]
    for fault, length in history:
        play(broker, fault, length)
