"""All that an operator can see of the system, at one moment."""

from collections.abc import Mapping

import msgspec

from actors.messages.fill_log import Progress
from actors.messages.portfolio_manager import PortfolioSnapshot
from actors.messages.strategy_manager import StrategyTable
from mats.ledger.valuation import AccountView
from mats.model import OrderView, StrategyName
from mats.runtime import ActorStatus
from mats.streams import StreamView

NEEDED = {"store/writer": "the store", "brokers/gateway": "the paper gateway"}


class StartPhase(msgspec.Struct, frozen=True):
    """What a start waits for, for how many seconds already, and what of it can be counted; empty when it is over."""

    waiting: str = ""
    seconds: float = 0.0
    counted: str = ""

    def __str__(self) -> str:
        counted = f" ({self.counted})" if self.counted else ""
        return f"{self.waiting} for {self.seconds:.0f} s{counted}" if self.waiting else ""


class SystemSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A part of it is None where the actor did not answer in time: unknown, not empty."""

    actors: tuple[ActorStatus, ...]
    portfolio: PortfolioSnapshot | None
    accounts: tuple[AccountView, ...] | None
    orders: tuple[OrderView, ...] | None
    strategies: StrategyTable | None
    halts: dict[str, str] | None
    progress: Progress | None
    streams: tuple[StreamView, ...] | None = None
    dead_letters: int
    start: StartPhase = StartPhase()


def waiting_for(view: SystemSnapshot) -> str:
    """What the start still waits for; empty when nothing is missing."""
    actors = {actor.name: actor for actor in view.actors}
    for name, what in NEEDED.items():
        if name in actors and actors[name].state != "running":
            return f"{what} is {actors[name].state}"
    master = actors.get("brokers/ib-0")
    if master is None or master.state != "running":
        return "the connection to the gateway" if master is None else f"the connection to the gateway is {master.state}"
    if view.portfolio is None or view.portfolio.reconciled_seconds_ago is None:
        return "the broker's complete answer"
    if view.strategies is None or not view.strategies.loaded:
        return "the strategy table"
    able = [r.name for r in view.strategies.records if r.active and r.name not in view.strategies.faults]
    late = [n for n in able if n not in view.strategies.running and state_of(actors, n) in ("off", "starting")]
    return ", ".join(late)


def state_of(actors: Mapping[str, ActorStatus], strategy: StrategyName) -> str:
    """The state of a strategy's actor; `off` when it was never started."""
    actor = actors.get(f"strategies/{strategy}")
    return "off" if actor is None else actor.state
