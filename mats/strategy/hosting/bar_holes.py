"""Bars that a strategy has missed while its data were interrupted, and what it loads in their place."""

from collections.abc import Mapping, Sequence

import msgspec

from mats.model import HOUR, MINUTE, SECOND, Bar, InstrumentId, Nanos

MINUTE_PART, SHORT_PART = 60, 5
"""Sizes in seconds of what makes up a bar that is under way: minutes where it is long, and what streams."""

LATEST: Nanos = MINUTE
"""A bar that ended so long before its hole did is history; a later one is delivered as if it had come in time."""

FILL_SECONDS = 60.0
"""So long live bars wait for what was missed before them."""


class BarHole(msgspec.Struct, frozen=True):
    """No part of the instrument's bars came until `until`. `begin`: that of the first bar which is not whole for it.

    `needed`: how many bars of which size before now reach back to it.
    """

    instrument: InstrumentId
    begin: Nanos
    until: Nanos
    needed: Mapping[int, int]


def parts_of(seconds: int, gone: Nanos) -> dict[int, int]:
    """How many bars of which size make up bars of `seconds` of which so much was traded. None for nothing."""
    if not gone:
        return {}
    if gone > HOUR and seconds % MINUTE_PART == 0:
        return {MINUTE_PART: gone // MINUTE + 2, SHORT_PART: 2 * MINUTE // (SHORT_PART * SECOND)}
    return {SHORT_PART: gone // (SHORT_PART * SECOND) + 2}


class HoleFilling:
    """A hole while what it lacks is loaded."""

    def __init__(self, hole: BarHole) -> None:
        self.hole = hole
        self._loaded: dict[int, Sequence[Bar]] = {}

    def take(self, seconds: int, bars: Sequence[Bar]) -> None:
        """All bars of one size that the broker has."""
        if seconds in self.hole.needed:
            self._loaded[seconds] = bars

    @property
    def complete(self) -> bool:
        """Whether every size was loaded."""
        return len(self._loaded) == len(self.hole.needed)

    @property
    def whole(self) -> bool:
        """Whether what was loaded reaches back to the begin: as many bars as asked for may be of a later time."""
        longest = max(self.hole.needed)
        bars = self._loaded[longest]
        return len(bars) < self.hole.needed[longest] or bars[0].start <= self.hole.begin

    @property
    def parts(self) -> list[Bar]:
        """What was loaded, in the order of time; where two cover the same, the longer one comes first."""
        loaded = [bar for bars in self._loaded.values() for bar in bars]
        return sorted(loaded, key=lambda part: (part.start, -part.seconds))
