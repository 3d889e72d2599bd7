"""Market data of the gateway: live streams, bars, depth, contracts, history."""

from mats.gateway.data.contracts import ContractService
from mats.gateway.data.historical import HistoricalDataService
from mats.gateway.data.historical_requests import HistoricalPacing
from mats.gateway.data.market_data import MarketDataService

__all__ = [
    "ContractService",
    "HistoricalDataService",
    "HistoricalPacing",
    "MarketDataService",
]
