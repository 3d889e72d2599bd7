"""The state that the parts of a run share."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from mats.backtest.engine.bar_feed import BarFeed, Clock
from mats.backtest.engine.bar_matching import BarMarket
from mats.backtest.engine.portfolio import Portfolio
from mats.backtest.engine.strategy_driver import StrategyDriver
from mats.model import AccountId, InstrumentId, StrategyName

Queue = deque[tuple[Callable[..., None], object]]
"""Messages that wait, each with the one who takes it, first in, first out."""


def drain(queue: Queue) -> None:
    """Let every message be taken, and what that brings."""
    while queue:
        act, message = queue.popleft()
        act(message)


class RunContext(NamedTuple):
    """The account, its strategies, their bars, the markets, what is held; the time, and the messages that wait."""

    account: AccountId
    drivers: Mapping[StrategyName, StrategyDriver]
    feeds: Mapping[InstrumentId, BarFeed]
    markets: Mapping[InstrumentId, BarMarket]
    portfolio: Portfolio
    clock: Clock
    queue: Queue
