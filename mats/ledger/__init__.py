"""What follows from the fill log: order states, strategy books, round trips, equity, reconciliation. Pure folds."""

from mats.ledger.error_codes import ErrorMeaning, order_error

__all__ = [
    "ErrorMeaning",
    "order_error",
]
