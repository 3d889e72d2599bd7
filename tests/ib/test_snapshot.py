"""The snapshot is complete or it fails, naming what is missing."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from mats.gateway import PaperGateway
from mats.ib import MASTER, ExecutionsEnd
from mats.ib.conversion.time_zones import TimeZones
from mats.ib.errors import ConnectionLostError, IncompleteSnapshot
from mats.ib.events import CommissionReported, DecodeFailed, ExecutionReported, PositionReported, SessionLost
from mats.model.executions import Commission
from mats.model.timestamp import iso

Fixture = Callable[..., Any]


async def test_the_snapshot_of_a_new_account_is_empty(open_session: Fixture) -> None:
    async with PaperGateway(port=0, seed=1) as gateway, open_session(gateway.port) as (session, _, _):
        snapshot = await session.snapshot(5)
        assert (snapshot.executions, snapshot.open_orders, snapshot.completed_orders, snapshot.positions) == (
            (),
            (),
            (),
            (),
        )
        assert session.open_requests == 0


@pytest.mark.parametrize(
    ("swallowed", "named"), [(61, "positions"), (5, "open orders"), (99, "completed orders"), (7, "executions")]
)
async def test_a_missing_end_is_named(
    swallowed: int, named: str, scripted: Fixture, open_session: Fixture, snapshot_answers: Fixture
) -> None:
    answers = snapshot_answers()
    answers[swallowed] = lambda _: [(4, 2, -1, 321, "Error validating request.-'bW' : cause - no", "")]
    async with scripted(answers) as script, open_session(script.port) as (session, recorded, _):
        with pytest.raises(IncompleteSnapshot, match=rf"no end of {named}.*last notice: 321 Error validating"):
            await session.snapshot(0.3)
        assert not session.connected
        assert len(recorded.of(SessionLost)) == 1
        assert session.open_requests == 0


async def test_a_replay_may_take_as_long_as_it_likes_while_something_comes(
    scripted: Fixture, open_session: Fixture, snapshot_answers: Fixture, execution: Fixture
) -> None:
    answers, silence = snapshot_answers(), 0.4
    del answers[7]
    async with scripted(answers) as script, open_session(script.port) as (session, recorded, _):
        snapshot = asyncio.ensure_future(session.snapshot(silence))
        key = (await script.got(7))[0][2]
        loop = asyncio.get_running_loop()
        sent, until = 0, loop.time() + 3 * silence
        while loop.time() < until:
            sent += 1
            script.push(execution(f"e{sent}.01", request_id=key))
            await recorded.until(lambda _: len(recorded.of(ExecutionReported)) >= sent)  # noqa: B023
        script.push((55, 1, key))
        assert len((await snapshot).executions) == sent


async def test_updates_are_no_progress_of_an_answer_that_does_not_end(
    scripted: Fixture, open_session: Fixture, snapshot_answers: Fixture
) -> None:
    answers = snapshot_answers()
    del answers[7]
    spy = (756733, "SPY", "STK", "", 0.0, "", "", "SMART", "USD", "SPY", "SPY")
    async with scripted(answers) as script, open_session(script.port) as (session, recorded, _):
        snapshot = asyncio.ensure_future(session.snapshot(0.3))
        await script.got(7)
        while not snapshot.done():
            seen = len(recorded.of(PositionReported))
            script.push((61, 3, "DU1", *spy, 100, 512.0))
            await recorded.until(lambda _: snapshot.done() or len(recorded.of(PositionReported)) > seen)  # noqa: B023
        with pytest.raises(IncompleteSnapshot, match="no end of executions"):
            await snapshot


async def test_the_reason_of_a_failed_snapshot_is_the_reason_of_the_lost_session(
    scripted: Fixture, open_session: Fixture, snapshot_answers: Fixture, execution: Fixture
) -> None:
    answers = snapshot_answers()
    answers[7] = lambda request: [
        (11, request[2], *execution("e1.01")[2:]),
        (4, 2, -1, 321, "The API interface is currently in Read-Only mode.", ""),
    ]
    async with scripted(answers) as script, open_session(script.port) as (session, recorded, _):
        with pytest.raises(IncompleteSnapshot):
            await session.snapshot(0.3)
        (lost,) = recorded.of(SessionLost)
    assert "no end of executions" in lost.reason and "1 executions came before" in lost.reason
    assert "321 The API interface is currently in Read-Only mode" in lost.reason
    assert "closed by its owner" not in lost.reason


async def test_executions_positions_and_commissions_are_collected_and_reported(
    scripted: Fixture, open_session: Fixture, snapshot_answers: Fixture, execution: Fixture
) -> None:
    answers = snapshot_answers([execution("e1.01"), execution("e1.01"), execution("e2.01", quantity=50)])
    spy = (756733, "SPY", "STK", "", 0.0, "", "", "SMART", "USD", "SPY", "SPY")
    answers[61] = lambda _: [(61, 3, "DU1", *spy, 100, 512.0), (61, 3, "DU1", *spy, 150, 512.31), (62, 1)]
    received = answers[7]
    answers[7] = lambda request: [(59, 1, "e1.01", 1.25, "USD", "", "", ""), *received(request)]
    async with scripted(answers) as script, open_session(script.port) as (session, recorded, _):
        snapshot = await session.snapshot(5)
        assert [e.exec_id for e in snapshot.executions] == ["e1.01", "e2.01"]
        first = snapshot.executions[0]
        assert (iso(first.time), first.price, first.order_ref) == (
            "2026-04-13T19:27:04.000Z",
            Decimal("512.31"),
            "ibs:i7",
        )
        assert (first.client_id, first.order_id, first.perm_id, first.instrument) == (1, 7, 900, "SPY")
        assert snapshot.commissions == (Commission(exec_id="e1.01", amount=Decimal("1.25"), currency="USD"),)
        assert [p.quantity for p in snapshot.positions] == [Decimal(150)], "the newest report of a position"
        assert [i.con_id for i in snapshot.instruments] == [756733]
        assert [event.live for event in recorded.of(ExecutionReported)] == [False] * 3
        assert len(recorded.of(CommissionReported)) == 1


async def test_an_execution_in_an_unknown_zone_is_reported_as_far_as_it_can_be_read(
    scripted: Fixture, open_session: Fixture, snapshot_answers: Fixture, execution: Fixture
) -> None:
    answers = snapshot_answers([execution("e1.01", time="20260413 15:27:04 CST"), execution("e2.01")])
    async with scripted(answers) as script:
        async with open_session(script.port) as (session, recorded, _):
            snapshot = await session.snapshot(5)
            assert [e.exec_id for e in snapshot.executions] == ["e2.01"], "it spoils nothing else"
            (failure,) = recorded.of(DecodeFailed)
            assert "ambiguous zone 'CST'; set gateway.time_zone" in failure.message.reason
            assert (failure.message.exec_id, failure.message.instrument) == ("e1.01", "SPY")
            assert failure.message.execution["quantity"] == "100"
        async with open_session(script.port, 2, zones=TimeZones("Asia/Shanghai")) as (session, _, _):
            snapshot = await session.snapshot(5)
            assert iso(snapshot.executions[0].time) == "2026-04-13T07:27:04.000Z"


async def test_silence_of_an_idle_account_may_be_read_as_no_executions(
    scripted: Fixture, open_session: Fixture, snapshot_answers: Fixture
) -> None:
    answers = snapshot_answers()
    del answers[7]
    async with scripted(answers) as script, open_session(script.port) as (session, _, _):
        snapshot = await session.snapshot(0.3, ExecutionsEnd.SILENCE_IF_IDLE)
        assert snapshot.executions == ()
        assert session.connected


async def test_an_execution_that_comes_after_accepted_silence_is_an_update(
    scripted: Fixture, open_session: Fixture, snapshot_answers: Fixture, execution: Fixture
) -> None:
    answers = snapshot_answers()
    del answers[7]
    async with scripted(answers) as script, open_session(script.port) as (session, recorded, _):
        await session.snapshot(0.3, ExecutionsEnd.SILENCE_IF_IDLE)
        key = (await script.got(7))[0][2]
        script.push(execution("e1.01", request_id=key), (55, 1, key))
        assert (await recorded.first(ExecutionReported)).live
        assert session.open_requests == 0


async def test_silence_after_an_execution_is_never_read_as_the_end(
    scripted: Fixture, open_session: Fixture, snapshot_answers: Fixture, execution: Fixture
) -> None:
    answers = snapshot_answers([execution("e1.01")])
    received = answers[7]
    answers[7] = lambda request: received(request)[:-1]
    async with scripted(answers) as script, open_session(script.port) as (session, _, _):
        with pytest.raises(IncompleteSnapshot, match="no end of executions"):
            await session.snapshot(0.3, ExecutionsEnd.SILENCE_IF_IDLE)


async def test_silence_of_a_dead_gateway_is_never_read_as_idle(
    scripted: Fixture, open_session: Fixture, snapshot_answers: Fixture
) -> None:
    answers = snapshot_answers()
    del answers[7], answers[49]
    async with scripted(answers) as script, open_session(script.port) as (session, _, _):
        with pytest.raises(IncompleteSnapshot):
            await session.snapshot(0.3, ExecutionsEnd.SILENCE_IF_IDLE)


async def test_the_master_never_binds_manual_orders(
    scripted: Fixture, open_session: Fixture, snapshot_answers: Fixture
) -> None:
    async with scripted(snapshot_answers()) as script, open_session(script.port, 0) as (session, _, _):
        await session.snapshot(5)
        request = {fields[0] for fields in script.received}
        assert "16" in request
        assert not request & {"5", "15"}


async def test_snapshots_at_the_same_time_take_turns(
    scripted: Fixture, open_session: Fixture, snapshot_answers: Fixture, execution: Fixture
) -> None:
    async with (
        scripted(snapshot_answers([execution("e1.01")])) as script,
        open_session(script.port) as (session, _, _),
    ):
        first, second = await asyncio.gather(session.snapshot(5), session.snapshot(5))
        assert first == second
        assert len(first.executions) == 1


async def test_a_socket_that_ends_in_a_snapshot_ends_the_snapshot(scripted: Fixture, open_session: Fixture) -> None:
    async with scripted() as script, open_session(script.port) as (session, _, _):
        pending = asyncio.ensure_future(session.snapshot(60))
        await script.got(61)
        script.close()
        with pytest.raises(ConnectionLostError):
            await pending


async def test_positions_go_on_for_client_0_after_the_snapshot(
    scripted: Fixture, open_session: Fixture, snapshot_answers: Fixture
) -> None:
    async with scripted(snapshot_answers()) as script, open_session(script.port, MASTER) as (session, recorded, _):
        await session.snapshot(5)
        script.push((61, 3, "DU1", 756733, "SPY", "STK", "", 0, "", "", "SMART", "USD", "SPY", "SPY", 0, 0))
        reported = await recorded.first(PositionReported)
        assert (reported.position.instrument, reported.position.quantity) == ("SPY", Decimal(0))


async def test_positions_end_with_the_snapshot_of_another_client(
    scripted: Fixture, open_session: Fixture, snapshot_answers: Fixture
) -> None:
    async with scripted(snapshot_answers()) as script, open_session(script.port) as (session, _, _):
        await session.snapshot(5)
        assert await script.got(64) == [["64", "1"]]
        await session.snapshot(5)
        await script.got(64, times=2)
        numbers = [fields[0] for fields in script.received if fields[0] in ("61", "64")]
        assert numbers == ["61", "64", "61", "64"], "each cancel goes before the next request"


async def test_client_0_never_ends_its_positions(
    scripted: Fixture, open_session: Fixture, snapshot_answers: Fixture
) -> None:
    async with scripted(snapshot_answers()) as script, open_session(script.port, MASTER) as (session, _, _):
        await session.snapshot(5)
        await session.snapshot(5)
        assert "64" not in [fields[0] for fields in script.received]
