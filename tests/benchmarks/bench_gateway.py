"""How fast the paper gateway serves unmodified clients. Run it: `python tests/benchmarks/bench_gateway.py`.

Gateway and clients share one process and one loop, as in the experiment that the figures are compared with.
"""

import asyncio
import statistics
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ib_async import IB, MarketOrder, Stock
from rich.console import Console
from rich.table import Table

from mats.gateway import LOOSE, PaperGateway
from mats.model.market_data import Quote
from mats.model.timestamp import SECOND
from mats.venue.clock import SteppedClock

EXPERIMENT = {"orders": 580.0, "ticks": 72_000.0}
"""Round trips and ticks a second of the experimental server with one client in the same process."""

TRIPS, TICKS, ROUNDS = 600, 120_000, 5
ORDERS, BLOCK = 100_000, 10_000
BATCH = 200
NOON = 1_700_000_000 * SECOND
VAST = 1e9


@asynccontextmanager
async def bench(clients: int) -> AsyncIterator[tuple[PaperGateway, list[IB]]]:
    """A gateway whose market stands still and is deep, and its connected clients."""
    async with PaperGateway(clock=SteppedClock(NOON), limits=LOOSE) as gateway:
        await asyncio.sleep(0)
        gateway.exchange.on_quote(Quote("SPY", NOON, 500.0, 500.01, VAST, VAST, 500.01))
        ibs = []
        for client_id in range(1, clients + 1):
            ib = IB()
            ib.client.MaxRequests = 0
            await ib.connectAsync("127.0.0.1", gateway.port, clientId=client_id, raiseSyncErrors=True)
            ibs.append(ib)
        try:
            yield gateway, ibs
        finally:
            for ib in ibs:
                ib.disconnect()


async def trips(ib: IB, count: int) -> None:
    """Places market orders one after the other, each when the cost of the one before has come."""
    contract = Stock("SPY", "SMART", "USD")
    await ib.qualifyContractsAsync(contract)
    charged = asyncio.Event()
    ib.commissionReportEvent += lambda *_: charged.set()
    for at in range(count):
        charged.clear()
        ib.placeOrder(contract, MarketOrder("SELL" if at % 2 else "BUY", 1))
        await charged.wait()


async def order_rate(clients: int) -> float:
    """Round trips a second, all clients together."""
    async with bench(clients) as (_, ibs):
        began = time.perf_counter()
        await asyncio.gather(*(trips(ib, TRIPS // clients) for ib in ibs))
        return TRIPS / (time.perf_counter() - began)


async def tick_rate(clients: int) -> float:
    """Ticks a second that the clients have decoded, all of them together."""
    async with bench(clients) as (gateway, ibs):
        counts = [0]
        for ib in ibs:
            contract = Stock("SPY", "SMART", "USD")
            await ib.qualifyContractsAsync(contract)
            ib.reqMktData(contract)
            _count(ib, counts)
        await asyncio.sleep(0.05)
        began, counts[0], step = time.perf_counter(), 0, 0
        while counts[0] < TICKS:
            for _ in range(max(1, BATCH // clients)):
                step += 1
                bid = 500 + step % 100 / 100
                quote = Quote("SPY", NOON, bid, bid + 0.01, VAST, VAST, bid)
                gateway._driver._publisher.publish(NOON, [quote])  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        return counts[0] / (time.perf_counter() - began)


def _count(ib: IB, counts: list[int]) -> None:
    """Counts prices and sizes as they are decoded."""
    handlers = ib.client.decoder.handlers
    for number in (1, 2):
        decode = handlers[number]

        def counted(fields: list[str], decode: Callable[[list[str]], None] = decode) -> None:
            counts[0] += 1
            decode(fields)

        handlers[number] = counted


async def order_costs() -> list[float]:
    """Microseconds of each filled order in each block of ten thousand, up to a hundred thousand; the state is in a
    file, and a client reads the bytes without decoding them."""
    with TemporaryDirectory() as folder:
        async with PaperGateway(clock=SteppedClock(NOON), state=Path(folder) / "gateway.db", limits=LOOSE) as gateway:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            hello, start = b"v157..178", b"71\x002\x000\0\0"
            writer.write(b"API\0" + struct.pack(">I", len(hello)) + hello + struct.pack(">I", len(start)) + start)
            sink = asyncio.create_task(_read(reader))
            await asyncio.sleep(0.05)
            gateway.exchange.on_quote(Quote("SPY", NOON, 500.0, 500.01, VAST, VAST, 500.01))
            costs = await _fill_blocks(gateway)
            writer.close()
            await sink
            return costs


async def _read(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 20):
        continue


async def _fill_blocks(gateway: PaperGateway) -> list[float]:
    costs, number = [], 0
    for _ in range(ORDERS // BLOCK):
        began = time.process_time()
        for _ in range(BLOCK):
            number += 1
            gateway.faults.manual_order("SPY", "SELL" if number % 2 else "BUY", 1, order_id=number)
            if number % 10 == 0:
                await asyncio.sleep(0)
        costs.append((time.process_time() - began) / BLOCK * 1e6)
    assert len(gateway.faults.fills()) == ORDERS
    return costs


def median_of(measure: Callable[[int], Awaitable[float]], clients: int) -> list[float]:
    async def once() -> float:
        return await measure(clients)

    return sorted(asyncio.run(once()) for _ in range(ROUNDS))


def main() -> None:
    """Print the rates and the cost of an order."""
    columns = ("what", "clients", "a second, median", "min", "max", "x experiment")
    table = Table(*columns, title="Gateway and clients in one process")
    for name, measure, known in (("order round trips", order_rate, "orders"), ("ticks decoded", tick_rate, "ticks")):
        for clients in (1, 10):
            rates = median_of(measure, clients)
            middle = statistics.median(rates)
            factor = f"{middle / EXPERIMENT[known]:.2f}" if clients == 1 else ""
            table.add_row(name, str(clients), f"{middle:,.0f}", f"{rates[0]:,.0f}", f"{rates[-1]:,.0f}", factor)
    costs = asyncio.run(order_costs())
    flat = Table("orders so far", "us an order", "x first block", title="Cost of an order")
    for at, cost in enumerate(costs, 1):
        flat.add_row(f"{at * BLOCK:,}", f"{cost:.0f}", f"{cost / costs[0]:.2f}")
    Console().print(table, flat)


if __name__ == "__main__":
    main()
