"""Messages handled and sent by the risk manager."""

import msgspec

from mats.model import OrderIntent, OrderRequest, OrderView, StrategyName
from mats.orders import Rejected
from mats.risk import Rejection
from mats.runtime import Question


class OrderDenied(msgspec.Struct, frozen=True):
    """A request of the strategy was rejected; the order's note says why, beginning with the code."""

    order: OrderView
    denial: Rejection


class RequestHandled(msgspec.Struct, frozen=True):
    """A request of the strategy was passed on or rejected: it is under way no more."""


class Halt(msgspec.Struct, frozen=True):
    """Take no new risk in `scope`: a strategy, or all of them when empty. It holds over restarts."""

    scope: StrategyName
    reason: str


class Resume(msgspec.Struct, frozen=True):
    """Lift the halt of `scope`."""

    scope: StrategyName


class ReadHalts(Question[dict[StrategyName, str]], frozen=True):
    """Asks for the halts in force: the reason by scope."""


class PlaceOrder(Question[OrderIntent | Rejected | None], frozen=True):
    """An operator's order request; answered by the intent that was passed on, or by the rejection."""

    request: OrderRequest
