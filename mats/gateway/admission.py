"""The checks an order passes before it counts. A refusal is a code of IB and its words."""

from collections.abc import Collection
from decimal import Decimal

import msgspec

from mats.gateway.requests import PlaceOrder
from mats.model.instrument import Instrument
from mats.model.money import ONE
from mats.model.orders import OrderType, Side, TimeInForce
from mats.venue.account import MARGIN, Account, Mark, rate
from mats.venue.orders import FILLED, Order
from mats.venue.universe import Universe


class Refusal(msgspec.Struct, frozen=True):
    """Why not: an error code of IB's list and a sentence."""

    code: int
    text: str


def check_terms(request: PlaceOrder, instrument: Instrument, accounts: Collection[str]) -> Refusal | None:
    """Whether the order makes sense by itself."""
    price = request.limit_price if "LMT" in request.order_type else Decimal(0)
    stop = request.stop_price if "STP" in request.order_type else Decimal(0)
    if request.action not in set(Side):
        return _invalid(f"action {request.action!r} is neither BUY nor SELL")
    if request.order_type not in set(OrderType):
        return _invalid(f"Invalid order type was entered: {request.order_type}")
    if request.tif not in set(TimeInForce):
        return _invalid(f"Invalid time in force was entered: {request.tif}")
    if request.parent_id or request.oca_group:
        return _invalid("Parent and one-cancels-all orders are not supported by the paper gateway")
    if not request.account and len(accounts) > 1:
        return Refusal(435, "You must specify an account.")
    if request.account and request.account not in accounts:
        return _invalid(f"Invalid account code {request.account!r}")
    if price is None or stop is None:
        return _invalid(f"{request.order_type} needs its price")
    if request.quantity <= 0:
        return Refusal(434, "The order size cannot be zero.")
    if request.quantity % instrument.size_increment or request.quantity < instrument.min_size:
        words = "Fractional-sized order cannot be placed via API"
        return Refusal(10243, f"{words}: sizes of {instrument.id} are multiples of {instrument.size_increment}.")
    if price % instrument.tick_size or stop % instrument.tick_size:
        return Refusal(110, "The price does not conform to the minimum price variation for this contract.")
    return None


def check_new(request: PlaceOrder, next_order_id: int) -> Refusal | None:
    """Whether the order id is a new one."""
    if request.order_id < max(next_order_id, 1):
        return Refusal(103, "Duplicate order id")
    return None


def check_change(request: PlaceOrder, order: Order, instrument: Instrument) -> Refusal | None:
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


def margins(account: Account, order: Order, universe: Universe, mark: Mark) -> tuple[Decimal, Decimal, Decimal]:
    """Margin before, margin after the order is filled, and the equity, in the base currency."""
    instrument = universe.instrument(order.instrument)
    price = mark(instrument.id) or order.limit_price or order.stop_price or Decimal(0)
    unit = (
        price * instrument.multiplier * rate(instrument.currency, universe, mark) * MARGIN.get(instrument.sec_type, ONE)
    )
    before = account.quantity(instrument.id)
    worth = account.worth(universe, mark)
    change = (abs(before + order.remaining * order.side.sign) - abs(before)) * unit
    return worth.margin, worth.margin + change, worth.equity


def check_margin(before: Decimal, after: Decimal, equity: Decimal) -> Refusal | None:
    """More risk needs equity for it; less is never refused."""
    if after > before and after > equity:
        words = "The equity of the account does not cover the initial margin of this order"
        return Refusal(201, f"Order rejected - reason:{words}: {after:.2f} of {equity:.2f} USD.")
    return None


def _invalid(words: str) -> Refusal:
    return Refusal(321, f"Error validating request.-'bE' : cause - {words}")
