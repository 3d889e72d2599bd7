"""Actors in virtual time, alone, with a probe in the place of everybody whom they talk to."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from actors.messages.broker import Ready
from mats.model.broker_reports import BrokerSnapshot
from mats.model.executions import Commission, Execution
from mats.model.market_data import Bar
from mats.model.orders import Side
from mats.model.timestamp import SECOND
from mats.runtime import Ref, VirtualRuntime
from mats.runtime.testing import Probe
from mats.store.journal.journal import Journal
from tests.actors.samples import since_last_look

START = 1_700_060_100 * SECOND  # a multiple of 60 s


@pytest.fixture
def seed() -> int | None:
    """Draws whose turn is next; None lets messages be handled in the order in which they were sent."""
    return 1


@pytest.fixture
def runtime(seed: int | None) -> Iterator[VirtualRuntime]:
    """A world that must end without a lost message, but for those of crashes that a test made.

    And but for those to neighbors of which a test has none.
    """
    made = VirtualRuntime(seed=seed, start=START)
    yield made
    made.stop(5.0)
    made.dead_letters.assert_none("failed", "unprocessed", "no such actor")


@pytest.fixture
def probe(runtime: VirtualRuntime) -> Callable[[str], Probe]:
    """A probe under the name of the actor that it stands for."""
    return runtime.probe


@pytest.fixture
def received(runtime: VirtualRuntime) -> Callable[..., list[object]]:
    """See `since_last_look`."""
    return partial(since_last_look, runtime)


@pytest.fixture
def journal_path(tmp_path: Path) -> Path:
    """An empty journal."""
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    return path


@pytest.fixture
def an_execution() -> Callable[..., Execution]:
    def make(exec_id: str = "a.01", quantity: int = 10, order_ref: str = "trend:i1", time: int = START) -> Execution:
        return Execution(
            account="DU1",
            exec_id=exec_id,
            instrument="SPY",
            side=Side.BUY,
            quantity=Decimal(quantity),
            price=Decimal(100),
            time=time,
            order_ref=order_ref,
        )

    return make


@pytest.fixture
def a_commission() -> Callable[..., Commission]:
    def make(exec_id: str = "a.01", amount: str = "1.00") -> Commission:
        return Commission(exec_id=exec_id, amount=Decimal(amount), currency="USD")

    return make


@pytest.fixture
def a_ready() -> Callable[..., Ready]:
    """What a connection announces."""

    def make(ref: Ref[Any], session: str = "1", through: int = 0) -> Ready:
        return Ready(
            connection=ref.name,
            ref=ref,
            client_id=99,
            session=session,
            accounts=("DU1",),
            next_order_id=1,
            replay=BrokerSnapshot(executions=(), commissions=(), open_orders=(), completed_orders=(), positions=()),
            through=through,
            asked_at=0.0,
        )

    return make


@pytest.fixture
def a_bar() -> Callable[..., Bar]:
    """A five-second bar that begins `at` seconds after the start."""

    def make(at: int = 0, price: float = 100.0, instrument: str = "SPY", seconds: int = 5) -> Bar:
        return Bar(instrument, START + at * SECOND, seconds, price, price, price, price, 1.0)

    return make


@pytest.fixture
def fish() -> Callable[..., object]:
    """The next message of a kind; what comes before it is of no interest to the test."""

    def next_of(probe: Probe, kind: type, timeout: float = 3.0) -> object:
        return probe.fish(lambda message: isinstance(message, kind), timeout)

    return next_of


@pytest.fixture
def none_of(runtime: VirtualRuntime) -> Callable[..., None]:
    """No message of the kinds has come, once everything that can be handled now has been."""

    def check(probe: Probe, *kinds: type) -> None:
        runtime.run_until_idle()
        while (envelope := probe._take(0.0)) is not None:
            assert not isinstance(envelope.message, kinds), envelope.message

    return check
