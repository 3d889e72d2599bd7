"""The latency of new orders, modifications and cancels to the exchange, in nanoseconds of the venue's time.

Nothing changes at an exchange between two quotes, so an order arriving between them is matched with the earlier one.
"""

import random
from typing import Protocol

from mats.model import Nanos


class LatencyModel(Protocol):
    def delay(self) -> Nanos:
        """The delay of the next message; with 0 it arrives before the call returns."""


class NoLatency:
    def delay(self) -> Nanos:
        return 0


class FixedLatency:
    """A constant delay."""

    def __init__(self, delay: Nanos) -> None:
        self._delay = delay

    def delay(self) -> Nanos:
        return self._delay


class RandomLatency:
    """`minimum` plus an exponentially distributed delay of mean `mean`: messages may overtake each other.

    Deterministic for the seed.
    """

    def __init__(self, minimum: Nanos, mean: Nanos, seed: int) -> None:
        self._minimum, self._mean, self._random = minimum, mean, random.Random(seed)

    def delay(self) -> Nanos:
        return self._minimum + round(self._random.expovariate(1 / self._mean))
