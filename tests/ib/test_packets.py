"""The order in which a packet is decoded: fills first, and the rest a moment later, in the order of the wire."""

from collections.abc import Callable
from typing import Any

import pytest

from mats.ib import FILL_MESSAGES
from mats.ib.callbacks import Callbacks
from mats.ib.conversion.time_zones import KNOWN_ZONES
from mats.ib.decoding import PacketDecoder, decode_all
from mats.ib.events import (
    CommissionReported,
    DecodeFailed,
    ExecutionReported,
    OrderStatusReported,
    PacketEnd,
    PositionReported,
    SessionEvent,
    SessionLost,
)
from mats.ib.pending_requests import PendingRequests
from mats.ib.streams import QuoteAggregator, Streams

Fixture = Callable[..., Any]

STATUS = (3, 7, "Filled", 100, 0, 512.31, 900, 0, 512.31, 1, "", 0)
POSITION = (61, 3, "DU1", 756733, "SPY", "STK", "", 0, "", "", "SMART", "USD", "SPY", "SPY", 100, 512.31)
COMMISSION = (59, 1, "e1.01", 1.0, "USD", 1.7976931348623157e308, "", "")


class Reading:
    """A decoder and what came of it."""

    def __init__(self, at_once: frozenset[int] | None) -> None:
        self.events: list[SessionEvent] = []
        self.callbacks = callbacks = Callbacks(
            self.events.append, PendingRequests(), Streams(), QuoteAggregator(lambda: 0)
        )
        self.decoder = PacketDecoder(callbacks, callbacks.decode_failed, KNOWN_ZONES, decode_all, at_once)
        self.decoder.serverVersion = 178

    def packet(self, *messages: tuple[object, ...]) -> None:
        for message in messages:
            self.decoder.interpret([str(field) for field in message])
        self.decoder.end_packet()

    def kinds(self) -> list[type]:
        """What was reported since the last look."""
        kinds = [type(event) for event in self.events]
        self.events.clear()
        return kinds


async def test_the_fills_of_a_packet_are_decoded_and_nothing_else_until_its_time_has_come(execution: Fixture) -> None:
    reading = Reading(FILL_MESSAGES)
    reading.packet(STATUS, POSITION, execution("e1.01"), COMMISSION)
    assert reading.kinds() == [ExecutionReported, CommissionReported, PacketEnd]
    reading.decoder.catch_up()
    assert reading.kinds() == [OrderStatusReported, PositionReported, PacketEnd]


async def test_a_client_that_gives_way_decodes_nothing_of_a_fill_at_once(execution: Fixture) -> None:
    reading = Reading(frozenset())
    reading.packet(STATUS, execution("e1.01"), COMMISSION)
    assert reading.kinds() == []
    reading.decoder.catch_up()
    assert reading.kinds() == [OrderStatusReported, ExecutionReported, CommissionReported, PacketEnd]


@pytest.mark.parametrize("at_once", [FILL_MESSAGES, frozenset()])
async def test_a_packet_without_fills_is_decoded_at_once(at_once: frozenset[int]) -> None:
    reading = Reading(at_once)
    reading.packet(STATUS, POSITION)
    assert reading.kinds() == [OrderStatusReported, PositionReported, PacketEnd]


async def test_nobody_waits_where_no_order_is_given(execution: Fixture) -> None:
    reading = Reading(None)
    reading.packet(STATUS, execution("e1.01"), POSITION)
    assert reading.kinds() == [OrderStatusReported, ExecutionReported, PositionReported, PacketEnd]


async def test_only_fills_overtake_what_waits(execution: Fixture) -> None:
    reading = Reading(FILL_MESSAGES)
    reading.packet(STATUS, execution("e1.01"))
    reading.packet(POSITION)
    reading.packet(STATUS, execution("e2.01"))
    assert reading.kinds() == [ExecutionReported, PacketEnd, ExecutionReported, PacketEnd]
    reading.decoder.catch_up()
    assert reading.kinds() == [OrderStatusReported, PositionReported, OrderStatusReported, PacketEnd]
    reading.packet(POSITION)
    assert reading.kinds() == [PositionReported, PacketEnd]


async def test_a_message_without_fields_is_reported_in_its_turn(execution: Fixture) -> None:
    reading = Reading(FILL_MESSAGES)
    reading.packet((), execution("e1.01"))
    reading.decoder.catch_up()
    assert reading.kinds() == [ExecutionReported, PacketEnd, DecodeFailed, PacketEnd]


async def test_an_error_of_the_owner_at_the_end_of_a_packet_is_reported_and_the_next_one_is_read(
    execution: Fixture,
) -> None:
    reading = Reading(FILL_MESSAGES)

    def fragile(event: SessionEvent) -> None:
        if isinstance(event, PacketEnd) and DecodeFailed not in map(type, reading.events):
            raise RuntimeError("the owner stumbled")
        reading.events.append(event)

    reading.callbacks._sink = fragile
    reading.packet(STATUS, execution("e1.01"))
    failed = reading.events[-1]
    assert isinstance(failed, DecodeFailed)
    assert "the owner stumbled" in failed.message.text
    reading.decoder.catch_up()
    assert reading.kinds() == [ExecutionReported, DecodeFailed, OrderStatusReported, PacketEnd]


async def test_the_rest_of_a_packet_comes_by_itself(
    scripted: Fixture, open_session: Fixture, execution: Fixture
) -> None:
    async with (
        scripted() as script,
        open_session(script.port, at_once=FILL_MESSAGES) as (_, recorded, _),
    ):
        script.push(STATUS, execution("e1.01"))
        await recorded.first(OrderStatusReported)
        kinds = [type(event) for event in recorded.events]
        assert kinds[:3] == [ExecutionReported, PacketEnd, OrderStatusReported]


async def test_what_waits_is_reported_before_the_end_of_the_socket(
    scripted: Fixture, open_session: Fixture, execution: Fixture
) -> None:
    async with (
        scripted() as script,
        open_session(script.port, at_once=frozenset()) as (_, recorded, _),
    ):
        script.push(STATUS, execution("e1.01"))
        script.close()
        await recorded.first(SessionLost)
        kinds = [type(event) for event in recorded.events]
        assert kinds == [OrderStatusReported, ExecutionReported, PacketEnd, SessionLost]


async def test_after_its_owner_has_closed_it_a_session_decodes_nothing_that_waited(
    scripted: Fixture, open_session: Fixture, execution: Fixture
) -> None:
    async with (
        scripted() as script,
        open_session(script.port, at_once=FILL_MESSAGES) as (session, recorded, _),
    ):
        script.push(STATUS, execution("e1.01"))
        await recorded.first(ExecutionReported)
        session.close()
        assert session._decoder.discard() == []
        assert recorded.of(OrderStatusReported) == []
