"""The order in which messages about orders come, as it was seen at a live gateway."""

import pytest
from ib_async import LimitOrder, MarketOrder, Order

from mats.gateway import PaperGateway


@pytest.fixture
def recorded(bench, said):
    """Runs a scenario with a client in a gateway that records; the first connection is the client's."""

    def run(scenario, client_id=1):
        async def inside():
            gateway = PaperGateway()
            gateway.faults.record(said.path)
            async with gateway, bench.client(gateway, client_id) as ib:
                contract = await bench.contract(ib)
                await bench.until(lambda: gateway.exchange.quote("SPY"))
                await scenario(gateway, ib, contract)

        bench.run(inside())
        return said.story(1)

    return run


def test_a_market_order_is_accepted_executed_filled_and_charged_last(bench, recorded):
    async def scenario(gateway, ib, contract):
        trade = ib.placeOrder(contract, MarketOrder("BUY", 10))
        await bench.until(lambda: trade.fills and trade.fills[0].commissionReport.execId)

    assert recorded(scenario) == [
        "openOrder PreSubmitted",
        "orderStatus PreSubmitted",
        "execDetails",
        "openOrder Filled",
        "orderStatus Filled",
        "commissionReport",
    ]


def test_a_limit_order_made_a_market_order_is_submitted_and_then_filled(bench, recorded):
    async def scenario(gateway, ib, contract):
        trade = ib.placeOrder(contract, LimitOrder("BUY", 10, 1.0))
        await bench.until(lambda: trade.orderStatus.status == "Submitted")
        trade.order.orderType = "MKT"
        ib.placeOrder(contract, trade.order)
        await bench.until(lambda: trade.fills and trade.fills[0].commissionReport.execId)

    story = recorded(scenario)
    assert story[:4] == [
        "openOrder PreSubmitted",
        "orderStatus PreSubmitted",
        "openOrder Submitted",
        "orderStatus Submitted",
    ]
    assert story[4] == "openOrder Submitted"
    assert story.index("orderStatus Filled") < story.index("execDetails") < story.index("commissionReport")


def test_a_cancelled_order_was_accepted_submitted_and_pending_before(bench, recorded):
    async def scenario(gateway, ib, contract):
        trade = ib.placeOrder(contract, LimitOrder("BUY", 10, 1.0))
        await bench.until(lambda: trade.orderStatus.status == "Submitted")
        ib.cancelOrder(trade.order)
        await bench.until(trade.isDone)
        await ib.reqCurrentTimeAsync()

    story = recorded(scenario)
    assert [words for words in story if not words.startswith("openOrder")] == [
        "orderStatus PreSubmitted",
        "orderStatus Submitted",
        "orderStatus PendingCancel",
        "orderStatus Cancelled",
        "error 202",
    ]
    assert story[:4] == [
        "openOrder PreSubmitted",
        "orderStatus PreSubmitted",
        "openOrder Submitted",
        "orderStatus Submitted",
    ]


def test_an_untransmitted_order_is_not_reported_until_it_is_transmitted(bench, recorded):
    async def scenario(gateway, ib, contract):
        order = MarketOrder("BUY", 10, transmit=False)
        trade = ib.placeOrder(contract, order)
        await ib.reqCurrentTimeAsync()
        assert [entry.status for entry in trade.log] == ["PendingSubmit"]
        order.transmit = True
        trade = ib.placeOrder(contract, order)
        await bench.until(lambda: trade.fills and trade.fills[0].commissionReport.execId)

    assert recorded(scenario)[0] == "openOrder PreSubmitted"


def test_a_new_order_of_an_invalid_type_draws_321_and_nothing_else(bench, recorded):
    async def scenario(gateway, ib, contract):
        ib.placeOrder(contract, Order(action="BUY", totalQuantity=10, orderType="NONSENSE"))
        await ib.reqCurrentTimeAsync()

    assert recorded(scenario) == ["error 321"]


def test_order_ids_count_for_each_client_and_the_master_sees_the_orders_of_others(bench, said):
    async def scenario():
        gateway = PaperGateway()
        gateway.faults.record(said.path)
        async with gateway, bench.client(gateway, 1) as ib:
            contract = await bench.contract(ib)
            trades = [ib.placeOrder(contract, LimitOrder("BUY", 10, 1.0)) for _ in range(3)]
            await bench.until(lambda: all(trade.orderStatus.status == "Submitted" for trade in trades))
            async with bench.client(gateway, 0) as master:
                assert master.client.getReqId() < trades[-1].order.orderId
                seen = await master.reqAllOpenOrdersAsync()
                assert {(trade.order.clientId, trade.order.orderId) for trade in seen} == {
                    (1, trade.order.orderId) for trade in trades
                }

    bench.run(scenario())


def test_executions_of_an_idle_account_may_never_end(bench):
    """Real gateways do that; here it takes a fault: the end of the answer is lost."""

    async def scenario():
        async with PaperGateway() as gateway, bench.client(gateway, 1) as ib:
            gateway.faults.swallow([7])
            answer = ib.reqExecutionsAsync()
            await ib.reqCurrentTimeAsync()
            assert not answer.done()

    bench.run(scenario())
