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
"""Bytes that may wait for a slow reader before it is dropped."""

MAX_GREETING = 4096
"""Bytes of the longest frame before the client has said its id."""

START_API = 71

RESET = struct.pack("ii", 1, 0)
"""The linger that makes a close a reset."""

log = structlog.get_logger("mats.gateway")


class Owner(Protocol):
    """The gateway, as a session sees it."""

    def opened(self, session: "ClientSession") -> None: ...

    def start(self, session: "ClientSession", client_id: int) -> None:
        """The client has said its id."""

    def request(self, session: "ClientSession", number: int, fields: Fields) -> None: ...

    def closed(self, session: "ClientSession") -> None: ...


class SocketBuffer(Protocol):
    """What stands between a session and its wire: faults, and the record of what passed."""

    @property
    def watching(self) -> bool:
        """Whether messages to clients are to be shown to it."""

    @property
    def recording(self) -> bool:
        """Whether written frames are to be shown to it."""

    def opened(self, session: "ClientSession") -> None: ...

    def incoming(self, session: "ClientSession", fields: list[str]) -> Iterable[list[str]]:
        """The requests to handle now, where `fields` has arrived."""

    def outgoing(self, session: "ClientSession", message: Message) -> Iterable[Message]:
        """The messages to send now, where `message` is to leave."""

    def wrote(self, session: "ClientSession", frames: list[bytes]) -> None: ...

    def closed(self, session: "ClientSession") -> None: ...


class ClientSession(asyncio.Protocol):
    """A connection. `client_id` is -1 until the client has said it; what is sent waits for `flush`."""

    def __init__(self, owner: Owner, line: SocketBuffer, clock: Clock) -> None:
        self.client_id = -1
        self.version = 0
        self._owner, self._line, self._clock = owner, line, clock
        self._reader = FrameReader(MAX_GREETING)
        self._transport: asyncio.Transport | None = None
        self._outbox: list[bytes] = []
        self._stopped = False
        self._write: Callable[[bytes], None] = self._outbox.append

    @property
    def transport(self) -> asyncio.Transport | None:
        """The socket; None before and after the connection."""
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._write = transport, transport.write
        self._line.opened(self)
        self._owner.opened(self)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                for fields in self._line.incoming(self, frame):
                    self.handle(fields)
                if self._stopped or self._transport is None or self._transport.is_closing():
                    return
        except WireError as error:
            self.refuse(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._line.closed(self)
        self._owner.closed(self)

    def handle(self, frame: list[str]) -> None:
        """Does what a frame asks; a frame that cannot be read costs the connection."""
        if self._transport is None:
            return
        try:
            self._handle(frame)
        except WireError as error:
            self.refuse(str(error))

    def send(self, *messages: Message) -> None:
        """Puts messages into the outbox, past the faults that are armed."""
        if self._line.watching:
            messages = tuple(passed for message in messages for passed in self._line.outgoing(self, message))
        self.send_through(*messages)

    def send_through(self, *messages: Message) -> None:
        """Puts messages into the outbox as they stand."""
        if self._stopped:
            return
        if self.version < NEWEST:
            messages = tuple(adapt(message, self.version) for message in messages)
        self._outbox.extend(map(encode, messages))

    def send_raw(self, frame: bytes) -> None:
        """Puts encoded frames of market data into the outbox."""
        if self._line.watching:
            self.send(*(tuple(fields) for fields in decode(frame)))
        else:
            self._outbox.append(frame)

    def stop(self) -> None:
        """From now on requests are ignored, and nothing that is sent leaves."""
        self._stopped = True

    def end(self, last: bytes, *, hard: bool) -> None:
        """Writes some last bytes and ends the connection."""
        if self._transport:
            self._transport.write(last)
            self.close(hard=hard)

    def flush(self) -> None:
        """Writes the outbox; a client that reads too slowly is dropped."""
        if self._outbox and self._transport:
            if self._transport.get_write_buffer_size() > MAX_BUFFER:
                self.refuse("it reads too slowly")
            else:
                if self._line.recording:
                    self._line.wrote(self, self._outbox)
                self._write(b"".join(self._outbox))
        self._outbox.clear()

    def pause_reading(self) -> None:
        """Leaves what the client writes in the socket."""
        if self._transport and self._transport.is_reading():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._transport and not self._transport.is_closing() and not self._transport.is_reading():
            self._transport.resume_reading()

    def write_through(self, write: Callable[[bytes], None]) -> None:
        """From now on what is flushed goes to `write` in place of the socket."""
        self._write = write

    def refuse(self, reason: str) -> None:
        """Drops the client with one line in the log."""
        if self._transport and not self._transport.is_closing():
            log.warning("client dropped", client_id=self.client_id, reason=reason[:200])
            self.close(hard=True)

    def close(self, *, hard: bool = False) -> None:
        """Ends the connection: after what was written, or with a reset."""
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
                raise WireError(f"request {number} came before startApi")
            fields.skip(1)
            client_id = fields.integer()
            if client_id < 0:
                raise WireError(f"{client_id} is no client id")
            self._reader.widen()
            self._owner.start(self, client_id)
        else:
            self._owner.request(self, number, fields)


def negotiate(offer: str) -> int:
    """The version both sides speak, from the client's `v157..178`; raises WireError where there is none."""
    match = re.match(r"v(\d{1,4})(?:\.\.(\d{1,4}))?", offer)
    if not match:
        raise WireError(f"{offer[:40]!r} offers no version")
    version = min(int(match[2] or match[1]), MAX_VERSION)
    if version < MIN_VERSION or int(match[1]) > version:
        raise WireError(f"{offer[:40]!r} is outside versions {MIN_VERSION}..{MAX_VERSION}")
    return version
