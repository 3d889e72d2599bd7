"""What real gateways do to streams of market data: the daemon against the behaviors of the paper gateway."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from actors.ib_connection import Timing
from actors.tree import ib_connection
from mats.gateway.faults.fault_types import Permission
from mats.model.market_data import MarketStream
from mats.streams import ALWAYS_OPEN, StreamView
from mats.streams.retries import Retry
from tests.patience import PATIENCE
from tests.system.harness import lively_strategies, until
from tests.system.inside import GatewayThread, System, lively_gateway, running_system, write_strategies

STRATEGIES = ("lively-0", "lively-1")
NOTHING_LOST, REFUSED_AT_FIRST, NOT_PERMITTED = 56, 62, 63
DEAD = {
    55: "stale",
    57: "code 10182",
    58: "code 10197",
    59: "code 10225",
    60: "code 354",
    61: "nothing came for more than",
}
"""Behaviors after which no open stream sends anything more, and what the operator reads then."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayThread]:
    write_strategies(tmp_path, lively_strategies(2))
    with lively_gateway(tmp_path) as gateway:
        yield gateway


def streams(system: System) -> tuple[StreamView, ...]:
    return system.operator.queries.streams()


def all_flow(system: System) -> bool:
    found = streams(system)
    return bool(found) and all(view.state == "flowing" for view in found)


def test_a_blip_that_loses_nothing_costs_nothing(tmp_path: Path, gateway: GatewayThread) -> None:
    with running_system(tmp_path, gateway, hours=ALWAYS_OPEN) as system:
        until(lambda: all_flow(system), PATIENCE, "the flow")
        (before,) = streams(system)
        gateway.fault(lambda faults: faults.provoke(NOTHING_LOST))
        until(lambda: streams(system)[0].seconds > before.seconds + 3, PATIENCE, "some seconds of flow")
        assert all_flow(system)
        assert (before.instrument, before.stream, set(before.strategies)) == ("SPY", MarketStream.BARS, set(STRATEGIES))


@pytest.mark.parametrize("behavior", DEAD)
def test_dead_streams_are_found_told_and_flow_again(tmp_path: Path, gateway: GatewayThread, behavior: int) -> None:
    with running_system(tmp_path, gateway, hours=ALWAYS_OPEN) as system:
        until(lambda: all_flow(system), PATIENCE, "the flow")
        gateway.fault(lambda faults: faults.provoke(behavior))
        told: list[str] = []

        def troubled() -> bool:
            told.extend(view.fault for view in streams(system) if view.fault)
            return bool(told)

        until(troubled, PATIENCE, "a stream in trouble")
        assert DEAD[behavior] in told[0]
        until(lambda: all_flow(system), 2 * PATIENCE, "the flow after it")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused is asked for again at the next look, not after minutes."""
    monkeypatch.setattr(Retry, "wait", lambda self, tries, chance: 0.1)


@pytest.mark.usefixtures("impatient")
def test_an_instrument_whose_first_requests_are_refused_flows_in_the_end(
    tmp_path: Path, gateway: GatewayThread
) -> None:
    gateway.fault(lambda faults: faults.provoke(REFUSED_AT_FIRST))
    with running_system(tmp_path, gateway, hours=ALWAYS_OPEN) as system:
        told: set[str] = set()

        def flows() -> bool:
            told.update(view.fault for view in streams(system) if view.fault)
            return all_flow(system)

        until(flows, PATIENCE, "the flow after the refusals")
        assert told, "each refusal is a state that an operator sees"
        system.wait_for_fills(1, *STRATEGIES)
        assert set(system.incarnations().values()) == {1}, "no refusal ends a connection"


@pytest.mark.usefixtures("impatient")
def test_an_instrument_without_permission_is_told_and_flows_once_there_is_one(
    tmp_path: Path, gateway: GatewayThread
) -> None:
    with running_system(tmp_path, gateway, hours=ALWAYS_OPEN) as system:
        until(lambda: all_flow(system), PATIENCE, "the flow")
        gateway.fault(lambda faults: faults.provoke(NOT_PERMITTED))
        until(lambda: any("420" in view.fault for view in streams(system)), PATIENCE, "the refusal")
        refused = next(view for view in streams(system) if view.fault)
        assert (refused.instrument, set(refused.strategies)) == ("SPY", set(STRATEGIES))
        permitted = Permission(instrument="SPY", live=True)
        gateway.fault(lambda faults: faults.arm(permitted))
        until(lambda: all_flow(system), PATIENCE, "the flow with the permission")


def test_without_permission_for_live_data_bars_are_made_of_delayed_quotes_where_they_are_allowed(
    tmp_path: Path, gateway: GatewayThread
) -> None:
    gateway.fault(lambda faults: faults.provoke(NOT_PERMITTED))

    def bars_are_delayed(system: System) -> bool:
        found = {view.stream: view.state for view in streams(system)}
        return found.get(MarketStream.BARS) == found.get(MarketStream.QUOTES) == "delayed"

    timing = Timing(
        host="127.0.0.1",
        port=gateway.gateway.port,
        connect_timeout=30.0,
        replay_timeout=60.0,
        heartbeat=15.0,
        delayed=True,
    )
    delayed = {"connection": partial(ib_connection, timing), "delayed_data": True}
    with running_system(tmp_path, gateway, hours=ALWAYS_OPEN, **delayed) as system:
        until(lambda: bars_are_delayed(system), 2 * PATIENCE, "delayed bars")
        (bars,) = [view for view in streams(system) if view.stream is MarketStream.BARS]
        assert (bars.fault, set(bars.strategies)) == ("", set(STRATEGIES))
        assert "code 420" in bars.reason
