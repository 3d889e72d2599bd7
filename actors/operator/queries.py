"""What commands need to know before they act: asked of the actors, and refused in one sentence where none answers."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from actors.messages.portfolio_manager import PortfolioSnapshot
from actors.messages.strategy_manager import StrategyTable
from actors.operator.actor_queries import ActorQueries
from actors.screen import SystemSnapshot
from mats.ledger.valuation import AccountView
from mats.model import DISCRETIONARY, IntentId, Nanos, OrderView, StrategyName
from mats.operator import protocol, strategy_lines
from mats.store.journal import Journal

SILENT = "the portfolio manager does not answer; `mats status` shows why"

T = TypeVar("T")


class CommandRefused(Exception):
    """Why a command is not carried out: one sentence with the mend."""


class Queries:
    """Each method has its answer, or raises CommandRefused."""

    def __init__(self, questions: ActorQueries, journal: Path) -> None:
        self._questions, self._path = questions, journal

    def portfolio(self) -> PortfolioSnapshot:
        return known(self._questions.portfolio(), SILENT)

    def accounts(self) -> tuple[AccountView, ...]:
        return known(self._questions.accounts(), SILENT)

    def table(self) -> StrategyTable:
        return known(self._questions.table(), "the strategy manager does not answer; `mats status` shows why")

    def halts(self) -> dict[str, str]:
        silent = "the risk manager does not answer, and may still do it; `mats status` shows halts"
        return known(self._questions.halts(), silent)

    def orders(self, strategies: Sequence[StrategyName]) -> list[OrderView]:
        """The working orders of these strategies."""
        working = known(self._questions.orders(), "the order manager does not answer; `mats status` shows why")
        return [order for order in working if order.strategy in strategies]

    def order(self, intent: IntentId) -> OrderView:
        with closing(Journal(self._path)) as journal:
            found = journal.order(intent)
        if found is None:
            raise CommandRefused(f"there is no order {intent}; `mats status` names the working ones")
        if found.view.state.final:
            raise CommandRefused(f"order {intent} is {found.view.state} already; nothing is left to cancel")
        return found.view

    def named(self, strategy: StrategyName) -> tuple[StrategyName, ...]:
        """The strategy, if there is one of this name; all of them where none is named."""
        names = tuple(record.name for record in self.table().records)
        held = {book.strategy for book in self.portfolio().books} - {DISCRETIONARY}
        known = tuple(dict.fromkeys((*names, *sorted(held))))
        if strategy and strategy not in known:
            raise CommandRefused(f"there is no strategy {strategy}; there are {', '.join(known) or 'none'}")
        return (strategy,) if strategy else known


def status_of(view: SystemSnapshot, now: Nanos) -> protocol.DaemonStatus:
    """What an operator sees first."""
    portfolio, table, progress = view.portfolio, view.strategies, view.progress
    equities = None if portfolio is None else portfolio.equity
    return protocol.DaemonStatus(
        time=now,
        actors=view.actors,
        strategies=None
        if table is None
        else strategy_lines(table.records, table.running, table.faults, view.halts, equities),
        halts=view.halts,
        equity=None if portfolio is None else portfolio.totals,
        overcommitted=None if portfolio is None else portfolio.overcommitted,
        orders=view.orders,
        breaks=None if portfolio is None else len(portfolio.breaks),
        compared_seconds_ago=None if portfolio is None else portfolio.reconciled_seconds_ago,
        entries=None if progress is None else progress.last_seq,
        dead_letters=view.dead_letters,
    )


def known(answer: T | None, otherwise: str) -> T:
    if answer is None:
        raise CommandRefused(otherwise)
    return answer
