"""A gateway in the loop of the test, unmodified clients, and a watch on what the clients could not decode."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
from ib_async import IB, Stock

from mats.gateway import PaperGateway
from tests.patience import PATIENCE

T = TypeVar("T")


class Bench:
    """What the scenarios share."""

    @staticmethod
    def run(scenario: Coroutine[object, object, None]) -> None:
        """Runs a scenario with a deadline."""
        asyncio.run(asyncio.wait_for(scenario, PATIENCE))

    @staticmethod
    async def until(condition: Callable[[], T]) -> T:
        """Lets the loop turn until the condition holds, and returns what it gave."""
        while not (found := condition()):  # noqa: ASYNC110, a condition has no event
            await asyncio.sleep(0)
        return found

    @asynccontextmanager
    async def client(self, gateway: PaperGateway, client_id: int) -> AsyncIterator[IB]:
        """A connected client, fetched completely, and gone from the gateway afterwards."""
        ib = IB()
        ib.client.MaxRequests = 0
        await ib.connectAsync("127.0.0.1", gateway.port, clientId=client_id, timeout=PATIENCE, raiseSyncErrors=True)
        try:
            yield ib
        finally:
            ib.disconnect()
            await self.until(lambda: client_id not in gateway.connected)

    @staticmethod
    async def contract(ib: IB, symbol: str = "SPY") -> Stock:
        """The stock, resolved by the gateway."""
        contract = Stock(symbol, "SMART", "USD")
        await ib.qualifyContractsAsync(contract)
        return contract


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(autouse=True)
def every_message_decodes(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Every message of the gateway must decode: a client logs the traceback of one that does not."""
    caplog.set_level(logging.ERROR, "ib_async")
    yield
    failures = [r for r in caplog.get_records("call") if r.exc_info or r.name == "ib_async.Decoder"]
    assert not failures, [record.getMessage() for record in failures]
