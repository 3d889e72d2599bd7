"""Connections that have not said who they are: few, and not for long.

A flood of them evicts the oldest of them, so that a client that introduces itself at once always gets in.
"""

from mats.gateway.protocol import ClientSession
from mats.venue import AlarmClock, Timer

MAX_WAITING = 64
MAX_CLIENTS = 32
"""Clients that a gateway serves at once. Source: IB's documentation of the API's limits."""

GREETING_SECONDS = 10.0
"""Seconds in which a connection has to introduce itself."""


class PendingConnections:
    """The waiting connections, oldest first, each with its deadline."""

    def __init__(self, clock: AlarmClock) -> None:
        self._clock = clock
        self._waiting: dict[ClientSession, Timer] = {}

    def enter(self, session: ClientSession) -> None:
        if len(self._waiting) >= MAX_WAITING:
            oldest = next(iter(self._waiting))
            self.leave(oldest)
            oldest.refuse("too many connections wait that have not said their client id")
        late = f"it did not say its client id within {GREETING_SECONDS:g} s"
        self._waiting[session] = self._clock.call_later(GREETING_SECONDS, self._expire, session, late)

    def leave(self, session: ClientSession) -> None:
        """It has introduced itself, or is gone."""
        timer = self._waiting.pop(session, None)
        if timer:
            timer.cancel()

    def close(self) -> None:
        """Ends all that wait."""
        for session in tuple(self._waiting):
            self.leave(session)
            session.close()

    def _expire(self, session: ClientSession, late: str) -> None:
        self.leave(session)
        session.refuse(late)
