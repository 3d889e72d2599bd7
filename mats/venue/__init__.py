"""The simulated exchange. Pure: no sockets, no threads, no clock of its own."""

from mats.venue.clock import AcceleratedClock, Clock, DataClock, ShiftedClock, SystemClock, wait_until

__all__ = [
    "AcceleratedClock",
    "Clock",
    "DataClock",
    "ShiftedClock",
    "SystemClock",
    "wait_until",
]
