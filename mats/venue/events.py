"""What happens to orders at the exchange."""

from decimal import Decimal

import msgspec

from mats.venue.orders import Order


class Trade(msgspec.Struct, frozen=True):
    """A fill of `order`, which has it booked already; `filled` and `value` are the order's just after it."""

    order: Order
    quantity: Decimal
    price: Decimal
    filled: Decimal
    value: Decimal


class Moved(msgspec.Struct, frozen=True):
    """The trigger of a trailing stop has moved."""

    order: Order


class Changed(msgspec.Struct, frozen=True):
    """The order is seen by the market now, or its terms are other ones."""

    order: Order


class Ended(msgspec.Struct, frozen=True):
    """The order works no more and is not filled; `reason` is empty where it was cancelled as asked."""

    order: Order
    reason: str


Event = Trade | Moved | Changed | Ended
