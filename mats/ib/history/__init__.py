"""Historical bars within IB's limits: the budget, requests that wait for their turn, pages until there are enough."""

from mats.ib.history.budget import BudgetUse, HistoricalBudget, HistoricalLimits, RequestCost
from mats.ib.history.paced import PacedHistory
from mats.ib.history.pages import IbPages
from mats.ib.history.paging import BackwardPager, RecentBars
from mats.ib.history.request import HeadRequest, HistoryRequest, HistorySource
from mats.ib.history.request_log import RequestLog

__all__ = [
    "BackwardPager",
    "BudgetUse",
    "HeadRequest",
    "HistoricalBudget",
    "HistoricalLimits",
    "HistoryRequest",
    "HistorySource",
    "IbPages",
    "PacedHistory",
    "RecentBars",
    "RequestCost",
    "RequestLog",
]
