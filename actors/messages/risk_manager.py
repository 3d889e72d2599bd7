"""What the risk manager understands and says."""

import msgspec

from mats.model import OrderView, StrategyName
from mats.risk import Rejection


class OrderDenied(msgspec.Struct, frozen=True):
    """What the strategy asked for does not happen; the order's note says why, beginning with the code."""

    order: OrderView
    denial: Rejection


class Halt(msgspec.Struct, frozen=True):
    """Take no new risk in `scope`: a strategy, or all of them when empty. It holds over restarts."""

    scope: StrategyName
    reason: str


class Resume(msgspec.Struct, frozen=True):
    """Lift the halt of `scope`."""

    scope: StrategyName


class ReadHalts(msgspec.Struct, frozen=True):
    """Asks for the halts in force: a dict of scope to reason."""
