"""A strategy's actor: it starts when it has everything, hears each thing once, and every denial in a later turn."""

from decimal import Decimal
from textwrap import dedent
from types import SimpleNamespace

import pytest
import structlog
from msgspec.structs import replace

from actors.messages.broker import HistoryLoaded, HistoryProgressed
from actors.messages.market_data import (
    BarArrived,
    InstrumentNamed,
    InstrumentUnnamed,
    LoadHistory,
    QuoteArrived,
    SubscribeInstruments,
)
from actors.messages.order_manager import OrderChanged, SubscribeOrders, WorkingOrders
from actors.messages.portfolio_manager import BookState, EquityChanged, PositionUpdated, SubscribeBook, SubscribeEquity
from actors.messages.risk_manager import OrderDenied, RequestHandled
from actors.messages.strategy import StopTrading, StrategyLoaded, StrategyStarted, StrategyWaits
from actors.messages.subscription import NOTHING, AskToResubscribe, Unsubscribe, Unsubscribed
from actors.strategy import CREDIT, CREDIT_SECONDS, HISTORY_SECONDS, StrategyActor
from mats.model.executions import FillRecorded
from mats.model.market_data import Bar, Quote
from mats.model.orders import CancelRequest, OrderModification, OrderState, OrderTicket, OrderView, Side, Signal
from mats.model.strategy_table import StrategyRecord
from mats.model.timestamp import HOUR, SECOND
from mats.risk import RejectionCode, reject
from mats.runtime import Actor, Crash, MailboxSpec
from mats.strategy.host import Position
from mats.strategy.tickets import market
from tests.actors.conftest import START
from tests.actors.diary_page import HEARD, TODO
from tests.actors.samples import Published, launch_relay

D = Decimal
DIARY = '''
    from mats.model.market_data import Bar
    from mats.strategy import Strategy, Side, market
    from tests.actors.diary_page import HEARD, TODO

    class Diary(Strategy):
        """Writes down what it hears; does at each bar what the test put into `todo`."""

        class Params(Strategy.Params, frozen=True):
            instrument: str = "SPY"
            bar_seconds: int = 5
            warmup: int = 0
            ticks: bool = False

        heard, todo = HEARD, TODO

        def note(self, *what):
            self.heard.append(what)

        def on_start(self):
            self.note("start", len(self.history("SPY")), self.broker.position("SPY").quantity)

        def on_bar(self, bar):
            self.note("bar", bar.close)
            for act in self.todo:
                act(self)
            self.note("end of bar")

        def on_tick(self, quote):
            self.note("tick", quote.bid)

        def on_fill(self, fill):
            self.note("fill", fill.execution.exec_id, self.broker.position("SPY").quantity)

        def on_order_status(self, order):
            self.note("order", order.intent_id, str(order.state), order.note)

        def on_stop(self):
            self.note("stop")
'''


class Full(Actor):
    """A risk manager that never gets to its messages: one that waits is one too many for the next."""

    mailbox = MailboxSpec(capacity=1)

    def on_receive(self, message):
        raise AssertionError("it is paused")


class Trader:
    """One strategy, and probes for all it talks to."""

    def __init__(self, runtime, folder, **params):
        self.runtime, self.folder = runtime, folder
        (folder / "diary.py").write_text(dedent(DIARY))
        self.heard, self.todo = HEARD, TODO
        self.heard.clear()
        self.todo.clear()
        names = ("market-data", "risk", "orders", "portfolio", "manager")
        self.market, self.risk, self.orders, self.portfolio, self.manager = map(runtime.probe, names)
        self.published = (
            Published("book", BookState, PositionUpdated),
            Published("equity", EquityChanged),
            Published("orders", WorkingOrders, OrderChanged),
        )
        self.named = "SPY"
        self.record = StrategyRecord(name="diary", file="diary.py", class_name="Diary", params=params)

    def launch(self):
        args = StrategyActor.Args(
            record=self.record, folder=self.folder, intent_prefix="tag-1", market_data=self.market.ref,
            risk=self.runtime.ref("risk"), orders=self.orders.ref, portfolio=self.portfolio.ref,
            manager=self.manager.ref,
        )  # fmt: skip
        self.runtime.launch("strategies/diary", StrategyActor, args, supervised=True)
        self.ref = self.runtime.ref("strategies/diary")
        self.runtime.run_until_idle()
        if self.named:
            self.tell(InstrumentNamed("SPY", self.named))
        return self

    def tell(self, *messages):
        for message in messages:
            for published in self.published:
                message = published(message)
            self.ref.tell(message)
        self.runtime.run_until_idle()

    def start(self, seq=0, quantity=0, working=()):
        self.launch()
        self.tell(book(seq, quantity), WorkingOrders(working))
        self.heard.clear()
        return self


def book(seq=0, quantity=0, equity=None):
    return BookState(positions=(held(quantity),) if quantity else (), equity=equity, seq=seq)


def held(quantity):
    return Position(instrument="SPY", quantity=D(quantity), average_price=D(100))


def an_order(state=OrderState.WORKING, intent_id="i1", filled=0, note=""):
    return OrderView(
        intent_id=intent_id, strategy="diary", account="DU1", instrument="SPY", side=Side.BUY, quantity=D(10),
        ticket=OrderTicket(), state=state, filled=D(filled), note=note,
    )  # fmt: skip


@pytest.fixture
def trader(runtime, tmp_path):
    return lambda **params: Trader(runtime, tmp_path, **params)


@pytest.fixture
def booked(an_execution):
    def make(seq, exec_id="a.01", quantity=10, total=10):
        execution = an_execution(exec_id, quantity)
        fill = FillRecorded(seq=seq, strategy="diary", intent_id="i1", execution=execution, recorded=0)
        return PositionUpdated(seq=seq, position=held(total), fill=fill)

    return make


# Starting


def test_it_follows_book_orders_and_market_when_it_comes_up(trader):
    world = trader(ticks=True).launch()
    world.portfolio.expect_message(SubscribeBook("diary", world.ref))
    world.portfolio.expect_message(SubscribeEquity("diary", world.ref))
    world.orders.expect_message(SubscribeOrders("diary", world.ref))
    world.market.expect_message(SubscribeInstruments(instruments=("SPY",), quotes=True, follower=world.ref))
    world.market.expect_nothing()


@pytest.mark.parametrize("last", [0, 1, 2])
def test_it_starts_when_the_last_of_book_orders_and_history_is_there(trader, a_bar, last):
    world = trader(warmup=2).launch()
    parts = [book(4, 7), WorkingOrders(()), HistoryLoaded("SPY", (a_bar(-10), a_bar(-5)), complete=True)]
    parts.append(parts.pop(last))
    world.tell(*parts[:2])
    assert world.heard == []
    world.manager.expect_message(StrategyLoaded("diary"))
    world.manager.expect_message(StrategyWaits("diary", "waits for 0 of 2 bars of SPY"))
    world.manager.expect_nothing()
    world.tell(parts[2])
    assert world.heard == [("start", 2, D(7))]
    world.manager.expect_message(StrategyStarted("diary"))


def test_it_waits_for_the_contract_of_its_instrument_and_says_why(trader):
    world = trader()
    world.named = ""
    world.launch()
    world.manager.expect_message(StrategyLoaded("diary"))
    world.tell(book(), WorkingOrders(()), InstrumentUnnamed("SPY", "there is none at the gateway"))
    waits = "waits for the contract of SPY (there is none at the gateway)"
    world.manager.expect_message(StrategyWaits("diary", waits))
    world.manager.expect_nothing()
    world.tell(InstrumentNamed("SPY", "SPY"))
    world.manager.expect_message(StrategyStarted("diary"))


def test_a_name_that_is_not_that_of_its_instrument_is_its_name_for_the_strategy(trader, a_bar, booked):
    world = trader(ticks=True)
    world.named = ""
    world.launch()
    world.tell(InstrumentNamed("SPY", "SPY#7"))
    mine = replace(held(7), instrument="SPY#7")
    world.tell(replace(book(3), positions=(mine,)), WorkingOrders((replace(an_order(), instrument="SPY#7"),)))
    assert world.heard == [("start", 0, D(7))]
    world.heard.clear()
    fill = booked(4, total=17)
    execution = replace(fill.fill.execution, instrument="SPY#7")
    update = replace(fill, position=replace(held(17), instrument="SPY#7"), fill=replace(fill.fill, execution=execution))
    world.tell(update, BarArrived(replace(a_bar(), instrument="SPY#7")))
    assert ("fill", "a.01", D(17)) in world.heard
    world.risk.receive(0)
    world.todo.append(lambda strategy: strategy.signal("SPY", 0.5))
    world.tell(BarArrived(replace(a_bar(5), instrument="SPY#7")))
    assert world.risk.expect(Signal).instrument == "SPY#7"


def test_history_is_asked_for_in_its_own_bars(trader):
    world = trader(warmup=30, bar_seconds=15).launch()
    world.market.expect(SubscribeInstruments)
    world.market.expect_message(LoadHistory(instrument="SPY", bar_seconds=15, count=30, reply_to=world.ref))


def test_it_does_not_start_before_its_history_is_whole_and_asks_again(trader, a_bar):
    world = trader(warmup=2).launch()
    world.market.receive(2)
    world.manager.receive(2)
    world.tell(book(), WorkingOrders(()), HistoryProgressed("SPY", 5, 1))
    world.manager.expect_message(StrategyWaits("diary", "waits for 1 of 2 bars of SPY"))
    world.tell(HistoryLoaded("SPY", (), complete=False, reason="no answer in 60 s"))
    world.manager.expect_message(StrategyWaits("diary", "waits for 0 of 2 bars of SPY (no answer in 60 s)"))
    assert world.heard == []
    world.market.expect_nothing()
    world.runtime.advance(HISTORY_SECONDS)
    world.market.expect_message(LoadHistory(instrument="SPY", bar_seconds=5, count=2, reply_to=world.ref))
    world.tell(HistoryLoaded("SPY", (a_bar(-10), a_bar(-5)), complete=True))
    assert world.heard == [("start", 2, D(0))]
    world.manager.expect_message(StrategyStarted("diary"))


def test_it_starts_with_less_where_the_broker_has_no_more(trader, a_bar):
    world = trader(warmup=2).launch()
    world.tell(book(), WorkingOrders(()), HistoryLoaded("SPY", (a_bar(-5),), complete=True))
    assert world.heard == [("start", 1, D(0))]


def test_one_whose_record_says_so_starts_with_the_history_that_there_is(trader):
    world = trader(warmup=2)
    world.record = replace(world.record, trade_before_warm=True)
    world.launch()
    world.tell(book(), WorkingOrders(()), HistoryLoaded("SPY", (), complete=False, reason="unknown"))
    assert world.heard == [("start", 0, D(0))]


def test_before_it_started_it_hears_nothing_but_its_book_is_kept(trader, a_bar, booked):
    world = trader().launch()
    world.tell(book(4), booked(5), BarArrived(a_bar()), OrderChanged(an_order()), EquityChanged("diary", D(5)))
    assert world.heard == []
    world.tell(WorkingOrders(()))
    assert world.heard == [("start", 0, D(10))]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"params": {"instrument": "S PY"}}, "strategy diary: instrument 'S PY' is not a valid name"),
        ({"file": "broken.py"}, "OSError at line 1: no such thing"),
        ({"file": "missing.py"}, "strategy file missing.py not found at"),
        ({"class_name": "Other"}, "has no class 'Other'; it has Diary"),
        ({"params": {"lenght": 3}}, "strategy diary has no parameter 'lenght'"),
    ],
)
def test_a_strategy_that_cannot_be_made_says_why_touches_nobody_and_ends(trader, tmp_path, changed, text):
    (tmp_path / "broken.py").write_text("raise OSError('no such thing')\n")
    world = trader()
    world.record = replace(world.record, **changed)
    world.launch()
    assert text in world.manager.expect(StrategyLoaded).fault
    world.market.expect_nothing()
    status = world.runtime.slot("strategies/diary").status()
    assert (status.state, status.last_failure) == ("stopped", "")


# Hearing


def test_bars_fills_and_orders_reach_their_hooks(trader, a_bar, booked):
    world = trader().start()
    world.tell(BarArrived(a_bar(0, 101.0)), booked(1), OrderChanged(an_order(OrderState.FILLED, filled=10)))
    assert world.heard == [
        ("bar", 101.0),
        ("end of bar",),
        ("fill", "a.01", D(10)),
        ("order", "i1", "FILLED", ""),
    ]


def test_quotes_that_wait_are_conflated_to_the_newest(trader):
    world = trader(ticks=True).start()
    for bid in (1.0, 2.0, 3.0):
        world.ref.tell(QuoteArrived(Quote("SPY", 0, bid, bid + 1, 1.0, 1.0)))
    world.runtime.run_until_idle()
    assert world.heard == [("tick", 3.0)]


def test_a_fill_that_the_book_contains_already_is_not_heard_again(trader, booked):
    world = trader().start(seq=5, quantity=10)
    world.tell(booked(5), booked(6, "b.01", 3, 13))
    assert world.heard == [("fill", "b.01", D(13))]


def test_a_correction_or_a_cost_changes_the_book_without_a_fill(trader, booked):
    world = trader().start()
    world.tell(replace(booked(1, total=7), fill=None), booked(2, "b.01", 3, 10))
    assert world.heard == [("fill", "b.01", D(10))]


def test_a_portfolio_that_restarted_further_back_makes_no_fill_be_heard_twice(trader, booked):
    world = trader().start()
    world.tell(booked(1), booked(2, "b.01", 5, 15))
    world.heard.clear()
    world.tell(book(0), booked(1), booked(2, "b.01", 5, 15), booked(3, "c.01", 1, 16))
    assert world.heard == [("fill", "c.01", D(16))]


def test_a_status_that_waits_for_a_fill_goes_on_when_the_book_is_replaced(trader):
    world = trader().start()
    world.tell(OrderChanged(an_order(OrderState.FILLED, filled=10)))
    assert world.heard == []
    world.tell(book(9, 10))
    assert world.heard == [("order", "i1", "FILLED", "")]


def test_a_service_that_restarted_is_followed_again_and_no_other(trader):
    world = trader(warmup=2).launch()
    world.market.receive(2)
    world.tell(AskToResubscribe("market-data"))
    assert [type(message) for message in world.market.receive(2)] == [SubscribeInstruments, LoadHistory]
    world.tell(book(), WorkingOrders(()), HistoryLoaded("SPY", (), complete=True), AskToResubscribe("market-data"))
    assert [type(message) for message in world.market.receive(1)] == [SubscribeInstruments]
    world.market.expect_nothing()
    assert [type(message) for message in world.portfolio.receive(2)] == [SubscribeBook, SubscribeEquity]
    world.portfolio.expect_nothing()


def test_one_that_has_missed_a_change_of_its_book_asks_once_for_what_came_after_what_it_has(trader, booked):
    world = trader().start(quantity=5)
    assert [message.since for message in world.portfolio.receive(2)] == [NOTHING, NOTHING]
    had = world.published[0].version
    world.published[0](booked(1))
    world.tell(booked(2, "b.01", 5, 15), booked(3, "c.01", 1, 16))
    world.portfolio.expect_message(SubscribeBook("diary", world.ref, had))
    world.portfolio.expect_nothing()
    world.tell(book(3, 16), booked(4, "d.01", 1, 17))
    assert world.heard == [("fill", "d.01", D(17))]


def test_a_portfolio_that_ends_finds_the_request_when_it_is_back(trader, runtime):
    world = trader()
    inbox = runtime.probe("inbox")
    portfolio = launch_relay(runtime, "books", inbox)
    world.portfolio = SimpleNamespace(ref=portfolio)
    world.start()
    world.tell(EquityChanged("diary", D(1)))
    portfolio.signal(Crash())
    runtime.run_until_idle()
    assert [message.since for message in inbox.receive(2)] == [NOTHING, NOTHING]
    inbox.expect_nothing()
    launch_relay(runtime, "books", inbox)
    runtime.run_until_idle()
    inbox.expect_message(SubscribeBook("diary", world.ref, world.published[0].version))
    inbox.expect_message(SubscribeEquity("diary", world.ref, world.published[1].version))
    portfolio.stop()
    runtime.run_until_idle()


# Wishing


def test_wishes_go_to_risk_cancels_to_the_order_manager(trader, a_bar):
    world = trader().start(working=(an_order(),))
    world.orders.expect(SubscribeOrders)
    world.todo[:] = [lambda s: s.signal("SPY", 0.5), lambda s: s.broker.cancel_all()]
    world.tell(BarArrived(a_bar()))
    signal = world.risk.expect(Signal)
    assert (signal.strategy, signal.strength, signal.intent_id.rpartition("-")[0]) == ("diary", 0.5, "tag-1")
    assert world.orders.expect(CancelRequest).intent_id == "i1"


def test_no_intent_id_is_minted_twice_also_after_a_crash(trader, a_bar):
    world = trader().start()
    world.todo[:] = [lambda s: s.signal("SPY", 0.5), lambda s: s.signal("SPY", 0.5)]
    world.tell(BarArrived(a_bar()))
    world.ref.signal(Crash())
    world.runtime.run_until_idle()
    world.start()
    world.tell(BarArrived(a_bar()))
    ids = [signal.intent_id for signal in world.risk.receive(4)]
    assert len(set(ids)) == 4


def test_a_denial_is_a_rejected_order_with_its_reason(trader):
    world = trader().start()
    denied = an_order(OrderState.REJECTED, note="HALTED: by hand")
    world.tell(OrderDenied(denied, reject(RejectionCode.HALTED, "by hand")))
    assert world.heard == [("order", "i1", "REJECTED", "HALTED: by hand")]


@pytest.fixture
def busy(runtime, trader):
    """A strategy whose risk manager has no room for one more wish."""
    world = trader()
    world.risk.close()
    risk = runtime.spawn(Full, name="risk")
    runtime.run_until_idle()
    runtime.pause(risk)
    risk.tell("work")
    yield world.start(working=(an_order(),))
    runtime.kill(risk)


BUSY = "BUSY: the risk manager has too many requests to handle; nothing was sent"


def test_a_wish_that_finds_risk_too_busy_comes_back_rejected_after_the_hook_that_wished(busy, a_bar):
    busy.todo[:] = [lambda s: s.note("wished", s.signal("SPY", 0.5))]
    busy.tell(BarArrived(a_bar()))
    wished = busy.heard[1][1]
    assert busy.heard == [("bar", 100.0), ("wished", wished), ("end of bar",), ("order", wished, "REJECTED", BUSY)]


def test_an_explicit_order_comes_back_rejected_too(busy, a_bar):
    busy.todo[:] = [lambda s: s.broker.place_order("SPY", market(), Side.SELL, quantity=5)]
    busy.tell(BarArrived(a_bar()))
    assert busy.heard[-1][2:] == ("REJECTED", BUSY)


def test_a_change_that_finds_risk_too_busy_leaves_the_order_as_it_is_and_says_so(busy, a_bar):
    busy.todo[:] = [lambda s: s.broker.modify("i1", quantity=5), lambda s: s.broker.modify("none", quantity=5)]
    busy.tell(BarArrived(a_bar()))
    assert busy.heard[-2:] == [("end of bar",), ("order", "i1", "WORKING", BUSY)]


def test_a_flood_is_held_to_the_credit_and_told_in_one_line_and_a_bounded_number_of_rejections(trader, a_bar):
    world = trader().start()
    world.todo[:] = [lambda s: [s.signal("SPY", 0.5) for _ in range(3 * CREDIT)]]
    with structlog.testing.capture_logs() as lines:
        world.tell(BarArrived(a_bar()))
    assert len(world.risk.receive(CREDIT)) == CREDIT
    world.risk.expect_nothing()
    rejected = [note for what, *note in world.heard if what == "order"]
    assert [note[1:] for note in rejected] == [["REJECTED", BUSY]] * CREDIT
    assert [(line["refused"], line["not_answered"]) for line in lines if "refused" in line] == [(2 * CREDIT, CREDIT)]


def test_what_the_risk_manager_has_handled_may_be_followed_by_as_much(trader, a_bar):
    world = trader().start()
    world.todo[:] = [lambda s: [s.signal("SPY", 0.5) for _ in range(CREDIT)]]
    world.tell(BarArrived(a_bar()))
    world.tell(*[RequestHandled()] * 10)
    world.tell(BarArrived(a_bar(5)))
    assert len(world.risk.receive(CREDIT + 10)) == CREDIT + 10
    world.risk.expect_nothing()


def test_requests_that_the_risk_manager_lost_are_given_up_after_a_while(trader, a_bar):
    world = trader().start()
    world.todo[:] = [lambda s: [s.signal("SPY", 0.5) for _ in range(CREDIT)]]
    world.tell(BarArrived(a_bar()))
    world.runtime.advance(CREDIT_SECONDS)
    world.tell(BarArrived(a_bar(5)))
    assert len(world.risk.receive(2 * CREDIT)) == 2 * CREDIT


def test_a_cancel_goes_through_however_busy_risk_is(busy, a_bar):
    busy.orders.expect(SubscribeOrders)
    busy.todo[:] = [lambda s: s.broker.cancel("i1")]
    busy.tell(BarArrived(a_bar()))
    assert busy.orders.expect(CancelRequest).intent_id == "i1"


def test_changes_go_to_risk(trader, a_bar):
    world = trader().start(working=(an_order(),))
    world.todo[:] = [lambda s: s.broker.modify("i1", quantity=5)]
    world.tell(BarArrived(a_bar()))
    assert world.risk.expect(OrderModification).quantity == D(5)


# Ending


def test_it_parts_from_everybody_and_ends_when_all_have_said_farewell(trader, a_bar):
    world = trader().start()
    world.tell(StopTrading(), BarArrived(a_bar()))
    assert world.heard == [("stop",)]
    services = (world.market, world.risk, world.orders, world.portfolio)
    for service in services:
        assert service.fish(lambda message: isinstance(message, Unsubscribe)) == Unsubscribe(world.ref)
    for service in services[:3]:
        world.tell(Unsubscribed(service.ref.name))
        assert world.ref.is_alive()
    world.tell(Unsubscribed("portfolio"))
    assert not world.ref.is_alive()
    assert world.heard == [("stop",)]


def test_one_that_parts_follows_nobody_again(trader):
    world = trader().start()
    world.tell(StopTrading(), AskToResubscribe("portfolio"))
    world.portfolio.receive(3)
    world.portfolio.expect_nothing()


def test_an_end_from_outside_lets_the_strategy_have_its_last_word_once(trader):
    world = trader().start()
    world.ref.stop()
    world.runtime.run_until_idle()
    assert world.heard == [("stop",)]


def test_a_strategy_that_raises_ends_its_own_actor_only(trader, a_bar):
    world = trader().start()
    world.todo[:] = [lambda s: 1 / 0]
    world.tell(BarArrived(a_bar()))
    assert not world.ref.is_alive()
    assert world.heard == [("bar", 100.0)]
    assert world.runtime.dead_letters.counts == {"failed": 1}


def test_what_is_under_way_is_made_up_at_the_start_and_continued_by_what_came_meanwhile(trader):
    world = trader(bar_seconds=3_600, warmup=1).launch()
    begin = START // HOUR * HOUR + HOUR // 2  # hours begin with New York's open
    gone = (START - begin) // (5 * SECOND)
    loads = [message for message in world.market.receive(3) if isinstance(message, LoadHistory)]
    assert {load.bar_seconds: load.count for load in loads} == {3_600: 1, 5: gone + 2}
    hour = Bar("SPY", begin - HOUR, 3_600, *[1.0] * 5)
    parts = tuple(Bar("SPY", begin + at * 5 * SECOND, 5, *[2.0] * 5) for at in range(-1, gone))
    world.tell(book(4), WorkingOrders(()), BarArrived(Bar("SPY", START, 5, *[3.0] * 5)))
    world.tell(HistoryLoaded("SPY", (hour,), complete=True, bar_seconds=3_600, count=1))
    assert world.heard == []
    world.tell(HistoryLoaded("SPY", parts, complete=True, bar_seconds=5, count=gone + 2))
    assert [entry[:2] for entry in world.heard] == [("start", 1)]
