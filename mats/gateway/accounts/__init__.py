"""Accounts at the gateway: positions, values, profit and loss, advisors."""

from mats.gateway.accounts.account_service import AccountService, Handler
from mats.gateway.accounts.advisors import Advisors, is_advisor
from mats.gateway.accounts.pnl import PNL_INTERVAL_SECONDS, PnlTracker

__all__ = [
    "PNL_INTERVAL_SECONDS",
    "AccountService",
    "Advisors",
    "Handler",
    "PnlTracker",
    "is_advisor",
]
