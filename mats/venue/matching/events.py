"""What happens to orders at the exchange."""

from decimal import Decimal

import msgspec

from mats.venue.matching.orders import VenueOrder


class VenueTrade(msgspec.Struct, frozen=True):
    """A fill of `order`, which has it booked already; `filled` and `value` are the order's just after it."""

    order: VenueOrder
    quantity: Decimal
    price: Decimal
    filled: Decimal
    value: Decimal


class TriggerMoved(msgspec.Struct, frozen=True):
    """The trigger of a trailing stop has moved."""

    order: VenueOrder


class VenueOrderChanged(msgspec.Struct, frozen=True):
    """The order is seen by the market now, or its terms are other ones."""

    order: VenueOrder


class VenueOrderEnded(msgspec.Struct, frozen=True):
    """The order works no more and is not filled; `reason` is empty where it was cancelled as asked."""

    order: VenueOrder
    reason: str


VenueEvent = VenueTrade | TriggerMoved | VenueOrderChanged | VenueOrderEnded
