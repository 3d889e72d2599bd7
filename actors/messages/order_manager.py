"""Messages handled and sent by the order manager."""

import msgspec

from actors.messages.subscription import Subscribe
from mats.model import IntentId, OrderIntent, OrderModification, OrderState, OrderView
from mats.runtime import Question


class SubmitIntent(msgspec.Struct, frozen=True):
    """Journal an approved intent and send it."""

    intent: OrderIntent


class ModifyIntent(msgspec.Struct, frozen=True):
    """Carry out an approved change of a working order."""

    modification: OrderModification


class AllOrders(msgspec.Struct, frozen=True):
    """Every order that is not final, and the client ids whose route is open; replaces what was known before."""

    orders: tuple[OrderView, ...]
    routes: frozenset[int] = frozenset()


class WorkingOrders(msgspec.Struct, frozen=True):
    """A strategy's orders that are not final; replaces what was known before."""

    orders: tuple[OrderView, ...]


class OrderChanged(msgspec.Struct, frozen=True):
    """The new state of an order."""

    order: OrderView


class RouteChanged(msgspec.Struct, frozen=True):
    """Whether orders of the client can be sent: its connection has merged the broker's complete answer."""

    client_id: int
    open: bool


class SubscribeOrders(Subscribe[WorkingOrders, OrderChanged], frozen=True):
    """Of the orders of the strategy that is the topic."""


OrderOrRouteChanged = OrderChanged | RouteChanged
ALL = ""
"""The topic of all orders and routes."""


class SubscribeAllOrders(Subscribe[AllOrders, OrderOrRouteChanged], frozen=True):
    """Of `ALL`."""


class ReadOrders(Question[tuple[OrderView, ...]], frozen=True):
    """Asks for every order that is not final."""


class OrderSettled(msgspec.Struct, frozen=True):
    """It was settled, and is in the journal; the order as it is now."""

    order: OrderView


class SettlementRefused(msgspec.Struct, frozen=True):
    """It was not settled: one sentence with what to do instead."""

    reason: str


class SettleOrder(Question[OrderSettled | SettlementRefused], frozen=True, kw_only=True):
    """An operator's word about how an order of unknown state has ended."""

    intent_id: IntentId
    state: OrderState
    reason: str
