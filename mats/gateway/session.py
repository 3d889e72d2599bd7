"""One client connection: the handshake, the frames in, the bounded buffer out."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from mats.gateway import responses
from mats.gateway.versions import NEWEST, adapt
from mats.gateway.wire import Fields, FrameReader, Message, WireError, encode

MIN_VERSION, MAX_VERSION = 157, NEWEST
MAX_BUFFER = 32 << 20
"""Bytes that may wait for a slow reader before it is dropped."""

START_API = 71

log = structlog.get_logger("mats.gateway")

OnStart = Callable[["Session", int], None]
OnRequest = Callable[["Session", int, Fields], None]


class Session(asyncio.Protocol):
    """A connection. `client_id` is -1 until the client has said it; what is sent waits for `flush`."""

    def __init__(self, on_start: OnStart, on_request: OnRequest, on_close: Callable[["Session"], None]) -> None:
        self.client_id = -1
        self.version = 0
        self._on_start, self._on_request, self._on_close = on_start, on_request, on_close
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._outbox: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                self._receive(frame)
        except WireError as error:
            log.warning("client dropped", client_id=self.client_id, reason=str(error))
            self.close(hard=True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._on_close(self)

    def send(self, *messages: Message) -> None:
        """Puts messages into the outbox."""
        if self.version < NEWEST:
            messages = tuple(adapt(message, self.version) for message in messages)
        self._outbox.extend(map(encode, messages))

    def send_raw(self, frame: bytes) -> None:
        """Puts one encoded frame into the outbox."""
        self._outbox.append(frame)

    def flush(self) -> None:
        """Writes the outbox; a client that reads too slowly is dropped."""
        if self._outbox and self._transport:
            if self._transport.get_write_buffer_size() > MAX_BUFFER:
                log.warning("client dropped", client_id=self.client_id, reason="it reads too slowly")
                self.close(hard=True)
            else:
                self._transport.write(b"".join(self._outbox))
        self._outbox.clear()

    def close(self, *, hard: bool = False) -> None:
        """Ends the connection: after what was written, or with a reset."""
        if self._transport:
            self._transport.abort() if hard else self._transport.close()

    def _receive(self, frame: list[str]) -> None:
        if not self.version:
            self.version = negotiate(frame[0])
            self.send(responses.handshake(self.version, datetime.now(UTC)))
            self.flush()
            return
        fields = Fields(frame)
        request = fields.integer()
        if self.client_id < 0:
            if request != START_API:
                raise WireError(f"request {request} came before startApi")
            fields.skip(1)
            self._on_start(self, fields.integer())
        else:
            self._on_request(self, request, fields)


def negotiate(offer: str) -> int:
    """The version both sides speak, from the client's `v157..178`; raises WireError where there is none."""
    match = re.match(r"v(\d+)(?:\.\.(\d+))?", offer)
    if not match:
        raise WireError(f"{offer[:40]!r} offers no version")
    version = min(int(match[2] or match[1]), MAX_VERSION)
    if version < MIN_VERSION or int(match[1]) > version:
        raise WireError(f"{offer[:40]!r} is outside versions {MIN_VERSION}..{MAX_VERSION}")
    return version
