"""What the fixed actors know, asked from outside. An answer that does not come in time is None: unknown, not empty."""

from typing import TypeVar

from actors.messages.broker import ReadBroker
from actors.messages.fill_log import Progress, ReadProgress
from actors.messages.order_manager import ReadOrders
from actors.messages.persistence_writer import ReadStored
from actors.messages.portfolio_manager import Portfolio, ReadAccount, ReadPortfolio
from actors.messages.risk_manager import ReadHalts
from actors.messages.strategy_manager import ReadStrategies, StrategyTable
from actors.names import Names
from mats.ledger.account_view import AccountView
from mats.model.broker import Replay
from mats.model.orders import OrderView
from mats.runtime import AskTimeout, Ref
from mats.runtime.errors import ActorDeadError, ActorFailed

ASK_SECONDS = 2.0
BROKER_SECONDS = 3.0
"""A broker that does not answer must not hold up whoever asks."""
STORE_SECONDS = 10.0
"""The store commits what it holds before it counts."""

T = TypeVar("T")


class Questions:
    """One method for each thing that is asked more than once. Lives at the edge, outside of every actor."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def portfolio(self) -> Portfolio | None:
        return answer_of(self._names.portfolio, ReadPortfolio(), Portfolio)

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

    def broker(self) -> Replay | None:
        """The broker's own complete answer."""
        return answer_of(self._names.master, ReadBroker(), Replay, BROKER_SECONDS)


def answer_of(actor: Ref, question: object, kind: type[T], seconds: float = ASK_SECONDS) -> T | None:
    """The actor's answer, or None when there is none in time; TypeError where it is of another kind."""
    try:
        answer = actor.ask(question, timeout=seconds)
    except (AskTimeout, ActorFailed, ActorDeadError):
        return None
    if not isinstance(answer, kind):
        raise TypeError(f"expected {kind.__name__}, was {type(answer).__name__}")
    return answer
