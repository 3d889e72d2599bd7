"""Converts placeOrder requests into venue order terms and validates them."""

from decimal import Decimal

from mats.gateway.protocol import PlaceOrder, WireError, parse_time
from mats.model import Instrument
from mats.venue.matching import (
    IMMEDIATE,
    LIMITED,
    ON_CLOSE,
    STOPPED,
    TOUCHED,
    TRAILING,
    Lifetime,
    OrderKind,
    OrderTerms,
)


def order_terms(request: PlaceOrder) -> OrderTerms:
    """The terms of a request that has passed `check_order_terms`."""
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
        limit_offset=_limit_offset(request) if kind is OrderKind.TRAIL_LIMIT else None,
        good_till=parse_time(request.good_till) if request.tif == Lifetime.GTD else 0,
        outside_rth=request.outside_rth,
    )


def _trigger(request: PlaceOrder, kind: OrderKind) -> Decimal | None:
    if kind in TRAILING:
        return request.trail_stop
    return request.aux_price if kind in STOPPED or kind in TOUCHED else None


def check_order_terms(request: PlaceOrder) -> str:
    """What is missing, contradictory or unsupported in a request; empty if it is valid."""
    kind = request.order_type
    if kind not in set(OrderKind):
        return f"Invalid order type was entered: {kind}"
    if request.tif not in set(Lifetime):
        return f"Invalid time in force was entered: {request.tif}"
    if request.tif in IMMEDIATE and (kind in TRAILING or kind in ON_CLOSE):
        return f"The time in force {request.tif} is invalid for {kind} orders"
    if kind in TRAILING:
        return _check_trailing(request) or _check_supported(request)
    if kind in LIMITED and request.limit_price is None:
        return f"{kind} needs its limit price"
    if (kind in STOPPED or kind in TOUCHED) and request.aux_price is None:
        return f"{kind} needs its trigger price"
    return _check_supported(request)


def _check_trailing(request: PlaceOrder) -> str:
    amount, percent = request.aux_price, request.trail_percent
    if (amount is None) == (percent is None):
        return f"{request.order_type} needs either its trailing amount or its trailing percent"
    if (amount or percent or 0) <= 0 or (percent or 0) >= 100:
        return f"{request.order_type} cannot trail by {amount or percent}"
    if request.order_type == OrderKind.TRAIL_LIMIT and _limit_offset(request) is None:
        return "TRAIL LIMIT needs its limit offset, or a limit and a stop price"
    return ""


def _check_supported(request: PlaceOrder) -> str:
    if request.tif == Lifetime.GTD:
        try:
            parse_time(request.good_till)
        except WireError as error:
            return f"Invalid good till date: {error}"
    if request.good_after:
        return "Good-after-time orders are not supported by the paper gateway"
    if request.all_or_none:
        return "All-or-none orders are not supported by the paper gateway"
    if request.conditions:
        return "Conditional orders are not supported by the paper gateway"
    if request.oca_group and request.oca_type not in (1, 2, 3):
        return f"Invalid OCA type: {request.oca_type}"
    return ""


def _limit_offset(request: PlaceOrder) -> Decimal | None:
    if request.limit_offset is not None or request.limit_price is None or request.trail_stop is None:
        return request.limit_offset
    return abs(request.limit_price - request.trail_stop)


def off_grid(terms: OrderTerms, instrument: Instrument) -> bool:
    """Whether a price is not a multiple of the tick size."""
    prices = (terms.limit_price, terms.stop_price, terms.trail_amount, terms.limit_offset)
    return any(price is not None and price % instrument.tick_size for price in prices)
