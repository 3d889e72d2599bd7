"""A target owns the orders that lead to it: whatever happens to them, and in whatever order, it is reached."""

import random
from decimal import Decimal

import pytest
from msgspec.structs import replace

from mats.instruments import parse_instrument
from mats.model.orders import CONDITIONAL, OrderIntent, OrderRequest, OrderState, OrderTicket, OrderType, Side, Signal
from mats.orders import OrderFlow, OrderRecord, PreTrade
from mats.risk import UNLIMITED, MarketState, RiskState

D = Decimal
SPY = replace(parse_instrument("SPY"), con_id=7)
BUY, SELL = Side.BUY, Side.SELL
LOW = OrderTicket(order_type=OrderType.LIMIT, limit_price=D(90))
STOP = OrderTicket(order_type=OrderType.STOP, stop_price=D(80))


class Market:
    """One strategy, its orders, and an exchange that answers when the test says so."""

    def __init__(self):
        limits = replace(UNLIMITED, least_change_share=D("0.02"))
        market = MarketState(limits, "USD", ())
        market.know(SPY)
        market.mark("SPY", 100.0, 0.0)
        market.accounts, market.behind, market.routes = ("DU1",), (), {1}
        market.equities["trend"] = D(10_000)
        self.pretrade = PreTrade(RiskState(), market, limits, lambda strategy: 1)
        self.flow = OrderFlow(self.pretrade, route=1)
        self.flow.exchange = self
        self.time, self.refusing, self.names = 0, False, 0
        self.open: dict[str, OrderRecord] = {}

    # The exchange

    def new_order(self, intent, number):
        return OrderRecord(intent, intent.quantity, intent.ticket, intent.time)

    def submit(self, order):
        self.open[order.origin.intent_id] = order

    def modify(self, order, change):
        raise AssertionError("nothing is changed here")

    # The strategy

    def now(self):
        self.time += 1
        return self.time

    def signal(self, units, ticket=None):
        """Ask to hold so many units, which are worth so many hundredths of the equity."""
        self.names += 1
        signal = Signal(
            intent_id=f"i{self.names}", strategy="trend", instrument="SPY", strength=units / 100, time=self.time,
            ticket=ticket or OrderTicket(),
        )  # fmt: skip
        return self._carry_out([self.flow.decide(signal, self.now())])

    def place(self, side, quantity, ticket=None):
        self.names += 1
        request = OrderRequest(
            intent_id=f"i{self.names}", strategy="trend", instrument="SPY", side=side, time=self.time,
            quantity=D(quantity), ticket=ticket or OrderTicket(),
        )  # fmt: skip
        return self._carry_out([self.flow.decide(request, self.now())])

    def cancel(self, intent_id):
        self.flow.cancel(self.open[intent_id], intent_id, self.now())

    def _carry_out(self, decisions):
        made = [decision for decision in decisions if isinstance(decision, OrderIntent)]
        for intent in made:
            self.flow.submit(intent, self.now())
        for cancel in self.flow.take_cancels():
            if cancel.intent_id in self.open:
                self.cancel(cancel.intent_id)
        return [intent.quantity * intent.side.sign for intent in made]

    # What the exchange answers

    def fill(self, intent_id, quantity):
        order = self.open[intent_id]
        self.flow.fill(order, order.origin, D(quantity), D(100), self.now())
        if order.state is OrderState.FILLED:
            del self.open[intent_id]
        return self._follow_up()

    def end(self, intent_id):
        self.flow.finish(self.open.pop(intent_id), intent_id, self.now())
        return self._follow_up()

    def _follow_up(self):
        return self._carry_out(self.flow.pursue(self.now())) if self.flow.moved else []

    @property
    def held(self):
        return self.pretrade.state.exposure("DU1", "SPY", "trend").position

    @property
    def cancelling(self):
        return [name for name, order in self.open.items() if order.state is OrderState.CANCELLING]


@pytest.fixture
def market():
    return Market()


def test_a_smaller_target_waits_for_the_end_of_the_larger_order_and_trades_the_difference(market):
    assert market.signal(100) == [100]
    assert market.signal(60) == []
    assert market.cancelling == ["i1"]
    market.fill("i1", 20)
    assert market.end("i1") == [40]
    market.fill("i2", 40)
    assert (market.held, market.open) == (60, {})


def test_a_replaced_order_that_fills_after_all_is_traded_back(market):
    market.signal(100)
    market.signal(60)
    assert market.fill("i1", 100) == [-40]


def test_flat_beside_a_resting_bid_that_is_being_cancelled_ends_flat(market):
    market.signal(100)
    market.fill("i1", 100)
    market.place(BUY, 100, LOW)
    market.cancel("i2")
    assert market.signal(0) == [-100]
    market.fill("i3", 100)
    assert market.end("i2") == []
    assert market.held == 0


def test_a_bid_that_fills_after_the_position_was_sold_is_sold_as_well(market):
    market.signal(100)
    market.fill("i1", 100)
    market.place(BUY, 100, LOW)
    market.cancel("i2")
    market.signal(0)
    market.fill("i3", 100)
    assert market.fill("i2", 100) == [-100]
    market.fill("i3.2", 100)
    assert market.held == 0


def test_a_protective_stop_is_not_on_the_way_to_the_target(market):
    market.signal(50)
    market.fill("i1", 50)
    market.place(SELL, 50, STOP)
    assert market.signal(50) == [], "the position is there, whatever protects it"
    assert market.signal(0) == [-50], "an exit beside its stop"


def test_a_stop_that_fires_ends_the_target(market):
    market.signal(50)
    market.fill("i1", 30)
    market.place(SELL, 30, STOP)
    market.signal(80, LOW)
    assert market.fill("i2", 30) == [], "what was stopped is not bought again"
    assert sorted(market.cancelling) == ["i1", "i3"]


def test_a_target_whose_order_the_broker_ends_is_not_ordered_again(market):
    market.signal(100)
    market.place(BUY, 10, LOW)
    market.signal(50)
    assert market.cancelling == ["i1"]
    assert market.end("i1") == [40]
    assert market.end("i3") == [], "refused once: the strategy is told, and decides"


def test_a_repeated_target_changes_nothing_within_the_band(market):
    market.signal(100)
    market.fill("i1", 99)
    assert market.signal(100) == [] and market.cancelling == []
    market.end("i1")
    assert market.signal(100) == []
    assert market.signal(98) == []
    assert market.signal(90) == [-9]
    assert market.signal(0) == [-90], "flat is worth any order"


def test_another_price_replaces_the_order(market):
    market.signal(100, LOW)
    better = replace(LOW, limit_price=D(95))
    assert market.signal(100, better) == []
    assert market.cancelling == ["i1"]
    assert market.end("i1") == [100]


def test_an_order_of_the_strategy_after_the_target_is_its_own_affair(market):
    market.signal(50)
    market.signal(20)
    market.place(BUY, 10)
    assert market.fill("i3", 10) == []
    assert market.end("i1") == []


@pytest.mark.parametrize("seed", range(400))
def test_when_all_is_quiet_the_position_is_the_last_target(seed):
    market, random_ = Market(), random.Random(seed)
    claim: int | None = None
    for _ in range(random_.randint(4, 40)):
        act = random_.choice(("signal", "signal", "place", "stop", "cancel", "fill", "fill", "end"))
        names = sorted(market.open)
        name = random_.choice(names) if names else ""
        if act == "signal":
            claim = random_.choice((0, 0, 10, 40, 41, 100, -30, -100))
            market.signal(claim, random_.choice((None, None, LOW)))
        elif act in ("place", "stop"):
            ticket = STOP if act == "stop" else random_.choice((None, LOW))
            placed = market.place(random_.choice((BUY, SELL)), random_.randint(1, 80), ticket)
            claim = claim if act == "stop" or not placed else None
        elif name:
            claim = answered(market, name, act, claim, random_)
    while names := [n for n, order in market.open.items() if order.ticket.order_type not in CONDITIONAL]:
        name = random_.choice(names)
        if name in market.cancelling and random_.random() < 0.5:
            market.end(name)
        else:
            market.fill(name, market.open[name].remaining)
    if claim is not None:
        assert abs(market.held - claim) <= abs(claim) * D("0.02"), f"{market.held} is held, {claim} was asked for"


def answered(market, name, act, claim, random_):
    """Something happens to an order; the target that counts after it."""
    order = market.open[name]
    protects = order.ticket.order_type in CONDITIONAL
    if act == "cancel":
        market.cancel(name)
    elif act == "fill":
        market.fill(name, random_.randint(1, int(order.remaining)))
        return None if protects else claim
    elif name in market.cancelling:
        market.end(name)
    if act == "cancel" and order.origin.of_target:
        return None  # the strategy has given its target up
    return claim
