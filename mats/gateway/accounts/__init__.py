"""Accounts at the gateway: positions, values, profit and loss, advisors."""

from mats.gateway.accounts.account_service import AccountService, RequestHandler
from mats.gateway.accounts.advisors import AdvisorService, is_advisor
from mats.gateway.accounts.pnl import PNL_INTERVAL_SECONDS, PnlTracker
from mats.gateway.accounts.unlisted import UnlistedContracts

__all__ = [
    "PNL_INTERVAL_SECONDS",
    "AccountService",
    "AdvisorService",
    "PnlTracker",
    "RequestHandler",
    "UnlistedContracts",
    "is_advisor",
]
