"""One session of an exchange."""

from datetime import date
from typing import Literal

import msgspec

from mats.model import Nanos

Span = tuple[Nanos, Nanos]
"""From an instant to before another."""

Hours = Literal["regular", "extended"]
"""`regular`: from the open to the close. `extended`: with the trading before the open and after the close."""


class Session(msgspec.Struct, frozen=True, gc=False):
    """One trading day, named by its `date`: the day on which it closes, as its exchange names it.

    Instants are nanoseconds UTC; a session is open from `open` to before `close`. `early_close`: it ends earlier than
    its exchange's sessions usually do. Extended trading goes from `extended_open` to before `extended_close`. In the
    `breaks` nothing is traded: Tokyo and Hong Kong rest at noon.
    """

    date: date
    open: Nanos
    close: Nanos
    extended_open: Nanos
    extended_close: Nanos
    early_close: bool = False
    breaks: tuple[Span, ...] = ()

    def begin(self, hours: Hours) -> Nanos:
        """When trading in these hours begins."""
        return self.open if hours == "regular" else self.extended_open

    def end(self, hours: Hours) -> Nanos:
        """When trading in these hours is over."""
        return self.close if hours == "regular" else self.extended_close

    def stretches(self, hours: Hours) -> list[Span]:
        """The trading in these hours without its breaks, in the order of time."""
        begins = [self.begin(hours), *(over for _, over in self.breaks)]
        ends = [*(begin for begin, _ in self.breaks), self.end(hours)]
        return list(zip(begins, ends, strict=True))
