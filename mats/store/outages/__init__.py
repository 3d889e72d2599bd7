"""The store may be away: the guard of every call to it, and what its outages mean for trading."""

from mats.store.outages.guard import AWAY, StoreAway, StoreGuard
from mats.store.outages.outage import Outage
from mats.store.outages.watch import Patience, StoreHealth, StoreWatch

__all__ = [
    "AWAY",
    "Outage",
    "Patience",
    "StoreAway",
    "StoreGuard",
    "StoreHealth",
    "StoreWatch",
]
