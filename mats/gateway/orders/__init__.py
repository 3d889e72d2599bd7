"""Orders at the gateway: validation, life, storage, and what clients are told."""

from mats.gateway.orders import order_messages
from mats.gateway.orders.order_queries import OrderQueries
from mats.gateway.orders.order_service import MASTER, OrderService
from mats.gateway.orders.order_store import OrderFill, OrderStore, era_of

__all__ = [
    "MASTER",
    "OrderFill",
    "OrderQueries",
    "OrderService",
    "OrderStore",
    "era_of",
    "order_messages",
]
