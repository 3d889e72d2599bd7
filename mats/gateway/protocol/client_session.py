"""One client connection: the handshake, the frames in, the bounded buffer out."""

import asyncio
import re
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Protocol

import structlog

from mats.gateway.protocol import responses
from mats.gateway.protocol.versions import NEWEST, adapt
from mats.gateway.protocol.wire import Fields, FrameReader, Message, WireError, decode, encode
from mats.model import Clock, to_datetime

MIN_VERSION, MAX_VERSION = 157, NEWEST
MAX_BUFFER = 32 << 20
"""Bytes that may be buffered for a slow reader before it is dropped."""

MAX_HANDSHAKE_FRAME = 4096
"""Maximum bytes of a frame before the client has sent its id."""

START_API = 71

RESET = struct.pack("ii", 1, 0)
"""The linger option that turns a close into a reset."""

log = structlog.get_logger("mats.gateway")


class SessionHandler(Protocol):
    """The gateway, from the point of view of a session."""

    def on_connect(self, session: "ClientSession") -> None: ...

    def on_start(self, session: "ClientSession", client_id: int) -> None:
        """The client has sent startApi with its client id."""

    def on_request(self, session: "ClientSession", number: int, fields: Fields) -> None: ...

    def on_disconnect(self, session: "ClientSession") -> None: ...


class Interceptor(Protocol):
    """Intercepts the traffic of a session: faults, and recording."""

    @property
    def intercepting(self) -> bool:
        """Whether messages to clients are passed through it."""

    @property
    def recording(self) -> bool:
        """Whether written frames are passed to it."""

    def on_connect(self, session: "ClientSession") -> None: ...

    def intercept_request(self, session: "ClientSession", fields: list[str]) -> Iterable[list[str]]:
        """The requests to handle now in place of `fields`, which has arrived."""

    def intercept_message(self, session: "ClientSession", message: Message) -> Iterable[Message]:
        """The messages to send now in place of `message`."""

    def on_write(self, session: "ClientSession", frames: list[bytes]) -> None: ...

    def on_disconnect(self, session: "ClientSession") -> None: ...


class ClientSession(asyncio.Protocol):
    """A connection. `client_id` is -1 until the client has sent it; messages are buffered until `flush`."""

    def __init__(self, handler: SessionHandler, interceptor: Interceptor, clock: Clock) -> None:
        self.client_id = -1
        self.version = 0
        self._handler, self._interceptor, self._clock = handler, interceptor, clock
        self._reader = FrameReader(MAX_HANDSHAKE_FRAME)
        self._transport: asyncio.Transport | None = None
        self._outbox: list[bytes] = []
        self._muted = False
        self._write: Callable[[bytes], None] = self._outbox.append

    @property
    def transport(self) -> asyncio.Transport | None:
        """The socket; None before and after the connection."""
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._write = transport, transport.write
        self._interceptor.on_connect(self)
        self._handler.on_connect(self)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                for fields in self._interceptor.intercept_request(self, frame):
                    self.handle(fields)
                if self._muted or self._transport is None or self._transport.is_closing():
                    return
        except WireError as error:
            self.drop(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._interceptor.on_disconnect(self)
        self._handler.on_disconnect(self)

    def handle(self, frame: list[str]) -> None:
        """Handles a frame; one that cannot be parsed ends the connection."""
        if self._transport is None:
            return
        try:
            self._handle(frame)
        except WireError as error:
            self.drop(str(error))

    def send(self, *messages: Message) -> None:
        """Puts messages into the outbox after they have passed the interceptor."""
        if self._interceptor.intercepting:
            messages = tuple(
                passed for message in messages for passed in self._interceptor.intercept_message(self, message)
            )
        self.send_unfiltered(*messages)

    def send_unfiltered(self, *messages: Message) -> None:
        """Puts messages into the outbox without the interceptor."""
        if self._muted:
            return
        if self.version < NEWEST:
            messages = tuple(adapt(message, self.version) for message in messages)
        self._outbox.extend(map(encode, messages))

    def send_raw(self, frame: bytes) -> None:
        """Puts encoded frames of market data into the outbox."""
        if self._interceptor.intercepting:
            self.send(*(tuple(fields) for fields in decode(frame)))
        else:
            self._outbox.append(frame)

    def mute(self) -> None:
        """From now on requests are ignored and messages are discarded."""
        self._muted = True

    def write_and_close(self, last: bytes, *, hard: bool) -> None:
        """Writes some final bytes and closes the connection."""
        if self._transport:
            self._transport.write(last)
            self.close(hard=hard)

    def flush(self) -> None:
        """Writes the outbox; a client that reads too slowly is dropped."""
        if self._outbox and self._transport and not self._transport.is_closing():
            if self._transport.get_write_buffer_size() > MAX_BUFFER:
                self.drop("reads too slowly")
            else:
                if self._interceptor.recording:
                    self._interceptor.on_write(self, self._outbox)
                self._write(b"".join(self._outbox))
        self._outbox.clear()

    def pause_reading(self) -> None:
        """Leaves what the client writes in the socket."""
        if self._transport and self._transport.is_reading():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport and not self._transport.is_closing() and not self._transport.is_reading():
            self._transport.resume_reading()

    def redirect_writes(self, write: Callable[[bytes], None]) -> None:
        """From now on flushed bytes are passed to `write` instead of the socket."""
        self._write = write

    def drop(self, reason: str) -> None:
        """Resets the connection and logs the reason."""
        if self._transport and not self._transport.is_closing():
            log.warning("client dropped", client_id=self.client_id, reason=reason[:200])
            self.close(hard=True)

    def close(self, *, hard: bool = False) -> None:
        """Closes the connection after pending writes, or with a reset."""
        if self._transport and hard:
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._transport.abort()
        elif self._transport:
            self._transport.close()

    def _handle(self, frame: list[str]) -> None:
        if not self.version:
            self.version = negotiate(frame[0])
            self.send(responses.handshake(self.version, to_datetime(self._clock.now())))
            self.flush()
            return
        fields = Fields(frame)
        number = fields.integer()
        if self.client_id < 0:
            if number != START_API:
                raise WireError(f"request {number} before startApi")
            fields.skip(1)
            client_id = fields.integer()
            if client_id < 0:
                raise WireError(f"{client_id} is not a valid client id")
            self._reader.raise_limit()
            self._handler.on_start(self, client_id)
        else:
            self._handler.on_request(self, number, fields)


def negotiate(offer: str) -> int:
    """The highest version of both sides, from the client's `v157..178`; raises WireError if there is none."""
    match = re.match(r"v(\d{1,4})(?:\.\.(\d{1,4}))?", offer)
    if not match:
        raise WireError(f"{offer[:40]!r} offers no version")
    version = min(int(match[2] or match[1]), MAX_VERSION)
    if version < MIN_VERSION or int(match[1]) > version:
        raise WireError(f"{offer[:40]!r} is outside versions {MIN_VERSION}..{MAX_VERSION}")
    return version
