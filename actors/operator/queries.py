"""Questions to the fixed actors, asked from outside. Each method returns the answer, or raises CommandRefused."""

from collections.abc import Callable
from typing import TypeVar

from actors.base import Refs
from actors.messages.broker import ReadBroker, ReadHistoryUse
from actors.messages.fill_log import Progress, ReadProgress
from actors.messages.market_data import ReadStreams
from actors.messages.order_manager import ReadOrders
from actors.messages.persistence_writer import ReadStored
from actors.messages.portfolio_manager import Breaks, PortfolioSnapshot, ReadAccount, ReadBreaks, ReadPortfolio
from actors.messages.risk_manager import ReadHalts
from actors.messages.strategy_manager import ReadStrategies, StrategyTable
from mats.ledger.valuation import AccountView
from mats.model import DISCRETIONARY, BrokerSnapshot, OrderView, StrategyName
from mats.runtime import ActorDeadError, ActorFailed, Askable, AskTimeout, Ref
from mats.streams import StreamView

ASK_SECONDS = 2.0
BROKER_SECONDS = 3.0
"""A broker that does not answer must not hold up the caller."""
HISTORY_SECONDS = 0.5
STORE_SECONDS = 10.0
"""The store commits what it holds before it counts."""

M = TypeVar("M")
R = TypeVar("R")


class CommandRefused(Exception):
    """Why a command is not carried out: one sentence with what to do."""


class NoAnswer(CommandRefused):
    """An actor has not answered in time: the answer is unknown, not empty."""


def ask(actor: Ref[M], question: Askable[M, R], who: str, seconds: float = ASK_SECONDS) -> R:
    """The actor's answer. Raises NoAnswer, which names the actor as `who`, when there is none within `seconds`."""
    try:
        return actor.ask(question, timeout=seconds)
    except (AskTimeout, ActorFailed, ActorDeadError):
        raise NoAnswer(f"{who} does not answer; `mats status` shows why") from None


def answered(query: Callable[[], R]) -> R | None:
    """The answer of a query, None when there is none in time."""
    try:
        return query()
    except NoAnswer:
        return None


class Queries:
    """One method for each question that is asked more than once. Lives at the edge, outside of every actor."""

    def __init__(self, refs: Refs) -> None:
        self._refs = refs

    def portfolio(self) -> PortfolioSnapshot:
        return ask(self._refs.portfolio, ReadPortfolio(), "the portfolio manager")

    def accounts(self) -> tuple[AccountView, ...]:
        """Cash, equity, exposure and results of each account."""
        return ask(self._refs.portfolio, ReadAccount(), "the portfolio manager")

    def breaks(self, past: int) -> Breaks:
        """The open breaks, and at most `past` that ended."""
        return ask(self._refs.portfolio, ReadBreaks(past), "the portfolio manager")

    def orders(self) -> tuple[OrderView, ...]:
        """Every working order."""
        return ask(self._refs.orders, ReadOrders(), "the order manager")

    def table(self) -> StrategyTable:
        return ask(self._refs.strategy_manager, ReadStrategies(), "the strategy manager")

    def halts(self) -> dict[StrategyName, str]:
        """The reason of each halt by its scope."""
        return ask(self._refs.risk, ReadHalts(), "the risk manager")

    def progress(self) -> Progress:
        return ask(self._refs.fill_log, ReadProgress(), "the fill log")

    def streams(self) -> tuple[StreamView, ...]:
        """Every stream of market data."""
        return ask(self._refs.market_data, ReadStreams(), "market data")

    def stored(self) -> int | None:
        """How many fills the store has; None while it is away."""
        return ask(self._refs.store, ReadStored(), "the store", STORE_SECONDS)

    def broker(self) -> BrokerSnapshot:
        """The broker's own complete answer."""
        return ask(self._refs.master, ReadBroker(), "the broker", BROKER_SECONDS)

    def history_use(self) -> str:
        """What is used of the broker's limits of historical requests; empty where nothing is."""
        return ask(self._refs.data, ReadHistoryUse(), "the data connection", HISTORY_SECONDS)

    def strategies(self, strategy: StrategyName) -> tuple[StrategyName, ...]:
        """This strategy, if the table or a book has it; all of them where none is named."""
        held = {book.strategy for book in self.portfolio().books} - {DISCRETIONARY}
        names = tuple(dict.fromkeys((*(record.name for record in self.table().records), *sorted(held))))
        if strategy and strategy not in names:
            raise CommandRefused(f"there is no strategy {strategy}; there are {', '.join(names) or 'none'}")
        return (strategy,) if strategy else names
