"""The one command core: everything an operator can see or do, for the command line and every other skin."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from actors.messages.broker import ReadBroker
from actors.messages.fill_log import Progress, ReadProgress
from actors.messages.order_manager import CancelAll, ReadOrders
from actors.messages.persistence_writer import ReadStored
from actors.messages.portfolio_manager import Portfolio, ReadAccount, ReadPortfolio, Reconcile
from actors.messages.risk_manager import Halt, ReadHalts, Resume
from actors.messages.strategy_manager import ReadStrategies, StartStrategy, StopStrategy, StrategyTable
from actors.tree import Names
from mats.ledger.account_view import AccountView
from mats.model.broker import Replay
from mats.model.orders import OrderState, OrderView, StrategyName
from mats.runtime import ActorStatus, AskTimeout, Runtime
from mats.runtime.errors import ActorDeadError, ActorFailed
from mats.store.journal import Journal
from mats.summary import Summary, position_lines, strategy_lines

ASK_SECONDS = 2.0
LOOK_SECONDS = 0.1
COMPARE_SECONDS = 3.0
LOOK_AGAIN_SECONDS = 2.0
"""How long a summary waits for counts of one moment before it says what it has."""
BROKER_SECONDS = 3.0
"""A broker that does not answer must not hold up the end; its figures are unknown then."""

T = TypeVar("T")


class View(msgspec.Struct, frozen=True, kw_only=True):
    """The system at one moment. A part that did not answer in time is None: unknown, not empty."""

    actors: tuple[ActorStatus, ...]
    portfolio: Portfolio | None
    accounts: tuple[AccountView, ...] | None
    orders: tuple[OrderView, ...] | None
    strategies: StrategyTable | None
    halts: dict[str, str] | None
    progress: Progress | None
    dead_letters: int


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One round of questions about fills; what was not answered is None."""

    broker: Replay | None
    portfolio: Portfolio | None
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


class Operator:
    """Asks actors, always with a timeout. Lives at the edge, outside of every actor."""

    def __init__(self, runtime: Runtime, names: Names, journal: Path) -> None:
        self._runtime, self._names, self._journal = runtime, names, journal

    # See

    def view(self) -> View:
        """Everything there is to see, in one go."""
        names = self._names
        return View(
            actors=self._runtime.status(),
            portfolio=answer_of(lambda: names.portfolio.ask(ReadPortfolio(), timeout=ASK_SECONDS), Portfolio),
            accounts=self.accounts(),
            orders=answer_of(lambda: names.orders.ask(ReadOrders(), timeout=ASK_SECONDS), tuple),
            strategies=answer_of(
                lambda: names.strategy_manager.ask(ReadStrategies(), timeout=ASK_SECONDS), StrategyTable
            ),
            halts=answer_of(lambda: names.risk.ask(ReadHalts(), timeout=ASK_SECONDS), dict),
            progress=answer_of(lambda: names.fill_log.ask(ReadProgress(), timeout=ASK_SECONDS), Progress),
            dead_letters=len(self._runtime.dead_letters),
        )

    def accounts(self) -> tuple[AccountView, ...] | None:
        """Cash, equity, exposure and results of each account."""
        return answer_of(lambda: self._names.portfolio.ask(ReadAccount(), timeout=ASK_SECONDS), tuple)

    def summary(self, abandoned: tuple[str, ...] = ()) -> Summary:
        """What the run came to. Resting orders may fill while it looks: it looks again, till the counts agree."""
        enough = self._runtime.monotonic() + LOOK_AGAIN_SECONDS
        look = self._look()
        while not look.of_one_moment and look.broker is not None and self._runtime.monotonic() < enough:
            look = self._look()
        manager, status = self._names.strategy_manager, self._runtime.status()
        table = answer_of(lambda: manager.ask(ReadStrategies(), timeout=ASK_SECONDS), StrategyTable)
        portfolio, broker = look.portfolio, look.broker
        return Summary(
            orders=look.orders,
            fills=look.fills,
            fills_stored=look.stored,
            gateway_executions=look.executions,
            positions=position_lines(portfolio.books if portfolio else (), broker.positions if broker else None),
            strategies=strategy_lines(self.accounts() or ()),
            breaks=len(portfolio.breaks) if portfolio else 0,
            dead_letters=len(self._runtime.dead_letters),
            restarts=sum(actor.restarts for actor in status),
            parked={actor.name: actor.parked for actor in status if actor.state == "parked"},
            faults=dict(table.faults) if table else {},
            abandoned=abandoned,
        )

    def _look(self) -> Look:
        """The broker first, then what follows it on the way of a fill: the log, the books, the store."""
        names = self._names
        broker = self._broker()
        if broker is not None:
            self._settle(ASK_SECONDS)
            self._compare(COMPARE_SECONDS)
        stored = answer_of(lambda: names.store.ask(ReadStored(), timeout=10.0), int)
        portfolio = answer_of(lambda: names.portfolio.ask(ReadPortfolio(), timeout=ASK_SECONDS), Portfolio)
        journal = Journal(self._journal)
        orders, fills = journal.totals()
        journal.close()
        return Look(broker=broker, portfolio=portfolio, stored=stored, orders=orders, fills=fills)

    def _broker(self) -> Replay | None:
        """The broker's own answer. A connection that is down is not asked: the question would be lost with it."""
        master = self._names.master
        if not any(actor.name == master.name and actor.state == "running" for actor in self._runtime.status()):
            return None
        return answer_of(lambda: master.ask(ReadBroker(), timeout=BROKER_SECONDS), Replay)

    # Do

    def halt(self, scope: StrategyName, reason: str) -> None:
        """Take no new risk, of one strategy or (empty) of all."""
        self._names.risk.tell(Halt(scope, reason))

    def resume(self, scope: StrategyName) -> None:
        self._names.risk.tell(Resume(scope))

    def cancel_all(self, strategy: StrategyName = "") -> None:
        """Cancel every working order, of one strategy or (empty) of all."""
        self._names.orders.tell(CancelAll(strategy))

    def start_strategy(self, strategy: StrategyName) -> None:
        self._names.strategy_manager.tell(StartStrategy(strategy))

    def stop_strategy(self, strategy: StrategyName) -> None:
        self._names.strategy_manager.tell(StopStrategy(strategy))

    def reconcile(self) -> None:
        """Compare books and broker now."""
        self._names.portfolio.tell(Reconcile())

    def compared(self, seconds: float) -> Portfolio | None:
        """The portfolio after a comparison that began after now; None when none was made within `seconds`."""
        begun, seen = self._runtime.clock.monotonic(), list[Portfolio]()

        def fresh() -> bool:
            portfolio = answer_of(lambda: self._names.portfolio.ask(ReadPortfolio(), timeout=ASK_SECONDS), Portfolio)
            ago = portfolio.reconciled_seconds_ago if portfolio else None
            if portfolio is not None and ago is not None and ago < self._runtime.clock.monotonic() - begun:
                seen.append(portfolio)
            return bool(seen)

        self.reconcile()
        self.until(fresh, seconds)
        return seen[0] if seen else None

    # Begin and end

    def wait_for_broker(self, seconds: float, meanwhile: Callable[[], None] | None = None) -> bool:
        """Whether the broker's positions have been held against the books for the first time within `seconds`.

        `meanwhile` is called between two looks; what it raises ends the waiting.
        """

        def compared() -> bool:
            portfolio = answer_of(lambda: self._names.portfolio.ask(ReadPortfolio(), timeout=ASK_SECONDS), Portfolio)
            return portfolio is not None and portfolio.reconciled_seconds_ago is not None

        return self.until(compared, seconds, meanwhile)

    def wait_for_strategies(self, seconds: float, meanwhile: Callable[[], None] | None = None) -> StrategyTable | None:
        """The strategy table as soon as the store has handed it out; `meanwhile` as above."""
        found: list[StrategyTable] = []

        def loaded() -> bool:
            manager = self._names.strategy_manager
            table = answer_of(lambda: manager.ask(ReadStrategies(), timeout=ASK_SECONDS), StrategyTable)
            if table is not None and table.loaded:
                found.append(table)
            return bool(found)

        self.until(loaded, seconds, meanwhile)
        return found[0] if found else None

    def stop_strategies(self, seconds: float) -> None:
        """Stop every strategy that is up in order, and wait until their last orders are answered and booked."""
        for actor in self._runtime.status():
            if actor.name.startswith("strategies/") and actor.state != "parked":
                self.stop_strategy(actor.name.partition("/")[2])
        self._settle(seconds)

    def _settle(self, seconds: float) -> None:
        """Wait until no order is unanswered and every stage has everything."""

        def quiet() -> bool:
            orders = answer_of(lambda: self._names.orders.ask(ReadOrders(), timeout=ASK_SECONDS), tuple)
            waiting = (OrderState.PENDING, OrderState.SENT, OrderState.CANCELLING)
            return orders is not None and not any(order.state in waiting for order in orders) and self.caught_up()

        self.until(quiet, seconds)

    def caught_up(self) -> bool:
        """Whether every stage has every entry of the log."""
        progress = answer_of(lambda: self._names.fill_log.ask(ReadProgress(), timeout=ASK_SECONDS), Progress)
        return progress is not None and all(cursor == progress.last_seq for cursor in progress.cursors.values())

    def _compare(self, seconds: float) -> None:
        """Look at the broker's positions until books and broker agree, or the time for news on its way is over."""
        begun = self._runtime.clock.monotonic()

        def agreed() -> bool:
            portfolio = answer_of(lambda: self._names.portfolio.ask(ReadPortfolio(), timeout=ASK_SECONDS), Portfolio)
            if portfolio is None or portfolio.reconciled_seconds_ago is None:
                return False
            fresh = portfolio.reconciled_seconds_ago <= self._runtime.clock.monotonic() - begun
            self.reconcile()
            return fresh and not portfolio.breaks

        self.until(agreed, seconds)

    def until(self, condition: Callable[[], bool], seconds: float, meanwhile: Callable[[], None] | None = None) -> bool:
        """Whether the condition came true within `seconds`; `meanwhile` is called between two looks."""
        clock, pause = self._runtime.clock, threading.Event()
        deadline = clock.monotonic() + seconds
        while not condition():
            if clock.monotonic() >= deadline or self._runtime.escalated.is_set():
                return False
            if meanwhile is not None:
                meanwhile()
            pause.wait(LOOK_SECONDS)
        return True


def answer_of(ask: Callable[[], object], kind: type[T]) -> T | None:
    """The answer, or None when there is none in time: unknown."""
    try:
        answer = ask()
    except (AskTimeout, ActorFailed, ActorDeadError):
        return None
    if not isinstance(answer, kind):
        raise TypeError(f"expected {kind.__name__}, was {type(answer).__name__}")
    return answer
