"""Limits on connections that have not completed the handshake: their number and their time.

A flood of them evicts the oldest, so that a client that completes the handshake at once always gets in.
"""

from mats.gateway.protocol import ClientSession
from mats.venue import AlarmClock, Timer

MAX_PENDING = 64
MAX_CLIENTS = 32
"""Clients that a gateway serves at a time. Source: IB's documentation of the API's limits."""

HANDSHAKE_SECONDS = 10.0
"""Time limit for a connection to complete the handshake."""


class PendingConnections:
    """Connections in the handshake, oldest first, each with its deadline."""

    def __init__(self, clock: AlarmClock) -> None:
        self._clock = clock
        self._deadlines: dict[ClientSession, Timer] = {}

    def add(self, session: ClientSession) -> None:
        if len(self._deadlines) >= MAX_PENDING:
            oldest = next(iter(self._deadlines))
            self.remove(oldest)
            oldest.drop("too many connections without a completed handshake")
        reason = f"no client id within {HANDSHAKE_SECONDS:g} s"
        self._deadlines[session] = self._clock.call_later(HANDSHAKE_SECONDS, self._expire, session, reason)

    def remove(self, session: ClientSession) -> None:
        """The connection has completed the handshake or is closed."""
        timer = self._deadlines.pop(session, None)
        if timer:
            timer.cancel()

    def close_all(self) -> None:
        """Closes all pending connections."""
        for session in tuple(self._deadlines):
            self.remove(session)
            session.close()

    def _expire(self, session: ClientSession, reason: str) -> None:
        self.remove(session)
        session.drop(reason)
