"""Orders against quotes: books, matching, order groups, clearing."""

from mats.venue.matching.account import BASE, Account, AccountValuation, Mark, VenueHolding, fx_rate, has_rate
from mats.venue.matching.account_values import LEDGER, AccountValues, account_values
from mats.venue.matching.brackets import Brackets, quantity_left
from mats.venue.matching.clearing import Clearing
from mats.venue.matching.events import TriggerMoved, VenueEvent, VenueOrderChanged, VenueOrderEnded, VenueTrade
from mats.venue.matching.exchange import Exchange
from mats.venue.matching.order_groups import CANCELLED_WITH, CHILD, ENDED_WITH, PARENT_ENDED
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
    "CANCELLED_WITH",
    "CHILD",
    "ENDED_WITH",
    "FILLED",
    "IMMEDIATE",
    "LEDGER",
    "LIMITED",
    "ON_CLOSE",
    "PARENT_ENDED",
    "PRE_SUBMITTED",
    "STOPPED",
    "SUBMITTED",
    "TOUCHED",
    "TRAILING",
    "Account",
    "AccountValuation",
    "AccountValues",
    "Brackets",
    "Clearing",
    "Exchange",
    "Lifetime",
    "Mark",
    "OrderKind",
    "OrderTerms",
    "TriggerMoved",
    "VenueEvent",
    "VenueHolding",
    "VenueOrder",
    "VenueOrderChanged",
    "VenueOrderEnded",
    "VenueTrade",
    "account_values",
    "fx_rate",
    "has_rate",
    "quantity_left",
]
