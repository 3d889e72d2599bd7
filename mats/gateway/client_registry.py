"""The connected clients. State is committed first, then messages about it are written."""

import asyncio
from collections.abc import Callable, Iterator

from mats.gateway.persistence import GatewayState
from mats.gateway.protocol import ClientSession, Message


class ClientRegistry:
    """Sessions by client id. Everything sent in one iteration of the event loop is written after one commit."""

    def __init__(self, state: GatewayState) -> None:
        self._state = state
        self._sessions: dict[int, ClientSession] = {}
        self._before_flush: list[Callable[[], None]] = []
        self._scheduled = False

    def __iter__(self) -> Iterator[ClientSession]:
        return iter(tuple(self._sessions.values()))

    def session(self, client_id: int) -> ClientSession | None:
        return self._sessions.get(client_id)

    def add(self, session: ClientSession, client_id: int) -> bool:
        """Registers the session under its client id; False if that id is already connected."""
        if client_id in self._sessions:
            return False
        session.client_id = client_id
        self._sessions[client_id] = session
        return True

    def remove(self, session: ClientSession) -> bool:
        """Unregisters the session; False if it was never registered."""
        if self._sessions.get(session.client_id) is not session:
            return False
        del self._sessions[session.client_id]
        return True

    def send(self, client_id: int, *messages: Message) -> None:
        """Sends to a client if it is connected."""
        session = self._sessions.get(client_id)
        if session:
            session.send(*messages)
        self.schedule_flush()

    def before_flush(self, callback: Callable[[], None]) -> None:
        """Registers a callback that runs before every commit, to send what has been queued."""
        self._before_flush.append(callback)

    def schedule_flush(self) -> None:
        """Schedules a commit and flush at the end of this iteration of the event loop."""
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.commit_and_flush)

    def commit_and_flush(self) -> None:
        """Commits the state, then writes the outboxes of all sessions."""
        self._scheduled = False
        for callback in self._before_flush:
            callback()
        self._state.commit()
        for session in self:
            session.flush()
