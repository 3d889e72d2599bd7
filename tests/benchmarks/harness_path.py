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
from typing import IO, Any

import msgspec

from actors.base.refs import Refs
from actors.base.stage import Stage
from actors.ib_connection import Timing
from actors.messages.addresses import strategy_at
from actors.messages.market_data import QuoteArrived
from actors.messages.strategy_manager import ReadStrategies, StrategyTable
from actors.operator.operator import Operator
from actors.tree import DaemonPlan, build, ib_connection
from mats.gateway import LOOSE, PaperGateway
from mats.gateway.protocol.client_session import ClientSession
from mats.logging_setup import configure_logging
from mats.model.market_data import Quote
from mats.model.orders import Side
from mats.model.strategy_table import Host, StrategyRecord
from mats.risk import Limits
from mats.runtime import ThreadRuntime
from mats.store.journal.journal import Journal
from mats.store.tables.connection import lmdb_uri

INSTRUMENT, STRATEGY, CLIENT = "SPY", "prober", 1
PATIENCE, LOOK_SECONDS = 120.0, 0.03
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
    async with PaperGateway(cash=Decimal(10) ** 9, limits=LOOSE) as gateway:
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
    """The stamps of the strategy and the stages.

    Nobody is woken by a stamp: a thread that wakes up takes the interpreter from those that are measured.
    """

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.told: list[tuple[int, int]] = []
        self.refused: list[str] = []
        self.acknowledged: dict[str, list[tuple[int, int]]] = {}
        self._notes: IO[str] | None = None

    def open(self, notes: Path) -> None:
        """What the strategy notes is in this file."""
        notes.touch()
        self._notes = notes.open()

    def clear(self) -> None:
        self.read()
        self.asked.clear()
        self.told.clear()
        for stamps in self.acknowledged.values():
            stamps.clear()

    def read(self) -> None:
        """Take what the strategy has noted since the last look."""
        assert self._notes is not None
        for line in self._notes:
            what, at, about = line.split(maxsplit=2)
            match what:
                case "asked":
                    self.asked.append(int(at))
                case "told":
                    self.told.append((int(at), int(about)))
                case _:
                    self.refused.append(about)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Look now and then; what is waited for is over, as a rule, when the first look is taken."""
        pause, deadline = threading.Event(), time.monotonic() + PATIENCE
        while not condition():
            pause.wait(LOOK_SECONDS)
            self.read()
            if time.monotonic() > deadline:
                raise TimeoutError(f"the path stood still for {PATIENCE:g} s; refusals: {self.refused[-3:]}")


EDGE = Edge()


@contextmanager
def stamped_stages() -> Iterator[None]:
    """Each acknowledgement leaves a stamp where its stage gives it."""
    original = Stage.acknowledge

    def acknowledge(stage: Stage[Any]) -> None:
        EDGE.acknowledged.setdefault(stage.stage, []).append((time.perf_counter_ns(), stage.cursor))
        original(stage)

    Stage.acknowledge = acknowledge  # type: ignore[method-assign]
    try:
        yield
    finally:
        Stage.acknowledge = original  # type: ignore[method-assign]


class Daemon:
    """The whole tree on the thread runtime with one strategy on `host`, against a gateway that runs already."""

    def __init__(self, folder: Path, port: int, host: Host) -> None:
        EDGE.open(folder / "notes")
        configure_logging("info", folder / "logs" / "mats.log", time.monotonic, to_stderr=False)
        folder.mkdir(parents=True, exist_ok=True)
        journal = Journal(folder / "journal.db")
        boot = journal.open_boot()
        journal.close()
        self.runtime = ThreadRuntime(seed=1)
        self.names = Refs.of(self.runtime)
        self.operator = Operator(self.runtime, self.names)
        self.runtime.start(build(_plan(folder, port, boot.branch, host), self.names))
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

    def signal(self, strength: float) -> None:
        """Let the strategy signal at a quote."""
        self._quote(last=strength)

    def _quote(self, **values: float) -> None:
        nothing = dict.fromkeys(("bid", "ask", "bid_size", "ask_size"), 0.0)
        quote = Quote(instrument=INSTRUMENT, time=time.time_ns(), **(nothing | values))
        self._strategy.tell(QuoteArrived(quote))

    def place(self, side: Side, quantity: int) -> int:
        """An order that rests; its order id."""
        known = {order.intent_id for order in self._orders()}
        self._quote(**{"bid_size" if side is Side.BUY else "ask_size": float(quantity)})
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


def _plan(folder: Path, port: int, prefix: str, host: Host) -> DaemonPlan:
    here = Path(__file__).resolve().parent
    record = StrategyRecord(
        name=STRATEGY,
        file=str(here / "strategy_path.py"),
        class_name="Prober",
        params={"instrument": INSTRUMENT, "notes": str(folder / "notes")},
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
        strategy_host=host,
    )  # fmt: skip


def resident() -> float:
    """MiB that this process holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20
