"""A connection and the fill log: what is lost between them is found again by a new epoch."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from actors.base.fill_log_client import REOPEN_SECONDS
from actors.messages.addresses import FillLogMessage
from actors.messages.broker import (
    CancelOrder,
    LinkChanged,
    ModifyOrder,
    NotSent,
    Ready,
    RequestSnapshot,
    SubmitOrder,
    TakePositions,
)
from actors.messages.fill_log import EpochOpened, OpenEpoch, ReplayMerged, ReportExecutions, ReportReplay
from mats.instruments import parse_instrument
from mats.model.market_data import Quote
from mats.model.orders import OrderIntent, OrderTicket, Side
from mats.model.timestamp import Nanos
from mats.runtime import Actor, Address, Ref, VirtualRuntime
from mats.runtime.testing import Probe
from mats.venue.markets import Universe, default_universe
from tests.simulation.brokerage import Brokerage
from tests.simulation.line import VenueLine
from tests.simulation.simulated_connection import SimulatedConnection

M = TypeVar("M")

INTENT = OrderIntent(
    intent_id="i1",
    strategy="s1",
    account="DU1",
    instrument=default_universe().instrument("SPY"),
    side=Side.BUY,
    quantity=Decimal(10),
    ticket=OrderTicket(),
    time=1,
)


def fish(probe: Probe, kind: type[M], timeout: float) -> M:
    """The first message of a class, whatever comes before it."""
    found = probe.fish(lambda message: isinstance(message, kind), timeout)
    assert isinstance(found, kind)
    return found


class FakeLog(Actor[Any]):
    """A fill log in name, so that it can go down; what it gets is passed on to a probe."""

    def __init__(self, to: Ref[Any]) -> None:
        self._to = to

    def on_receive(self, message: object) -> object:
        self._to.tell(message)
        return None


class CountingBroker(Brokerage):
    """Keeps the order ids of the cancels that reach it."""

    def __init__(self, universe: Universe, cash: dict[str, Decimal], now: Callable[[], Nanos]) -> None:
        super().__init__(universe, cash, now)
        self.cancelled: list[int] = []

    def cancel(self, client_id: int, order_id: int) -> None:
        self.cancelled.append(order_id)


class Bench:
    """One connection of client 1, with probes on all sides, at a broker that quotes SPY."""

    def __init__(self) -> None:
        self.runtime = VirtualRuntime()
        self.broker = CountingBroker(default_universe(), {"DU1": Decimal(1_000_000)}, self.runtime.clock.now)
        self.broker.on_market([Quote("SPY", 1, 100.0, 100.01, 500.0, 500.0, 100.0)])
        self.log, self.listener, self.others = (self.runtime.probe(name) for name in ("log", "listener", "others"))
        self.runtime.spawn(FakeLog, self.log.ref, name="fill-log")
        other = self.others.ref
        args = SimulatedConnection.Args(
            timing=VenueLine(self.broker),
            client_id=1,
            listeners=(self.listener.ref,),
            fill_log=self.runtime.ref(Address[FillLogMessage]("fill-log")),
            orders=other,
            portfolio=other,
            market_data=other,
            risk=other,
        )
        self.ref = self.runtime.spawn(SimulatedConnection, args, name="connection")

    def ready(self, epoch: int) -> Ready:
        """Let it open an epoch, replay, and be merged."""
        fish(self.log, OpenEpoch, 10.0)
        self.ref.tell(EpochOpened("connection", epoch))
        report = fish(self.log, ReportReplay, 10.0).report
        assert report.epoch == epoch
        self.ref.tell(ReplayMerged(epoch, len(report.executions)))
        return self.listener.expect(Ready, timeout=10.0)

    def submit(self, session: str, order_id: int) -> None:
        self.ref.tell(SubmitOrder(session=session, order_id=order_id, intent=INTENT))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_lost_fill_log_gets_a_new_epoch_with_everything_that_was_reported_in_vain(bench: Bench) -> None:
    bench.ready(epoch=1)
    bench.submit("1", order_id=1)
    lost = fish(bench.log, ReportExecutions, 1.0).executions
    bench.runtime.kill(bench.runtime.ref("fill-log"))
    bench.runtime.spawn(FakeLog, bench.log.ref, name="fill-log")
    again = bench.ready(epoch=2)
    assert len(lost) == 1
    assert again.replay.executions == lost
    assert again.session == "2"


def test_orders_of_the_session_before_are_not_sent(bench: Bench) -> None:
    bench.ready(epoch=1)
    bench.runtime.kill(bench.runtime.ref("fill-log"))
    bench.submit("1", order_id=1)
    assert fish(bench.others, NotSent, 1.0).intent_id == "i1"
    assert not bench.broker.orders


def test_orders_changes_and_cancels_of_an_older_session_are_not_sent_in_a_newer_one(bench: Bench) -> None:
    bench.ready(epoch=1)
    bench.submit("1", order_id=1)
    bench.runtime.advance(0.1)
    bench.runtime.kill(bench.runtime.ref("fill-log"))
    bench.runtime.spawn(FakeLog, bench.log.ref, name="fill-log")
    bench.ready(epoch=2)
    known = dict(bench.broker.orders)
    bench.broker.cancelled.clear()
    bench.submit("1", order_id=2)
    bench.ref.tell(ModifyOrder(session="1", order_id=1, intent=INTENT))
    bench.ref.tell(CancelOrder(session="1", order_id=1))
    assert fish(bench.others, NotSent, 1.0).intent_id == "i1"
    bench.runtime.advance(0.1)
    assert (bench.broker.orders, bench.broker.cancelled) == (known, [])
    bench.ref.tell(CancelOrder(session="2", order_id=1))
    bench.runtime.advance(0.1)
    assert bench.broker.cancelled == [1]


def test_while_the_gateway_is_cut_off_risk_knows_whoever_asks_again_and_positions_are_no_answer(bench: Bench) -> None:
    bench.ready(epoch=1)
    bench.broker.degraded = True
    bench.broker._tell_all(bench.broker.link_notice(up=False))
    assert [fish(bench.others, LinkChanged, 1.0).up for _ in range(2)] == [True, False]
    bench.ref.tell(TakePositions(bench.others.ref))
    bench.ref.tell(RequestSnapshot())
    fish(bench.log, ReportReplay, 10.0)
    bench.ref.tell(ReplayMerged(1, 0))
    assert not fish(bench.others, LinkChanged, 1.0).up, "risk may have started anew, and not know it"
    assert not bench.listener.expect(Ready, timeout=1.0).linked
    bench.others.expect_nothing(3.0)
    bench.broker.degraded = False
    bench.broker._tell_all(bench.broker.link_notice(up=True))
    assert fish(bench.others, LinkChanged, 1.0).up
    fish(bench.log, ReportReplay, 10.0)
    bench.ref.tell(ReplayMerged(1, 0))
    assert bench.listener.expect(Ready, timeout=1.0).linked


def test_a_fill_log_that_does_not_answer_is_asked_again(bench: Bench) -> None:
    fish(bench.log, OpenEpoch, 1.0)
    before = bench.runtime.clock.seconds
    fish(bench.log, OpenEpoch, 10.0)
    assert bench.runtime.clock.seconds - before == pytest.approx(REOPEN_SECONDS, abs=1.0)


def test_a_merge_that_is_not_confirmed_is_tried_again_under_a_new_epoch(bench: Bench) -> None:
    fish(bench.log, OpenEpoch, 1.0)
    bench.ref.tell(EpochOpened("connection", 1))
    fish(bench.log, ReportReplay, 1.0)
    assert bench.ready(epoch=2).session == "2"


def test_a_confirmation_of_an_epoch_that_is_over_means_nothing(bench: Bench) -> None:
    bench.ready(epoch=1)
    bench.runtime.kill(bench.runtime.ref("fill-log"))
    bench.ref.tell(ReplayMerged(1, 0))
    bench.listener.expect_nothing(3.0)
    assert bench.runtime.slot("connection").status().state == "running"


def test_what_happens_before_the_replay_is_in_the_log_after_it(bench: Bench) -> None:
    fish(bench.log, OpenEpoch, 1.0)
    bench.ref.tell(EpochOpened("connection", 1))
    bench.runtime.run_until(lambda: bool(bench.broker._listeners), timeout=1.0)
    bench.broker.place(1, 1, INTENT)
    bench.log.expect(ReportReplay, 1.0)
    assert isinstance(fish(bench.log, ReportExecutions, 1.0), ReportExecutions)


def test_an_unknown_instrument_is_told_with_its_name(bench: Bench) -> None:
    assert bench.broker.resolve(parse_instrument("NOPE")) is None


def test_a_link_that_is_back_is_not_down_though_that_it_was_lost_arrives_later(bench: Bench) -> None:
    bench.ready(epoch=1)
    lost, back = bench.broker.link_notice(up=False), bench.broker.link_notice(up=True)
    bench.broker._tell_all(back)
    bench.broker._tell_all(lost)
    assert [fish(bench.others, LinkChanged, 1.0).up for _ in range(2)] == [True, True]
    bench.others.expect_nothing(3.0)
