"""Which requests and messages an armed fault acts on: client, fields, known orders, and its counters."""

import re
from collections import defaultdict
from collections.abc import Callable
from random import Random

import msgspec

from mats.gateway.faults.fault_types import AnyFault
from mats.gateway.protocol import ClientSession


class TrafficEvent(msgspec.Struct, frozen=True):
    """A request (`incoming`) or a message in transit."""

    session: ClientSession
    fields: list[str]
    incoming: bool


HeldEvent = tuple[TrafficEvent, list["ArmedFault"]]
"""An event, and the faults that it still has to pass."""


class ArmedFault:
    """A fault with its counters."""

    def __init__(self, fault: AnyFault, random: Random) -> None:
        self.fault, self.random = fault, random
        self.seen = self.acted = 0
        self.gathered: dict[ClientSession, list[HeldEvent]] = defaultdict(list)

    def matches(self, event: TrafficEvent, order_exists: Callable[[TrafficEvent], bool]) -> bool:
        """Whether the fault acts on this event; counts it."""
        fault = self.fault
        if fault.client not in (None, event.session.client_id):
            return False
        for position, pattern in fault.where.items():
            if position >= len(event.fields) or not re.fullmatch(pattern, event.fields[position]):
                return False
        if fault.known is not None and order_exists(event) != fault.known:
            return False
        self.seen += 1
        if self.seen <= fault.skip or (fault.times is not None and self.acted >= fault.times):
            return False
        if fault.chance < 1 and self.random.random() >= fault.chance:
            return False
        self.acted += 1
        return True
