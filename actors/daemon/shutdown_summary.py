"""The last look: what a run came to, from the broker, the log, the books and the store at one moment."""

from contextlib import closing
from pathlib import Path

import msgspec

from actors.base import Refs
from actors.messages.portfolio_manager import PortfolioSnapshot
from actors.operator import Operator
from mats.model import BrokerSnapshot
from mats.operator import RunSummary, position_results, strategy_results
from mats.runtime import Runtime
from mats.store.journal import Journal

SETTLE_SECONDS = 2.0
COMPARE_SECONDS = 3.0
LOOK_AGAIN_SECONDS = 2.0
"""How long a summary waits for counts of one moment before it says what it has."""


class SystemState(msgspec.Struct, frozen=True, kw_only=True):
    """One round of questions about fills; what was not answered is None."""

    broker: BrokerSnapshot | None
    portfolio: PortfolioSnapshot | None
    stored: int | None
    orders: int
    fills: int

    @property
    def executions(self) -> int | None:
        """Executions at the broker, corrections not counted apart."""
        return None if self.broker is None else len({(e.account, e.family) for e in self.broker.executions})

    @property
    def of_one_moment(self) -> bool:
        return self.executions == self.fills == self.stored


class ShutdownSummary:
    """Taken while every actor still runs."""

    def __init__(self, runtime: Runtime, names: Refs, operator: Operator, journal: Path) -> None:
        self._runtime, self._names, self._operator, self._journal = runtime, names, operator, journal

    def summary(self) -> RunSummary:
        """What the run came to. Resting orders may fill while it looks: it looks again, till the counts agree."""
        enough = self._runtime.monotonic() + LOOK_AGAIN_SECONDS
        look = self._look()
        while not look.of_one_moment and look.broker is not None and self._runtime.monotonic() < enough:
            look = self._look()
        ask, status = self._operator.questions, self._runtime.status()
        portfolio, broker, table = look.portfolio, look.broker, ask.table()
        return RunSummary(
            orders=look.orders,
            fills=look.fills,
            fills_stored=look.stored,
            gateway_executions=look.executions,
            positions=position_results(portfolio.books if portfolio else (), broker.positions if broker else None),
            strategies=strategy_results(ask.accounts() or ()),
            breaks=len(portfolio.breaks) if portfolio else 0,
            dead_letters=len(self._runtime.dead_letters),
            restarts=sum(actor.restarts for actor in status),
            parked={actor.name: actor.parked for actor in status if actor.state == "parked"},
            faults=dict(table.faults) if table else {},
            abandoned=(),
        )

    def _look(self) -> SystemState:
        """The broker first, then what follows it on the way of a fill: the log, the books, the store."""
        ask = self._operator.questions
        broker = self._broker()
        if broker is not None:
            self._operator.settle(SETTLE_SECONDS)
            self._compare()
        stored, portfolio = ask.stored(), ask.portfolio()
        with closing(Journal(self._journal)) as journal:
            orders, fills = journal.totals()
        return SystemState(broker=broker, portfolio=portfolio, stored=stored, orders=orders, fills=fills)

    def _broker(self) -> BrokerSnapshot | None:
        """The broker's own answer. A connection that is down is not asked: the question would be lost with it."""
        master = self._names.master
        if not any(actor.name == master.name and actor.state == "running" for actor in self._runtime.status()):
            return None
        return self._operator.questions.broker()

    def _compare(self) -> None:
        """Look at the broker's positions until books and broker agree, or the time for news on its way is over."""
        begun = self._runtime.clock.monotonic()

        def agreed() -> bool:
            portfolio = self._operator.questions.portfolio()
            if portfolio is None or portfolio.reconciled_seconds_ago is None:
                return False
            fresh = portfolio.reconciled_seconds_ago <= self._runtime.clock.monotonic() - begun
            self._operator.reconcile()
            return fresh and not portfolio.breaks

        self._operator.until(agreed, COMPARE_SECONDS)
