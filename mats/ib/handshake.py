"""Opening a socket to a gateway: always finite, and every way to fail has its own error."""

# ruff: noqa: ASYNC109 - the caller chooses the timeout, the callee words the error

import asyncio
from typing import Any

import msgspec

from mats.ib.errors import ClientIdInUse, ConnectionFailed, GatewayRefused, GatewaySilent, VersionTooOld


class Opened(msgspec.Struct, frozen=True):
    """What the gateway reports at the start. `next_order_id` can be lower than ids used before it restarted."""

    accounts: tuple[str, ...]
    next_order_id: int
    server_version: int


class GatewayTime:
    """Reads the first frame that a gateway sends: the time there, which the library throws away; empty until then."""

    def __init__(self) -> None:
        self.text = ""
        self._data = b""
        self._read = False

    def __call__(self, data: bytes) -> None:
        """Bytes from the socket."""
        if self._read:
            return
        self._data += data
        end = 4 + int.from_bytes(self._data[:4], "big")
        if len(self._data) >= max(end, 4):
            self._read = True
            fields = self._data[4:end].decode(errors="replace").split("\0")
            self.text = fields[1] if len(fields) == 3 else ""  # version, time, and the end of the frame


class Handshake:
    """One attempt. ib_async waits the whole timeout whatever happens; here the first failure ends it."""

    def __init__(self, client: Any, host: str, port: int, client_id: int) -> None:
        self._client, self._host, self._port, self._client_id = client, host, port, client_id
        self._where = f"gateway {host}:{port} (client id {client_id})"
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, timeout: float) -> None:
        """Connect and wait until the gateway has sent accounts and order id; a `ConnectionFailed` otherwise."""
        attempt = asyncio.ensure_future(self._client.connectAsync(self._host, self._port, self._client_id, 0))
        try:
            await asyncio.wait({attempt, self._failure}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if attempt.done() and isinstance(error := attempt.exception(), OSError):
                raise GatewayRefused(
                    f"{self._where} refuses the connection: {error}; start it, or correct host and port"
                ) from error
            if self._failure.done():
                self._failure.result()
            if not attempt.done():
                raise GatewaySilent(
                    f"{self._where} accepted but did not finish the handshake in {timeout:g} s; restart it or log it in"
                )
            attempt.result()
        finally:
            self._failure.cancel()
            attempt.cancel()
            await asyncio.gather(attempt, return_exceptions=True)

    def client_id_in_use(self, said: str) -> None:
        """IB's error 326, in its words."""
        self._fail(
            ClientIdInUse(f"{self._where}: another connection holds this client id ({said}); end it, or wait and retry")
        )

    def connection_closed(self, message: str) -> None:
        """The client gave up, or the gateway closed the socket."""
        version = self._client.serverVersion()
        if 0 < version < self._client.MinClientVersion:
            self._fail(VersionTooOld(f"{self._where} has protocol version {version}, too old; update it"))
        else:
            reason = message or "no reason given"
            self._fail(
                GatewayRefused(f"{self._where} closed the connection ({reason}); allow this host in its API settings")
            )

    def not_a_gateway(self, error: Exception) -> None:
        """The first bytes are not a handshake."""
        self._fail(GatewayRefused(f"{self._where} does not speak the TWS protocol ({error}); correct the port"))

    def _fail(self, error: ConnectionFailed) -> None:
        if not self._failure.done():
            self._failure.set_exception(error)
            self._failure.exception()  # retrieved, so that asyncio does not log it if the attempt ended otherwise
