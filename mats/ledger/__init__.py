"""What follows from the fill log: order states, strategy books, round trips, equity, reconciliation. Pure folds."""

from mats.ledger import order_events
from mats.ledger.order_desk import OrderDesk, amendment_fault
from mats.ledger.order_ids import OrderIds
from mats.ledger.order_state import apply
from mats.ledger.orders import Order, amended, changed_view, opening_view, refused_view

__all__ = [
    "Order",
    "OrderDesk",
    "OrderIds",
    "amended",
    "amendment_fault",
    "apply",
    "changed_view",
    "opening_view",
    "order_events",
    "refused_view",
]
