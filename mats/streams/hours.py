"""When data of an instrument are to be expected."""

from typing import Protocol

from mats.model import Instrument, Nanos


class TradingHours(Protocol):
    """The sessions of every instrument."""

    def is_open(self, instrument: Instrument, at: Nanos) -> bool:
        """Whether the instrument trades at that instant; True where its hours are not known."""
        ...


class AlwaysOpen:
    """Hours that are not known: silence is never taken for a closed market."""

    def is_open(self, _instrument: Instrument, _at: Nanos) -> bool:
        return True


ALWAYS_OPEN = AlwaysOpen()
