"""Everything that can go wrong, as values: each fault has its time, its kind and its figures, and may be left out.

A fault that lasts ends by itself, or when the trouble ends. Seconds count from the first boot.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING

import msgspec

from actors.messages.risk_manager import Halt as HaltTrading
from actors.messages.risk_manager import Resume
from mats.model.orders import StrategyName
from mats.store.tables import StoreUnreachableError

if TYPE_CHECKING:
    from tests.simulation.world import World


class HostGone(Exception):
    """The process in which an actor lived has ended."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It strikes `at` seconds, and so many `steps` of actors later, which as a rule is in the middle of something."""

    at: float
    steps: int = 0

    @abstractmethod
    def strike(self, world: "World") -> None:
        """Let it happen."""


# Actors and their hosts


class Crash(Fault, frozen=True, kw_only=True):
    """An actor fails at its next visit of a chaos point, after `skip` others."""

    point: str
    skip: int = 0

    def strike(self, world: "World") -> None:
        world.chaos.arm(self.point, self.skip)


class Kill(Fault, frozen=True, kw_only=True):
    """An actor goes without a word."""

    actor: str

    def strike(self, world: "World") -> None:
        if world.lives(self.actor):
            world.runtime.kill(world.runtime.ref(self.actor))


class Hang(Fault, frozen=True, kw_only=True):
    """An actor handles nothing for some seconds."""

    actor: str
    seconds: float

    def strike(self, world: "World") -> None:
        if world.lives(self.actor):
            world.hang(self.actor, self.seconds)


class Preemption(Fault, frozen=True, kw_only=True):
    """From now on adjustments, orders and cancels leave `delay` seconds late: their sender is preempted before."""

    delay: float

    def strike(self, world: "World") -> None:
        world.preemption = world.line.preemption = self.delay


class HostLoss(Fault, frozen=True, kw_only=True):
    """The process of a strategy ends, and takes it with it."""

    strategy: StrategyName

    def strike(self, world: "World") -> None:
        incarnation = world.runtime.slot(f"strategies/{self.strategy}").incarnation
        if incarnation is not None and incarnation.started:
            incarnation.report_fault(HostGone(f"the process of {self.strategy} has ended"))


class PowerLoss(Fault, frozen=True, kw_only=True):
    """The process of the daemon is gone, and starts again `down` seconds later; the market does not wait."""

    down: float

    def strike(self, world: "World") -> None:
        world.lose_power(self.down)


# The gateway and the links to it


class Noise(Fault, frozen=True, kw_only=True):
    """The habits of gateways: statuses that are left out, executions repeated, commissions early or late."""

    seconds: float
    chance: float

    def strike(self, world: "World") -> None:
        world.broker.noise = self.chance
        world.later(self.seconds, world.broker.be_quiet)


class HangUp(Fault, frozen=True, kw_only=True):
    """A connection breaks; what is on the line is lost.

    But for what the gateway has received and not read yet: with `unread` it does so that many seconds later, whatever
    it has answered on a new connection meanwhile.
    """

    client: int
    unread: float = 0.0

    def strike(self, world: "World") -> None:
        if self.unread:
            world.later(self.unread, world.line.unread(self.client))
        world.broker.hang_up(self.client)


class LinkLoss(Fault, frozen=True, kw_only=True):
    """Nothing arrives in either direction for some seconds; then the connection breaks."""

    client: int
    seconds: float

    def strike(self, world: "World") -> None:
        condition = world.line.condition(self.client)
        condition.lost = True

        def end() -> None:
            condition.lost = False
            world.broker.hang_up(self.client)

        world.later(self.seconds, end)


class LinkDelay(Fault, frozen=True, kw_only=True):
    """Everything arrives `delay` seconds later, in its order."""

    client: int
    seconds: float
    delay: float

    def strike(self, world: "World") -> None:
        condition = world.line.condition(self.client)
        condition.delay = self.delay
        world.later(self.seconds, lambda: setattr(condition, "delay", 0.0))


class LinkRepeats(Fault, frozen=True, kw_only=True):
    """Packets of the gateway come twice."""

    client: int
    seconds: float
    chance: float

    def strike(self, world: "World") -> None:
        condition = world.line.condition(self.client)
        condition.repeats = self.chance
        world.later(self.seconds, lambda: setattr(condition, "repeats", 0.0))


class LinkReorders(Fault, frozen=True, kw_only=True):
    """Packets of the gateway overtake each other, by up to `spread` seconds."""

    client: int
    seconds: float
    spread: float

    def strike(self, world: "World") -> None:
        condition = world.line.condition(self.client)
        condition.spread = self.spread
        world.later(self.seconds, lambda: setattr(condition, "spread", 0.0))


class Degraded(Fault, frozen=True, kw_only=True):
    """The gateway is cut off from the broker: it answers from memory, and keeps orders until the link is back."""

    seconds: float

    def strike(self, world: "World") -> None:
        world.degrade(self.seconds)


class GatewayClock(Fault, frozen=True, kw_only=True):
    """The gateway starts again with another clock, `offset` seconds from the true one."""

    offset: float

    def strike(self, world: "World") -> None:
        world.gateway_offset = self.offset
        world.broker.hang_up_on_everybody()


# The store and the clock


class StoreTrouble(Fault, frozen=True, kw_only=True):
    """The tables can neither be read nor written, as `reads` and `writes` say, for some seconds."""

    seconds: float
    reads: bool
    writes: bool
    reason: str

    def strike(self, world: "World") -> None:
        world.trouble_store(StoreUnreachableError(self.reason), self)


class WallClock(Fault, frozen=True, kw_only=True):
    """The machine's clock is set ahead, or back (below 0), for some seconds; spans are not concerned."""

    seconds: float
    offset: float

    def strike(self, world: "World") -> None:
        world.set_clock(self.offset)
        world.later(self.seconds, lambda: world.set_clock(0.0))


# What people do


class Halt(Fault, frozen=True, kw_only=True):
    """An operator halts a strategy (empty: all), and lets it trade again some seconds later."""

    scope: StrategyName
    seconds: float

    def strike(self, world: "World") -> None:
        world.names.risk.tell(HaltTrading(self.scope, "an operator said so"))
        world.later(self.seconds, lambda: world.names.risk.tell(Resume(self.scope)))


class Correction(Fault, frozen=True, kw_only=True):
    """The broker takes an execution back, or changes it."""

    def strike(self, world: "World") -> None:
        world.broker.correct_something()


class ManualTrade(Fault, frozen=True, kw_only=True):
    """A person trades at the gateway; `reference` may look like one of ours."""

    reference: str = ""

    def strike(self, world: "World") -> None:
        world.broker.trade_by_hand(self.reference)


class Transfer(Fault, frozen=True, kw_only=True):
    """Shares come in or leave, and no execution says so."""

    def strike(self, world: "World") -> None:
        world.broker.transfer_something()


AnyFault = (
    Crash | Kill | Hang | Preemption | HostLoss | PowerLoss
    | Noise | HangUp | LinkLoss | LinkDelay | LinkRepeats | LinkReorders | Degraded | GatewayClock
    | StoreTrouble | WallClock
    | Halt | Correction | ManualTrade | Transfer
)  # fmt: skip
