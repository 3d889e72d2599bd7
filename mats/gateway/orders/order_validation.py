"""The checks an order passes before it counts. A refusal is a code of IB and its words."""

from collections.abc import Collection
from decimal import Decimal

import msgspec

from mats.gateway.accounts import is_advisor
from mats.gateway.orders.order_terms import off_grid, order_terms, trouble
from mats.gateway.protocol import PlaceOrder
from mats.model import Instrument, SecType, Side
from mats.venue.markets import Universe
from mats.venue.matching import FILLED, Account, Mark, VenueOrder, rate
from mats.venue.models import MarginModel


class Refusal(msgspec.Struct, frozen=True):
    """Why not: an error code of IB's list and a sentence."""

    code: int
    text: str


def check_terms(request: PlaceOrder, instrument: Instrument, accounts: Collection[str]) -> Refusal | None:
    """Whether the order makes sense by itself."""
    if instrument.sec_type is SecType.INDEX:
        return Refusal(201, f"Order rejected - reason:{instrument.id} is an index; indices cannot be traded")
    if request.action not in set(Side):
        return _invalid(f"action {request.action!r} is neither BUY nor SELL")
    refusal = _check_account(request, accounts)
    if refusal:
        return refusal
    words = trouble(request)
    if words:
        return _invalid(words)
    if request.quantity <= 0:
        return Refusal(434, "The order size cannot be zero.")
    if request.quantity % instrument.size_increment or request.quantity < instrument.min_size:
        words = "Fractional-sized order cannot be placed via API"
        return Refusal(10243, f"{words}: sizes of {instrument.id} are multiples of {instrument.size_increment}.")
    if off_grid(order_terms(request), instrument):
        return Refusal(110, "The price does not conform to the minimum price variation for this contract.")
    return None


def _check_account(request: PlaceOrder, accounts: Collection[str]) -> Refusal | None:
    """Whose order it is: one of several accounts has to be named."""
    if request.account and request.advisor_group:
        return Refusal(201, "Order rejected - reason:Account and group must not be given together")
    if request.advisor_group:
        return _invalid(f"Invalid group {request.advisor_group!r}")
    if not request.account and len(accounts) > 1:
        if is_advisor(accounts):
            return Refusal(436, "You must specify an allocation (either a single account, group, or profile).")
        return Refusal(435, "You must specify an account.")
    if request.account and request.account not in accounts:
        return _invalid(f"Invalid account code {request.account!r}")
    return None


def check_new(request: PlaceOrder, next_order_id: int) -> Refusal | None:
    """Whether the order id is a new one."""
    if request.order_id < max(next_order_id, 1):
        return Refusal(103, "Duplicate order id")
    return None


def check_change(request: PlaceOrder, order: VenueOrder, instrument: Instrument) -> Refusal | None:
    """Whether a known order may become what is asked."""
    if order.status == FILLED:
        return Refusal(104, "Cannot modify a filled order.")
    if not order.working:
        return Refusal(103, "Duplicate order id")
    same = (request.action, instrument.id, request.account or order.account)
    if same != (order.side.value, order.instrument, order.account):
        return Refusal(105, "Order being modified does not match original order.")
    if request.quantity <= order.filled:
        return Refusal(105, f"Order being modified is filled to {order.filled} already; ask for more than that.")
    return None


def margins(
    account: Account, order: VenueOrder, universe: Universe, mark: Mark, model: MarginModel
) -> tuple[Decimal, Decimal, Decimal]:
    """Initial margin before and after the order is filled, and the equity, in the base currency."""
    instrument = universe.instrument(order.instrument)
    price = mark(instrument.id) or order.limit_price or order.stop_price or Decimal(0)
    unit = price * instrument.multiplier * rate(instrument.currency, universe, mark)
    before = account.quantity(instrument.id)
    after = before + order.remaining * order.side.sign
    worth = account.worth(universe, mark, model)
    held, then = (model.requirement(instrument, size, abs(size) * unit).initial for size in (before, after))
    return worth.margin, worth.margin + then - held, worth.equity


def check_margin(before: Decimal, after: Decimal, equity: Decimal) -> Refusal | None:
    """More risk needs equity for it; less is never refused."""
    if after > before and after > equity:
        words = "The equity of the account does not cover the initial margin of this order"
        return Refusal(201, f"Order rejected - reason:{words}: {after:.2f} of {equity:.2f} USD.")
    return None


def check_short(account: Account, order: VenueOrder, instrument: Instrument, model: MarginModel) -> Refusal | None:
    """An account that may not be short sells no more than it has."""
    after = account.quantity(instrument.id) + order.remaining * order.side.sign
    if order.side is Side.SELL and after < 0 and not model.allows_short(instrument):
        return Refusal(201, "Order rejected - reason:This account cannot sell short; sell no more than it holds.")
    return None


def _invalid(words: str) -> Refusal:
    return Refusal(321, f"Error validating request.-'bE' : cause - {words}")
