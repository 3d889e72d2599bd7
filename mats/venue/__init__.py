"""The simulated exchange: no sockets, no threads, no clock of its own."""

from mats.venue.clock import AcceleratedClock, AlarmClock, DataClock, ShiftedClock, SteppedClock, SystemClock, Timer

__all__ = [
    "AcceleratedClock",
    "AlarmClock",
    "DataClock",
    "ShiftedClock",
    "SteppedClock",
    "SystemClock",
    "Timer",
]
