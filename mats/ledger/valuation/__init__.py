"""Valuation of books and accounts: rates, exposure, equity, allocation."""

from mats.ledger.valuation.account_views import AccountView, account_view, results_of
from mats.ledger.valuation.allocation import Allocation
from mats.ledger.valuation.broker_figures import AccountFigures
from mats.ledger.valuation.fx import FxRates, conversion_pairs
from mats.ledger.valuation.trading_results import Marks, TradingResult

__all__ = [
    "AccountFigures",
    "AccountView",
    "Allocation",
    "FxRates",
    "Marks",
    "TradingResult",
    "account_view",
    "conversion_pairs",
    "results_of",
]
