"""Orders over the wire: fills, changes, cancels, rejections, and who receives them."""

import pytest
from ib_async import ExecutionFilter, Forex, LimitOrder, MarketOrder, Order, StopOrder

from mats.gateway import PaperGateway
from mats.model.timestamp import DAY, SECOND
from mats.venue.clock import SteppedClock


def record_messages(ib):
    """The names of the order messages in the order of their arrival."""
    names, decode = [], ib.client.decoder.interpret
    words = {"5": "openOrder", "3": "orderStatus", "11": "execDetails", "59": "commissionReport", "4": "error"}

    def interpret(fields):
        if fields[0] in words:
            names.append(words[fields[0]])
        decode(fields)

    ib.client.decoder.interpret = interpret
    return names


def test_a_market_buy_sends_order_execution_order_and_its_commission_last(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            names = record_messages(ib)
            trade = ib.placeOrder(contract, MarketOrder("BUY", 100, orderRef="alpha:1"))
            await bench.until(lambda: "commissionReport" in names)
            pair = ["openOrder", "orderStatus"]
            assert names == [*pair, "execDetails", *pair, "commissionReport"]
            fill = trade.fills[0]
            quote = gateway.exchange.quote("SPY")
            assert trade.orderStatus.status == "Filled"
            assert abs(fill.execution.price - quote.ask) < 1
            assert (fill.execution.orderRef, fill.execution.side, fill.execution.shares) == ("alpha:1", "BOT", 100)
            assert fill.commissionReport.commission == 1.0
            await bench.until(ib.positions)
            assert ib.positions()[0].position == 100
            assert ib.portfolio()[0].position == 100
            ib.placeOrder(contract, MarketOrder("SELL", 100))
            await bench.until(lambda: not ib.positions())
            assert ib.portfolio() == []

    bench.run(scenario())


def test_the_master_client_receives_all_orders_and_the_others_only_their_own(bench):
    async def scenario():
        async with (
            PaperGateway() as gateway,
            bench.client(gateway, 0) as master,
            bench.client(gateway, 1) as one,
            bench.client(gateway, 2) as two,
        ):
            contract = await bench.contract(one)
            one.placeOrder(contract, MarketOrder("BUY", 5, orderRef="alpha:1"))
            await bench.until(master.fills)
            assert master.fills()[0].execution.orderRef == "alpha:1"
            assert master.fills()[0].execution.clientId == 1
            assert two.fills() == []
            assert await two.reqExecutionsAsync() == []
            assert len(await master.reqExecutionsAsync()) == 1
            assert await master.reqExecutionsAsync(ExecutionFilter(clientId=2)) == []
            resting = two.placeOrder(contract, LimitOrder("BUY", 10, 1.0))
            await bench.until(lambda: resting.orderStatus.status == "Submitted")
            seen = await one.reqAllOpenOrdersAsync()
            assert [(t.order.clientId, t.order.permId) for t in seen] == [(2, resting.order.permId)]

    bench.run(scenario())


def test_a_limit_order_rests_is_changed_and_then_fills(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            trade = ib.placeOrder(contract, LimitOrder("BUY", 10, 1.0))
            await bench.until(lambda: trade.orderStatus.status == "Submitted")
            perm_id = trade.order.permId
            trade.order.lmtPrice = 9999.0
            ib.placeOrder(contract, trade.order)
            await bench.until(trade.isDone)
            assert trade.orderStatus.status == "Filled"
            assert trade.order.permId == perm_id
            assert trade.fills[0].execution.price < 2000

    bench.run(scenario())


def test_a_cancel_ends_an_order_with_202_and_a_late_one_is_refused(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            codes = []
            ib.errorEvent += lambda request, code, text, contract: codes.append(code)
            trade = ib.placeOrder(contract, LimitOrder("BUY", 10, 1.0))
            await bench.until(lambda: trade.orderStatus.status == "Submitted")
            ib.cancelOrder(trade.order)
            await bench.until(lambda: 202 in codes)
            ib.client.cancelOrder(trade.order.orderId)
            ib.client.cancelOrder(424242)
            await bench.until(lambda: len(codes) == 3)
            assert codes == [202, 10148, 10147]
            completed = await ib.reqCompletedOrdersAsync(False)
            assert [t.orderStatus.status for t in completed] == ["Cancelled"]

    bench.run(scenario())


def test_an_order_larger_than_the_quoted_size_fills_in_parts(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib, "BAC")
            trade = ib.placeOrder(contract, MarketOrder("BUY", 5000))
            await bench.until(trade.isDone)
            shares = [fill.execution.shares for fill in trade.fills]
            assert len(shares) > 1
            assert sum(shares) == 5000
            assert [fill.execution.cumQty for fill in trade.fills] == [sum(shares[: i + 1]) for i in range(len(shares))]

    bench.run(scenario())


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (LimitOrder("BUY", 10, 100.003), 110),
        (MarketOrder("BUY", 0.5), 10243),
        (MarketOrder("BUY", 0), 434),
        (Order(action="BUY", totalQuantity=10, orderType="VWAP"), 321),
        (MarketOrder("BUY", 10, tif="GTD"), 321),
        (MarketOrder("BUY", 100_000), 201),
        (MarketOrder("BUY", 10, account="DU9"), 321),
    ],
)
def test_a_bad_order_is_refused_with_its_code_and_moves_nothing(bench, order, code):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            codes = []
            ib.errorEvent += lambda request, number, text, contract: codes.append(number)
            order.orderId = 0
            ib.placeOrder(contract, order)
            await bench.until(lambda: codes)
            assert codes == [code]
            assert ib.fills() == []
            assert await ib.reqAllOpenOrdersAsync() == []

    bench.run(scenario())


def test_a_used_order_id_is_103_and_a_filled_order_cannot_be_changed(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            codes = []
            ib.errorEvent += lambda request, code, text, contract: codes.append(code)
            trade = ib.placeOrder(contract, MarketOrder("BUY", 10))
            await bench.until(trade.isDone)
            ib.client.placeOrder(trade.order.orderId, contract, MarketOrder("BUY", 20))
            ib.client.placeOrder(1, contract, MarketOrder("BUY", 10))
            await bench.until(lambda: len(codes) == 2)
            assert codes == [104, 103]

    bench.run(scenario())


def test_nothing_is_sent_about_an_order_until_it_is_transmitted(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            names = record_messages(ib)
            order = MarketOrder("BUY", 10, transmit=False)
            trade = ib.placeOrder(contract, order)
            await ib.reqCurrentTimeAsync()
            assert names == []
            order.transmit = True
            ib.placeOrder(contract, order)
            await bench.until(trade.isDone)
            assert trade.orderStatus.status == "Filled"

    bench.run(scenario())


def test_a_what_if_returns_margin_and_commission_and_trades_nothing(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            state = await ib.whatIfOrderAsync(contract, MarketOrder("BUY", 1000))
            assert state.commission == 5.0
            assert float(state.initMarginChange) > 10_000
            assert ib.positions() == []

    bench.run(scenario())


def test_stops_wait_unseen_immediate_orders_do_not_wait_and_a_global_cancel_ends_all(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib, bench.client(gateway, 2) as other:
            contract = await bench.contract(ib)
            stop = ib.placeOrder(contract, StopOrder("SELL", 10, 1.0, tif="GTC"))
            limit = other.placeOrder(contract, LimitOrder("BUY", 10, 1.0))
            now_or_never = ib.placeOrder(contract, LimitOrder("BUY", 10, 1.0, tif="IOC"))
            await bench.until(lambda: now_or_never.isDone() and limit.orderStatus.status == "Submitted")
            assert now_or_never.orderStatus.status == "Cancelled"
            assert stop.orderStatus.status == "PreSubmitted"
            ib.reqGlobalCancel()
            await bench.until(lambda: stop.isDone() and limit.isDone())
            assert await ib.reqAllOpenOrdersAsync() == []

    bench.run(scenario())


def test_a_pair_moves_two_balances_and_shows_as_a_position(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            contract = Forex("EURUSD")
            await ib.qualifyContractsAsync(contract)
            trade = ib.placeOrder(contract, MarketOrder("BUY", 20_000))
            await bench.until(lambda: trade.fills and trade.fills[0].commissionReport.commission)
            price = trade.fills[0].execution.price
            await bench.until(ib.positions)
            balances = {v.currency: float(v.value) for v in ib.accountValues() if v.tag == "CashBalance"}
            assert balances["EUR"] == 20_000
            assert balances["USD"] == pytest.approx(1_000_000 - 20_000 * price - 2, abs=0.01)
            assert (ib.positions()[0].contract.secType, ib.positions()[0].position) == ("CASH", 20_000)

    bench.run(scenario())


def test_a_burst_of_forced_fills_arrives_complete_and_a_correction_follows(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            gateway.faults.hold_orders()
            trade = ib.placeOrder(contract, LimitOrder("BUY", 3000, 100.0, orderRef="alpha:9"))
            await bench.until(lambda: trade.orderStatus.status == "Submitted")
            gateway.faults.fill((1, trade.order.orderId), 1, 99.5, times=2500)
            await bench.until(lambda: len(ib.fills()) == 2500)
            assert len({fill.execution.execId for fill in ib.fills()}) == 2500
            assert trade.orderStatus.filled == 2500
            with pytest.raises(ValueError, match="do not fit"):
                gateway.faults.fill((1, trade.order.orderId), 1, 99.5, times=501)
            first = ib.fills()[0].execution.execId
            corrected = gateway.faults.correct(first, 0, 99.5)
            assert corrected == first.removesuffix("01") + "02"
            await bench.until(lambda: len(ib.fills()) == 2501)
            assert gateway.account_service.accounts["DU1000001"].quantity("SPY") == 2499
            again = gateway.faults.correct(first, 5, 99.5)
            assert again == first.removesuffix("01") + "03", "its newest revision is corrected, whichever is named"
            assert gateway.account_service.accounts["DU1000001"].quantity("SPY") == 2504

    bench.run(scenario())


def test_a_manual_order_is_sent_to_the_master_without_a_reference(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 0) as master, bench.client(gateway, 1) as one:
            await one.reqCurrentTimeAsync()
            gateway.faults.manual_order("SPY", "BUY", 3)
            await bench.until(master.fills)
            execution = master.fills()[0].execution
            assert (execution.orderRef, execution.clientId, execution.orderId) == ("", 0, -1)
            assert one.fills() == []

    bench.run(scenario())


def test_a_day_order_ends_with_the_day_and_a_lasting_one_does_not(bench):
    async def scenario():
        clock = SteppedClock(1_700_000_000 * SECOND)
        async with PaperGateway(clock=clock) as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            day = ib.placeOrder(contract, LimitOrder("BUY", 10, 1.0))
            lasting = ib.placeOrder(contract, LimitOrder("BUY", 10, 1.0, tif="GTC"))
            await bench.until(lambda: lasting.orderStatus.status == "Submitted")
            clock.leap(DAY)
            await bench.until(day.isDone)
            assert (day.orderStatus.status, lasting.orderStatus.status) == ("Cancelled", "Submitted")

    bench.run(scenario())


def test_an_order_belongs_to_its_client_id_and_outlives_the_connection(bench):
    async def scenario():
        async with PaperGateway() as gateway:
            async with bench.client(gateway, 4) as ib:
                trade = ib.placeOrder(await bench.contract(ib), LimitOrder("BUY", 10, 1.0, orderRef="alpha:1"))
                await bench.until(lambda: trade.orderStatus.status == "Submitted")
            async with bench.client(gateway, 5) as stranger:
                codes = []
                stranger.errorEvent += lambda request, code, text, contract: codes.append(code)
                stranger.client.cancelOrder(trade.order.orderId)
                await bench.until(lambda: codes)
                assert codes == [10147]
                assert stranger.openTrades() == []
            async with bench.client(gateway, 4) as ib:
                (again,) = ib.openTrades()
                assert (again.order.orderId, again.order.orderRef) == (trade.order.orderId, "alpha:1")
                ib.cancelOrder(again.order)
                await bench.until(again.isDone)
                assert again.orderStatus.status == "Cancelled"

    bench.run(scenario())


def test_profit_and_loss_follow_the_trades(bench):
    async def scenario():
        clock = SteppedClock(1_700_000_000 * SECOND)
        async with PaperGateway(clock=clock) as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            total = ib.reqPnL("DU1000001")
            await bench.until(lambda: total.unrealizedPnL == 0)
            gateway.faults.hold_orders()
            trade = ib.placeOrder(contract, LimitOrder("BUY", 10, 2000.0))
            await bench.until(lambda: trade.orderStatus.status == "Submitted")
            paid = gateway.exchange.mark("SPY") - 3
            gateway.faults.fill(trade.order.permId, 10, paid)
            clock.leap(SECOND)
            await ib.reqCurrentTimeAsync()
            gain = 10 * float(gateway.exchange.mark("SPY") - paid)
            await bench.until(lambda: total.unrealizedPnL == pytest.approx(gain) != 0)
            single = ib.reqPnLSingle("DU1000001", "", contract.conId)
            await bench.until(lambda: single.position == 10)
            assert single.unrealizedPnL == pytest.approx(gain)

    bench.run(scenario())


def test_a_line_that_comes_back_without_its_data_sends_no_more_ticks(bench):
    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            ticker = ib.reqMktData(contract)
            await bench.until(lambda: ticker.bid > 0)
            codes = []
            ib.errorEvent += lambda request, code, text, contract: codes.append(code)
            gateway.faults.connectivity(1101)
            await bench.until(lambda: codes == [1101])
            stopped, shown = ticker.time, gateway.exchange.quote("SPY")
            await bench.until(lambda: gateway.exchange.quote("SPY") != shown)
            await ib.reqCurrentTimeAsync()
            assert ticker.time == stopped

    bench.run(scenario())
