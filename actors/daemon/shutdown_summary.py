"""Builds the end-of-run summary, from the broker, the log, the books and the store at one moment."""

from contextlib import closing
from pathlib import Path

import msgspec

from actors.base import Refs
from actors.messages.portfolio_manager import PortfolioSnapshot
from actors.operator import Operator, answered
from mats.model import BrokerSnapshot
from mats.operator import RunSummary, position_results, strategy_results
from mats.runtime import Runtime
from mats.store.journal import Journal

SETTLE_SECONDS = 2.0
COMPARE_SECONDS = 3.0
RETRY_SECONDS = 2.0
"""How long counts that do not agree may stand still before a summary reports what it has."""
LONGEST_SECONDS = 30.0
"""However much they still change: resting orders may fill for hours."""


class SystemState(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of one round of queries about fills; None where there was none."""

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
    def counts(self) -> tuple[int | None, int, int | None]:
        return self.executions, self.fills, self.stored

    @property
    def consistent(self) -> bool:
        return len(set(self.counts)) == 1


class ShutdownSummary:
    """Taken while every actor still runs."""

    def __init__(self, runtime: Runtime, refs: Refs, operator: Operator, journal: Path) -> None:
        self._runtime, self._refs, self._operator, self._journal = runtime, refs, operator, journal

    def take(self) -> RunSummary:
        """The summary. Resting orders may fill meanwhile: the state is read again until its counts agree or rest."""
        now = self._runtime.monotonic
        state, changed, begun = self._read_state(), now(), now()
        while not state.consistent and state.broker is not None:
            if now() > min(changed + RETRY_SECONDS, begun + LONGEST_SECONDS):
                break
            before, state = state, self._read_state()
            if state.counts != before.counts:
                changed = now()
        queries, status = self._operator.queries, self._runtime.status()
        portfolio, broker, table = state.portfolio, state.broker, answered(queries.table)
        return RunSummary(
            orders=state.orders,
            fills=state.fills,
            fills_stored=state.stored,
            gateway_executions=state.executions,
            positions=position_results(portfolio.books if portfolio else (), broker.positions if broker else None),
            strategies=strategy_results(answered(queries.accounts) or ()),
            breaks=len(portfolio.breaks) if portfolio else 0,
            dead_letters=len(self._runtime.dead_letters),
            restarts=sum(actor.restarts for actor in status),
            parked={actor.name: actor.parked for actor in status if actor.state == "parked"},
            faults=dict(table.faults) if table else {},
            abandoned=(),
        )

    def _read_state(self) -> SystemState:
        """The broker first, then in the order of a fill: the log, the books, the store."""
        queries = self._operator.queries
        broker = self._broker()
        if broker is not None:
            self._operator.settle(SETTLE_SECONDS)
            self._compare()
        stored, portfolio = answered(queries.stored), answered(queries.portfolio)
        with closing(Journal(self._journal)) as journal:
            orders, fills = journal.totals()
        return SystemState(broker=broker, portfolio=portfolio, stored=stored, orders=orders, fills=fills)

    def _broker(self) -> BrokerSnapshot | None:
        """The broker's own answer. A connection that is down is not asked: it could not answer in time."""
        master = self._refs.master
        if not any(actor.name == master.name and actor.state == "running" for actor in self._runtime.status()):
            return None
        return answered(self._operator.queries.broker)

    def _compare(self) -> None:
        """Compare with the broker until the books agree, or the time for reports that are still under way is over."""
        begun = self._runtime.clock.monotonic()

        def agreed() -> bool:
            portfolio = answered(self._operator.queries.portfolio)
            if portfolio is None or portfolio.reconciled_seconds_ago is None:
                return False
            fresh = portfolio.reconciled_seconds_ago <= self._runtime.clock.monotonic() - begun
            self._operator.reconcile()
            return fresh and not portfolio.breaks

        self._operator.until(agreed, COMPARE_SECONDS)
