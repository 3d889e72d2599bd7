"""The risk manager: what becomes of a request, what stops new risk but never a way out, and what a crash keeps."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from actors.messages.broker import LinkChanged, RequestSnapshot
from actors.messages.fill_log import Acknowledge, ApplyEntries, ReportCursor, StageCursor, StagesBehind
from actors.messages.market_data import DataStale, InstrumentCompleted, PriceMarked
from actors.messages.order_manager import (
    ALL,
    AllOrders,
    ModifyIntent,
    OrderChanged,
    RouteChanged,
    SubmitIntent,
    SubscribeAllOrders,
)
from actors.messages.portfolio_manager import BreaksChanged, EquityChanged, RatesChanged, SetWeights
from actors.messages.risk_manager import Halt, OrderDenied, PlaceOrder, ReadHalts, RequestHandled, Resume
from actors.messages.subscription import Republish, Unsubscribe, Unsubscribed
from actors.risk_manager import RiskManager
from mats.ledger.valuation.fx import FxRates
from mats.model.orders import CancelRequest, OrderModification, OrderState, Side
from mats.model.strategy_table import StrategyRecord
from mats.model.timestamp import MINUTE, SECOND
from mats.orders import Rejected
from mats.risk import Limits, RejectionCode
from mats.runtime import Crash
from tests.actors.samples import SPY, Published, a_fill, a_request, a_signal, a_view, an_intent

D = Decimal
OPEN = frozenset({1})


def start(runtime, journal_path, actor=RiskManager, **changes):
    """Start the risk manager, or start it again; `changes` are the arguments that are to differ."""
    args = RiskManager.Args(
        journal_path=journal_path,
        limits=Limits(),
        base_currency="USD",
        live_accounts=(),
        fill_log=runtime.ref("fill-log"),
        orders=runtime.ref("orders"),
        broker=runtime.ref("ib-0"),
        publishers=(runtime.ref("portfolio"), runtime.ref("market-data")),
    )
    runtime.launch("risk", actor, replace(args, **changes), supervised=True)
    return runtime.ref("risk")


class World:
    """The risk manager among probes."""

    def __init__(self, runtime, journal_path, a_ready, received):
        names = ("fill-log", "orders", "ib-0", "portfolio", "market-data", "strategies/trend")
        self.log, self.orders, self.broker, self.portfolio, self.market_data, self.strategy = map(runtime.probe, names)
        self.runtime, self.journal_path, self.received = runtime, journal_path, received
        self.ready = a_ready(self.broker.ref)
        self.published = Published("orders", AllOrders, OrderChanged, RouteChanged)
        self.ref = start(runtime, journal_path)
        self.tell(AllOrders(()))

    def tell(self, *messages):
        for message in messages:
            self.ref.tell(self.published(message))
            self.runtime.run_until_idle()

    def all_is_well(self):
        """Everything that an order of `trend` in SPY needs: 100,000 to work with, at a price of 100."""
        self.tell(
            self.ready,
            RouteChanged(1, True),
            StagesBehind(()),
            InstrumentCompleted(SPY),
            PriceMarked("SPY", 100.0),
            EquityChanged("trend", D(100_000)),
        )

    def submitted(self):
        """Side and quantity of each order that was passed on since the last look."""
        intents = [message.intent for message in self.received(self.orders, SubmitIntent)]
        return [(intent.side, intent.quantity) for intent in intents]

    def denied(self):
        """The code of each denial that the strategy was sent since the last look."""
        return [message.denial.code for message in self.received(self.strategy, OrderDenied)]

    def crash(self):
        self.ref.signal(Crash())
        self.runtime.run_until_idle()

    def restart(self, **changes):
        """The next incarnation; the cursor with which it comes back."""
        self.received(self.log)
        start(self.runtime, self.journal_path, **changes)
        (cursor,) = self.received(self.log)
        self.tell(AllOrders(()))
        return cursor


@pytest.fixture
def world(runtime, journal_path, a_ready, received):
    return World(runtime, journal_path, a_ready, received)


# The beginning


def test_it_says_how_far_it_is_and_asks_for_what_it_cannot_know(world):
    assert world.received(world.log) == [StageCursor("risk", 0)]
    assert world.received(world.orders) == [SubscribeAllOrders(ALL, world.ref)]
    assert world.received(world.broker) == [RequestSnapshot()]
    assert world.received(world.portfolio) == [Republish()]
    assert world.received(world.market_data) == [Republish()]


@pytest.mark.parametrize(
    ("left_out", "code"),
    [
        (InstrumentCompleted, RejectionCode.UNKNOWN_INSTRUMENT),
        (PriceMarked, RejectionCode.NO_PRICE),
        (RouteChanged, RejectionCode.NOT_READY),
        (StagesBehind, RejectionCode.NOT_READY),
    ],
)
def test_what_it_has_not_been_sent_yet_is_not_taken_to_be_well(world, left_out, code):
    everything = (
        world.ready,
        RouteChanged(1, True),
        StagesBehind(()),
        InstrumentCompleted(SPY),
        PriceMarked("SPY", 100.0),
    )
    world.tell(*[message for message in everything if not isinstance(message, left_out)])
    world.tell(a_request(10))
    assert (world.submitted(), world.denied()) == ([], [code])


def test_a_signal_before_the_equity_is_known_is_denied(world):
    world.all_is_well()
    world.tell(EquityChanged("trend", None), a_signal(0.5))
    assert (world.submitted(), world.denied()) == ([], [RejectionCode.NO_EQUITY])


# From request to order


def test_a_signal_becomes_an_intent_of_the_size_that_the_equity_allows(world):
    world.all_is_well()
    world.tell(a_signal(0.5))
    intent = replace(an_intent(quantity=500), of_target=True)
    assert world.received(world.orders, SubmitIntent) == [SubmitIntent(intent)]
    assert world.denied() == []


def test_a_signal_counts_what_is_held_and_what_is_on_its_way(world):
    world.all_is_well()
    world.tell(ApplyEntries((a_fill(1, "i0", quantity=100),)))
    world.tell(a_signal(0.5, "i1"), a_signal(0.5, "i2"), a_signal(-0.5, "i3"))
    assert world.submitted() == [(Side.BUY, D(400)), (Side.SELL, D(600))]
    assert world.denied() == []


def test_what_fills_of_a_replaced_order_is_traded_back(world):
    world.all_is_well()
    world.tell(a_signal(0.5, "i1"), a_signal(-0.5, "i2"))
    assert [cancel.intent_id for cancel in world.received(world.orders, CancelRequest)] == ["i1"]
    world.tell(ApplyEntries((a_fill(1, "i1", quantity=200),)))
    assert world.submitted() == [(Side.SELL, D(200))]
    world.tell(OrderChanged(replace(a_view(OrderState.CANCELLED, "i1", 500), applied=1)))
    assert (world.submitted(), world.denied()) == ([], [])


def test_the_whole_list_of_orders_replaces_what_was_thought_to_be_on_its_way(world):
    world.all_is_well()
    world.tell(a_signal(0.5, "i1"), AllOrders((), OPEN), a_signal(0.5, "i2"))
    assert world.submitted() == [(Side.BUY, D(500)), (Side.BUY, D(500))]


def test_an_order_that_ended_no_longer_counts(world):
    world.all_is_well()
    world.tell(a_signal(0.5, "i1"))
    world.tell(OrderChanged(a_view(OrderState.CANCELLED, "i1", 500)), a_signal(0.5, "i2"))
    assert world.submitted() == [(Side.BUY, D(500)), (Side.BUY, D(500))]


def test_who_asks_gets_the_decision_as_an_answer_too(world):
    world.all_is_well()
    assert world.ref.ask(PlaceOrder(a_request(10)), timeout=1.0) == an_intent()
    assert world.submitted() == [(Side.BUY, D(10))]
    rejected = world.ref.ask(PlaceOrder(a_request(1_000_000, "i2")), timeout=1.0)
    assert isinstance(rejected, Rejected)
    assert rejected.rejection.code is RejectionCode.MAX_QUANTITY
    assert world.denied() == [RejectionCode.MAX_QUANTITY]


def test_a_denial_comes_with_the_rejected_order_its_code_and_the_figures(world):
    world.all_is_well()
    world.tell(a_request(6_000))
    (message,) = world.received(world.strategy, OrderDenied)
    assert (message.order.intent_id, message.order.state) == ("i1", OrderState.REJECTED)
    assert message.order.note.startswith("MAX_NOTIONAL: the order is worth 600000.00")
    assert message.denial.figures == {"notional": "600000.0", "max_order_notional": "500000"}


def test_the_record_of_a_strategy_says_in_which_account_it_trades(world):
    world.all_is_well()
    record = StrategyRecord(name="trend", file="x.py", class_name="X", target_weight=0.5, account="DU2")
    world.tell(replace(world.ready, accounts=("DU1", "DU2")), SetWeights((record,)), a_request(10))
    (message,) = world.received(world.orders, SubmitIntent)
    assert message.intent.account == "DU2"


def test_an_instrument_in_another_currency_needs_a_rate(world):
    world.all_is_well()
    world.tell(InstrumentCompleted(replace(SPY, currency="EUR")), a_signal(0.5, "i1"))
    assert (world.submitted(), world.denied()) == ([], [RejectionCode.NO_RATE])
    rates = FxRates("USD").with_rate("EUR", "USD", D("1.25"), world.runtime.clock.now(), "a quote")
    world.tell(RatesChanged(rates), a_signal(0.5, "i2"))
    assert world.submitted() == [(Side.BUY, D(400))]


# What stops new risk

UNKNOWN = a_view(OrderState.UNKNOWN, "i0")
GONE = replace(UNKNOWN, state=OrderState.REJECTED)
BROKEN = {("DU1", "SPY"): D(5)}
TROUBLES = [
    (Halt("", "by hand"), Resume(""), RejectionCode.HALTED),
    (Halt("trend", "by hand"), Resume("trend"), RejectionCode.HALTED),
    (LinkChanged("ib-0", False, "1100"), LinkChanged("ib-0", True, "restored"), RejectionCode.HALTED),
    (StagesBehind(("portfolio",)), StagesBehind(()), RejectionCode.NOT_READY),
    (StagesBehind((), "away since noon, no network, 3 entries wait"), StagesBehind(()), RejectionCode.NOT_READY),
    (DataStale({"SPY": "nothing came"}), DataStale({}), RejectionCode.STALE_DATA),
    (BreaksChanged(BROKEN), BreaksChanged({}), RejectionCode.BOOKS_DISAGREE),
    (OrderChanged(UNKNOWN), OrderChanged(GONE), RejectionCode.UNKNOWN_ORDER),
]


@pytest.mark.parametrize(("trouble", "mend", "code"), TROUBLES)
def test_no_new_risk_is_taken_while_something_is_wrong(world, trouble, mend, code):
    world.all_is_well()
    world.tell(trouble, a_request(10))
    assert (world.submitted(), world.denied()) == ([], [code])
    world.tell(mend, a_request(10, "i2"))
    assert (world.submitted(), world.denied()) == ([(Side.BUY, D(10))], [])


@pytest.mark.parametrize("trouble", [trouble for trouble, _, _ in TROUBLES])
def test_an_order_that_only_reduces_a_position_passes_whatever_is_wrong(world, trouble):
    world.all_is_well()
    world.tell(ApplyEntries((a_fill(1, "i0"),)), trouble, a_request(10, side=Side.SELL))
    assert (world.submitted(), world.denied()) == ([(Side.SELL, D(10))], [])


def test_an_order_that_would_lead_through_flat_is_new_risk(world):
    world.all_is_well()
    world.tell(ApplyEntries((a_fill(1, "i0"),)), Halt("", "by hand"), a_request(11, side=Side.SELL))
    assert (world.submitted(), world.denied()) == ([], [RejectionCode.HALTED])


def test_a_halt_of_one_strategy_is_none_for_another(world):
    world.all_is_well()
    world.tell(Halt("revert", "by hand"), a_request(10))
    assert world.submitted() == [(Side.BUY, D(10))]


def test_without_a_connection_that_could_carry_it_not_even_a_way_out_is_sent(world):
    world.all_is_well()
    world.tell(ApplyEntries((a_fill(1, "i0"),)), RouteChanged(1, False), a_request(10, side=Side.SELL))
    assert (world.submitted(), world.denied()) == ([], [RejectionCode.NOT_READY])


def test_a_live_account_trades_only_where_the_settings_name_it(world, runtime, journal_path):
    world.all_is_well()
    world.tell(replace(world.ready, accounts=("U1",)), a_request(10))
    assert (world.submitted(), world.denied()) == ([], [RejectionCode.NOT_READY])
    world.crash()
    world.restart(live_accounts=("U1",))
    world.all_is_well()
    world.tell(replace(world.ready, accounts=("U1",)), a_request(10))
    assert world.submitted() == [(Side.BUY, D(10))]


def test_a_price_grows_stale_with_time(world):
    world.all_is_well()
    world.runtime.advance(30.0)
    world.tell(a_request(10, "i1"))
    assert world.submitted() == [(Side.BUY, D(10))]
    world.runtime.advance(1.0)
    world.tell(a_request(10, "i2"))
    assert (world.submitted(), world.denied()) == ([], [RejectionCode.STALE_DATA])
    world.tell(PriceMarked("SPY", 100.0), a_request(10, "i3"))
    assert world.submitted() == [(Side.BUY, D(10))]


def test_orders_come_no_faster_than_the_limit_of_a_minute(world):
    world.crash()
    world.restart(limits=Limits(max_orders_per_minute=2))
    world.all_is_well()
    world.tell(*[a_request(1, name) for name in ("i1", "i2", "i3")])
    assert (len(world.submitted()), world.denied()) == (2, [RejectionCode.ORDER_RATE])
    world.runtime.advance(MINUTE / SECOND)
    world.tell(PriceMarked("SPY", 100.0), a_request(1, "i4"))
    assert len(world.submitted()) == 1


# Changes of orders


def change(quantity, name="i1"):
    return OrderModification(intent_id=name, strategy="trend", time=0, quantity=D(quantity))


def test_a_change_that_is_approved_goes_to_the_order_manager_and_counts_at_once(world):
    world.all_is_well()
    world.tell(AllOrders((a_view(OrderState.WORKING, quantity=10),), OPEN), change(500), a_signal(0.5, "i2"))
    assert world.received(world.orders, ModifyIntent, SubmitIntent) == [ModifyIntent(change(500))]
    assert world.denied() == []


@pytest.mark.parametrize("state", [OrderState.SENT, OrderState.WORKING, OrderState.UNKNOWN])
def test_a_denied_change_says_why_and_leaves_the_state_of_the_order_alone(world, state):
    world.tell(AllOrders((a_view(state),), OPEN), Halt("", "by hand"), change(25))
    (message,) = world.received(world.strategy, OrderDenied)
    assert (message.order.state, message.order.quantity) == (state, D(10))
    assert message.denial.code is RejectionCode.UNKNOWN_INSTRUMENT
    assert message.order.note.startswith("UNKNOWN_INSTRUMENT: ")
    assert world.received(world.orders, ModifyIntent) == []


def test_a_change_to_nothing_is_denied(world):
    world.all_is_well()
    world.tell(AllOrders((a_view(OrderState.WORKING),), OPEN), change(0))
    assert world.denied() == [RejectionCode.NOT_POSITIVE]


def test_a_change_of_an_order_that_is_not_there_changes_nothing(world):
    world.all_is_well()
    world.tell(change(25, "i9"))
    assert world.received(world.orders, ModifyIntent) == []
    assert world.received(world.strategy) == [RequestHandled()]


# Entries, crashes, the end


def test_each_entry_is_applied_once_and_acknowledged(world):
    world.received(world.log)
    world.tell(ApplyEntries((a_fill(1, "i0"),)), ApplyEntries((a_fill(1, "i0"), a_fill(2, "i0"))))
    assert world.received(world.log) == [Acknowledge("risk", 1), Acknowledge("risk", 2)]
    world.all_is_well()
    world.tell(a_signal(0.0))
    assert world.submitted() == [(Side.SELL, D(20))]


def test_a_crash_loses_nothing_that_was_saved_and_what_was_not_is_asked_for_again(world):
    world.tell(ApplyEntries((a_fill(1, "i0"),)))
    world.runtime.advance(5.0)
    world.tell(ApplyEntries((a_fill(2, "i0"),)))
    world.crash()
    assert world.restart() == StageCursor("risk", 1)
    world.tell(ApplyEntries((a_fill(2, "i0"),)))
    world.all_is_well()
    world.tell(a_signal(0.0))
    assert world.submitted() == [(Side.SELL, D(20))]


def test_a_stop_saves_what_was_applied(world):
    world.tell(ApplyEntries((a_fill(1, "i0"),)))
    world.ref.stop()
    world.runtime.run_until_idle()
    assert world.restart() == StageCursor("risk", 1)


def test_a_halt_holds_over_a_crash_until_it_is_lifted_and_so_does_its_end(world):
    world.tell(Halt("", "by hand"), Halt("trend", "too fast"))
    world.crash()
    world.restart()
    assert world.ref.ask(ReadHalts(), timeout=1.0) == {"": "by hand", "trend": "too fast"}
    world.tell(Resume(""))
    assert world.ref.ask(ReadHalts(), timeout=1.0) == {"trend": "too fast"}
    world.crash()
    world.restart()
    assert world.ref.ask(ReadHalts(), timeout=1.0) == {"trend": "too fast"}


def test_after_a_crash_nothing_is_well_before_it_was_sent_again(world):
    world.all_is_well()
    world.crash()
    world.restart()
    world.tell(a_request(10))
    assert (world.submitted(), world.denied()) == ([], [RejectionCode.UNKNOWN_INSTRUMENT])


def test_its_cursor_is_reported_when_the_log_asks(world):
    world.tell(ApplyEntries((a_fill(1, "i0"),)))
    world.received(world.log)
    world.tell(ReportCursor())
    assert world.received(world.log) == [StageCursor("risk", 1)]


def test_a_strategy_that_parts_gets_its_farewell(world):
    world.tell(Unsubscribe(world.strategy.ref))
    assert world.received(world.strategy) == [Unsubscribed("risk")]


# A crowd


CONTROL_MESSAGES = (
    LinkChanged("brokers/ib-0", True, "1102"),
    DataStale({}),
    AllOrders(()),
    EquityChanged("trend", D(100_000)),
    RatesChanged(FxRates("USD")),
    SetWeights(()),
    BreaksChanged({}),
    StagesBehind(frozenset()),
    RouteChanged(1, True),
    PriceMarked("SPY", 100.0),
    ReportCursor(),
    Resume("nobody"),
    Halt("", "by hand"),
)


def test_what_is_true_of_the_world_is_never_refused_and_overtakes_requests(world):
    """The halt is the last thing sent, and no request is approved."""

    class Small(RiskManager):
        mailbox = replace(RiskManager.mailbox, capacity=4)

    world.crash()
    world.restart(actor=Small)
    world.all_is_well()
    offers = [world.ref.offer(a_request(1, f"i{n}")) for n in range(6)]
    assert offers == [True] * 4 + [False] * 2
    for message in CONTROL_MESSAGES:
        world.ref.tell(world.published(message))
    assert world.submitted() == []
    assert world.denied() == [RejectionCode.HALTED] * 4
    assert world.ref.ask(ReadHalts(), timeout=1.0) == {"": "by hand"}
    (status,) = [line for line in world.runtime.status() if line.name == world.ref.name]
    assert (status.refused, status.behind) == (2, "")


def test_a_cancelled_halt_and_the_halts_after_it_keep_their_order(world):
    world.all_is_well()
    for message in (Halt("", "first"), Resume(""), Halt("trend", "second")):
        world.ref.tell(message)
    assert world.ref.ask(ReadHalts(), timeout=1.0) == {"trend": "second"}


def test_when_its_mailbox_is_full_requests_are_refused_and_halts_and_fills_are_not(world):
    class Small(RiskManager):
        mailbox = replace(RiskManager.mailbox, capacity=4)

    world.crash()
    world.restart(actor=Small)
    world.all_is_well()
    offers = [world.ref.offer(a_request(1, f"i{n}")) for n in range(6)]
    assert offers == [True] * 4 + [False] * 2
    assert world.ref.offer(Halt("other", "by hand"))
    assert world.ref.offer(ApplyEntries((a_fill(1, "i0"),)))
    assert len(world.submitted()) == 4
    assert world.ref.ask(ReadHalts(), timeout=1.0) == {"other": "by hand"}
    assert world.received(world.log) == [Acknowledge("risk", 1)]


def test_of_the_prices_that_wait_the_newest_is_enough(world):
    world.all_is_well()
    for price in (200.0, 300.0, 50.0):
        world.ref.tell(PriceMarked("SPY", price))
    assert world.ref.mailbox.pending == 1
    world.tell(a_signal(0.5))
    assert world.submitted() == [(Side.BUY, D(1000))]
