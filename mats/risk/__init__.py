"""How much to trade and whether to: sizing, limits and pre-trade checks. Pure functions over plain state."""

from mats.risk.denial import Denial, DenialCode, deny
from mats.risk.desk import Denied, RiskDesk
from mats.risk.limits import UNLIMITED, Limits
from mats.risk.sizing import order_quantity
from mats.risk.state import RiskState
from mats.risk.world import World

__all__ = [
    "UNLIMITED",
    "Denial",
    "DenialCode",
    "Denied",
    "Limits",
    "RiskDesk",
    "RiskState",
    "World",
    "deny",
    "order_quantity",
]
