"""How long a new order, a change or a cancel is on its way to the exchange, in nanoseconds of the venue's time.

Nothing happens at an exchange between two quotes, so an order that arrives between them meets the earlier one.
"""

import random
from typing import Protocol

from mats.model import Nanos


class LatencyModel(Protocol):
    def delay(self) -> Nanos:
        """The way of the next message; 0 lets it arrive before the call returns."""


class NoLatency:
    def delay(self) -> Nanos:
        return 0


class FixedLatency:
    """Always the same."""

    def __init__(self, delay: Nanos) -> None:
        self._delay = delay

    def delay(self) -> Nanos:
        return self._delay


class RandomLatency:
    """`minimum` and an exponentially distributed rest of mean `mean`: messages may overtake each other.

    Deterministic for the seed.
    """

    def __init__(self, minimum: Nanos, mean: Nanos, seed: int) -> None:
        self._minimum, self._mean, self._random = minimum, mean, random.Random(seed)

    def delay(self) -> Nanos:
        return self._minimum + round(self._random.expovariate(1 / self._mean))
