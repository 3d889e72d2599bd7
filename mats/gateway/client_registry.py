"""The connected clients, and the turn: what happened is stored first, then told."""

import asyncio
from collections.abc import Callable, Iterator

from mats.gateway.persistence import GatewayState
from mats.gateway.protocol import ClientSession, Message


class ClientRegistry:
    """Sessions by client id. Everything sent within one turn of the event loop leaves after one commit."""

    def __init__(self, state: GatewayState) -> None:
        self._state = state
        self._sessions: dict[int, ClientSession] = {}
        self._last_words: list[Callable[[], None]] = []
        self._scheduled = False

    def __iter__(self) -> Iterator[ClientSession]:
        return iter(tuple(self._sessions.values()))

    def session(self, client_id: int) -> ClientSession | None:
        return self._sessions.get(client_id)

    def join(self, session: ClientSession, client_id: int) -> bool:
        """Takes the session in under its client id; False where that id is connected already."""
        if client_id in self._sessions:
            return False
        session.client_id = client_id
        self._sessions[client_id] = session
        return True

    def leave(self, session: ClientSession) -> bool:
        """Forgets the session; False where it never joined."""
        if self._sessions.get(session.client_id) is not session:
            return False
        del self._sessions[session.client_id]
        return True

    def tell(self, client_id: int, *messages: Message) -> None:
        """Sends to a client, where it is connected."""
        session = self._sessions.get(client_id)
        if session:
            session.send(*messages)
        self.wake()

    def at_end_of_turn(self, act: Callable[[], None]) -> None:
        """Calls `act` at the end of every turn, before the commit: the place to send what was gathered."""
        self._last_words.append(act)

    def wake(self) -> None:
        """Asks for an end of this turn."""
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self.end_turn)

    def end_turn(self) -> None:
        """Commits, then writes."""
        self._scheduled = False
        for act in self._last_words:
            act()
        self._state.commit()
        for session in self:
            session.flush()
