"""Everything a strategy file needs: `from mats.strategy import Strategy, limit, market`."""

from mats.data.bars import to_frame
from mats.model.executions import FillRecorded
from mats.model.instrument import InstrumentId
from mats.model.market import Bar, Quote
from mats.model.orders import OrderState, OrderTicket, OrderView, Side
from mats.strategy.base import Strategy
from mats.strategy.errors import StrategyError
from mats.strategy.host import Position
from mats.strategy.tickets import limit, market, stop, stop_limit

__all__ = [
    "Bar",
    "FillRecorded",
    "InstrumentId",
    "OrderState",
    "OrderTicket",
    "OrderView",
    "Position",
    "Quote",
    "Side",
    "Strategy",
    "StrategyError",
    "limit",
    "market",
    "stop",
    "stop_limit",
    "to_frame",
]
