"""Orders against quotes: books, matching, order groups, clearing."""

from mats.venue.matching.account import BASE, Account, Mark, VenueHolding, Worth, account_values, rate
from mats.venue.matching.clearing import Clearing
from mats.venue.matching.events import Changed, Ended, Event, OrderMoved, VenueTrade
from mats.venue.matching.exchange import Exchange
from mats.venue.matching.order_groups import CHILD
from mats.venue.matching.orders import (
    CANCELLED,
    FILLED,
    IMMEDIATE,
    LIMITED,
    ON_CLOSE,
    PRE_SUBMITTED,
    STOPPED,
    SUBMITTED,
    TOUCHED,
    TRAILING,
    Lifetime,
    OrderKind,
    OrderTerms,
    VenueOrder,
)

__all__ = [
    "BASE",
    "CANCELLED",
    "CHILD",
    "FILLED",
    "IMMEDIATE",
    "LIMITED",
    "ON_CLOSE",
    "PRE_SUBMITTED",
    "STOPPED",
    "SUBMITTED",
    "TOUCHED",
    "TRAILING",
    "Account",
    "Changed",
    "Clearing",
    "Ended",
    "Event",
    "Exchange",
    "Lifetime",
    "Mark",
    "OrderKind",
    "OrderMoved",
    "OrderTerms",
    "VenueHolding",
    "VenueOrder",
    "VenueTrade",
    "Worth",
    "account_values",
    "rate",
]
