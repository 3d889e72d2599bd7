"""What the parts of a run share."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from mats.backtest.portfolio import Portfolio
from mats.backtest.speaker import Speaker
from mats.backtest.tape import Clock, Tape
from mats.model import AccountId, InstrumentId, StrategyName
from mats.venue import BarMarket

Queue = deque[tuple[Callable[..., None], object]]
"""What was said and is not yet heard: each message with the one who takes it, first in, first out."""


class Scene(NamedTuple):
    """The account, who trades in it, what they see, where their orders work, what they hold; the time, what is said."""

    account: AccountId
    speakers: Mapping[StrategyName, Speaker]
    tapes: Mapping[InstrumentId, Tape]
    markets: Mapping[InstrumentId, BarMarket]
    portfolio: Portfolio
    clock: Clock
    queue: Queue
