"""Order types, brackets, groups, sessions and what holds orders back, as an unmodified client sees them."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from ib_async import LimitOrder, MarketOrder, Order, StopOrder

from mats.gateway import PaperGateway
from mats.model.market_data import Quote
from mats.model.timestamp import DAY, HOUR, SECOND, from_datetime
from mats.venue.clock import SteppedClock
from mats.venue.markets.sessions import TradingSession
from mats.venue.models.latency import FixedLatency
from mats.venue.models.margin import CashMargin
from mats.venue.models.selection import VenueModels
from mats.venue.models.stock_loan import Inventory

NOON = from_datetime(datetime(2026, 3, 4, 12, tzinfo=UTC))


class OfficeHours:
    """Extended trading from 8 to 18, regular trading from 9 to 17, every day."""

    def session(self, sec_type, instant):
        day = instant // DAY * DAY
        session = TradingSession(day + 8 * HOUR, day + 9 * HOUR, day + 17 * HOUR, day + 18 * HOUR)
        return session if instant < session.late else TradingSession(*(moment + DAY for moment in session))


class Stage:
    """A gateway whose market stands still until the test shows a quote, and a client of it."""

    def __init__(self, bench, gateway, clock, ib, contract):
        self.bench, self.gateway, self.clock, self.ib, self.contract = bench, gateway, clock, ib, contract
        self.errors = []
        ib.errorEvent += lambda request, code, text, contract: self.errors.append((code, text))

    def place(self, order):
        return self.ib.placeOrder(self.contract, order)

    async def settled(self):
        await self.ib.reqCurrentTimeAsync()

    async def show(self, bid, ask, size=1000):
        orders, now = self.gateway._orders, self.clock.now()
        orders.advance(now)
        orders.process(self.gateway.exchange.on_quote(Quote("SPY", now, bid, ask, size, size, bid)))
        await self.settled()

    async def seen(self):
        """All open orders by id, as seen by a client that has not placed them and has no state of its own."""
        async with self.bench.client(self.gateway, 9) as other:
            return {trade.order.orderId: trade for trade in await other.reqAllOpenOrdersAsync()}

    @property
    def codes(self):
        return [code for code, _ in self.errors]


@asynccontextmanager
async def stage(bench, *, time=NOON, state=None, opening=(99.99, 100.0), **models):
    clock = SteppedClock(time)
    async with PaperGateway(clock=clock, state=state, models=VenueModels(**models)) as gateway:
        gateway._tasks[0].cancel()
        async with bench.client(gateway, 1) as ib:
            set_up = Stage(bench, gateway, clock, ib, await bench.contract(ib))
            await set_up.show(*opening)
            yield set_up


def status(trade):
    return trade.orderStatus.status


def test_a_trailing_stop_is_drawn_after_the_market_and_sells_when_it_turns(bench):
    async def scenario():
        async with stage(bench) as s:
            trade = s.place(Order(action="SELL", totalQuantity=10, orderType="TRAIL", auxPrice=1.0, tif="GTC"))
            await s.settled()
            assert (status(trade), trade.orderStatus.whyHeld) == ("PreSubmitted", "trigger")
            await s.show(105.0, 105.01)
            order = (await s.seen())[trade.order.orderId].order
            assert (order.trailStopPrice, order.auxPrice, order.orderType) == (104.0, 1.0, "TRAIL")
            await s.show(104.5, 104.51)
            assert status(trade) == "PreSubmitted"
            await s.show(104.0, 104.01)
            assert status(trade) == "Filled"
            assert trade.fills[0].execution.price == 104.0

    bench.run(scenario())


def test_a_trailing_stop_by_percent_and_one_with_a_limit_report_their_stop(bench):
    async def scenario():
        async with stage(bench) as s:
            percent = s.place(Order(action="SELL", totalQuantity=10, orderType="TRAIL", trailingPercent=2.0))
            limited = s.place(
                Order(action="SELL", totalQuantity=10, orderType="TRAIL LIMIT", auxPrice=1.0, lmtPriceOffset=0.05)
            )
            await s.settled()
            seen = await s.seen()
            first, second = seen[percent.order.orderId].order, seen[limited.order.orderId].order
            assert (first.trailStopPrice, first.trailingPercent) == (97.99, 2.0)
            assert (second.trailStopPrice, second.lmtPrice, second.lmtPriceOffset) == (98.99, 98.94, 0.05)
            await s.show(97.0, 97.01)
            assert (status(percent), status(limited)) == ("Filled", "Submitted")

    bench.run(scenario())


def test_touched_orders_wait_for_a_better_price_than_now(bench):
    async def scenario():
        async with stage(bench) as s:
            market = s.place(Order(action="BUY", totalQuantity=10, orderType="MIT", auxPrice=98.0))
            limit = s.place(Order(action="BUY", totalQuantity=10, orderType="LIT", auxPrice=98.0, lmtPrice=97.5))
            await s.settled()
            assert (status(market), status(limit)) == ("PreSubmitted", "PreSubmitted")
            await s.show(97.99, 98.0)
            assert (status(market), status(limit)) == ("Filled", "Submitted")
            await s.show(97.4, 97.5)
            assert status(limit) == "Filled"

    bench.run(scenario())


def test_a_bracket_is_sent_by_its_last_order_and_one_child_ends_the_other(bench):
    async def scenario():
        async with stage(bench) as s:
            bracket = s.ib.bracketOrder("BUY", 10, limitPrice=99.0, takeProfitPrice=105.0, stopLossPrice=95.0)
            parent, target, stop = [s.place(order) for order in bracket]
            await s.settled()
            assert status(parent) == "Submitted"
            assert [status(t) for t in (target, stop)] == ["PreSubmitted", "PreSubmitted"]
            assert [t.orderStatus.whyHeld for t in (target, stop)] == ["child", "child,trigger"]
            children = [t.order for t in (await s.seen()).values() if t.order.parentId]
            assert {order.ocaGroup for order in children} == {str(parent.order.permId)}
            assert [order.parentId for order in children] == [parent.order.orderId] * 2
            await s.show(98.9, 99.0)
            assert [status(t) for t in (parent, target, stop)] == ["Filled", "Submitted", "PreSubmitted"]
            await s.show(105.0, 105.1)
            assert [status(t) for t in (target, stop)] == ["Filled", "Cancelled"]
            assert s.ib.positions() == []
            completed = await s.ib.reqCompletedOrdersAsync(False)
            assert len(completed) == 3
            assert {t.order.parentPermId for t in completed} == {0, parent.order.permId}

    bench.run(scenario())


def test_nothing_is_sent_about_a_bracket_before_its_last_order_and_its_cancel_ends_the_family(bench):
    async def scenario():
        async with stage(bench) as s:
            bracket = s.ib.bracketOrder("BUY", 10, limitPrice=99.0, takeProfitPrice=105.0, stopLossPrice=95.0)
            trades = [s.place(order) for order in bracket[:2]]
            await s.settled()
            assert await s.ib.reqAllOpenOrdersAsync() == []
            trades.append(s.place(bracket[2]))
            await s.settled()
            s.ib.cancelOrder(bracket[0])
            await s.settled()
            assert [status(t) for t in trades] == ["Cancelled"] * 3
            assert s.codes == [202, 202, 202]

    bench.run(scenario())


def test_only_so_many_orders_wait_to_be_transmitted(bench, monkeypatch):
    async def scenario():
        monkeypatch.setattr("mats.gateway.orders.untransmitted.MAX_UNTRANSMITTED", 3)
        async with stage(bench) as s:
            trades = [s.place(LimitOrder("BUY", 10, 90.0, transmit=False)) for _ in range(5)]
            await bench.until(lambda: s.codes == [201, 201])
            s.ib.cancelOrder(trades[0].order)
            await bench.until(lambda: s.codes == [201, 201, 202])
            s.place(LimitOrder("BUY", 10, 90.0, transmit=False))
            await s.settled()
            assert s.codes == [201, 201, 202]

    bench.run(scenario())


def test_a_child_without_a_parent_is_refused(bench):
    async def scenario():
        async with stage(bench) as s:
            s.place(LimitOrder("SELL", 10, 105.0, parentId=4711))
            await s.bench.until(lambda: s.codes == [10006])

    bench.run(scenario())


@pytest.mark.parametrize(("group_type", "left"), [(1, 0), (2, 75), (3, 75)])
def test_a_partial_fill_ends_or_reduces_the_rest_of_its_group(bench, group_type, left):
    async def scenario():
        async with stage(bench) as s:
            terms = {"ocaGroup": "either", "ocaType": group_type, "tif": "GTC"}
            first = s.place(LimitOrder("BUY", 100, 99.0, **terms))
            second = s.place(StopOrder("BUY", 100, 110.0, **terms))
            await s.settled()
            await s.show(98.9, 99.0, size=25)
            assert (first.orderStatus.filled, second.orderStatus.remaining if second.isActive() else 0) == (25, left)
            await s.show(98.9, 99.0)
            assert (status(first), status(second)) == ("Filled", "Cancelled")
            late = s.place(LimitOrder("BUY", 100, 99.0, **terms))
            await s.settled()
            assert (s.errors[-1], status(late)) == (
                (201, "Order rejected - reason:OCA group is already filled."),
                "Inactive",
            )

    bench.run(scenario())


def test_a_smaller_quantity_keeps_the_place_in_line_and_a_new_price_loses_it(bench):
    async def scenario():
        async with stage(bench) as s:
            first, second, third = (s.place(LimitOrder("BUY", 10, 99.0)) for _ in range(3))
            await s.settled()
            first.order.totalQuantity = 5
            s.place(first.order)
            second.order.lmtPrice = 98.0
            s.place(second.order)
            second.order.lmtPrice = 99.0
            s.place(second.order)
            await s.settled()
            await s.show(98.9, 99.0, size=15)
            assert [t.orderStatus.filled for t in (first, second, third)] == [5, 0, 10]

    bench.run(scenario())


def test_a_modification_that_fills_sends_the_state_before_the_execution(bench):
    async def scenario():
        async with stage(bench) as s:
            trade = s.place(LimitOrder("BUY", 10, 99.0))
            await s.settled()
            names, decode = [], s.ib.client.decoder.interpret

            def interpret(fields):
                names.append(fields[0])
                decode(fields)

            s.ib.client.decoder.interpret = interpret
            trade.order.lmtPrice = 100.0
            s.place(trade.order)
            await bench.until(lambda: "59" in names)
            assert [name for name in names if name in ("3", "5", "11", "59")] == ["5", "3", "11", "59"]

    bench.run(scenario())


def test_outside_the_hours_an_order_waits_and_a_warning_says_until_when(bench):
    async def scenario():
        async with stage(bench, time=NOON + 7 * HOUR, hours=OfficeHours()) as s:
            trade = s.place(LimitOrder("BUY", 10, 100.0))
            await s.settled()
            assert status((await s.seen())[trade.order.orderId]) == "PreSubmitted"
            words = "Order Message:\nBUY 10 SPY ARCA\nWarning: Your order will not be placed at the exchange until "
            assert s.errors == [(399, words + "2026-03-05 04:00:00 US/Eastern.")]
            s.clock.leap(10 * HOUR)
            await s.show(99.9, 100.0)
            assert status((await s.seen())[trade.order.orderId]) == "PreSubmitted"
            s.clock.leap(5 * HOUR)
            await s.show(99.9, 100.0)
            assert status(trade) == "Filled"

    bench.run(scenario())


def test_orders_end_at_the_close_or_trade_in_it_and_a_market_order_has_no_other_hours(bench):
    async def scenario():
        async with stage(bench, hours=OfficeHours()) as s:
            day = s.place(LimitOrder("BUY", 10, 90.0))
            longer = s.place(LimitOrder("BUY", 10, 90.0, outsideRth=True))
            on_close = s.place(Order(action="BUY", totalQuantity=5000, orderType="MOC"))
            refused = s.place(Order(action="BUY", totalQuantity=10, orderType="LOC", lmtPrice=90.0))
            s.place(StopOrder("BUY", 10, 200.0, outsideRth=True))
            await s.settled()
            assert s.codes == [2109]
            s.clock.leap(5 * HOUR)
            await s.show(80.0, 81.0)
            assert [status(t) for t in (day, on_close, refused)] == ["Cancelled", "Filled", "Cancelled"]
            assert (on_close.orderStatus.avgFillPrice, status(longer)) == (99.99, "Filled")

    bench.run(scenario())


def test_an_order_good_till_a_time_reports_it_and_ends_then(bench):
    async def scenario():
        async with stage(bench) as s:
            trade = s.place(LimitOrder("BUY", 10, 90.0, tif="GTD", goodTillDate="20260306 09:00:00 US/Eastern"))
            await s.settled()
            (seen,) = (await s.seen()).values()
            assert seen.order.goodTillDate == "20260306 14:00:00 UTC"
            s.clock.leap(2 * DAY)
            await s.show(99.9, 100.0)
            assert status(trade) == "Submitted"
            s.clock.leap(2 * HOUR)
            await s.show(99.9, 100.0)
            assert (status(trade), s.codes) == ("Cancelled", [202])

    bench.run(scenario())


def test_a_short_sale_is_held_until_its_shares_are_located(bench):
    async def scenario():
        inventory = Inventory({"SPY": Decimal(0)})
        async with stage(bench, locate=inventory) as s:
            trade = s.place(MarketOrder("SELL", 10))
            await s.settled()
            await s.show(99.9, 100.0)
            (seen,) = (await s.seen()).values()
            assert (status(seen), seen.orderStatus.whyHeld, s.codes) == ("PreSubmitted", "locate", [404])
            inventory.set("SPY", Decimal(10))
            await s.show(99.9, 100.0)
            assert status(trade) == "Filled"

    bench.run(scenario())


def test_a_cash_account_sells_no_more_than_it_has(bench):
    async def scenario():
        async with stage(bench, margin=CashMargin()) as s:
            trade = s.place(MarketOrder("SELL", 10))
            await s.settled()
            assert (status(trade), s.codes) == ("Inactive", [201])
            bought = s.place(MarketOrder("BUY", 10))
            await s.settled()
            sold = s.place(MarketOrder("SELL", 10))
            await s.settled()
            assert (status(bought), status(sold)) == ("Filled", "Filled")

    bench.run(scenario())


def test_a_cancel_on_its_way_comes_too_late_for_an_order_that_fills(bench):
    async def scenario():
        async with stage(bench, latency=FixedLatency(SECOND)) as s:
            trade = s.place(LimitOrder("BUY", 10, 100.0))
            await s.settled()
            assert status(trade) == "PreSubmitted"
            s.ib.cancelOrder(trade.order)
            await s.settled()
            assert status(trade) == "PendingCancel"
            s.clock.leap(SECOND)
            await s.show(98.9, 99.0)
            assert (status(trade), s.codes) == ("Filled", [])
            assert trade.fills[0].execution.price == 100.0

    bench.run(scenario())


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"orderType": "TRAIL"}, 321),
        ({"orderType": "TRAIL", "auxPrice": 1.0, "trailingPercent": 2.0}, 321),
        ({"orderType": "TRAIL", "auxPrice": 1.005}, 110),
        ({"orderType": "TRAIL", "auxPrice": 1.0, "tif": "IOC"}, 321),
        ({"orderType": "TRAIL LIMIT", "auxPrice": 1.0}, 321),
        ({"orderType": "MIT"}, 321),
        ({"orderType": "LIT", "auxPrice": 1.0}, 321),
        ({"orderType": "LOC"}, 321),
        ({"orderType": "REL", "auxPrice": 1.0}, 321),
        ({"orderType": "LMT", "lmtPrice": 99.0, "tif": "GTD"}, 321),
        ({"orderType": "LMT", "lmtPrice": 99.0, "tif": "GTD", "goodTillDate": "tomorrow"}, 321),
        ({"orderType": "LMT", "lmtPrice": 99.0, "tif": "GTD", "goodTillDate": "20260301 09:00:00 UTC"}, 201),
        ({"orderType": "LMT", "lmtPrice": 99.0, "goodAfterTime": "20270101 09:00:00 UTC"}, 321),
        ({"orderType": "LMT", "lmtPrice": 99.0, "allOrNone": True}, 321),
        ({"orderType": "LMT", "lmtPrice": 99.0, "ocaGroup": "x", "ocaType": 7}, 321),
        ({"orderType": "LMT", "lmtPrice": 99.005}, 110),
        ({"orderType": "MKT", "totalQuantity": 1.5}, 10243),
    ],
)
def test_terms_that_cannot_be_had_are_refused(bench, terms, code):
    async def scenario():
        async with stage(bench) as s:
            s.place(Order(**({"action": "SELL", "totalQuantity": 10} | terms)))
            await bench.until(lambda: s.codes == [code])

    bench.run(scenario())


FRACTIONS = """
[[instrument]]
symbol = "VTI"
sec_type = "STK"
currency = "USD"
con_id = 12340041
primary_exchange = "ARCA"
size_increment = "0.0001"
min_size = "0.0001"
price = 250.0
volatility = 0.16
"""


def test_fractions_trade_where_the_instrument_allows_them(bench, tmp_path):
    path = tmp_path / "more.toml"
    path.write_text(FRACTIONS)

    async def scenario():
        async with PaperGateway(instruments=path) as gateway, bench.client(gateway, 1) as ib:
            trade = ib.placeOrder(await bench.contract(ib, "VTI"), MarketOrder("BUY", 0.3217))
            await bench.until(lambda: trade.fills)
            assert (trade.fills[0].execution.shares, status(trade)) == (0.3217, "Filled")
            await bench.until(ib.positions)
            assert ib.positions()[0].position == 0.3217

    bench.run(scenario())


def test_every_term_of_an_open_order_survives_a_restart(bench, tmp_path):
    path = tmp_path / "gateway.db"
    fields = ("orderType", "lmtPrice", "auxPrice", "tif", "ocaGroup", "ocaType", "parentId", "outsideRth")
    fields += ("goodTillDate", "trailStopPrice", "trailingPercent", "lmtPriceOffset", "totalQuantity", "orderRef")

    async def described(s):
        return {
            number: (*(getattr(trade.order, field) for field in fields), status(trade), trade.orderStatus.whyHeld)
            for number, trade in (await s.seen()).items()
        }

    async def before():
        async with stage(bench, state=path) as s:
            till = {"tif": "GTD", "goodTillDate": "20260310 12:00:00 UTC"}
            s.place(Order(action="SELL", totalQuantity=10, orderType="TRAIL", auxPrice=1.0, tif="GTC", orderRef="a:1"))
            s.place(Order(action="SELL", totalQuantity=10, orderType="TRAIL", trailingPercent=2.0, **till))
            s.place(LimitOrder("BUY", 10, 95.0, ocaGroup="either", ocaType=2, tif="GTC"))
            s.place(LimitOrder("BUY", 20, 94.0, ocaGroup="either", ocaType=2, tif="GTC", outsideRth=True))
            for order in s.ib.bracketOrder("BUY", 10, limitPrice=96.0, takeProfitPrice=105.0, stopLossPrice=95.0):
                order.tif = "GTC"
                s.place(order)
            await s.show(103.0, 103.01)
            known.update(await described(s))
            assert len(known) == 7

    async def after():
        async with stage(bench, state=path, opening=(103.0, 103.01)) as s:
            assert await described(s) == known
            await s.show(101.99, 102.0)
            assert [f.execution.orderRef for f in s.ib.fills()] == ["a:1"]
            await s.show(95.99, 96.0)
            children = [t for t in (await s.seen()).values() if t.order.parentId]
            assert [t.orderStatus.whyHeld for t in children] == ["", "trigger"]

    known: dict[int, tuple] = {}
    bench.run(before())
    bench.run(after())
