"""The listening port, which can be closed for a while so that connections are refused."""

import asyncio
from collections.abc import Callable

from mats.venue import AlarmClock


class Listener:
    """A listening socket that can be closed and reopened on the same port. Raises OSError if it cannot listen."""

    def __init__(self, host: str, port: int, protocol: Callable[[], asyncio.Protocol], clock: AlarmClock) -> None:
        self.host, self.port = host, port
        self._protocol, self._clock = protocol, clock
        self._server: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        return self._server is not None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Refuses new connections; existing ones stay."""
        if self._opening:
            self._opening.cancel()
        if self._server:
            self._server.close()
            self._server = None

    def close_for(self, seconds: float) -> None:
        """Closes the port and reopens it after this many seconds."""
        self.close()
        self._opening = asyncio.get_running_loop().create_task(self._open_later(seconds))

    async def _open_later(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._opening = None
        await self.open()
