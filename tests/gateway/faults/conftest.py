"""A client that shows the wire: requests are written by ib_async's encoder, messages kept as the fields that came."""

import asyncio
import contextlib
import inspect
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from ib_async import Client, Contract, LimitOrder, MarketOrder, Order
from ib_async.wrapper import Wrapper

from mats.gateway import PaperGateway
from mats.gateway.pacing import GatewayLimits
from mats.model.timestamp import SECOND
from mats.venue.clock import SteppedClock
from tests.patience import PATIENCE

SPY = Contract(conId=756733, symbol="SPY", secType="STK", exchange="SMART", currency="USD")
MODIFIABLE = 178


class Encoder(Client):
    """Writes requests as bytes in place of sending them."""

    def __init__(self):
        super().__init__(Wrapper(None))
        self.connState, self._serverVersion, self.written = Client.CONNECTED, MODIFIABLE, []

    def sendMsg(self, text):
        self.written.append(text.encode())

    def encode(self, name, *arguments):
        getattr(self, name)(*arguments)
        return self.written.pop()


class Wire:
    """One connection. `seen` is every message that came, as its list of fields."""

    def __init__(self, port):
        self.port, self.seen, self.ended = port, [], None
        self._encoder, self._news, self._buffer = Encoder(), asyncio.Event(), b""

    async def open(self):
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._task = asyncio.create_task(self._read())
        return self

    async def greet(self, client_id=1):
        """Says hello and its id, and waits for the next valid id."""
        await self.open()
        self._writer.write(b"API\0")
        self.write(b"v157..178")
        await self.until(lambda: self.seen or self.ended)
        self.write(f"71\x002\x00{client_id}\0\0".encode())
        await self.until(lambda: self.of(2158) or self.of(326) or self.ended)
        return self

    def write(self, body):
        self._writer.write(struct.pack(">I", len(body)) + body)

    def call(self, name, *arguments):
        """Sends a request by the name that ib_async's client has for it."""
        self.write(self._encoder.encode(name, *arguments))

    def place(self, order_id, order=None, contract=SPY, **terms):
        """A resting limit order unless another is given."""
        order = order or LimitOrder("BUY", 10, 1.0)
        for name, value in terms.items():
            setattr(order, name, value)
        self.call("placeOrder", order_id, contract, order)

    async def filled(self, order_id=1):
        """Buys ten at the market and waits for the cost."""
        before = len(self.messages("59"))
        self.place(order_id, MarketOrder("BUY", 10))
        await self.until(lambda: len(self.messages("59")) > before)

    async def working(self, order_id=1):
        """Places a limit order far from the market; returns its permanent id."""
        self.place(order_id)
        await self.until(lambda: "Submitted" in [f[2] for f in self.messages("3") if f[1] == str(order_id)])
        return self.messages("3")[-1][6]

    def ask_bars(self, request, end=""):
        self.call("reqHistoricalData", request, SPY, end, "600 S", "1 min", "TRADES", False, 1, False, [])

    async def _read(self):
        try:
            while data := await self._reader.read(65536):
                self._take(data)
            self.ended = "closed"
        except ConnectionResetError:
            self.ended = "reset"
        self._news.set()

    def _take(self, data):
        self._buffer += data
        while len(self._buffer) >= 4 and len(self._buffer) >= 4 + (length := struct.unpack(">I", self._buffer[:4])[0]):
            self.seen.append(
                self._buffer[4 : 4 + length].decode(errors="backslashreplace").removesuffix("\0").split("\0")
            )
            self._buffer = self._buffer[4 + length :]
        self._news.set()

    @property
    def rest(self):
        """Bytes of a frame that is not complete."""
        return self._buffer

    async def until(self, condition: Callable[[], object]):
        """Reads until the condition holds, and returns what it gave."""
        while not (found := condition()):
            self._news.clear()
            await self._news.wait()
        return found

    async def settled(self):
        """Reads until the gateway has answered all that was asked before."""
        before = len(self.messages("49"))
        self.call("reqCurrentTime")
        await self.until(lambda: len(self.messages("49")) > before)

    def messages(self, *numbers):
        """Messages of these numbers, in order; several numbers keep their order among each other."""
        return [fields for fields in self.seen if fields[0] in numbers]

    def kinds(self, *numbers):
        return [fields[0] for fields in self.messages(*numbers)]

    def of(self, code):
        """The errors of a code."""
        return [fields for fields in self.messages("4") if fields[3] == str(code)]

    def codes(self):
        """The codes of errors, without the farms at the start."""
        return [int(fields[3]) for fields in self.messages("4")][3:]

    def statuses(self):
        return [fields[2] for fields in self.messages("3")]

    async def close(self):
        self._writer.close()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


class Wires:
    """Makes connections and ends them."""

    MarketOrder, LimitOrder, Order, Contract, SPY = MarketOrder, LimitOrder, Order, Contract, SPY

    @staticmethod
    def run(scenario):
        asyncio.run(asyncio.wait_for(scenario, PATIENCE))

    @staticmethod
    async def until(condition: Callable[[], object]) -> None:
        """Lets the loop turn until the gateway has come so far."""
        while not condition():  # noqa: ASYNC110, a condition has no event
            await asyncio.sleep(0)

    async def listening(self, gateway):
        await self.until(lambda: gateway._listener.is_open)

    async def left(self, gateway, client_id=1):
        await self.until(lambda: client_id not in gateway.connected)

    @staticmethod
    def plain(port):
        """A connection that is not opened yet."""
        return Wire(port)

    @asynccontextmanager
    async def client(self, gateway, client_id=1) -> AsyncIterator[Wire]:
        wire = await Wire(gateway.port).greet(client_id)
        try:
            yield wire
        finally:
            await wire.close()


@pytest.fixture
def wires() -> Wires:
    return Wires()


@pytest.fixture
def clock() -> SteppedClock:
    """The test turns it."""
    return SteppedClock(1_700_000_000 * SECOND)


@pytest.fixture
def gateway(clock) -> PaperGateway:
    """Open while a coroutine test runs; its seconds pass as the test turns the clock, so it counts no messages."""
    return PaperGateway(clock=clock, limits=GatewayLimits(messages_per_second=0))


@pytest.fixture
def wire(gateway) -> Wire:
    """Client 1 of that gateway, connected while a coroutine test runs."""
    return Wire(gateway.port)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a coroutine test in a loop of its own, with its gateway and its client."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    Wires.run(_connected(pyfuncitem.obj, arguments))
    return True


async def _connected(test, arguments):
    async with arguments["gateway"] as gateway:
        wire = arguments["wire"]
        wire.port = gateway.port
        await wire.greet()
        try:
            await test(**arguments)
        finally:
            await wire.close()
