"""Orders, requests and streams of an open session, against a gateway that does what a test says."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from mats.ib.error_codes import Meaning
from mats.ib.errors import (
    AmbiguousInstrument,
    NotPermitted,
    PacingViolated,
    RequestFailed,
    RequestTimedOut,
    UnknownInstrument,
    UntrustedAnswer,
)
from mats.ib.events import (
    AccountValueReported,
    BarReported,
    CommissionReported,
    ErrorReceived,
    ExecutionReported,
    LinkDegraded,
    LinkRestored,
    OrderStatusReported,
    PacketEnd,
    QuoteReported,
    SessionLost,
    Unsent,
)
from mats.ib.pacing import Pacer
from mats.ib.pending_requests import FIRST_REQUEST_ID
from mats.instruments import InstrumentRegistry, MemoryRecords, parse_instrument
from mats.model.broker_reports import BrokerOrderStatus, OrderErrorMeaning
from mats.model.market_data import Bar, MarketStream, StreamMeaning, StreamNotice
from mats.model.orders import OrderIntent, OrderTicket, OrderType, Side

Fixture = Callable[..., Any]

SPY, EURUSD = parse_instrument("SPY"), parse_instrument("EURUSD")


def intent(quantity: int = 100, ticket: OrderTicket | None = None) -> OrderIntent:
    return OrderIntent(
        intent_id="i7",
        strategy="ibs",
        account="DU1",
        instrument=SPY,
        side=Side.BUY,
        quantity=Decimal(quantity),
        ticket=ticket or OrderTicket(),
        time=0,
    )


def details(
    request_id: object, symbol: str = "SPY", con_id: int = 756733, long_name: str = "SPDR"
) -> tuple[object, ...]:
    return (
        *(10, request_id, symbol, "STK", "", 0, "", "SMART", "USD", symbol, symbol, symbol, con_id, 0.01, "", "LMT"),
        *(
            "SMART",
            1,
            0,
            long_name,
            "ARCA",
            "",
            "",
            "",
            "",
            "US/Eastern",
            "",
            "",
            "",
            "",
            0,
            1,
            "",
            "",
            "26",
            "",
            "ETF",
        ),
        *(1, 1, 100),
    )


async def test_an_order_is_written_as_it_is_meant(scripted: Fixture, open_session: Fixture) -> None:
    async with scripted() as script, open_session(script.port) as (session, _, _):
        session.place(100, intent(ticket=OrderTicket(order_type=OrderType.LIMIT, limit_price=Decimal("512.30"))))
        (sent,) = await script.got(3)
        assert sent[1] == "100"
        assert sent[3:5] == ["SPY", "STK"]
        assert sent[16:22] == ["BUY", "100", "LMT", "512.30", "", "DAY"]
        assert (sent[23], sent[26], sent[27], sent[33]) == ("DU1", "ibs:i7", "1", "0")
        session.modify(100, intent(quantity=50))
        session.cancel(100)
        assert (await script.got(3, 2))[1][16:19] == ["BUY", "50", "MKT"]
        assert (await script.got(4))[0][:3] == ["4", "1", "100"]


def bracket() -> OrderIntent:
    """An entry with a stop and a profit limit."""
    stop = OrderTicket(order_type=OrderType.STOP, stop_price=Decimal(500))
    profit = OrderTicket(order_type=OrderType.LIMIT, limit_price=Decimal(530))
    children = (
        replace(intent(ticket=ticket), intent_id=name, side=Side.SELL, parent="i7")
        for name, ticket in (("i7.stop", stop), ("i7.profit", profit))
    )
    return replace(intent(), children=tuple(children))


async def test_a_bracket_leaves_in_one_and_its_last_order_transmits_it(
    scripted: Fixture, open_session: Fixture
) -> None:
    async with scripted() as script, open_session(script.port) as (session, _, _):
        session.place(100, bracket())
        sent = await script.got(3, 3)
        assert [(row[1], row[16], row[18], row[26]) for row in sent] == [
            ("100", "BUY", "MKT", "ibs:i7"),
            ("101", "SELL", "STP", "ibs:i7.stop"),
            ("102", "SELL", "LMT", "ibs:i7.profit"),
        ]  # fmt: skip
        assert [(row[27], row[28]) for row in sent] == [("0", "0"), ("0", "100"), ("1", "100")]
        session.modify(101, bracket().children[0], 100)
        changed = (await script.got(3, 4))[3]
        assert (changed[1], changed[27], changed[28]) == ("101", "1", "100")


async def test_a_bracket_that_waits_is_withdrawn_as_a_whole(scripted: Fixture, open_session: Fixture) -> None:
    frozen = Pacer(lambda: 0.0)
    async with scripted() as script, open_session(script.port, pacer=frozen) as (session, _, _):
        for order_id in range(80, 100):
            session.place(order_id, intent())
        session.place(100, bracket())
        assert session.unsent_orders == {"i7", "i7.stop", "i7.profit"}
        assert session.cancel(100) == "i7"
        session.cancel(80)
        await script.got(4)
        assert not session.unsent_orders & {"i7.stop", "i7.profit"}
        assert {fields[26] for fields in script.received if fields[0] == "3"} == {"ibs:i7"}


async def test_the_cancel_of_a_child_never_overtakes_its_bracket(scripted: Fixture, open_session: Fixture) -> None:
    frozen = Pacer(lambda: 0.0)
    async with scripted() as script, open_session(script.port, pacer=frozen) as (session, recorded, _):
        for order_id in range(80, 100):
            session.place(order_id, intent())
        session.place(100, bracket())
        assert session.cancel(101) == ""
        session.cancel(80)
        (cancel,) = await script.got(4)
        assert cancel[:3] == ["4", "1", "80"]
        session.close()
        unsent = (await recorded.first(SessionLost)).unsent
        assert unsent[-2:] == (
            Unsent(100, "place", "i7", ("i7.stop", "i7.profit")), Unsent(101, "cancel"),
        )  # fmt: skip


@pytest.mark.parametrize("order_id", [0, -1, FIRST_REQUEST_ID])
async def test_an_order_id_outside_its_range_is_refused(
    order_id: int, scripted: Fixture, open_session: Fixture
) -> None:
    async with scripted() as script, open_session(script.port) as (session, _, _):
        with pytest.raises(ValueError, match=f"order id {order_id} must be"):
            session.place(order_id, intent())


async def test_a_fill_is_reported_in_the_order_of_the_wire_even_if_its_cost_comes_first(
    scripted: Fixture, open_session: Fixture, execution: Fixture
) -> None:
    async with scripted() as script, open_session(script.port) as (_, recorded, _):
        script.push(
            (59, 1, "e1.01", 1.0, "USD", 1.7976931348623157e308, "", ""),
            (3, 7, "Filled", 100, 0, 512.31, 900, 0, 512.31, 1, "", 0),
            execution("e1.01", quantity=60),
            execution("e2.01", quantity=40),
            (59, 1, "e2.01", -1.0, "USD", "", "", ""),
        )
        await recorded.first(PacketEnd)
        kinds = [type(event) for event in recorded.events]
        assert kinds == [CommissionReported, OrderStatusReported, ExecutionReported, ExecutionReported, PacketEnd]
        fills = recorded.of(ExecutionReported)
        assert [(fill.execution.quantity, fill.live) for fill in fills] == [(Decimal(60), True), (Decimal(40), True)]
        status = recorded.of(OrderStatusReported)[0].status
        assert (status.perm_id, status.status, status.status_text) == (900, BrokerOrderStatus.FILLED, "Filled")


async def test_an_error_of_an_order_is_passed_on_by_its_id(scripted: Fixture, open_session: Fixture) -> None:
    async with scripted() as script, open_session(script.port) as (session, recorded, _):
        script.push((4, 2, 100, 201, "Order rejected - reason:margin", ""))
        received = await recorded.first(ErrorReceived)
        assert (received.error.request_id, received.error.code, received.meaning) == (100, 201, Meaning.OTHER)
        assert received.error.meaning is OrderErrorMeaning.REJECTED
        assert session.late_answers == 0


async def test_an_order_overtakes_a_queue_of_requests(scripted: Fixture, open_session: Fixture) -> None:
    frozen = Pacer(lambda: 0.0)
    async with scripted() as script, open_session(script.port, pacer=frozen) as (session, recorded, _):
        requests = [asyncio.ensure_future(session.resolve(SPY, 60)) for _ in range(20)]
        await script.got(9, 6)
        session.place(100, intent())
        await script.got(3)
        session.cancel(100)
        session.modify(101, intent())
        await script.got(4)
        assert len([fields for fields in script.received if fields[0] == "9"]) == 6, "the others still wait"
        session.close()
        assert (await recorded.first(SessionLost)).unsent == (Unsent(101, "modify", intent().intent_id),)
        await asyncio.gather(*requests, return_exceptions=True)


async def test_a_cancel_overtakes_new_orders_but_never_the_order_that_it_cancels(
    scripted: Fixture, open_session: Fixture
) -> None:
    now = [0.0]
    async with scripted() as script, open_session(script.port, pacer=Pacer(lambda: now[0])) as (session, _, _):
        for order_id in range(100, 120):
            session.place(order_id, replace(intent(), intent_id=f"i{order_id}"))
        await script.got(3, 7)
        session.modify(100, intent())
        assert session.cancel(100) == "", "it was sent: its cancel goes at once, and its change is not needed any more"
        assert session.cancel(110) == "i110", "it was not sent, and never will be"
        assert (await script.got(4))[0][2] == "100"
        assert session.unsent_orders == {f"i{order_id}" for order_id in range(107, 120)} - {"i110"}
        now[0] = 1_000.0
        assert await asyncio.wait_for(_time_from(session, script), 5)
        sent = await script.got(3, 13)
        assert [int(fields[1]) for fields in sent[7:]] == [107, 108, 109, 111, 112, 113]


async def test_the_library_never_holds_back_what_the_line_has_let_go(scripted: Fixture, open_session: Fixture) -> None:
    fast = Pacer(lambda: asyncio.get_running_loop().time(), rate=1e6, burst=1e6)
    async with scripted() as script, open_session(script.port, pacer=fast) as (session, _, _):
        held = []
        session._client.throttleStart += lambda: held.append("held")
        for order_id in range(100, 400):
            session.place(order_id, intent())
        assert not session._client._msgQ
        assert held == []
        assert len(await script.got(3, 300)) == 300


async def test_a_request_whose_asker_left_is_not_sent(scripted: Fixture, open_session: Fixture) -> None:
    now = [0.0]
    async with scripted() as script, open_session(script.port, pacer=Pacer(lambda: now[0])) as (session, _, _):
        for _ in range(8):
            with pytest.raises(RequestTimedOut):
                await session.resolve(SPY, 0.02)
        now[0] = 1_000.0
        assert await asyncio.wait_for(_time_from(session, script), 5)
        assert len([fields for fields in script.received if fields[0] == "9"]) == 6


async def _time_from(session: Any, script: Any) -> int:
    request = asyncio.ensure_future(session.server_time(5))
    await script.got(49)
    script.push((49, 1, 1_776_108_424))
    return int(await request)


@pytest.mark.parametrize("told", ["nan", "", "x" * 5_000, "1e400"])
async def test_a_heartbeat_whose_answer_cannot_be_read_shows_that_the_gateway_lives(
    scripted: Fixture, open_session: Fixture, told: str
) -> None:
    async with scripted() as script, open_session(script.port) as (session, recorded, _):
        request = asyncio.ensure_future(session.server_time(5))
        await script.got(49)
        script.push((49, 1, told))
        assert not await request
        assert await _time_from(session, script)
        assert not recorded.of(SessionLost)


async def test_an_unknown_contract_is_unknown_only_while_the_link_is_healthy(
    scripted: Fixture, open_session: Fixture
) -> None:
    def unknown(request: list[str]) -> list[tuple[object, ...]]:
        return [(4, 2, request[2], 200, "No security definition has been found for the request", "")]

    async with scripted({9: unknown}) as script, open_session(script.port) as (session, recorded, _):
        with pytest.raises(UnknownInstrument, match=r"contract of SPY: the gateway answered No security definition"):
            await session.resolve(SPY)
        script.push((4, 2, -1, 1100, "Connectivity lost", ""), (4, 2, -1, 1100, "Connectivity lost", ""))
        await recorded.first(LinkDegraded)
        with pytest.raises(UntrustedAnswer):
            await session.resolve(SPY)
        script.push((4, 2, -1, 1102, "restored, data maintained", ""))
        assert (await recorded.first(LinkRestored)).data_lost is False
        assert not session.degraded
        assert len(recorded.of(LinkDegraded)) == 1
        with pytest.raises(UnknownInstrument):
            await session.resolve(SPY)


async def test_a_contract_is_resolved_or_ambiguous_or_undecodable(scripted: Fixture, open_session: Fixture) -> None:
    answers: list[list[tuple[object, ...]]] = []

    def answer(request: list[str]) -> list[tuple[object, ...]]:
        return [(*message[:1], request[2], *message[2:]) for message in answers.pop(0)] + [(52, 1, request[2])]

    rule = [(93, 26, 1, 0, 0.01)]
    async with scripted({9: answer, 91: lambda _: rule}) as script, open_session(script.port) as (session, _, _):
        answers.append([details(0)])
        assert (await session.resolve(SPY)).con_id == 756733
        answers.append([details(0), details(0, con_id=5)])
        with pytest.raises(
            AmbiguousInstrument, match=r"write one of these: #756733 \(.*at ARCA.*\); #5 \(.*contract id 5\)"
        ):
            await session.resolve(SPY)
        answers.append([])
        with pytest.raises(UnknownInstrument):
            await session.resolve(SPY)
        answers.append([details(0)[:30]])
        with pytest.raises(RequestFailed, match="could not be decoded"):
            await session.resolve(SPY)


async def test_a_rule_is_asked_for_once_and_one_that_is_not_answered_leaves_what_was_known(
    scripted: Fixture, open_session: Fixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = MemoryRecords()
    levels = ((Decimal(0), Decimal("0.01")), (Decimal("1.5"), Decimal("0.05")))

    def answer(request: list[str]) -> list[tuple[object, ...]]:
        return [details(request[2]), (52, 1, request[2])]

    registry = InstrumentRegistry(records)
    with_rule = {9: answer, 91: lambda _: [(93, 26, 2, 1.5, 0.05, 0.0, 0.01)]}
    async with (
        scripted(with_rule) as script,
        open_session(script.port, instruments=registry) as (session, _, _),
    ):
        for _ in range(2):
            assert (await session.resolve(SPY)).price_increments == levels
        assert await script.got(91) == [["91", "26"]]
    monkeypatch.setattr("mats.ib.market_rules.ANSWER_SECONDS", 0.05)
    async with (
        scripted({9: answer}) as script,
        scripted({9: answer}) as another,
        open_session(script.port, instruments=InstrumentRegistry(records)) as (session, _, _),
        open_session(another.port) as (without, _, _),
    ):
        assert (await session.resolve(SPY)).price_increments == levels
        nothing = await without.resolve(SPY)
        assert (nothing.price_increments, nothing.tick_size) == ((), Decimal("0.01"))


def bars(request_id: str, *times: object, end: str = "") -> tuple[object, ...]:
    return (17, request_id, "", end, len(times), *(x for time in times for x in (time, 1.0, 2.0, 0.5, 1.5, 10, 1.2, 3)))


async def test_history_tells_bars_from_emptiness_from_silence(scripted: Fixture, open_session: Fixture) -> None:
    answers: list[Callable[[str], tuple[object, ...]]] = [
        lambda key: bars(key, 1_776_108_420, 1_776_108_480, 9_999_999_960),
        lambda key: (4, 2, key, 162, "HMDS query returned no data: SPY@SMART Trades", ""),
        lambda key: (4, 2, key, 162, "Historical data request pacing violation", ""),
        lambda key: (4, 2, key, 162, "No market data permissions for ARCA STK", ""),
    ]
    async with (
        scripted({20: lambda request: [answers.pop(0)(request[1])] if answers else []}) as script,
        open_session(script.port) as (session, _, _),
    ):
        found = await session.history(SPY, 60, 3600)
        assert [bar.start // 1_000_000_000 for bar in found.bars] == [1_776_108_420, 1_776_108_480], (
            "the last is not over"
        )
        assert not found.known_empty
        assert (await session.history(SPY, 60, 3600)).known_empty
        with pytest.raises(PacingViolated):
            await session.history(SPY, 60, 3600)
        with pytest.raises(NotPermitted):
            await session.history(SPY, 60, 3600)
        with pytest.raises(RequestTimedOut, match="3600 S of 1 min bars of EURUSD up to 20260413 19:27:04 UTC"):
            await session.history(EURUSD, 60, 3600, 1_776_108_424 * 10**9, timeout=0.05)
        request = (await script.got(20, 5))[4]
        assert request[15:20] == ["20260413 19:27:04 UTC", "1 min", "3600 S", "0", "MIDPOINT"]
        assert (await script.got(25))[0][2] == request[1], "an abandoned request is cancelled"


async def test_the_gateway_says_which_bar_is_finished(scripted: Fixture, open_session: Fixture) -> None:
    def answer(request: list[str]) -> list[tuple[object, ...]]:
        return [bars(request[1], 1_776_108_300, 1_776_108_360, 1_776_108_420, end="20260413 15:27:04 US/Eastern")]

    async with scripted({20: answer}) as script, open_session(script.port) as (session, _, _):
        found = await session.history(SPY, 60, 3600)
        assert [bar.start // 10**9 for bar in found.bars] == [1_776_108_300, 1_776_108_360]


async def test_a_request_without_an_id_is_not_sent_again_while_its_end_may_still_come(
    scripted: Fixture, open_session: Fixture
) -> None:
    async with scripted() as script, open_session(script.port) as (session, recorded, _):
        with pytest.raises(RequestTimedOut):
            await session.positions(0.05)
        with pytest.raises(RequestFailed, match="is unanswered"):
            await session.positions(5)
        script.push((62, 1), (4, 2, -1, 2104, "ok", ""))
        await recorded.first(ErrorReceived)
        request = asyncio.ensure_future(session.positions(5))
        await script.got(61, 2)
        script.push((61, 3, "DU1", 1, "SPY", "STK", "", 0, "", "", "SMART", "USD", "SPY", "SPY", 7, 1.5), (62, 1))
        (position,) = await request
        assert (position.instrument, position.quantity, position.average_cost) == ("SPY", Decimal(7), Decimal("1.5"))


async def test_a_late_answer_is_counted_and_ignored(scripted: Fixture, open_session: Fixture) -> None:
    async with scripted() as script, open_session(script.port) as (session, recorded, _):
        with pytest.raises(RequestTimedOut):
            await session.history(SPY, 60, 3600, timeout=0.05)
        key = (await script.got(20))[0][1]
        script.push(bars(key, 1_776_108_420), (4, 2, -1, 2104, "ok", ""))
        await recorded.first(ErrorReceived)
        assert session.late_answers == 2  # one bar, one end
        assert session.open_requests == 0


async def test_a_thousand_requests_leave_nothing_behind(scripted: Fixture, open_session: Fixture) -> None:
    fast = Pacer(lambda: asyncio.get_running_loop().time(), rate=1e6, burst=1e6)

    def answer(request: list[str]) -> list[tuple[object, ...]]:
        return [details(request[2]), (52, 1, request[2])]

    async with scripted({9: answer}) as script, open_session(script.port, pacer=fast) as (session, _, _):
        for _ in range(10):
            await asyncio.gather(*(session.resolve(SPY) for _ in range(100)))
        assert session.open_requests == 0
        assert len(fast) == 0
        ids = [int(fields[2]) for fields in await script.got(9, 1000)]
        assert len(set(ids)) == 1000
        assert min(ids) >= FIRST_REQUEST_ID


async def test_five_second_bars_flow_until_unsubscribed(scripted: Fixture, open_session: Fixture) -> None:
    async with scripted() as script, open_session(script.port) as (session, recorded, _):
        session.subscribe_bars(EURUSD)
        session.subscribe_bars(EURUSD)
        (request,) = await script.got(50)
        assert request[15:18] == ["5", "MIDPOINT", "0"]
        script.push((50, 3, request[2], 1_776_108_420, 1.1, 1.2, 1.0, 1.15, -1, -1, -1))
        assert (await recorded.first(BarReported)).bar == Bar(
            "EURUSD", 1_776_108_420_000_000_000, 5, 1.1, 1.2, 1.0, 1.15, 0.0, 0.0, 0
        )
        session.unsubscribe_bars(EURUSD)
        assert (await script.got(51))[0][2] == request[2]
        script.push((50, 3, request[2], 1_776_108_425, 1.1, 1.2, 1.0, 1.15, 0, 0, 0), (4, 2, -1, 2104, "ok", ""))
        await recorded.first(ErrorReceived)
        assert len(recorded.of(BarReported)) == 1
        assert session.open_requests == 0


async def test_ticks_of_one_packet_are_one_quote_at_its_end(scripted: Fixture, open_session: Fixture) -> None:
    async with scripted() as script, open_session(script.port) as (session, recorded, _):
        session.subscribe_quotes(SPY)
        key = (await script.got(1))[0][2]
        script.push(
            (1, 6, key, 1, 512.30, 300, 0),
            (2, 6, key, 0, 300),
            (4, 2, -1, 2104, "ok", ""),
            (1, 6, key, 2, 512.32, 200, 0),
            (45, 6, key, 49, 0),
            (46, 6, key, 45, "1776108420"),
        )
        await recorded.first(PacketEnd)
        assert [type(event) for event in recorded.events] == [ErrorReceived, QuoteReported, PacketEnd]
        quote = recorded.of(QuoteReported)[0].quote
        assert (quote.bid, quote.ask, quote.bid_size, quote.ask_size) == (512.30, 512.32, 300.0, 200.0)


async def test_an_error_of_a_stream_names_its_instrument(scripted: Fixture, open_session: Fixture) -> None:
    async with scripted() as script, open_session(script.port) as (session, recorded, _):
        session.subscribe_quotes(SPY)
        key = (await script.got(1))[0][2]
        script.push((4, 2, key, 10197, "No market data during competing live session", ""))
        received = await recorded.first(ErrorReceived)
        said = "No market data during competing live session (code 10197)"
        assert received.meaning is Meaning.DATA_COMPETING
        assert received.notice == StreamNotice(StreamMeaning.COMPETING, said, "SPY", MarketStream.QUOTES)
        assert session.late_answers == 0


async def test_after_lost_data_every_stream_is_requested_again(scripted: Fixture, open_session: Fixture) -> None:
    async with scripted() as script, open_session(script.port) as (session, recorded, _):
        session.subscribe_bars(SPY)
        session.subscribe_quotes(EURUSD)
        session.subscribe_account("DU1")
        old = [(await script.got(n))[0][2] for n in (50, 1, 76)]
        script.push((4, 2, -1, 1101, "restored, data lost", ""))
        assert (await recorded.first(LinkRestored)).data_lost
        session.resubscribe_all()
        new = [(await script.got(n, 2))[1][2] for n in (50, 1, 76)]
        assert not set(old) & set(new)
        assert [(await script.got(n))[0][2] for n in (51, 2, 77)] == old
        assert session.open_requests == 3


async def test_account_values_flow_and_can_be_requested_once(scripted: Fixture, open_session: Fixture) -> None:
    def values(request: list[str]) -> list[tuple[object, ...]]:
        return [(73, 1, request[2], "DU1", "", "NetLiquidation", "1000000.00", "USD"), (74, 1, request[2])]

    async with scripted({76: values}) as script, open_session(script.port) as (session, recorded, _):
        (value,) = await session.account_values("DU1")
        assert (value.tag, value.value, value.currency) == ("NetLiquidation", "1000000.00", "USD")
        assert (await script.got(77))[0][2] == (await script.got(76))[0][2]
        assert recorded.of(AccountValueReported) == []
        session.subscribe_account("DU1")
        assert (await recorded.first(AccountValueReported)).value == value


async def test_a_notice_does_not_end_the_request_it_came_with(scripted: Fixture, open_session: Fixture) -> None:
    def answer(request: list[str]) -> list[tuple[object, ...]]:
        return [(4, 2, request[1], 2174, "time zone notice", ""), bars(request[1], 1_776_108_420)]

    async with scripted({20: answer}) as script, open_session(script.port) as (session, _, _):
        assert len((await session.history(SPY, 60, 3600)).bars) == 1
