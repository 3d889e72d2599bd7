"""Market data of the gateway: live streams, bars, depth, contracts, history."""

from mats.gateway.data.contracts import Contracts
from mats.gateway.data.historical import Historical
from mats.gateway.data.historical_requests import HistoricalPacing
from mats.gateway.data.market_data import MarketDataService

__all__ = [
    "Contracts",
    "Historical",
    "HistoricalPacing",
    "MarketDataService",
]
