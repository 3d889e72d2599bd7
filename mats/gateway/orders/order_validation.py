"""The checks of an order before it is accepted. A rejection has IB's error code and text."""

from collections.abc import Collection
from decimal import Decimal

import msgspec

from mats.gateway.accounts import is_advisor
from mats.gateway.orders.order_terms import check_order_terms, off_grid, order_terms
from mats.gateway.protocol import PlaceOrder
from mats.model import Instrument, SecType, Side
from mats.venue.markets import Universe
from mats.venue.matching import FILLED, Account, Mark, VenueOrder, fx_rate
from mats.venue.models import MarginModel


class OrderRejection(msgspec.Struct, frozen=True):
    """Why an order is rejected: IB's error code and text."""

    code: int
    text: str


def check_terms(request: PlaceOrder, instrument: Instrument, accounts: Collection[str]) -> OrderRejection | None:
    """Checks the order by itself: instrument, account, terms, size, prices."""
    if instrument.sec_type is SecType.INDEX:
        return OrderRejection(201, f"Order rejected - reason:{instrument.id} is an index and cannot be traded")
    if request.action not in set(Side):
        return _invalid(f"action {request.action!r} is neither BUY nor SELL")
    rejection = _check_account(request, accounts)
    if rejection:
        return rejection
    text = check_order_terms(request)
    if text:
        return _invalid(text)
    if request.quantity <= 0:
        return OrderRejection(434, "The order size cannot be zero.")
    if request.quantity % instrument.size_increment or request.quantity < instrument.min_size:
        text = "Fractional-sized order cannot be placed via API"
        return OrderRejection(10243, f"{text}: sizes of {instrument.id} are multiples of {instrument.size_increment}.")
    if off_grid(order_terms(request), instrument):
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
    unit = price * instrument.multiplier * fx_rate(instrument.currency, universe, mark)
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
