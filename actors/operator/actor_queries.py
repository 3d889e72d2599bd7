"""What the fixed actors know, asked from outside. An answer that does not come in time is None: unknown, not empty."""

from typing import Any, TypeVar

from actors.base import Refs
from actors.messages.broker import ReadBroker
from actors.messages.fill_log import Progress, ReadProgress
from actors.messages.order_manager import ReadOrders
from actors.messages.persistence_writer import ReadStored
from actors.messages.portfolio_manager import PortfolioSnapshot, ReadAccount, ReadPortfolio
from actors.messages.risk_manager import ReadHalts
from actors.messages.strategy_manager import ReadStrategies, StrategyTable
from mats.ledger.valuation import AccountView
from mats.model import BrokerSnapshot, OrderView
from mats.runtime import ActorDeadError, ActorFailed, AskTimeout, Ref

ASK_SECONDS = 2.0
BROKER_SECONDS = 3.0
"""A broker that does not answer must not hold up whoever asks."""
STORE_SECONDS = 10.0
"""The store commits what it holds before it counts."""

T = TypeVar("T")


class ActorQueries:
    """One method for each thing that is asked more than once. Lives at the edge, outside of every actor."""

    def __init__(self, names: Refs) -> None:
        self._names = names

    def portfolio(self) -> PortfolioSnapshot | None:
        return answer_of(self._names.portfolio, ReadPortfolio(), PortfolioSnapshot)

    def accounts(self) -> tuple[AccountView, ...] | None:
        """Cash, equity, exposure and results of each account."""
        return answer_of(self._names.portfolio, ReadAccount(), tuple)

    def orders(self) -> tuple[OrderView, ...] | None:
        """Every working order."""
        return answer_of(self._names.orders, ReadOrders(), tuple)

    def table(self) -> StrategyTable | None:
        return answer_of(self._names.strategy_manager, ReadStrategies(), StrategyTable)

    def halts(self) -> dict[str, str] | None:
        """The reason of each halt by its scope."""
        return answer_of(self._names.risk, ReadHalts(), dict)

    def progress(self) -> Progress | None:
        return answer_of(self._names.fill_log, ReadProgress(), Progress)

    def stored(self) -> int | None:
        """How many fills the store has."""
        return answer_of(self._names.store, ReadStored(), int, STORE_SECONDS)

    def broker(self) -> BrokerSnapshot | None:
        """The broker's own complete answer."""
        return answer_of(self._names.master, ReadBroker(), BrokerSnapshot, BROKER_SECONDS)


def answer_of(actor: Ref, question: Any, kind: type[T], seconds: float = ASK_SECONDS) -> T | None:
    """The actor's answer, or None when there is none in time; TypeError where it is of another kind."""
    try:
        answer: object = actor.ask(question, timeout=seconds)
    except (AskTimeout, ActorFailed, ActorDeadError):
        return None
    if not isinstance(answer, kind):
        raise TypeError(f"expected {kind.__name__}, was {type(answer).__name__}")
    return answer
