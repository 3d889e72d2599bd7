"""Market data under any sequence of faults: data flow again, the state tells it, no risk on stale data."""

from collections.abc import Callable

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.market_data import MarketData
from actors.messages.broker import (
    InstrumentResolved,
    MarketEvents,
    Ready,
    ResolveInstrument,
    ResubscribeMarket,
    SubscribeMarket,
    Unresolved,
)
from actors.messages.market_data import DataStale, PriceMarked, ReadStreams, SubscribeInstruments
from mats.instruments import parse_instrument
from mats.model.broker_reports import BrokerSnapshot
from mats.model.market_data import Bar, MarketStream, StreamMeaning, StreamNotice
from mats.model.timestamp import SECOND
from mats.risk import Limits, MarketState
from mats.runtime import Actor, VirtualRuntime
from mats.streams import ANSWER_SECONDS, LONGEST_RETRY, StreamView

START = 1_700_000_100 * SECOND
ASKED = parse_instrument("SPY")
SPY = replace(ASKED, con_id=756733)
BAR = 5
NOTHING = BrokerSnapshot(executions=(), commissions=(), open_orders=(), completed_orders=(), positions=())
REFUSALS = [
    StreamMeaning.STOPPED,
    StreamMeaning.COMPETING,
    StreamMeaning.PACED,
    StreamMeaning.NOT_SUBSCRIBED,
    StreamMeaning.DELAYED,
    StreamMeaning.REFUSED,
]
FAULTS = ["silence", "unknown", "reconnect", "link", "lost", "farm", *REFUSALS]


class Line(Actor):
    def __init__(self, take: Callable[[object], None]) -> None:
        self._take = take

    def on_receive(self, message: object) -> None:
        self._take(message)


class World:
    """Market data, a broker whose service can be broken, and what risk makes of what it is sent."""

    def __init__(self) -> None:
        self.runtime = VirtualRuntime(seed=None, start=START)
        self.risk, self.portfolio, self.strategy = (self.runtime.probe(name) for name in ("risk", "portfolio", "trend"))
        self.market = MarketState(Limits(), "USD", ())
        self.broken, self.serving, self.sessions, self.requests = "", False, 0, 0
        self.heard = 0.0
        self.data = self.runtime.spawn(
            MarketData,
            MarketData.Args(
                connection=self.runtime.ref("ib-99"),
                risk=self.risk.ref,
                portfolio=self.portfolio.ref,
                stale_after=30.0,
            ),
            name="market-data",
        )
        self.data.tell(SubscribeInstruments(instruments=("SPY",), quotes=False, follower=self.strategy.ref))
        self.connect()

    def connect(self) -> None:
        self.runtime.launch("ib-99", Line, self.answer, supervised=True)
        self.sessions += 1
        line = self.runtime.ref("ib-99")
        self.data.tell(
            Ready(connection="ib-99", ref=line, client_id=99, session=str(self.sessions), accounts=("DU1",),
                  next_order_id=1, replay=NOTHING, through=0, asked_at=0.0)
        )  # fmt: skip

    def answer(self, message: object) -> None:
        match message:
            case ResolveInstrument() if self.broken in ("unknown", "link", "lost"):
                self.data.tell(Unresolved("SPY", "no such contract"))
            case ResolveInstrument():
                self.data.tell(InstrumentResolved("SPY", SPY))
            case SubscribeMarket() | ResubscribeMarket():
                self.requests += 1
                self.serving = not self.broken
                if self.broken in REFUSALS:
                    self.notice(StreamMeaning(self.broken), "said (code 4711)", "SPY")

    def notice(self, meaning: StreamMeaning, text: str, instrument: str = "") -> None:
        self.data.tell(StreamNotice(meaning, text, instrument, MarketStream.BARS))

    def view(self) -> StreamView:
        return next(iter(self.data.ask(ReadStreams(), timeout=1.0)))

    def second(self) -> None:
        """One second of the market; then what risk would let pass is compared with what is known."""
        runtime = self.runtime
        runtime.advance(1.0)
        now = runtime.clock.now()
        if self.serving and now // SECOND % BAR == 0:
            bar = Bar("SPY", now - BAR * SECOND, BAR, 100.0, 100.0, 100.0, 100.0, 1.0)
            self.data.tell(MarketEvents((bar,), ()))
            self.heard = runtime.clock.monotonic()
        runtime.run_until_idle()
        while (envelope := self.risk._take(0.0)) is not None:
            match envelope.message:
                case PriceMarked(instrument=instrument, price=price):
                    self.market.mark(instrument, price, runtime.clock.monotonic())
                case DataStale(instruments=instruments):
                    self.market.silent = instruments
        self.check()

    def check(self) -> None:
        monotonic = self.runtime.clock.monotonic()
        age = self.market.quote(SPY, self.runtime.clock.now(), monotonic)[1]
        if monotonic - self.heard > 2 * ANSWER_SECONDS and age is not None:
            assert age > self.market.limits.max_price_age_seconds, self.view()
            assert self.market.silent["SPY"]

    def play(self, fault: str, length: int) -> None:
        self.broken, self.serving = fault, False
        if fault in REFUSALS:
            self.notice(StreamMeaning(fault), "said (code 4711)", "SPY")
        elif fault == "farm":
            self.notice(StreamMeaning.FARM_DOWN, "broken:usfarm")
        elif fault in ("link", "lost"):
            self.notice(StreamMeaning.LINK_DOWN, "1100")
        elif fault in ("reconnect", "unknown"):
            self.runtime.ref("ib-99").stop()
            self.runtime.run_until_idle()
            if fault == "unknown":
                self.connect()
        for _ in range(length):
            self.second()
        self.broken = ""
        if fault == "farm":
            self.notice(StreamMeaning.FARM_UP, "OK:usfarm")
        elif fault == "link":
            self.notice(StreamMeaning.LINK_UP, "1102")
        elif fault == "lost":
            self.serving = True  # the connection has requested everything again
            self.notice(StreamMeaning.STREAMS_LOST, "1101")
        elif fault == "reconnect":
            self.connect()

    def until_flowing(self, most: float) -> int:
        for seconds in range(int(most)):
            if self.serving and self.view().state == "flowing" and not self.market.silent:
                return seconds
            self.second()
        raise AssertionError(self.view())


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_told_and_over_in_time(fault: str) -> None:
    world = World()
    world.until_flowing(20)
    with structlog.testing.capture_logs() as lines:
        world.play(fault, 200)
        told = [line for line in lines if line["event"] == "market data changed"]
        assert 1 <= len(told) <= 3
        world.until_flowing(900 * 1.2 if fault == "unknown" else LONGEST_RETRY + 2 * ANSWER_SECONDS)
    assert [line["state"] for line in lines if line["event"] == "market data changed"][-1] == "flowing"
    if fault != "unknown":
        assert [line for line in lines if line["event"] == "bars are missing"]


@given(
    st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(1, 300)), min_size=1, max_size=4),
)
@settings(max_examples=20)
def test_after_any_faults_data_flow_again_and_no_risk_was_taken_on_stale_data(history: list[tuple[str, int]]) -> None:
    world = World()
    world.until_flowing(20)
    for fault, length in history:
        world.play(fault, length)
    slow = any(fault == "unknown" for fault, _ in history)
    world.until_flowing(900 * 1.2 + 20 if slow else LONGEST_RETRY + 2 * ANSWER_SECONDS)
    assert world.requests <= 3 + sum(6 + length / 15 for _, length in history) + (75 if slow else 25)
