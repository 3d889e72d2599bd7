"""Everything a strategy file needs: `from mats.strategy import Strategy, limit, market`."""

from mats.data import to_frame
from mats.errors import StrategyError
from mats.model import Bar, FillRecorded, InstrumentId, OrderState, OrderTicket, OrderView, Quote, Side
from mats.risk import RejectionCode
from mats.sessions import Session
from mats.strategy.brackets import Bracket
from mats.strategy.host import LogLevel, Position
from mats.strategy.market_hours import MarketHours
from mats.strategy.params import parse_assignments
from mats.strategy.strategy import Strategy
from mats.strategy.tickets import limit, market, stop, stop_limit
from mats.strategy.vectorized import Declaration, as_columns, not_declared

__all__ = [
    "Bar",
    "Bracket",
    "Declaration",
    "FillRecorded",
    "InstrumentId",
    "LogLevel",
    "MarketHours",
    "OrderState",
    "OrderTicket",
    "OrderView",
    "Position",
    "Quote",
    "RejectionCode",
    "Session",
    "Side",
    "Strategy",
    "StrategyError",
    "as_columns",
    "limit",
    "market",
    "not_declared",
    "parse_assignments",
    "stop",
    "stop_limit",
    "to_frame",
]
