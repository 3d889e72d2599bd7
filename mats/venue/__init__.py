"""The simulated exchange: no sockets, no threads, no clock of its own."""

from mats.venue.bar_market import BarMarket, Friction, Lapsed, MarketBar, Met, Traded, Visit, Working
from mats.venue.brokerage import Brokerage
from mats.venue.clock import AcceleratedClock, AlarmClock, DataClock, ShiftedClock, SteppedClock, SystemClock, Timer

__all__ = [
    "AcceleratedClock",
    "AlarmClock",
    "BarMarket",
    "Brokerage",
    "DataClock",
    "Friction",
    "Lapsed",
    "MarketBar",
    "Met",
    "ShiftedClock",
    "SteppedClock",
    "SystemClock",
    "Timer",
    "Traded",
    "Visit",
    "Working",
]
