"""The checks of an order before it is accepted. A rejection has IB's error code and text."""

from collections.abc import Collection
from decimal import Decimal

import msgspec

from mats.gateway.accounts import is_advisor
from mats.gateway.orders.order_terms import limit_offset, order_terms
from mats.gateway.protocol import PlaceOrder, WireError, parse_time
from mats.model import Instrument, SecType, Side
from mats.venue.markets import Universe
from mats.venue.matching import (
    FILLED,
    IMMEDIATE,
    LIMITED,
    ON_CLOSE,
    STOPPED,
    TOUCHED,
    TRAILING,
    Account,
    Lifetime,
    Mark,
    OrderKind,
    OrderTerms,
    VenueOrder,
    fx_rate,
)
from mats.venue.models import MarginModel

FRACTIONAL = "Fractional-sized order cannot be placed via API. Please use desktop version of TWS to revise this order."


class OrderRejection(msgspec.Struct, frozen=True):
    """Why an order is rejected: IB's error code and text."""

    code: int
    text: str


def check_terms(
    request: PlaceOrder, instrument: Instrument, accounts: Collection[str], least_size: Decimal
) -> OrderRejection | None:
    """Checks the order by itself: instrument, account, terms, size in units of `least_size`, prices."""
    if instrument.sec_type is SecType.INDEX:
        return OrderRejection(201, f"Order rejected - reason:{instrument.id} is an index and cannot be traded")
    if request.action not in set(Side):
        return _invalid(f"action {request.action!r} is neither BUY nor SELL")
    rejection = _check_account(request, accounts)
    if rejection:
        return rejection
    text = _check_request(request)
    if text:
        return _invalid(text)
    if request.quantity <= 0:
        return OrderRejection(434, "The order size cannot be zero.")
    if request.quantity % least_size or request.quantity < least_size:
        return OrderRejection(10243, FRACTIONAL)
    if _off_grid(order_terms(request), instrument):
        return OrderRejection(110, "The price does not conform to the minimum price variation for this contract.")
    return None


def _check_account(request: PlaceOrder, accounts: Collection[str]) -> OrderRejection | None:
    """Checks the account: with several accounts the order must name one."""
    if request.account and request.advisor_group:
        return OrderRejection(201, "Order rejected - reason:Account and group must not be given together")
    if request.advisor_group:
        return _invalid(f"Invalid group {request.advisor_group!r}")
    if not request.account and len(accounts) > 1:
        if is_advisor(accounts):
            return OrderRejection(436, "You must specify an allocation (either a single account, group, or profile).")
        return OrderRejection(435, "You must specify an account.")
    if request.account and request.account not in accounts:
        return _invalid(f"Invalid account code {request.account!r}")
    return None


def _check_request(request: PlaceOrder) -> str:
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
    if request.order_type == OrderKind.TRAIL_LIMIT and limit_offset(request) is None:
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


def _off_grid(terms: OrderTerms, instrument: Instrument) -> bool:
    """Whether a price is not a multiple of the tick size at that price."""
    prices, amounts = (terms.limit_price, terms.stop_price), (terms.trail_amount, terms.limit_offset)
    return any(price is not None and price % instrument.tick_at(price) for price in prices) or any(
        amount is not None and amount % instrument.tick_size for amount in amounts
    )


def check_new(request: PlaceOrder, next_order_id: int) -> OrderRejection | None:
    """Checks that the order id is new."""
    if request.order_id < max(next_order_id, 1):
        return OrderRejection(103, "Duplicate order id")
    return None


def check_modification(request: PlaceOrder, order: VenueOrder, instrument: Instrument) -> OrderRejection | None:
    """Checks whether a known order may be modified as requested."""
    if order.status == FILLED:
        return OrderRejection(104, "Cannot modify a filled order.")
    if not order.working:
        return OrderRejection(103, "Duplicate order id")
    same = (request.action, instrument.id, request.account or order.account)
    if same != (order.side.value, order.instrument, order.account):
        return OrderRejection(105, "Order being modified does not match original order.")
    if request.quantity <= order.filled:
        return OrderRejection(105, f"Order being modified is already filled to {order.filled}.")
    return None


def margins(
    account: Account, order: VenueOrder, universe: Universe, mark: Mark, model: MarginModel
) -> tuple[Decimal, Decimal, Decimal]:
    """Initial margin before and after the order is filled, and the equity, in the base currency."""
    instrument = universe.instrument(order.instrument)
    price = mark(instrument.id) or order.limit_price or order.stop_price or Decimal(0)
    unit = price * instrument.unit_value * fx_rate(instrument.currency, universe, mark)
    before = account.quantity(instrument.id)
    after = before + order.remaining * order.side.sign
    valuation = account.valuation(universe, mark, model)
    held, then = (model.requirement(instrument, size, abs(size) * unit).initial for size in (before, after))
    return valuation.margin, valuation.margin + then - held, valuation.equity


def check_margin(before: Decimal, after: Decimal, equity: Decimal) -> OrderRejection | None:
    """Requires equity for an increase of margin; a decrease always passes."""
    if after > before and after > equity:
        text = "The equity of the account does not cover the initial margin of this order"
        return OrderRejection(201, f"Order rejected - reason:{text}: {after:.2f} of {equity:.2f} USD.")
    return None


def check_short(
    account: Account, order: VenueOrder, instrument: Instrument, model: MarginModel
) -> OrderRejection | None:
    """An account without short selling can sell no more than it holds."""
    after = account.quantity(instrument.id) + order.remaining * order.side.sign
    if order.side is Side.SELL and after < 0 and not model.allows_short(instrument):
        return OrderRejection(
            201, "Order rejected - reason:This account cannot sell short; sell no more than it holds."
        )
    return None


def _invalid(text: str) -> OrderRejection:
    return OrderRejection(321, f"Error validating request.-'bE' : cause - {text}")
