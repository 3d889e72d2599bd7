"""The whole daemon in virtual time: the real tree over a simulated broker, with faults from one seed."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from actors.base.refs import Refs
from actors.base.stage import Stage
from actors.messages.fill_log import ApplyEntries
from actors.messages.strategy_manager import StartStrategy
from actors.persistence_writer import PersistenceWriter
from actors.tree import DaemonPlan, build
from mats.model.orders import OrderIntent
from mats.model.strategy_table import StrategyRecord
from mats.model.timestamp import SECOND, Nanos
from mats.risk import Limits
from mats.runtime import (
    Actor,
    ChildFailed,
    ChildParked,
    ChildSpec,
    DeadLetter,
    Event,
    Limit,
    SupervisorSpec,
    VirtualRuntime,
)
from mats.runtime.testing import ChaosPlan
from mats.store.journal.journal import Journal
from tests.simulation.faulty_broker import INSTRUMENTS, FaultyBroker
from tests.simulation.light_store import Disk, LightStore
from tests.simulation.simulated_connection import VenueLine, simulated_connection

START: Nanos = 1_700_000_000 * SECOND
STRATEGIES = Path(__file__).parent / "strategies"
STAGES = ("orders", "risk", "portfolio", "store")
PATIENT = Limit(restarts=1_000_000, seconds=1.0)
"""No actor gives up: the limits have tests of their own."""
MOST_POWER_LOSSES = 8
MEMORY = Path("/dev/shm")
"""Where a flush to the disk costs nothing, as far as there is such a place."""


class Dials(Struct, frozen=True, kw_only=True):
    """How much of each kind of trouble a run has.

    `seconds` it lasts; the chances of faults in the news and of a crash at each point, and at `points` by name; then
    how often events come, in steps, and the weights by which they are drawn.
    """

    strategies: int = 2
    seconds: int = 20
    latency: float = 0.01
    news_faults: float = 0.0
    crash_points: float = 0.0
    points: Mapping[str, float] = {}
    steps_between_events: int = 300
    kills: int = 0
    power_losses: int = 0
    hang_ups: int = 0
    corrections: int = 0
    manual_trades: int = 0
    transfers: int = 0


def drawn(seed: int) -> Dials:
    """Dials of a seed, so that runs differ in kind and not only in detail."""
    draw = Random(f"dials/{seed}")
    return Dials(
        strategies=draw.randint(1, 3),
        seconds=draw.choice((20, 40, 60)),
        latency=draw.choice((0.0, 0.01, 0.3)),
        news_faults=draw.choice((0.0, 0.05, 0.2)),
        crash_points=draw.choice((0.0, 0.002, 0.01, 0.03)),
        steps_between_events=draw.choice((100, 300, 1000)),
        kills=draw.choice((0, 1, 4)),
        power_losses=draw.choice((0, 0, 1)),
        hang_ups=draw.choice((0, 1, 2)),
        corrections=draw.choice((0, 1)),
        manual_trades=draw.choice((0, 1)),
        transfers=draw.choice((0, 0, 1)),
    )


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

    def __init__(self, seed: int, folder: Path, dials: Dials | None = None, store_uri: str = "") -> None:
        """With `store_uri` the real persistence writer writes there, in place of the light store."""
        self.seed, self.folder, self.store_uri = seed, folder, store_uri
        self.dials = dials or drawn(seed)
        self.random = Random(f"world/{seed}")
        self.journal = Journal(folder / "journal.db")
        self.disk = Disk([], {})
        self.faults: list[str] = []
        self.letters: list[DeadLetter] = []
        self.failures: list[ChildFailed] = []
        self.parked: set[str] = set()
        self.boots = 0
        self.intent_prefix = ""
        self.applied = dict.fromkeys(STAGES, 0)
        self.broker = FaultyBroker(seed, lambda: self.runtime.clock.now())
        self.broker.faults = self.dials.news_faults
        self.broker.arriving = self._arriving
        self.chaos = ChaosPlan(seed, self.dials.crash_points, self.dials.points)
        self.runtime = VirtualRuntime(seed, START)
        self._traces: list[str] = []

    @property
    def digest(self) -> str:
        """A hash of the traces of all boots."""
        return hashlib.sha256("/".join(self._traces).encode()).hexdigest()

    # Boots and power losses

    def boot(self) -> None:
        """A new process over the same journal, disk and broker."""
        self.boots += 1
        self.intent_prefix = self.intent_prefix_of_boot()
        self.runtime = VirtualRuntime(self.seed * 1_000 + self.boots, self.runtime.clock.now(), plan=self.chaos)
        self.runtime.trace.switch_on()
        self.runtime.dead_letters.subscribe(self.letters.append)
        self.runtime.on_event.append(self._watch_failures)
        self.names = Refs.of(self.runtime)
        self.runtime.spawn(MarketActor, self.broker, name="market")
        self.runtime.start(self._patient(self._tree()))

    def intent_prefix_of_boot(self) -> str:
        """Counted, so that every run of a seed is the same."""
        return f"sim{self.boots}"

    def lose_power(self) -> None:
        """The process is gone in the middle of whatever it did; no hook runs. So often, and then no more."""
        if self.boots > MOST_POWER_LOSSES:
            return
        self._traces.append(self.runtime.trace.digest())
        self.abandon_all()
        self.boot()

    def abandon_all(self) -> None:
        """Everybody is gone at once, and what they held: files, sockets, clients of the broker."""
        for status in self.runtime.status():
            self.runtime.abandon(status.name)
        self.broker.forget_clients()

    def end(self) -> None:
        """The process is gone, and with it everything but the files and the broker."""
        self.abandon_all()
        self.journal.close()

    @property
    def trading_until(self) -> Nanos:
        """The scripts stop trading some time after the faults have ended."""
        return START + (self.dials.seconds + 90) * SECOND

    def _tree(self) -> SupervisorSpec:
        seeds = tuple(
            StrategyRecord(
                name=f"s{number}",
                file="scripted.py",
                class_name="Scripted",
                params={"instruments": list(INSTRUMENTS), "seed": self.seed, "until": self.trading_until},
                target_weight=0.1,
            )
            for number in range(1, self.dials.strategies + 1)
        )
        plan = DaemonPlan(
            journal=self.folder / "journal.db",
            rejects=self.folder / "rejects.jsonl",
            store_uri=self.store_uri,
            connection=partial(simulated_connection, VenueLine(self.broker, self.dials.latency)),
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
        )
        return build(plan, self.names)

    def _patient(self, spec: SupervisorSpec) -> SupervisorSpec:
        """The real tree, with a light store, stages that are watched, and nobody who gives up."""
        children = tuple(
            self._patient(child) if isinstance(child, SupervisorSpec) else self._child(child) for child in spec.children
        )
        return replace(spec, children=children, limit=PATIENT)

    def _child(self, spec: ChildSpec[Any]) -> ChildSpec[Any]:
        if spec.name == "writer" and not self.store_uri:
            args = LightStore.Args(
                disk=self.disk,
                flush=self.journal.flush,
                fill_log=self.names.fill_log,
                publishers=spec.args.publishers,
            )
            spec = replace(spec, actor=LightStore, args=args)
        if issubclass(spec.actor, Stage) and spec.actor is not PersistenceWriter:
            spec = replace(spec, actor=self._watched(spec.actor))
        return replace(spec, limit=PATIENT)

    # What is proved while the run goes on

    def _watched(self, stage: type[Stage[Any]]) -> type[Stage[Any]]:
        """The same stage, but each application of entries is held against the stage above it (G2)."""
        world, name = self, stage.stage

        def hand_on(self: Stage[Any], message: ApplyEntries) -> None:
            world.passed(name, self.cursor)
            stage.hand_on(self, message)

        return type(stage.__name__, (stage,), {"hand_on": hand_on})

    def passed(self, stage: str, after: int) -> None:
        """A stage has applied all entries up to this one."""
        above = STAGES.index(stage) - 1
        if above >= 0 and after > self.applied[STAGES[above]]:
            self.faults.append(f"{stage} has entry {after} and {STAGES[above]} only {self.applied[STAGES[above]]}")
        self.applied[stage] = max(self.applied[stage], after)

    def _watch_failures(self, event: Event) -> None:
        if isinstance(event, ChildFailed):
            self.failures.append(event)
        elif isinstance(event, ChildParked):
            self.parked.add(event.name)

    def _arriving(self, intent: OrderIntent) -> None:
        """No order reaches the broker before its intent is durable (G4)."""
        if self.journal.strategy_of(intent.intent_id) != intent.strategy:
            self.faults.append(f"order of intent {intent.intent_id} arrived before it was in the journal")

    # Faults

    def run(self) -> None:
        """Trouble for some time, then none; the scripts trade on for a while, and everything settles."""
        self.boot()
        self._trouble()
        self.chaos.heal()
        self.broker.faults = 0.0
        self.healed_at = self.runtime.clock.now()
        self._restart_parked()
        self.advance_to(self.trading_until)
        self.runtime.advance(20.0)
        self.broker.frozen = True
        self.runtime.advance(40.0)
        self._traces.append(self.runtime.trace.digest())

    def advance_to(self, instant: Nanos) -> None:
        self.runtime.advance(max(0.0, (instant - self.runtime.clock.now()) / SECOND))

    def _trouble(self) -> None:
        end, dials = START + self.dials.seconds * SECOND, self.dials
        events = [
            *[self.kill_somebody] * dials.kills,
            *[self.lose_power] * dials.power_losses,
            *[self.broker.hang_up_on_somebody] * dials.hang_ups,
            *[self.broker.correct_something] * dials.corrections,
            *[self.broker.trade_by_hand] * dials.manual_trades,
            *[self.broker.transfer_something] * dials.transfers,
        ]
        while self.runtime.clock.now() < end:
            self._steps(self.random.randint(1, dials.steps_between_events), end)
            if events:
                self.random.choice(events)()

    def _restart_parked(self) -> None:
        """A strategy that was hit too often is down until a person starts it again."""
        self.runtime.advance(5.0)
        for status in self.runtime.status():
            if status.state == "parked":
                self.names.strategy_manager.tell(StartStrategy(status.name.rpartition("/")[2]))

    def _steps(self, count: int, end: Nanos) -> None:
        """Stop after so many steps, which as a rule is in the middle of something."""
        left = iter(range(count))
        self.runtime.run_until(lambda: next(left, None) is None or self.runtime.clock.now() >= end)

    def kill_somebody(self) -> None:
        """An actor that is no supervisor goes without a word."""
        alive = [s.name for s in self.runtime.status() if s.state == "running" and s.actor not in UNTOUCHED]
        if alive:
            self.runtime.kill(self.runtime.ref(self.random.choice(alive)))


UNTOUCHED = ("Supervisor", "MarketActor")


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """A folder that goes with its block."""
    with TemporaryDirectory(prefix="mats-simulation-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@contextmanager
def world(seed: int, dials: Dials | None = None) -> Iterator[World]:
    """A world of one seed."""
    with folder_in_memory() as folder:
        made = World(seed, folder, dials)
        try:
            yield made
        finally:
            made.end()
