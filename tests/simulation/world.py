"""The whole daemon in virtual time: the real tree over a simulated broker, and the faults of one plan."""

import hashlib
import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec.structs import replace

from actors.base.refs import Refs
from actors.messages.risk_manager import Resume
from actors.messages.strategy_manager import StartStrategy
from actors.tree import DaemonPlan, build
from mats.model import Entry, IntentId
from mats.model.strategy_table import StrategyRecord
from mats.model.timestamp import SECOND, Nanos
from mats.risk import Limits
from mats.runtime import (
    Actor,
    Backoff,
    ChildFailed,
    ChildParked,
    ChildSpec,
    DeadLetter,
    Event,
    Limit,
    SupervisorSpec,
    VirtualRuntime,
)
from mats.runtime.errors import SimulatedCrash
from mats.runtime.testing import ChaosPlan
from mats.store.journal.journal import Journal
from mats.store.outages import Patience
from tests.simulation.faults import Fault, Halt, StoreTrouble
from tests.simulation.faulty_broker import INSTRUMENTS, FaultyBroker
from tests.simulation.line import VenueLine
from tests.simulation.memory_store import URI, Disk, stored_on
from tests.simulation.plan import Plan
from tests.simulation.simulated_connection import simulated_connection
from tests.simulation.watch import NEWS_SECONDS, Watch

START: Nanos = 1_700_060_000 * SECOND
STRATEGIES = Path(__file__).parent / "strategies"
PATIENT = Limit(restarts=1_000_000, seconds=1.0)
"""No actor gives up: the limits have tests of their own."""
LONGEST_PAUSE = 5.0
"""Seconds between two attempts of anybody, so that a run need not wait for the last one."""
STORE_PATIENCE = Patience(seconds=8.0, entries=1_000)
TRADING_SECONDS = 30
"""How long the scripts trade on when the trouble is over."""
MEMORY = Path("/dev/shm")
"""Where a flush to the disk costs nothing, as far as there is such a place."""


class ArmedCrashes(ChaosPlan):
    """Crashes at the visits that were armed, and at no other."""

    def __init__(self) -> None:
        super().__init__(0)
        self._armed: dict[str, list[int]] = {}

    def arm(self, point: str, skip: int) -> None:
        """The visit after `skip` others ends in a crash."""
        self._armed.setdefault(point, []).append(skip)

    def visit(self, name: str) -> None:
        if (waiting := self._armed.get(name)) is None:
            return
        if waiting[0] > 0:
            waiting[0] -= 1
            return
        waiting.pop(0)
        if not waiting:
            del self._armed[name]
        self.crashes[name] += 1
        raise SimulatedCrash(f"simulated crash at {name}")

    def heal(self) -> None:
        self._armed.clear()


class MarketActor(Actor[str]):
    """Lets the market move every second."""

    def __init__(self, broker: FaultyBroker) -> None:
        self._broker = broker

    def on_start(self) -> None:
        self.every(1.0, "tick")

    def on_receive(self, message: object) -> object:
        self._broker.tick()
        return None


class World:
    """What outlives the daemon (journal, stored rows, broker), and the daemon of now."""

    def __init__(self, seed: int, folder: Path, plan: Plan, store_uri: str = "") -> None:
        """With `store_uri` the tables are written there, in place of a memory."""
        self.seed, self.folder, self.plan, self.store_uri = seed, folder, plan, store_uri
        self.journal = Journal(folder / "journal.db")
        self.disk = Disk()
        self.watch = Watch(self)
        self.letters: list[DeadLetter] = []
        self.failures: list[ChildFailed] = []
        self.parked: set[str] = set()
        self.boots = 0
        self.intent_prefix = ""
        self.healed_at: Nanos = 0
        self.broker = FaultyBroker(seed, lambda: START + round((self.now + self.gateway_offset) * SECOND))
        self.broker.arriving = self.watch.arrived
        self.line = VenueLine(self.broker, plan.latency, seed, self.watch.complain)
        self.gateway_offset = self.preemption = 0.0
        self.chaos = ArmedCrashes()
        self.runtime = VirtualRuntime(seed, START)
        self._earlier = 0.0
        self._clock_offset = 0.0
        self._ends: list[tuple[float, int, Callable[[], object]]] = []
        self._ends_made = itertools.count()
        self.traced = False
        self._traces: list[str] = []
        self._patches = ExitStack()
        if self.stores_in_memory:
            self._patches.enter_context(stored_on(self.disk))

    @property
    def stores_in_memory(self) -> bool:
        return not self.store_uri

    @property
    def now(self) -> float:
        """Seconds since the first boot, whatever any clock says."""
        return self._earlier + self.runtime.clock.seconds

    @property
    def digest(self) -> str:
        """A hash of the traces of all boots, of a world that is traced."""
        return hashlib.sha256("/".join(self._traces).encode()).hexdigest()

    # Boots and power losses

    def boot(self) -> None:
        """A new process over the same journal, disk and broker."""
        self.boots += 1
        self._earlier = self.now
        self.intent_prefix = self.intent_prefix_of_boot()
        wall = START + round((self._earlier + self._clock_offset) * SECOND)
        self.runtime = VirtualRuntime(self.seed * 1_000 + self.boots, wall, plan=self.chaos)
        if self.traced:
            self.runtime.trace.switch_on()
        self.runtime.dead_letters.subscribe(self.letters.append)
        self.runtime.on_event.append(self._watch_failures)
        self.names = Refs.of(self.runtime)
        self.runtime.spawn(MarketActor, self.broker, name="market")
        self.runtime.start(self._patient(self._tree()))

    def intent_prefix_of_boot(self) -> str:
        """Counted, so that every run of a seed is the same."""
        return f"sim{self.boots}"

    def lose_power(self, down: float = 0.0) -> None:
        """The process is gone in the middle of whatever it did; no hook runs."""
        self._traces.append(self.runtime.trace.digest())
        self.abandon_all()
        for _ in range(round(down)):
            self._earlier += 1.0
            self.broker.tick()
        self.boot()

    def abandon_all(self) -> None:
        """Everybody is gone at once, and what they held: files, sockets, clients of the broker."""
        for status in self.runtime.status():
            self.runtime.abandon(status.name)
        self.broker.forget_clients()

    def close(self) -> None:
        """The process is gone, and with it everything but the files and the broker."""
        self.abandon_all()
        self.journal.close()
        self._patches.close()

    @property
    def trading_until(self) -> float:
        """Seconds at which the scripts stop trading, some time after the faults have ended."""
        return float(self.plan.seconds + TRADING_SECONDS)

    def _tree(self) -> SupervisorSpec:
        params = {
            "instruments": list(INSTRUMENTS),
            "seed": self.seed,
            "until": START + round(self.trading_until * SECOND),
        }
        seeds = tuple(
            StrategyRecord(
                name=f"s{number}", file="scripted.py", class_name="Scripted", params=params, target_weight=0.1
            )
            for number in range(1, self.plan.strategies + 1)
        )
        plan = DaemonPlan(
            journal=self.folder / "journal.db",
            rejects=self.folder / "rejects.jsonl",
            store_uri=self.store_uri or URI,
            connection=partial(simulated_connection, self.line),
            gateway=None,
            limits=Limits(),
            base_currency="USD",
            live_accounts=(),
            reconcile_every=10.0,
            grace=2.0,
            allow_leverage=False,
            seeds=seeds,
            strategy_folder=STRATEGIES,
            intent_prefix=self.intent_prefix,
            keep_days=self.plan.keep_days,
            store_patience=STORE_PATIENCE if self.stores_in_memory else Patience(),
        )
        return build(plan, self.names)

    def _patient(self, spec: SupervisorSpec) -> SupervisorSpec:
        """The real tree, whose actors are watched, and of whom nobody gives up or waits for long."""
        children = tuple(
            self._patient(child) if isinstance(child, SupervisorSpec) else self._child(child) for child in spec.children
        )
        return replace(spec, children=children, limit=PATIENT, backoff=_short(spec.backoff))

    def _child(self, spec: ChildSpec[Any]) -> ChildSpec[Any]:
        backoff = _short(spec.backoff) if spec.backoff is not None else None
        return replace(spec, actor=self.watch.watched(spec.actor), limit=PATIENT, backoff=backoff)

    # What is seen from outside

    def _watch_failures(self, event: Event) -> None:
        if isinstance(event, ChildFailed):
            self.failures.append(event)
        elif isinstance(event, ChildParked):
            self.parked.add(event.name)

    def log(self) -> list[Entry]:
        """All entries of the fill log: those that the journal has pruned from the store."""
        pruned = self.journal.pruned_to()
        return [e for e in self.disk.entries if e.seq <= pruned] + self.journal.entries(pruned, 1_000_000)

    def works_at_broker(self, intent_id: IntentId) -> bool:
        """Whether an order of the intent may still trade."""
        return self.broker.keeps(intent_id) or any(
            order.working and order.client_id and order.order_ref.endswith(f":{intent_id}")
            for order in self.broker.orders.values()
        )

    @property
    def crashes(self) -> Counter[str]:
        """How often each point ended in a crash."""
        return self.chaos.crashes

    # The run

    def run(self) -> None:
        """Trouble for some time, then none; the scripts trade on for a while, and everything settles."""
        self.boot()
        self._trouble()
        self._heal()
        self.runtime.advance(5.0)
        self._restart_parked()
        self.advance_to(self.trading_until)
        self.runtime.advance(12.0)
        self.broker.frozen = True
        self.runtime.advance(25.0)
        self._traces.append(self.runtime.trace.digest())

    def advance_to(self, second: float) -> None:
        self.runtime.advance(max(0.0, second - self.now))

    def _trouble(self) -> None:
        for fault in self.plan.faults:
            self._pass_time(fault.at)
            self._take_steps(fault)
            fault.strike(self)
        self._pass_time(float(self.plan.seconds))

    def _take_steps(self, fault: Fault) -> None:
        left = iter(range(fault.steps))
        until = self.now + 1.0
        self.runtime.run_until(lambda: next(left, None) is None or self.now >= until)

    def _pass_time(self, until: float) -> None:
        """On the way, what lasts ends in its time."""
        while self._ends and self._ends[0][0] <= until:
            at, _, end = heapq.heappop(self._ends)
            self.advance_to(at)
            end()
        self.advance_to(until)

    def later(self, seconds: float, end: Callable[[], object]) -> None:
        """Let something happen in the run, or when the trouble is over."""
        heapq.heappush(self._ends, (self.now + seconds, next(self._ends_made), end))

    def _heal(self) -> None:
        while self._ends:
            heapq.heappop(self._ends)[2]()
        self.chaos.heal()
        self.line.heal()
        self.preemption = 0.0
        self.healed_at = START + round(self.now * SECOND)
        for scope in {fault.scope for fault in self.plan.faults if isinstance(fault, Halt)}:
            self.names.risk.tell(Resume(scope))

    def _restart_parked(self) -> None:
        """A strategy that was hit too often is down until a person starts it again."""
        for status in self.runtime.status():
            if status.state == "parked":
                self.names.strategy_manager.tell(StartStrategy(status.name.rpartition("/")[2]))

    # What faults do

    def lives(self, actor: str) -> bool:
        return any(status.name == actor and status.state == "running" for status in self.runtime.status())

    def hang(self, actor: str, seconds: float) -> None:
        runtime, ref = self.runtime, self.runtime.ref(actor)
        runtime.pause(ref)
        self.watch.hung(actor, self.now + seconds)
        self.later(seconds, lambda: runtime.resume(ref))

    def degrade(self, seconds: float) -> None:
        """Risk knows it soon, however long the lines are. What is cut off already stays so for its own time."""
        if self.broker.degraded:
            return
        self.broker.cut_off()
        block = self.watch.block("the gateway is cut off", self.now + NEWS_SECONDS + self.plan.latency)

        def end() -> None:
            block.end = self.now
            self.broker.restore()

        self.later(seconds, end)

    def trouble_store(self, error: Exception, fault: StoreTrouble) -> None:
        """New risk waits for the store after a while. One that is in trouble already stays so for its own time."""
        if self.disk.unreadable or self.disk.unwritable:
            return
        self.disk.unreadable = error if fault.reads else None
        self.disk.unwritable = error if fault.writes else None
        block = self.watch.block("the store is away", self.now + STORE_PATIENCE.seconds + NEWS_SECONDS)

        def end() -> None:
            block.end = self.now
            self.disk.unreadable = self.disk.unwritable = None

        self.later(fault.seconds, end)

    def set_clock(self, offset: float) -> None:
        """Set the wall clock so many seconds from the true time."""
        self.runtime.clock.jump(offset - self._clock_offset)
        self._clock_offset = offset


def _short(backoff: Backoff) -> Backoff:
    return replace(backoff, max=min(backoff.max, LONGEST_PAUSE))


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """A folder that goes with its block."""
    with TemporaryDirectory(prefix="mats-simulation-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@contextmanager
def world(seed: int, plan: Plan) -> Iterator[World]:
    """A world of one seed."""
    with folder_in_memory() as folder:
        made = World(seed, folder, plan)
        try:
            yield made
        finally:
            made.close()
