"""What the benchmark of the live path stands on: the daemon, the gateway's process, and stamps at the edges of both.

Stamps are `perf_counter_ns`, which on Linux is one clock for all processes of a machine.
"""

import asyncio
import multiprocessing
import re
import resource
import threading
import time
from asyncio.selector_events import _SelectorSocketTransport  # type: ignore[attr-defined]
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from actors.base.refs import Refs
from actors.ib_connection import Timing
from actors.messages.addresses import strategy_at
from actors.messages.market_data import QuoteArrived
from actors.messages.strategy_manager import ReadStrategies, StrategyTable
from actors.operator.operator import Operator
from actors.tree import DaemonPlan, build, ib_connection
from mats.gateway.protocol.client_session import ClientSession
from mats.gateway.server import PaperGateway
from mats.ledger.fill_log.stage_gate import StageGate
from mats.logging_setup import configure_logging
from mats.model.market_data import Quote
from mats.model.orders import Side
from mats.model.strategy_table import StrategyRecord
from mats.risk import Limits
from mats.runtime import ThreadRuntime
from mats.store.journal.journal import Journal
from mats.store.tables.connection import lmdb_uri

INSTRUMENT, STRATEGY, CLIENT = "SPY", "prober", 1
PATIENCE = 120.0
PLACE_ORDER, LIVE_EXECUTION = b"3\0", re.compile(rb"\x00\x00..11\x00-1\x00", re.DOTALL)
VAST = Decimal(10) ** 15


# In the gateway's process


class Stamps(msgspec.Struct):
    """When orders were read from a socket, and when executions were written to one, since the last look."""

    ordered: list[int]
    written: list[int]


def stamp_sockets() -> Stamps:
    """From here on, this process notes both; every execution is written twice, to its client and to the master."""
    stamps = Stamps([], [])
    received, write = ClientSession.data_received, _SelectorSocketTransport.write

    def data_received(session: ClientSession, data: bytes) -> None:
        if data[4:6] == PLACE_ORDER:
            stamps.ordered.append(time.perf_counter_ns())
        received(session, data)

    def written(transport: _SelectorSocketTransport, data: bytes) -> None:
        if LIVE_EXECUTION.search(data):
            stamps.written.append(time.perf_counter_ns())
        write(transport, data)

    ClientSession.data_received = data_received  # type: ignore[method-assign]
    _SelectorSocketTransport.write = written
    return stamps


def run_gateway(control: Connection) -> None:
    """The child process: a gateway that does what comes through the pipe."""
    asyncio.run(_run_gateway(control, stamp_sockets()))


async def _run_gateway(control: Connection, stamps: Stamps) -> None:
    stop = asyncio.Event()
    async with PaperGateway(cash=Decimal(10) ** 9) as gateway:
        asyncio.get_running_loop().add_reader(control.fileno(), lambda: _obey(gateway, control, stamps, stop))
        control.send(gateway.port)
        await stop.wait()


def _obey(gateway: PaperGateway, control: Connection, stamps: Stamps, stop: asyncio.Event) -> None:
    match control.recv():
        case ("hold", True):
            gateway.faults.hold_orders()
        case ("hold", False):
            gateway.faults.release_orders()
        case ("fill", order_id, times, price):
            gateway.faults.fill((CLIENT, order_id), 1, price, times)
        case "stamps":
            control.send(stamps)
            stamps.ordered, stamps.written = [], []
        case "stop":
            stop.set()


class GatewayChild:
    """The gateway in a process of its own, as in production."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._control, theirs = context.Pipe()
        self._process = context.Process(target=run_gateway, args=(theirs,), daemon=True)
        self._process.start()
        self.port = int(self._control.recv())

    def hold(self, held: bool) -> None:
        """Orders rest, and nothing trades but what `fill` forces; or the market trades again."""
        self._control.send(("hold", held))

    def fill(self, order_id: int, times: int, price: float) -> None:
        """`times` executions of one unit, in one packet."""
        self._control.send(("fill", order_id, times, price))

    def stamps(self) -> Stamps:
        self._control.send("stamps")
        answer = self._control.recv()
        assert isinstance(answer, Stamps)
        return answer

    def stop(self) -> None:
        self._control.send("stop")
        self._process.join(PATIENCE)


# In the daemon's process


class Edge:
    """Where the strategy and the gate of the fill log leave their stamps, and the strategy finds what to do."""

    def __init__(self) -> None:
        self.todo: list[float | tuple[Side, int]] = []
        self.asked: list[int] = []
        self.told: list[tuple[int, int]] = []
        self.refused: list[str] = []
        self.acknowledged: dict[str, list[tuple[int, int]]] = {}
        self.news = threading.Condition()

    def clear(self) -> None:
        self.asked.clear()
        self.told.clear()
        for stamps in self.acknowledged.values():
            stamps.clear()

    def note(self, stamps: list[tuple[int, int]], seq: int) -> None:
        """Something happened to entry `seq`."""
        stamps.append((time.perf_counter_ns(), seq))
        with self.news:
            self.news.notify_all()

    def refuse(self, why: str) -> None:
        self.refused.append(why)
        with self.news:
            self.news.notify_all()

    def wait_for(self, condition: Callable[[], object]) -> None:
        with self.news:
            if not self.news.wait_for(condition, PATIENCE):
                raise TimeoutError(f"the path stood still for {PATIENCE:g} s; refusals: {self.refused[-3:]}")


EDGE = Edge()


@contextmanager
def stamped_gate() -> Iterator[None]:
    """Each acknowledgement that reaches the fill log's gate leaves a stamp."""
    original = StageGate.acknowledge

    def acknowledge(gate: StageGate, stage: str, seq: int) -> None:
        original(gate, stage, seq)
        EDGE.note(EDGE.acknowledged.setdefault(stage, []), seq)

    StageGate.acknowledge = acknowledge  # type: ignore[method-assign]
    try:
        yield
    finally:
        StageGate.acknowledge = original  # type: ignore[method-assign]


class Daemon:
    """The whole tree on the thread runtime with one strategy, against a gateway that runs already."""

    def __init__(self, folder: Path, port: int) -> None:
        configure_logging("info", folder / "logs" / "mats.log", to_stderr=False)
        folder.mkdir(parents=True, exist_ok=True)
        journal = Journal(folder / "journal.db")
        boot = journal.open_boot()
        journal.close()
        self.runtime = ThreadRuntime(seed=1)
        self.names = Refs.of(self.runtime)
        self.operator = Operator(self.runtime, self.names)
        self.runtime.start(build(_plan(folder, port, boot.branch), self.names))
        self._strategy = self.runtime.ref(strategy_at(STRATEGY))

    def wait_ready(self) -> None:
        """Until the strategy runs and every check of risk would let it trade."""
        assert self.operator.wait_for_broker(PATIENCE), "the broker did not answer"
        pause = threading.Event()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            table = self.names.strategy_manager.ask(ReadStrategies(), timeout=PATIENCE)
            assert isinstance(table, StrategyTable)
            assert not table.faults, table.faults
            if STRATEGY in table.running and self.price() > 0:
                return
            pause.wait(0.2)
        raise TimeoutError("the strategy did not start")

    def price(self) -> float:
        """The last price of the instrument; 0 before the first."""
        portfolio = self.operator.view().portfolio
        return portfolio.prices.get(INSTRUMENT, 0.0) if portfolio else 0.0

    def poke(self, what: float | tuple[Side, int]) -> None:
        """Let the strategy, at a quote, signal a strength or place an order."""
        EDGE.todo.append(what)
        quote = Quote(instrument=INSTRUMENT, time=time.time_ns(), bid=0.0, ask=0.0, bid_size=0.0, ask_size=0.0)
        self._strategy.tell(QuoteArrived(quote))

    def place(self, side: Side, quantity: int) -> int:
        """An order that rests; its order id."""
        known = {order.intent_id for order in self._orders()}
        self.poke((side, quantity))
        pause = threading.Event()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for order in self._orders():
                if order.intent_id not in known and order.acknowledged:
                    return order.order_id
            pause.wait(0.05)
        raise TimeoutError(f"the order was not taken: {EDGE.refused[-3:]}")

    def _orders(self) -> tuple:  # type: ignore[type-arg]
        return self.operator.view().orders or ()

    def last_seq(self) -> int:
        progress = self.operator.view().progress
        assert progress is not None
        return progress.last_seq


def _plan(folder: Path, port: int, prefix: str) -> DaemonPlan:
    here = Path(__file__).resolve().parent
    record = StrategyRecord(
        name=STRATEGY,
        file=str(here / "strategy_path.py"),
        class_name="Prober",
        params={"instrument": INSTRUMENT},
        target_weight=0.0001,
    )
    timing = Timing(host="127.0.0.1", port=port, connect_timeout=10.0, replay_timeout=60.0, heartbeat=5.0)
    return DaemonPlan(
        journal=folder / "journal.db",
        rejects=folder / "rejects.jsonl",
        store_uri=lmdb_uri(folder / "arctic"),
        connection=partial(ib_connection, timing),
        gateway=None,
        limits=Limits(
            max_order_quantity=VAST, max_order_notional=VAST, max_position_notional=VAST, max_account_notional=VAST,
            max_orders_per_minute=1_000_000,
        ),
        base_currency="USD",
        live_accounts=(),
        reconcile_every=60.0,
        grace=3.0,
        allow_leverage=False,
        seeds=(record,),
        strategy_folder=here,
        intent_prefix=prefix,
    )  # fmt: skip


def resident() -> float:
    """MiB that this process holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20
