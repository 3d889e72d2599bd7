"""Opening a session: every failure has its own error, and none takes forever."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from mats.gateway import PaperGateway
from mats.ib import IbSession
from mats.ib.conversion.time_zones import TimeZones
from mats.ib.errors import (
    ClientIdInUse,
    ConnectionFailed,
    ConnectionLostError,
    GatewayRefused,
    GatewaySilent,
    ReadOnlyApi,
    TimeZoneUnknown,
    VersionTooOld,
)
from mats.ib.events import DecodeFailed, SessionEvent, SessionLost
from mats.instruments import parse_instrument
from mats.runtime import SystemClock

Fixture = Callable[..., Any]


CLOCK = SystemClock()


def new_session(sink: Callable[[SessionEvent], None], client_id: int = 1) -> IbSession:
    return IbSession(client_id, sink, clock=CLOCK.now, monotonic=CLOCK.monotonic)


async def test_a_session_opens_with_accounts_and_order_id(open_session: Fixture) -> None:
    async with PaperGateway(port=0, seed=1) as gateway, open_session(gateway.port) as (session, _, opened):
        assert (opened.accounts, opened.server_version) == (("DU1000001",), 178)
        assert opened.next_order_id >= 1
        assert session.connected


async def test_a_port_where_nothing_listens_is_refused_by_name(new_recorder: Fixture) -> None:
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(GatewayRefused, match=rf"127.0.0.1:{port} \(client id 1\).*start it"):
        await new_session(new_recorder()).connect("127.0.0.1", port, 5)


async def test_a_client_id_in_use_is_reported_at_once(open_session: Fixture, new_recorder: Fixture) -> None:
    async with PaperGateway(port=0, seed=1) as gateway, open_session(gateway.port, 5) as (first, _, _):
        began = asyncio.get_running_loop().time()
        with pytest.raises(ClientIdInUse, match=r"client id 5\): another connection holds"):
            await new_session(new_recorder(), 5).connect("127.0.0.1", gateway.port, 60)
        assert asyncio.get_running_loop().time() - began < 5
        assert first.connected
        assert await first.server_time() > 0


async def test_two_clients_are_served_side_by_side(open_session: Fixture) -> None:
    async with (
        PaperGateway(port=0, seed=1) as gateway,
        open_session(gateway.port, 1) as (one, _, _),
        open_session(gateway.port, 2) as (two, _, _),
    ):
        assert await asyncio.gather(one.resolve(parse_instrument("SPY")), two.resolve(parse_instrument("SPY")))


async def test_an_id_is_free_again_after_its_session_closed(open_session: Fixture) -> None:
    async with PaperGateway(port=0, seed=1) as gateway:
        async with open_session(gateway.port, 3) as (_, recorded, _):
            pass
        assert recorded.of(SessionLost) == [SessionLost("closed by its owner")]
        async with asyncio.timeout(10):
            while True:  # until the gateway has read the end of the first one
                try:
                    async with open_session(gateway.port, 3) as (again, _, _):
                        assert await again.server_time() > 0
                        return
                except ClientIdInUse:
                    continue


async def test_a_gateway_that_accepts_and_says_nothing_is_silent(scripted: Fixture, new_recorder: Fixture) -> None:
    async with scripted(version=0) as script:
        with pytest.raises(GatewaySilent, match=r"in 0\.1 s"):
            await new_session(new_recorder()).connect("127.0.0.1", script.port, 0.1)


async def test_a_gateway_without_accounts_is_silent(scripted: Fixture, new_recorder: Fixture) -> None:
    async with scripted(start_up=((15, 1, ""), (9, 1, 100))) as script:
        with pytest.raises(GatewaySilent):
            await new_session(new_recorder()).connect("127.0.0.1", script.port, 0.2)


async def test_hanging_up_in_the_handshake_is_reported_at_once(scripted: Fixture, new_recorder: Fixture) -> None:
    async with scripted(start_up=None) as script:
        began = asyncio.get_running_loop().time()
        with pytest.raises(GatewayRefused, match="closed the connection"):
            await new_session(new_recorder()).connect("127.0.0.1", script.port, 60)
        assert asyncio.get_running_loop().time() - began < 5


async def test_an_old_protocol_is_refused(scripted: Fixture, new_recorder: Fixture) -> None:
    async with scripted(version=120) as script:
        with pytest.raises(VersionTooOld, match="has protocol version 120, too old"):
            await new_session(new_recorder()).connect("127.0.0.1", script.port, 60)


@pytest.mark.parametrize(
    ("zone", "why"),
    [
        (" CST", r"ambiguous zone 'CST'; set gateway.time_zone to the one that is meant: America/Chicago"),
        (" Mars/Olympus", r"unknown zone 'Mars/Olympus'; set gateway.time_zone to its IANA name"),
        ("", r"no zone; set gateway.time_zone to that of the gateway"),
        ("  ", r"no zone; set gateway.time_zone to that of the gateway"),
    ],
)
async def test_a_gateway_whose_zone_is_not_clear_is_refused_before_the_first_order(
    scripted: Fixture, open_session: Fixture, new_recorder: Fixture, zone: str, why: str
) -> None:
    async with scripted(time=f"20260413  15:27:04{zone}") as script:
        with pytest.raises(TimeZoneUnknown, match=why):
            await new_session(new_recorder()).connect("127.0.0.1", script.port, 60)
        async with open_session(script.port, 2, zones=TimeZones("Asia/Shanghai")) as (session, _, _):
            assert session.connected


@pytest.mark.parametrize("zone", ["JST", "EDT", "Central European Standard Time", "GMT+08:00", "GMT+1"])
async def test_a_gateway_in_any_zone_that_is_clear_is_taken(
    scripted: Fixture, open_session: Fixture, zone: str
) -> None:
    async with scripted(time=f"20260413 15:27:04 {zone}") as script, open_session(script.port) as (session, _, _):
        assert session.connected


async def test_a_gateway_that_is_read_only_is_refused_at_once_in_its_own_words(
    scripted: Fixture, open_session: Fixture
) -> None:
    said = "Error validating request.-'b_' : cause - The API interface is currently in Read-Only mode."
    refuse = {number: lambda _: [(4, 2, -1, 321, said, "")] for number in (5, 16, 99)}
    async with scripted(refuse) as script, open_session(script.port) as (session, _, _):
        with pytest.raises(ReadOnlyApi, match=r"Read-Only mode.*clear Read-Only API in the API settings"):
            await session.snapshot(60)


async def test_a_gateway_that_says_why_it_closes_is_quoted(scripted: Fixture, new_recorder: Fixture) -> None:
    said = (4, 2, -1, 10141, "Paper trading disclaimer must first be accepted for API connection.", "")

    async with scripted(start_up=(said,)) as script:
        attempt = asyncio.ensure_future(new_session(new_recorder()).connect("127.0.0.1", script.port, 60))
        await script.got(71)
        script.close()
        with pytest.raises(GatewayRefused, match="10141 Paper trading disclaimer must first be accepted"):
            await attempt


async def test_garbage_for_a_handshake_is_no_gateway(scripted: Fixture, new_recorder: Fixture) -> None:
    async with scripted(start_up=(("hello", "world", "!"),)) as script:
        with pytest.raises(GatewayRefused, match="does not speak the TWS protocol"):
            await new_session(new_recorder()).connect("127.0.0.1", script.port, 60)


async def test_closing_ends_an_attempt_that_is_under_way(scripted: Fixture, new_recorder: Fixture) -> None:
    async with scripted(start_up=()) as script:
        session = new_session(new_recorder())
        attempt = asyncio.ensure_future(session.connect("127.0.0.1", script.port, 60))
        await script.got(71)
        session.close()
        with pytest.raises(GatewayRefused, match="closed by its owner"):
            await attempt


async def test_a_session_is_used_once(open_session: Fixture) -> None:
    async with PaperGateway(port=0, seed=1) as gateway, open_session(gateway.port) as (session, _, _):
        session.close()
        with pytest.raises(ConnectionFailed, match="make another one"):
            await session.connect("127.0.0.1", gateway.port, 5)


async def test_before_and_after_its_life_a_session_sends_nothing(open_session: Fixture, new_recorder: Fixture) -> None:
    with pytest.raises(ConnectionLostError, match="not connected yet"):
        new_session(new_recorder()).cancel(1)
    async with PaperGateway(port=0, seed=1) as gateway, open_session(gateway.port) as (session, _, _):
        session.close()
        with pytest.raises(ConnectionLostError, match="client id 1 ended"):
            session.cancel(1)
        with pytest.raises(ConnectionLostError, match="client id 1 ended"):
            await session.server_time()


async def test_the_end_of_the_socket_is_reported_once_and_fails_every_request(
    scripted: Fixture, open_session: Fixture
) -> None:
    async with scripted() as script, open_session(script.port) as (session, recorded, _):
        request = asyncio.ensure_future(session.resolve(parse_instrument("SPY"), 60))
        beat = asyncio.ensure_future(session.server_time(60))
        await script.got(49)
        script.close()
        lost = await recorded.first(SessionLost)
        assert lost.reason
        for pending in (request, beat):
            with pytest.raises(ConnectionLostError, match="client id 1 ended"):
                await pending
        session.close()
        assert len(recorded.of(SessionLost)) == 1
        assert session.open_requests == 0


async def test_a_broken_message_is_reported_and_the_next_one_is_read(scripted: Fixture, open_session: Fixture) -> None:
    async with scripted() as script, open_session(script.port) as (session, recorded, _):
        script.push((9999, 1), ("x",), (62,), (3, "seven", "Filled"), (4, 2, -1, 1100, "lost", ""))
        await recorded.until(lambda _: session.degraded)
        failures = [event.message.text for event in recorded.of(DecodeFailed)]
        assert len(failures) == 2
        assert "['x']" in failures[0]
        assert "['3', 'seven', 'Filled']" in failures[1]
        assert session.unknown_messages == 1, "a number that is not known is counted and left out"
