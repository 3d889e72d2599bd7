"""A recorded session played again: a server that says what a gateway once said, when a client asks what was once asked.

Each connection that introduces itself gets the recorded one of the same client id that comes next. What was sent before
anything was asked goes out at once; what was sent after a request goes out when the client has sent one of the same number. A request
that the record does not have at this point is left unanswered, and told in `surprises`.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable
from pathlib import Path

from mats.gateway.faults_traffic import Traffic
from mats.gateway.listener import Listener
from mats.gateway.recording import Entry, read_record
from mats.gateway.session import Session
from mats.gateway.wire import Fields


class Script:
    """The record, by client id. Raises ValueError where it cannot be read."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        connections: dict[int, list[Entry]] = defaultdict(list)
        for entry in entries:
            connections[entry.connection].append(entry)
        self._parts: dict[int, deque[deque[Entry]]] = defaultdict(deque)
        for lines in connections.values():
            greeting = next((at for at, line in enumerate(lines) if line.kind == "in" and line.fields[0] == "71"), None)
            if greeting is not None:
                part = deque(line for line in lines[greeting + 1 :] if line.kind in ("in", "out", "close"))
                self._parts[int(lines[greeting].fields[2])].append(part)

    def next_part(self, client_id: int) -> deque[Entry] | None:
        """The lines after the greeting of the next recorded connection of a client; None where there is none left."""
        return self._parts[client_id].popleft() if self._parts[client_id] else None
