"""Messages handled and sent by the order manager."""

import msgspec

from actors.messages.subscription import Unsubscribed
from mats.model import IntentId, OrderIntent, OrderModification, OrderState, OrderView, StrategyName
from mats.runtime import Question, Ref


class SubmitIntent(msgspec.Struct, frozen=True):
    """Journal an approved intent and send it."""

    intent: OrderIntent


class ModifyIntent(msgspec.Struct, frozen=True):
    """Carry out an approved change of a working order."""

    modification: OrderModification


class AllOrders(msgspec.Struct, frozen=True):
    """Every order that is not final; replaces what was known before."""

    orders: tuple[OrderView, ...]


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


class SubscribeOrders(msgspec.Struct, frozen=True):
    """A strategy (re)started: it gets `WorkingOrders` now, and `OrderChanged` from then on."""

    strategy: StrategyName
    follower: Ref[WorkingOrders | OrderChanged | Unsubscribed]


class SubscribeAllOrders(msgspec.Struct, frozen=True):
    """The risk manager (re)started: it gets `AllOrders` and every open route now, and all changes from then on."""

    follower: Ref[AllOrders | RouteChanged]


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
