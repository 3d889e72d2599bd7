"""The life of an order as a table, and the order flow: size → check → journal → send → apply → book.

`PreTrade` sizes and checks; `OrderTracker` knows every order that was sent. Live, each belongs to an actor. `OrderFlow`
is both in one thread, with the books told of each fill: what a backtest runs on.
"""

from mats.orders import order_events
from mats.orders.flow import Exchange, OrderFlow
from mats.orders.order_ids import RESERVED, OrderIds
from mats.orders.order_queries import OrderQueries
from mats.orders.order_state import Outcome, Transition, apply, happen, transition
from mats.orders.pretrade import PreTrade, Rejected
from mats.orders.record import OrderRecord, record_of
from mats.orders.registry import Order, Orders, amended, restored
from mats.orders.settlement import SettlementPolicy
from mats.orders.tracker import Names, OrderTracker, amendment_fault

__all__ = [
    "RESERVED",
    "Exchange",
    "Names",
    "Order",
    "OrderFlow",
    "OrderIds",
    "OrderQueries",
    "OrderRecord",
    "OrderTracker",
    "Orders",
    "Outcome",
    "PreTrade",
    "Rejected",
    "SettlementPolicy",
    "Transition",
    "amended",
    "amendment_fault",
    "apply",
    "happen",
    "order_events",
    "record_of",
    "restored",
    "transition",
]
