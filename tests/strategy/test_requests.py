"""What a strategy asks for, and what becomes a message."""

from decimal import Decimal

import pytest

from mats.model.orders import (
    CancelRequest,
    ChildRequest,
    OrderModification,
    OrderRequest,
    OrderTicket,
    OrderType,
    Signal,
    TimeInForce,
)
from mats.strategy import Side, Strategy, StrategyError, limit, market, stop, stop_limit
from mats.strategy.hosting.runner import StrategyRunner


@pytest.fixture
def strategy(host) -> Strategy:
    class Bare(Strategy):
        def instruments(self) -> tuple[str, ...]:
            return ("SPY", "IBM")

    runner = StrategyRunner(Bare, "s", {}, host)
    runner.start({})
    return runner.strategy


def test_a_signal_carries_its_target_and_its_identity(strategy, host):
    intent_id = strategy.signal("SPY", -0.5, reason="why not")
    assert host.asked == [
        Signal(intent_id="i1", strategy="s", instrument="SPY", strength=-0.5, time=host.time, reason="why not")
    ]
    assert intent_id == "i1"
    assert strategy.signal("SPY", 0) == "i2"


def test_an_order_is_by_size_or_by_quantity(strategy, host):
    strategy.broker.place_order("SPY", limit(99.5), Side.BUY, size=0.5)
    strategy.broker.place_order("IBM", market(), Side.SELL, quantity=10)
    first, second = host.asked
    assert (first.size, first.quantity, first.ticket.limit_price) == (0.5, None, Decimal("99.5"))
    assert second == OrderRequest(
        intent_id="i2", strategy="s", instrument="IBM", side=Side.SELL, time=host.time, quantity=Decimal(10)
    )


def test_closing_cancels_what_is_open_and_asks_for_a_target_of_zero(strategy, host):
    stop_id = strategy.broker.place_order("SPY", stop(90), Side.SELL, quantity=1)
    strategy.follow("SPY", 0.5)
    host.asked.clear()
    intent_id = strategy.close("SPY", reason="enough")
    cancel, target = host.asked
    assert (cancel.intent_id, target.intent_id, target.strength) == (stop_id, intent_id, 0.0)
    assert (target.instrument, target.reason) == ("SPY", "enough")
    host.asked.clear()
    strategy.follow("SPY", 0.0)
    assert host.asked == [], "that is the target already"
    strategy.follow("SPY", 0.5)
    assert [signal.strength for signal in host.asked] == [0.5]
    host.asked.clear()
    strategy.flatten()
    assert [(signal.instrument, signal.strength) for signal in host.asked] == [("SPY", 0.0), ("IBM", 0.0)]
    with pytest.raises(StrategyError):
        strategy.close("QQQ")


def test_an_order_may_only_reduce(strategy, host):
    strategy.broker.place_order("SPY", market(), Side.SELL, quantity=1, reduce_only=True)
    strategy.broker.place_order("SPY", market(), Side.SELL, quantity=1)
    assert [request.reduce_only for request in host.asked] == [True, False]


def test_a_bracket_is_one_request(strategy, host):
    ids = strategy.bracket("SPY", 10, stop_loss=95, take_profit=110.5, reason="up")
    (request,) = host.asked
    assert (ids.entry, ids.stop_loss, ids.take_profit) == ("i1", "i1.stop", "i1.profit")
    assert (request.intent_id, request.side, request.quantity, request.ticket) == ("i1", Side.BUY, 10, market())
    assert request.children == (
        ChildRequest(intent_id="i1.stop", ticket=stop(95, TimeInForce.GTC)),
        ChildRequest(intent_id="i1.profit", ticket=limit(110.5, TimeInForce.GTC)),
    )
    host.asked.clear()
    strategy.broker.cancel_all()
    assert [cancel.intent_id for cancel in host.asked] == ["i1", "i1.stop", "i1.profit"]


def test_a_bracket_may_be_short_sized_and_of_two(strategy, host):
    short = strategy.bracket("SPY", size=-0.5, entry=limit(100), stop_loss=105)
    assert (short.stop_loss, short.take_profit) == ("i1.stop", "")
    (request,) = host.asked
    assert (request.side, request.size, request.ticket) == (Side.SELL, 0.5, limit(100))
    assert [child.intent_id for child in request.children] == ["i1.stop"]


@pytest.mark.parametrize(
    ("quantity", "prices", "complaint"),
    [
        (10, {}, "protects nothing"),
        (10, {"stop_loss": 110, "take_profit": 100}, "the loss belongs below the profit"),
        (-10, {"stop_loss": 100, "take_profit": 110}, "the loss belongs above the profit"),
        (0, {"stop_loss": 100}, "greater than 0"),
        (None, {"stop_loss": 100}, "greater than 0"),
    ],
)
def test_a_bracket_that_makes_no_sense_is_refused_at_once(strategy, host, quantity, prices, complaint):
    with pytest.raises(StrategyError, match=complaint):
        strategy.bracket("SPY", quantity, **prices)
    assert host.asked == []


def test_all_that_is_cancelled_includes_what_was_placed_just_now(strategy, host):
    placed = [strategy.broker.place_order(name, market(), Side.BUY, quantity=1) for name in ("SPY", "IBM", "SPY")]
    host.asked.clear()
    strategy.broker.cancel_all("SPY")
    assert [request.intent_id for request in host.asked] == [placed[0], placed[2]]
    host.asked.clear()
    strategy.broker.cancel_all()
    assert [request.intent_id for request in host.asked] == [placed[1]]
    strategy.broker.cancel_all()
    assert len(host.asked) == 1, "each is asked for once"


def test_tickets_say_how_to_trade():
    assert market() == OrderTicket()
    assert stop(95.1) == OrderTicket(order_type=OrderType.STOP, stop_price=Decimal("95.1"))
    assert stop_limit(95, 94.9, TimeInForce.GTC) == OrderTicket(
        order_type=OrderType.STOP_LIMIT, stop_price=Decimal(95), limit_price=Decimal("94.9"), tif=TimeInForce.GTC
    )
    assert str(limit(100.3 - 0.2).limit_price) == "100.1"
    with pytest.raises(ValueError, match="not a finite number"):
        limit(float("nan"))


def test_orders_are_changed_and_cancelled_by_id(strategy, host, view):
    strategy.broker.modify("i9", limit_price=99, quantity=5)
    strategy.broker.cancel("i9")
    host.working = {"a": view("a"), "b": view("b")}
    strategy.broker.cancel_all("IBM")
    strategy.broker.cancel_all()
    change = OrderModification(
        intent_id="i9", strategy="s", time=host.time, quantity=Decimal(5), limit_price=Decimal(99)
    )
    cancels = [CancelRequest(intent_id=key, strategy="s", time=host.time) for key in ("i9", "a", "b")]
    assert host.asked == [change, *cancels]


def test_positions_orders_and_equity_are_the_hosts(strategy, host, view):
    host.working = {"a": view("a")}
    host.cash = None
    assert strategy.broker.equity() is None
    assert strategy.broker.position("SPY").quantity == 0
    assert strategy.broker.positions() == {}
    assert strategy.broker.orders() == {"a": view("a")}
    strategy.log("hello", "warning")
    assert host.lines == [("warning", "hello")]


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda s: s.signal("SPY", 1.01), "strength 1.01 for SPY is out of range; give a number from -1 to 1"),
        (lambda s: s.signal("SPY", float("nan")), "strength nan"),
        (lambda s: s.signal("QQQ", 1), r"'QQQ' is not one of its instruments \(SPY, IBM\)"),
        (lambda s: s.history("QQQ"), "'QQQ' is not one of its instruments"),
        (lambda s: s.quote("QQQ"), "'QQQ' is not one of its instruments"),
        (lambda s: s.history("SPY", -1), "history of -1 bars"),
        (lambda s: s.broker.place_order("QQQ", market(), Side.BUY, size=1), "'QQQ' is not one of"),
        (lambda s: s.broker.place_order("SPY", market(), Side.BUY), "give exactly one of the two"),
        (lambda s: s.broker.place_order("SPY", market(), Side.BUY, size=1, quantity=1), "give exactly one of the two"),
        (lambda s: s.broker.place_order("SPY", market(), Side.BUY, size=0), "greater than 0"),
        (lambda s: s.broker.place_order("SPY", market(), Side.BUY, size=float("inf")), "size=inf"),
        (lambda s: s.broker.place_order("SPY", market(), Side.BUY, quantity=-1), "greater than 0"),
        (lambda s: s.broker.modify("i1"), "changes nothing"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_sent(strategy, host, ask, sentence):
    with pytest.raises(StrategyError, match=sentence):
        ask(strategy)
    assert host.asked == []


def test_no_ticket_trades_outside_of_regular_hours_unless_it_says_so():
    assert not any(ticket.outside_rth for ticket in (market(), limit(1), stop(1), stop_limit(2, 1)))
    asking = (limit(1, outside_rth=True), stop(1, outside_rth=True), stop_limit(2, 1, outside_rth=True))
    assert all(ticket.outside_rth for ticket in asking)
