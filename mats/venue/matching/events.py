"""Events of orders at the exchange."""

from decimal import Decimal

import msgspec

from mats.venue.matching.orders import VenueOrder


class VenueTrade(msgspec.Struct, frozen=True):
    """A fill of `order`, already applied to it; `filled` and `value` are the order's totals after this fill."""

    order: VenueOrder
    quantity: Decimal
    price: Decimal
    filled: Decimal
    value: Decimal


class TriggerMoved(msgspec.Struct, frozen=True):
    """The trigger of a trailing stop has moved."""

    order: VenueOrder


class VenueOrderChanged(msgspec.Struct, frozen=True):
    """The status or the terms of the order have changed."""

    order: VenueOrder


class VenueOrderEnded(msgspec.Struct, frozen=True):
    """The order has ended unfilled or partly filled; `reason` is empty for a requested cancel."""

    order: VenueOrder
    reason: str


VenueEvent = VenueTrade | TriggerMoved | VenueOrderChanged | VenueOrderEnded
