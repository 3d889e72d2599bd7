"""What is proved while a run goes on, from outside the actors: each of them is the real one, and is looked at.

Nothing here changes what an actor does, but when an adjustment comes. What must not be is a complaint.
"""

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from actors.base.stage import Stage
from actors.fill_log import FillLog
from actors.messages.fill_log import (
    Acknowledge,
    ApplyEntries,
    BookAdjustments,
    ReportExecutions,
    ReportPart,
    ReportReplay,
)
from actors.messages.order_manager import OrderChanged, SubmitIntent
from actors.messages.risk_manager import Halt, Resume
from actors.order_manager import OrderManager
from actors.persistence_writer import PersistenceWriter
from actors.risk_manager import RiskManager
from mats.ledger.books import book_key
from mats.model import (
    AdjustmentRecorded,
    CancelRequest,
    CommissionRecorded,
    Entry,
    FillCorrected,
    InstrumentId,
    IntentId,
    OrderIntent,
    OrderState,
    StrategyName,
)
from mats.risk import EVERYTHING
from mats.runtime import Actor
from tests.simulation.plan import STAGES

if TYPE_CHECKING:
    from tests.simulation.world import World

STORE = "store"
BEHIND_SECONDS = 6.0
"""How long a stage may lack an entry before no new risk may be taken: two ticks of the log, and the way to risk."""
NEWS_SECONDS = 3.0
"""How long risk may take to know that something is wrong."""
RECENT_SECONDS = 2.0


class Block(msgspec.Struct):
    """While it lasts no new risk may be taken; `scope` is a strategy, or everybody."""

    why: str
    begin: float
    scope: StrategyName = EVERYTHING
    end: float = float("inf")

    def covers(self, strategy: StrategyName, at: float) -> bool:
        return self.begin < at < self.end and self.scope in (EVERYTHING, strategy)


class Watch:
    """Looks at one world; `complaints` are what it has seen."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.complaints: list[str] = []
        self.applied = dict.fromkeys(STAGES, 0)
        self.blocks: list[Block] = []
        self.cancels: dict[StrategyName, float] = {}
        """When each strategy last asked for a cancel."""
        self._over: dict[IntentId, OrderState] = {}
        self._booked: deque[tuple[float, int]] = deque()
        self._logged = 0
        self._preempted: list[BookAdjustments] = []
        self._log_began = self._log_hung = 0.0
        self._replayed: set[tuple[str, int]] = set()
        self._held: dict[tuple[StrategyName, InstrumentId], deque[tuple[float, Decimal]]] = {}

    def complain(self, text: str) -> None:
        self.complaints.append(f"{text} (at {self._world.now:.3f} s)")

    def forget_beyond(self, seq: int) -> None:
        """A power cut has taken what came after entry `seq`."""
        self.applied = {stage: min(after, seq) for stage, after in self.applied.items()}
        self._logged = min(self._logged, seq)

    def watched(self, actor: type[Actor[Any]]) -> type[Actor[Any]]:
        """The same actor, looked at."""
        if issubclass(actor, FillLog):
            return _looked_at(actor, on_start=self._log_begins, on_receive=self._log_receives)
        if issubclass(actor, OrderManager):
            return _looked_at(self._stage(actor), on_receive=self._orders_receive)
        if issubclass(actor, RiskManager):
            return _looked_at(self._stage(actor), on_receive=self._risk_receives)
        if issubclass(actor, PersistenceWriter):
            return _looked_at(self._writer(actor), on_receive=self._writer_receives)
        return self._stage(actor) if issubclass(actor, Stage) else actor

    # The stages (G2)

    def _stage(self, actor: type[Any]) -> type[Any]:
        name: str = actor.stage

        def look(stage: Stage[Any], message: ApplyEntries, then: Callable[[], object]) -> object:
            self.passed(name, stage.cursor)
            return then()

        return _looked_at(actor, hand_on=look)

    def _writer(self, actor: type[Any]) -> type[Any]:
        def look(stage: Stage[Any], _: None, then: Callable[[], object]) -> object:
            self.passed(STORE, stage.cursor)
            return then()

        return _looked_at(actor, acknowledge=look)

    def passed(self, stage: str, after: int) -> None:
        """A stage has applied all entries up to this one."""
        above = STAGES.index(stage) - 1
        if above >= 0 and after > self.applied[STAGES[above]]:
            self.complain(f"{stage} has entry {after} and {STAGES[above]} only {self.applied[STAGES[above]]}")
        if stage == STORE and self._world.stores_in_memory and after > self._world.disk.seq:
            self.complain(f"the store acknowledges entry {after} and holds {self._world.disk.seq}")
        self.applied[stage] = max(self.applied[stage], after)

    # The fill log

    def _log_begins(self, log: FillLog, _: None, then: Callable[[], object]) -> object:
        self._log_began = self._world.now
        return then()

    def _log_receives(self, log: FillLog, message: object, then: Callable[[], object]) -> object:
        if isinstance(message, BookAdjustments) and self._is_preempted(log, message):
            return None
        last = log._last_seq
        void = self._why_void(log, message)
        answer = then()
        newest = log._last_seq
        if void and newest > last and not log._unwritten:
            self.complain(f"{void}, and it was booked as entry {newest}")
        if newest > self._logged:
            self._take(self._world.journal.entries(self._logged, newest - self._logged), newest)
        return answer

    def _is_preempted(self, log: FillLog, message: BookAdjustments) -> bool:
        """Whether it is to come later, as the plan says; once."""
        if message in self._preempted or not self._world.preemption:
            return False
        self._preempted.append(message)
        log.after(self._world.preemption, message)
        return True

    def _why_void(self, log: FillLog, message: object) -> str:
        journal = self._world.journal
        match message:
            case ReportPart(report=report) | ReportReplay(report=report):
                self._replayed.add((report.connection, report.epoch))
                return self._why_over(log, report)
            case ReportExecutions(connection=name, epoch=epoch):
                early = (name, epoch) not in self._replayed
                return f"a live report of {name} has come before its replay" if early else self._why_over(log, message)
            case BookAdjustments(adjustments=adjustments, as_of=as_of) if any(
                journal.moved_since((a.account, a.instrument), as_of) for a in adjustments
            ):
                return f"adjustments were computed at entry {as_of}, and the books have changed since"
            case Acknowledge(stage=stage, seq=seq) if seq > self.applied[stage]:
                self.complain(f"{stage} acknowledged entry {seq} and has applied {self.applied[stage]}")
        return ""

    def _why_over(self, log: FillLog, report: ReportExecutions) -> str:
        """Between two lives of the log reports may be lost: what follows them waits for the replay that has them."""
        name, epoch = report.connection, report.epoch
        if epoch != self._world.journal.epoch(name):
            return f"a report of {name} is of epoch {epoch}, which is over"
        return "" if name in log._epochs else f"a report of {name} was sent to a log that is gone"

    def _take(self, entries: list[Entry], newest: int) -> None:
        now = self._world.now
        self._logged = newest
        self._booked.append((now, newest))
        for entry in entries:
            if (change := _change(entry)) != 0:
                _, strategy, instrument = book_key(entry)
                held = self._held.setdefault((strategy, instrument), deque([(0.0, Decimal(0))], maxlen=8))
                held.append((now, held[-1][1] + change))

    # New risk (G6)

    def hung(self, actor: str, until: float) -> None:
        """An actor handles nothing until then."""
        if actor == "core/fill-log":
            self._log_hung = until

    def _orders_receive(self, orders: OrderManager, message: object, then: Callable[[], object]) -> object:
        if isinstance(message, SubmitIntent):
            envelope = orders._incarnation.envelope
            assert envelope is not None
            waited = self._world.runtime.clock.seconds - envelope.sent
            self._approved(message.intent, self._world.now - waited)
        elif isinstance(message, CancelRequest) and (strategy := self._world.journal.strategy_of(message.intent_id)):
            self.cancels[strategy] = self._world.now
        return then()

    def _approved(self, intent: OrderIntent, at: float) -> None:
        """Risk let the order pass at that time."""
        if self._world.now - at > RECENT_SECONDS or self._reduces(intent, at):
            return
        for block in self.blocks:
            if block.covers(intent.strategy, at):
                self.complain(f"{intent.intent_id} takes new risk while {block.why}")
        if (late := self._late_stage(at)) and at - max(self._log_began, self._log_hung) > BEHIND_SECONDS:
            self.complain(f"{intent.intent_id} takes new risk while {late}")

    def _reduces(self, intent: OrderIntent, at: float) -> bool:
        """By what its strategy holds or has held a moment ago."""
        held = self._held.get((intent.strategy, intent.instrument.id), deque())
        recent = [quantity for since, quantity in held if since >= at - RECENT_SECONDS]
        before = [quantity for since, quantity in held if since < at - RECENT_SECONDS][-1:]
        return any(quantity * intent.side.sign < 0 and intent.quantity <= abs(quantity) for quantity in before + recent)

    def _late_stage(self, at: float) -> str:
        while self._booked and self._booked[0][1] <= min(self.applied[stage] for stage in STAGES[:-1]):
            self._booked.popleft()
        if self._booked and at - self._booked[0][0] > BEHIND_SECONDS:
            return f"a stage lacks entry {self._booked[0][1]} of {self._booked[0][0]:.3f} s: {self.applied}"
        return ""

    def block(self, why: str, begin: float, scope: StrategyName = EVERYTHING) -> Block:
        """No new risk from then on, until its `end` is set."""
        self.blocks.append(Block(why, begin, scope))
        return self.blocks[-1]

    def _risk_receives(self, risk: RiskManager, message: object, then: Callable[[], object]) -> object:
        """A halt that was handled holds until it is taken back, whatever dies meanwhile."""
        if isinstance(message, Resume):
            for block in self.blocks:
                if block.why == "it is halted" and block.scope == message.scope:
                    block.end = min(block.end, self._world.now)
        answer = then()
        if isinstance(message, Halt):
            self.block("it is halted", self._world.now, message.scope)
        return answer

    # Orders that are over

    def _writer_receives(self, writer: PersistenceWriter, message: object, then: Callable[[], object]) -> object:
        """Everybody is told of an order's end; then it is over at the broker, too."""
        if isinstance(message, OrderChanged):
            view = message.order
            if view.state in (OrderState.CANCELLED, OrderState.REJECTED):
                self._over.setdefault(view.intent_id, view.state)
                if self._world.works_at_broker(view.intent_id):
                    self.complain(f"{view.intent_id} is {view.state} ({view.note}) and works at the broker")
        return then()

    def arrived(self, intent: OrderIntent) -> None:
        """G4: no order reaches the broker before its intent is durable, or after its end was told."""
        if self._world.journal.strategy_of(intent.intent_id) != intent.strategy:
            self.complain(f"order of intent {intent.intent_id} arrived before it was in the journal")
        if intent.intent_id in self._over:
            self.complain(f"order of intent {intent.intent_id} arrived and is {self._over[intent.intent_id]}")


def _change(entry: Entry) -> Decimal:
    match entry:
        case CommissionRecorded():
            return Decimal(0)
        case AdjustmentRecorded():
            return entry.quantity
        case FillCorrected():
            return entry.execution.signed_quantity - entry.previous.signed_quantity
        case _:
            return entry.execution.signed_quantity


Look = Callable[[Any, Any, Callable[[], object]], object]
"""Gets the actor, the method's argument (None where it has none) and the method itself."""


def _looked_at(actor: type[Any], **looks: Look) -> type[Any]:
    """The class, some of whose methods are called by a look at them."""

    def method(name: str, look: Look) -> Callable[..., object]:
        really = getattr(actor, name)

        def call(self: Any, argument: Any = None) -> object:
            given = () if argument is None else (argument,)
            return look(self, argument, lambda: really(self, *given))

        return call

    return type(actor.__name__, (actor,), {name: method(name, look) for name, look in looks.items()})
