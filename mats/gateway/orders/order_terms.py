"""The venue's order terms of a placeOrder request that has passed `order_validation`."""

from decimal import Decimal

from mats.gateway.protocol import PlaceOrder, parse_time
from mats.venue.matching import (
    LIMITED,
    STOPPED,
    TOUCHED,
    TRAILING,
    Lifetime,
    OrderKind,
    OrderTerms,
)


def order_terms(request: PlaceOrder) -> OrderTerms:
    """The terms of a request that has passed `check_terms`."""
    kind = OrderKind(request.order_type)
    trailing = kind in TRAILING
    return OrderTerms(
        quantity=request.quantity,
        order_type=kind,
        tif=Lifetime(request.tif),
        limit_price=request.limit_price if kind in LIMITED else None,
        stop_price=_trigger(request, kind),
        trail_amount=request.aux_price if trailing and request.trail_percent is None else None,
        trail_percent=request.trail_percent if trailing else None,
        limit_offset=limit_offset(request) if kind is OrderKind.TRAIL_LIMIT else None,
        good_till=parse_time(request.good_till) if request.tif == Lifetime.GTD else 0,
        outside_rth=request.outside_rth,
    )


def _trigger(request: PlaceOrder, kind: OrderKind) -> Decimal | None:
    if kind in TRAILING:
        return request.trail_stop
    return request.aux_price if kind in STOPPED or kind in TOUCHED else None


def limit_offset(request: PlaceOrder) -> Decimal | None:
    """How far the limit of a trailing stop limit is from its stop; None where the request does not say."""
    if request.limit_offset is not None or request.limit_price is None or request.trail_stop is None:
        return request.limit_offset
    return abs(request.limit_price - request.trail_stop)
