"""An outage of the store."""

import msgspec

from mats.model import Nanos, to_datetime


class Outage(msgspec.Struct, frozen=True):
    """The store has not answered since `since`, at `began` in monotonic seconds; `reason` is what it said first."""

    since: Nanos
    reason: str
    began: float

    def __str__(self) -> str:
        return f"away since {to_datetime(self.since):%Y-%m-%d %H:%M:%S} UTC, {self.reason}"
