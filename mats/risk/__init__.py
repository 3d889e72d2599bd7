"""How much to trade and whether to: sizing, limits, exposure and pre-trade checks. Pure functions over plain state.

The checks are two lists in `mats.risk.checks`; a check that is added to one is asked for every order from then on.
"""

from mats.risk.checks import Check, PreTradeContext, first_rejection, first_unsound, nothing_to_reduce
from mats.risk.exposure import Exposure, Position, RiskState
from mats.risk.limits import UNLIMITED, Limits
from mats.risk.market_state import EVERYTHING, MarketQuote, MarketState
from mats.risk.open_orders import KnownOrder, OrderInProgress, is_cancelling, is_conditional, remaining
from mats.risk.rejection import Rejection, RejectionCode, reject
from mats.risk.sizing import Basis, fraction_quantity, least_change, target_quantity
from mats.risk.targets import Target, next_step

__all__ = [
    "EVERYTHING",
    "UNLIMITED",
    "Basis",
    "Check",
    "Exposure",
    "KnownOrder",
    "Limits",
    "MarketQuote",
    "MarketState",
    "OrderInProgress",
    "Position",
    "PreTradeContext",
    "Rejection",
    "RejectionCode",
    "RiskState",
    "Target",
    "first_rejection",
    "first_unsound",
    "fraction_quantity",
    "is_cancelling",
    "is_conditional",
    "least_change",
    "next_step",
    "nothing_to_reduce",
    "reject",
    "remaining",
    "target_quantity",
]
