"""Which requests and messages an armed fault acts on: client, fields, known orders, and its counters."""

import re
from collections import Counter, defaultdict
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
        self.acted = 0
        self._seen: Counter[str] = Counter()
        self._matched: Counter[str] = Counter()
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
        group = event.fields[fault.each] if fault.each is not None and fault.each < len(event.fields) else ""
        self._seen[group] += 1
        if self._seen[group] <= fault.skip or (fault.times is not None and self._matched[group] >= fault.times):
            return False
        if fault.chance < 1 and self.random.random() >= fault.chance:
            return False
        self.acted += 1
        self._matched[group] += 1
        return True
