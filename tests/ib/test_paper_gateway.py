"""The session against the paper gateway: orders and their fills, data, reconnects."""

import asyncio
import itertools
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from mats.gateway import PaperGateway
from mats.ib import MASTER
from mats.ib.events import (
    BarReported,
    CommissionReported,
    DecodeFailed,
    ErrorReceived,
    ExecutionReported,
    LinkDegraded,
    LinkRestored,
    OrderReported,
    OrderStatusReported,
    PositionReported,
    QuoteReported,
    SessionLost,
)
from mats.instruments import parse_instrument
from mats.model.broker_reports import BrokerOrderStatus
from mats.model.instrument import Instrument, SecType
from mats.model.orders import OrderIntent, OrderState, OrderTicket, OrderType, Side, TimeInForce, opening_view
from mats.model.timestamp import DAY, HOUR, SECOND, Nanos
from mats.orders import Order, Orders, order_events
from mats.orders.registry import report_events
from mats.venue.markets import TradingSession
from mats.venue.models import VenueModels

Fixture = Callable[..., Any]
ACCOUNT = "DU1000001"


def order(
    instrument: Instrument, name: str = "i1", quantity: int = 100, ticket: OrderTicket | None = None
) -> OrderIntent:
    return OrderIntent(
        intent_id=name,
        strategy="ibs",
        account=ACCOUNT,
        instrument=instrument,
        side=Side.BUY,
        quantity=Decimal(quantity),
        ticket=ticket or OrderTicket(),
        time=0,
    )


def resting(price: str) -> OrderTicket:
    return OrderTicket(order_type=OrderType.LIMIT, limit_price=Decimal(price), tif=TimeInForce.GTC)


async def filled(recorded: Any, quantity: int) -> list[Any]:
    def enough(_: object) -> list[Any] | None:
        fills = recorded.of(ExecutionReported)
        return fills if sum(fill.execution.quantity for fill in fills) == quantity else None

    return list(await recorded.until(enough))


@pytest.mark.parametrize("name", ["VOD.GBP", "7203.JPY", "SPX:20261218:6000:C:SPXW", "SPY", "ES:20261218"])
async def test_a_resolved_contract_has_the_ticks_that_the_gateway_holds_orders_against(
    name: str, open_session: Fixture
) -> None:
    async with PaperGateway(port=0, seed=1) as gateway, open_session(gateway.port) as (session, _, _):
        resolved = await session.resolve(parse_instrument(name))
        listed = gateway.universe.by_con_id(resolved.con_id)
        edges = [edge for edge, _ in resolved.price_increments] or [Decimal(0)]
        for price in (edge + resolved.tick_size * ticks for edge in edges for ticks in range(-3, 12)):
            assert resolved.tick_at(price) == listed.tick_at(price)
        assert len(edges) == (1 if name in ("SPY", "ES:20261218") else len(listed.price_increments))


async def test_a_market_order_is_filled_booked_and_charged(open_session: Fixture) -> None:
    async with (
        PaperGateway(port=0, seed=1) as gateway,
        open_session(gateway.port, client_id=MASTER) as (master, of_master, _),
        open_session(gateway.port) as (session, recorded, opened),
    ):
        spy = await session.resolve(parse_instrument("SPY"))
        await master.snapshot(5)
        await session.snapshot(5)
        session.place(opened.next_order_id, order(spy))
        fills = await filled(recorded, 100)
        await recorded.until(lambda _: len(recorded.of(CommissionReported)) == len(fills))
        await of_master.until(lambda _: any(e.position.quantity == 100 for e in of_master.of(PositionReported)))
        assert recorded.of(PositionReported) == [], "they are not sent to a client of a strategy"
        for fill in fills:
            execution = fill.execution
            assert fill.live
            assert (execution.account, execution.instrument, execution.side) == (ACCOUNT, "SPY", Side.BUY)
            assert (execution.order_ref, execution.client_id) == ("ibs:i1", 1)
            assert execution.order_id == opened.next_order_id
            assert execution.perm_id > 0
        ids = {fill.execution.exec_id for fill in fills}
        assert ids == {event.commission.exec_id for event in recorded.of(CommissionReported)}
        assert sum(event.commission.amount for event in recorded.of(CommissionReported)) >= Decimal(1)
        assert recorded.of(OrderReported)[0].order.order_ref == "ibs:i1"
        await recorded.until(
            lambda _: any(e.status.status is BrokerOrderStatus.FILLED for e in recorded.of(OrderStatusReported))
        )
        assert recorded.of(DecodeFailed) == []


class Tomorrow:
    """The market opens a day after whenever it is asked."""

    def session(self, _: SecType, instant: Nanos) -> TradingSession:
        return TradingSession(*(instant + DAY + n * HOUR for n in range(4)))


async def test_a_market_order_before_the_open_is_held_and_counts_as_working(open_session: Fixture) -> None:
    async with (
        PaperGateway(port=0, seed=1, models=VenueModels(hours=Tomorrow())) as gateway,
        open_session(gateway.port) as (session, recorded, opened),
    ):
        spy = await session.resolve(parse_instrument("SPY"))
        intent = order(spy)
        session.place(opened.next_order_id, intent)
        orders = Orders()
        known = Order(intent, opening_view(intent))
        orders.add(known)
        orders.change(known, order_events.OrderSent(time=1, client_id=1, order_id=opened.next_order_id))
        await recorded.until(lambda _: any(event.error.code == 399 for event in recorded.of(ErrorReceived)))
        for event in recorded.events:
            if isinstance(event, OrderStatusReported | ErrorReceived):
                report = event.status if isinstance(event, OrderStatusReported) else event.error
                for happened in report_events(report, known.view, 2):
                    orders.change(known, happened)
        assert known.view.state is OrderState.WORKING
        assert known.view.note.startswith("399: Order Message:")
        assert recorded.of(ExecutionReported) == []


async def test_a_bracket_waits_at_the_gateway_and_its_stop_and_profit_end_each_other(open_session: Fixture) -> None:
    async with PaperGateway(port=0, seed=1) as gateway, open_session(gateway.port) as (session, recorded, opened):
        spy = await session.resolve(parse_instrument("SPY"))
        entry, first = order(spy), opened.next_order_id
        stop = OrderTicket(order_type=OrderType.STOP, stop_price=Decimal("1.00"), tif=TimeInForce.GTC)
        children = [
            replace(order(spy, name, ticket=ticket), side=Side.SELL, parent="i1")
            for name, ticket in (("i1.stop", stop), ("i1.profit", resting("9000.00")))
        ]
        session.place(first, replace(entry, children=tuple(children)))
        await filled(recorded, 100)

        def statuses(order_id: int) -> list[BrokerOrderStatus]:
            reports = recorded.of(OrderStatusReported)
            return [event.status.status for event in reports if event.status.order_id == order_id]

        await recorded.until(lambda _: all(statuses(first + n) for n in range(3)))
        session.modify(first + 1, replace(children[0], ticket=replace(stop, stop_price=Decimal("2.00"))), first)
        await recorded.until(lambda _: any(e.order.stop_price == Decimal("2.00") for e in recorded.of(OrderReported)))
        session.cancel(first + 2)
        await recorded.until(lambda _: all(statuses(first + n)[-1] is BrokerOrderStatus.CANCELLED for n in (1, 2)))
        assert {execution.execution.side for execution in recorded.of(ExecutionReported)} == {Side.BUY}


async def test_partial_fills_add_up_and_keep_their_revisions_apart(open_session: Fixture) -> None:
    async with PaperGateway(port=0, seed=1) as gateway, open_session(gateway.port) as (session, recorded, opened):
        spy = await session.resolve(parse_instrument("SPY"))
        gateway.faults.hold_orders()
        session.place(opened.next_order_id, order(spy, ticket=resting("1.00")))
        await recorded.first(OrderReported)
        gateway.faults.fill((1, opened.next_order_id), 25, 1.0, times=4)
        fills = await filled(recorded, 100)
        assert [fill.execution.quantity for fill in fills] == [Decimal(25)] * 4
        assert [fill.execution.cumulative_quantity for fill in fills] == [Decimal(n) for n in (25, 50, 75, 100)]
        first = fills[0].execution
        gateway.faults.correct(first.exec_id, 20, 1.0)
        corrected = (await recorded.until(lambda _: recorded.of(ExecutionReported)[4:]))[0].execution
        assert (corrected.family, corrected.quantity) == (first.family, Decimal(20))
        assert corrected.revision > first.revision
        assert len({fill.execution.family for fill in fills}) == 4


async def test_an_order_is_changed_and_cancelled(open_session: Fixture) -> None:
    async with PaperGateway(port=0, seed=1) as gateway, open_session(gateway.port) as (session, recorded, opened):
        spy = await session.resolve(parse_instrument("SPY"))
        session.place(opened.next_order_id, order(spy, ticket=resting("1.00")))
        await recorded.first(OrderReported)
        session.modify(opened.next_order_id, order(spy, quantity=50, ticket=resting("2.00")))
        changed = await recorded.until(
            lambda _: [e.order for e in recorded.of(OrderReported) if e.order.quantity == 50]
        )
        assert changed[0].limit_price == Decimal(2)
        session.cancel(opened.next_order_id)
        await recorded.until(
            lambda _: any(e.status.status is BrokerOrderStatus.CANCELLED for e in recorded.of(OrderStatusReported))
        )
        received = await recorded.until(lambda _: [e.error for e in recorded.of(ErrorReceived) if e.error.code == 202])
        assert received[0].request_id == opened.next_order_id


async def test_what_happened_while_away_is_in_the_next_snapshot(open_session: Fixture) -> None:
    async with PaperGateway(port=0, seed=1) as gateway:
        async with open_session(gateway.port) as (session, recorded, opened):
            spy = await session.resolve(parse_instrument("SPY"))
            for n, name in enumerate(("filled", "open", "cancelled")):
                session.place(opened.next_order_id + n, order(spy, name, ticket=resting("1.00")))
            await recorded.until(lambda _: len({e.order.order_id for e in recorded.of(OrderReported)}) == 3)
            session.cancel(opened.next_order_id + 2)
            await recorded.until(
                lambda _: any(e.status.status is BrokerOrderStatus.CANCELLED for e in recorded.of(OrderStatusReported))
            )
            gateway.faults.drop(1, hard=True)
            await recorded.first(SessionLost)
        gateway.faults.fill((1, opened.next_order_id), 100, 1.0)
        async with open_session(gateway.port) as (session, _, again):
            snapshot = await session.snapshot(5)
            assert again.next_order_id > opened.next_order_id + 2
            assert [e.order_ref for e in snapshot.executions] == ["ibs:filled"]
            assert [c.exec_id for c in snapshot.commissions] == [snapshot.executions[0].exec_id]
            assert [o.order_ref for o in snapshot.open_orders] == ["ibs:open"]
            completed = {o.order_ref: (o.status, o.filled) for o in snapshot.completed_orders}
            assert completed == {
                "ibs:filled": (BrokerOrderStatus.FILLED, Decimal(100)),
                "ibs:cancelled": (BrokerOrderStatus.CANCELLED, Decimal(0)),
            }
            (position,) = snapshot.positions
            assert (position.account, position.instrument, position.quantity) == (ACCOUNT, "SPY", Decimal(100))
            assert [i.id for i in snapshot.instruments] == ["SPY"]


async def test_the_master_sees_what_others_do(open_session: Fixture) -> None:
    async with (
        PaperGateway(port=0, seed=1) as gateway,
        open_session(gateway.port, 0) as (master, recorded, _),
        open_session(gateway.port, 1) as (session, _, opened),
    ):
        await master.snapshot(5)
        spy = await session.resolve(parse_instrument("SPY"))
        session.place(opened.next_order_id, order(spy))
        fills = await filled(recorded, 100)
        assert {fill.execution.client_id for fill in fills} == {1}
        assert {fill.execution.order_ref for fill in fills} == {"ibs:i1"}


async def test_a_manual_order_is_reported_without_a_reference(open_session: Fixture) -> None:
    async with PaperGateway(port=0, seed=1) as gateway, open_session(gateway.port, 0) as (master, recorded, _):
        await master.snapshot(5)
        gateway.faults.manual_order("SPY", Side.BUY, 10)
        fills = await filled(recorded, 10)
        assert {fill.execution.order_ref for fill in fills} == {""}
        assert recorded.of(DecodeFailed) == []


async def test_a_burst_of_fills_arrives_whole_and_in_order(open_session: Fixture) -> None:
    async with PaperGateway(port=0, seed=1) as gateway, open_session(gateway.port) as (session, recorded, opened):
        spy = await session.resolve(parse_instrument("SPY"))
        gateway.faults.hold_orders()
        session.place(opened.next_order_id, order(spy, quantity=2_000, ticket=resting("1.00")))
        await recorded.first(OrderReported)
        gateway.faults.fill((1, opened.next_order_id), 1, 1.0, times=2_000)
        fills = await filled(recorded, 2_000)
        assert [fill.execution.cumulative_quantity for fill in fills] == list(range(1, 2_001))
        assert session.open_requests == 0


async def test_quotes_and_bars_flow(open_session: Fixture) -> None:
    async with PaperGateway(port=0, seed=1) as gateway, open_session(gateway.port) as (session, recorded, _):
        spy = await session.resolve(parse_instrument("SPY"))
        session.subscribe_quotes(spy)
        session.subscribe_bars(spy)
        quote = (
            await recorded.until(lambda _: [e for e in recorded.of(QuoteReported) if e.quote.mid > 0 < e.quote.bid])
        )[0]
        assert quote.quote.bid < quote.quote.ask
        bar = (await recorded.first(BarReported)).bar
        assert bar.instrument == "SPY"
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.start % (5 * SECOND) == 0


async def test_history_is_as_long_as_requested(open_session: Fixture) -> None:
    async with PaperGateway(port=0, seed=1) as gateway, open_session(gateway.port, 99) as (session, _, _):
        euro = await session.resolve(parse_instrument("EURUSD"))
        found = await session.history(euro, 60, 3600)
        starts = [bar.start for bar in found.bars]
        assert 55 <= len(starts) <= 61
        assert starts == sorted(set(starts))
        assert {later - earlier for earlier, later in itertools.pairwise(starts)} == {60 * SECOND}


async def test_the_link_to_the_broker_may_blink(open_session: Fixture) -> None:
    async with PaperGateway(port=0, seed=1) as gateway, open_session(gateway.port) as (session, recorded, _):
        gateway.faults.connectivity(1100)
        await recorded.first(LinkDegraded)
        assert session.degraded
        gateway.faults.connectivity(1101)
        assert (await recorded.first(LinkRestored)).data_lost
        assert not session.degraded


async def test_account_values_are_complete(open_session: Fixture) -> None:
    async with PaperGateway(port=0, seed=1) as gateway, open_session(gateway.port) as (session, _, _):
        first, second = await asyncio.gather(session.account_values(ACCOUNT), session.account_values(ACCOUNT))
        tags = {value.tag: value.value for value in first}
        assert float(tags["NetLiquidation"]) == 1_000_000
        assert {value.tag for value in second} == set(tags)


async def test_a_restarted_gateway_is_met_with_a_new_session(open_session: Fixture, tmp_path: Path) -> None:
    async with (
        PaperGateway(port=0, seed=1, state=tmp_path / "state.db") as gateway,
        open_session(gateway.port) as (session, recorded, opened),
    ):
        spy = await session.resolve(parse_instrument("SPY"))
        session.place(opened.next_order_id, order(spy, ticket=resting("1.00")))
        await recorded.first(OrderReported)
    async with (
        PaperGateway(port=0, seed=1, state=tmp_path / "state.db") as gateway,
        open_session(gateway.port) as (session, _, _),
    ):
        snapshot = await session.snapshot(5)
        assert [(o.order_ref, o.order_id) for o in snapshot.open_orders] == [("ibs:i1", opened.next_order_id)]
