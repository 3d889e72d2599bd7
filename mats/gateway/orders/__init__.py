"""Orders at the gateway: validation, execution, storage, and the messages to clients."""

from mats.gateway.orders import order_messages
from mats.gateway.orders.order_queries import OrderQueries
from mats.gateway.orders.order_service import MASTER, OrderService
from mats.gateway.orders.order_store import OrderFill, OrderStore, new_era

__all__ = [
    "MASTER",
    "OrderFill",
    "OrderQueries",
    "OrderService",
    "OrderStore",
    "new_era",
    "order_messages",
]
