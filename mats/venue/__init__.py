"""The simulated exchange: no sockets, no threads, no clock of its own."""

from mats.venue.bar_market import BarMarket, Friction, Lapsed, MarketBar, Met, Traded, Visit, Working
from mats.venue.brokerage import Brokerage
from mats.venue.clock import AcceleratedClock, Clock, DataClock, ShiftedClock, SystemClock, wait_until

__all__ = [
    "AcceleratedClock",
    "BarMarket",
    "Brokerage",
    "Clock",
    "DataClock",
    "Friction",
    "Lapsed",
    "MarketBar",
    "Met",
    "ShiftedClock",
    "SystemClock",
    "Traded",
    "Visit",
    "Working",
    "wait_until",
]
