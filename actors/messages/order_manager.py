"""What the order manager understands and says."""

import msgspec

from mats.model import OrderIntent, OrderModification, OrderView, StrategyName
from mats.runtime import Ref


class SubmitIntent(msgspec.Struct, frozen=True):
    """Journal an approved intent and send it."""

    intent: OrderIntent


class ModifyIntent(msgspec.Struct, frozen=True):
    """Carry out an approved change of a working order."""

    modification: OrderModification


class SubscribeOrders(msgspec.Struct, frozen=True):
    """A strategy (re)started: it gets `WorkingOrders` now, and `OrderChanged` from then on."""

    strategy: StrategyName
    follower: Ref


class SubscribeAllOrders(msgspec.Struct, frozen=True):
    """The risk manager (re)started: it gets `AllOrders` and every open route now, and all changes from then on."""

    follower: Ref


class AllOrders(msgspec.Struct, frozen=True):
    """Every order that is not final; replaces what was known before."""

    orders: tuple[OrderView, ...]


class WorkingOrders(msgspec.Struct, frozen=True):
    orders: tuple[OrderView, ...]


class ReadOrders(msgspec.Struct, frozen=True):
    """Asks for every order that is not final, as a tuple of views."""


class OrderChanged(msgspec.Struct, frozen=True):
    """An order is not what it was."""

    order: OrderView


class RouteChanged(msgspec.Struct, frozen=True):
    """Whether orders of the client can be sent: its connection has merged the broker's complete answer."""

    client_id: int
    open: bool
