"""Everything an operator can see or do, for the command line and every other front end."""

import threading
from collections.abc import Callable

from actors.base import Refs
from actors.messages.portfolio_manager import PortfolioSnapshot, Reconcile
from actors.messages.risk_manager import Halt, Resume
from actors.messages.strategy_manager import StartStrategy, StopStrategy, StrategyTable
from actors.operator.queries import Queries, answered
from actors.operator.start_progress import StartProgress
from actors.screen import SystemSnapshot
from mats.model import OrderState, StrategyName
from mats.runtime import Runtime

POLL_SECONDS = 0.1
UNANSWERED = (OrderState.PENDING, OrderState.SENT, OrderState.CANCELLING)


class Operator:
    """Sends commands to actors and waits for their effect. Lives at the edge, outside of every actor."""

    def __init__(self, runtime: Runtime, refs: Refs) -> None:
        self._runtime, self._refs = runtime, refs
        self.queries = Queries(refs)
        self.start = StartProgress(self.queries, runtime.clock)

    # See

    def view(self) -> SystemSnapshot:
        """The whole system, asked actor by actor."""
        queries = self.queries
        return SystemSnapshot(
            actors=self._runtime.status(),
            portfolio=answered(queries.portfolio),
            accounts=answered(queries.accounts),
            orders=answered(queries.orders),
            strategies=answered(queries.table),
            halts=answered(queries.halts),
            progress=answered(queries.progress),
            streams=answered(queries.streams),
            dead_letters=len(self._runtime.dead_letters),
            start=self.start.phase,
        )

    # Do

    def halt(self, scope: StrategyName, reason: str) -> None:
        """Take no new risk, of one strategy or (empty) of all."""
        self._refs.risk.tell(Halt(scope, reason))

    def resume(self, scope: StrategyName) -> None:
        self._refs.risk.tell(Resume(scope))

    def start_strategy(self, strategy: StrategyName) -> None:
        self._refs.strategy_manager.tell(StartStrategy(strategy))

    def stop_strategy(self, strategy: StrategyName) -> None:
        self._refs.strategy_manager.tell(StopStrategy(strategy))

    def reconcile(self) -> None:
        """Compare books and broker now."""
        self._refs.portfolio.tell(Reconcile())

    def compared(self, seconds: float) -> PortfolioSnapshot | None:
        """The portfolio after a comparison that began after now; None when none was made within `seconds`."""
        begun, seen = self._runtime.clock.monotonic(), list[PortfolioSnapshot]()

        def fresh() -> bool:
            portfolio = answered(self.queries.portfolio)
            ago = portfolio.reconciled_seconds_ago if portfolio else None
            if portfolio is not None and ago is not None and ago < self._runtime.clock.monotonic() - begun:
                seen.append(portfolio)
            return bool(seen)

        self.reconcile()
        self.until(fresh, seconds)
        return seen[0] if seen else None

    # Begin and end

    def wait_for_broker(self, seconds: float, meanwhile: Callable[[], None] | None = None) -> bool:
        """Whether the broker's positions have been compared with the books for the first time within `seconds`.

        `meanwhile` is called between two polls; what it raises ends the wait.
        """

        def compared() -> bool:
            portfolio = answered(self.queries.portfolio)
            return portfolio is not None and portfolio.reconciled_seconds_ago is not None

        return self.until(compared, seconds, meanwhile)

    def wait_for_strategies(self, seconds: float, meanwhile: Callable[[], None] | None = None) -> StrategyTable | None:
        """The strategy table when it is loaded and every file is read, or as soon as it has to wait for the store.

        After `seconds` it is what there is by then; None where there is no answer. `meanwhile` as above.
        """
        seen: list[StrategyTable] = []

        def loaded() -> bool:
            table = answered(self.queries.table)
            if table is not None:
                seen[:] = [table]
            return table is not None and (bool(table.away) or (table.loaded and not table.loading))

        self.until(loaded, seconds, meanwhile)
        return seen[0] if seen else None

    def stop_strategies(self, seconds: float) -> None:
        """Stop every strategy that is up in order, and wait until their last orders are answered and booked."""
        for actor in self._runtime.status():
            if actor.name.startswith("strategies/") and actor.state != "parked":
                self.stop_strategy(actor.name.partition("/")[2])
        self.settle(seconds)

    def settle(self, seconds: float) -> None:
        """Wait until no order is unanswered and every stage has everything."""

        def quiet() -> bool:
            orders = answered(self.queries.orders)
            return orders is not None and not any(o.state in UNANSWERED for o in orders) and self.caught_up()

        self.until(quiet, seconds)

    def caught_up(self) -> bool:
        """Whether every stage has every entry of the log."""
        progress = answered(self.queries.progress)
        return progress is not None and all(cursor == progress.last_seq for cursor in progress.cursors.values())

    def until(self, condition: Callable[[], bool], seconds: float, meanwhile: Callable[[], None] | None = None) -> bool:
        """Whether the condition came true within `seconds`; `meanwhile` is called between two polls."""
        clock, pause = self._runtime.clock, threading.Event()
        deadline = clock.monotonic() + seconds
        while not condition():
            if clock.monotonic() >= deadline or self._runtime.escalated.is_set():
                return False
            if meanwhile is not None:
                meanwhile()
            pause.wait(POLL_SECONDS)
        return True
