"""The TWS socket format: frames of a four-byte length and text fields, each ended by a NUL.

Source: the TWS API reference clients; every field is text, booleans are 1 and 0, an absent number is empty.
"""

import struct
from collections.abc import Iterator
from decimal import Decimal

MAX_FRAME = 1 << 20
"""Maximum bytes of a frame from a client."""

MAX_FIELDS = 20_000
"""Maximum fields of a frame from a client."""

INTEGERS = 1 << 32
"""Integers of the protocol are below this."""

MAX_DIGITS = 18
"""Digits before the point, and zeros behind it, that a number may have; no tradable quantity or price needs more."""

UNSET = range(300, 309)
"""Decimal exponents of the largest double, which some clients send for a number that is not set."""

EXACT_FLOATS = 2.0**53
"""Whole numbers below this are exact as floats."""

PREAMBLE = b"API\0"

Field = str | int | float | bool | Decimal | None
Message = tuple[Field, ...]


class WireError(ValueError):
    """The bytes violate the protocol; the connection must be closed."""


def encode(message: Message) -> bytes:
    """One frame."""
    return encode_text("\0".join(map(text, message)) + "\0")


def encode_text(fields: str) -> bytes:
    """One frame from fields that are already text, each ended by a NUL."""
    body = fields.encode(errors="surrogatepass")
    return struct.pack(">I", len(body)) + body


def text(field: Field) -> str:
    """A field in the wire format; whole numbers without a point, as clients before version 163 need sizes."""
    if type(field) is str:
        return field
    if type(field) is float:
        return str(int(field)) if field.is_integer() and abs(field) < EXACT_FLOATS else str(field)
    if field is None:
        return ""
    if isinstance(field, bool):
        return "1" if field else "0"
    return format(field, "f") if isinstance(field, Decimal) else str(field)


def decode(frames: bytes) -> Iterator[list[str]]:
    """The fields of each of several complete frames."""
    at = 0
    while at < len(frames):
        (length,) = struct.unpack_from(">I", frames, at)
        yield frames[at + 4 : at + 4 + length].decode(errors="replace").removesuffix("\0").split("\0")
        at += 4 + length


class FrameReader:
    """Cuts a stream into frames of at most `limit` bytes. `feed` yields each complete one as its list of fields; raises
    WireError."""

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._data = bytearray()
        self._preamble_read = False
        self._limit = limit

    def raise_limit(self, limit: int = MAX_FRAME) -> None:
        """Sets the maximum length of a frame."""
        self._limit = limit

    def feed(self, data: bytes) -> Iterator[list[str]]:
        self._data += data
        if not self._preamble_read:
            if not PREAMBLE.startswith(bytes(self._data[:4])):
                raise WireError("connection does not begin with API")
            if len(self._data) < 4:
                return
            self._preamble_read = True
            del self._data[:4]
        while len(self._data) >= 4:
            (length,) = struct.unpack_from(">I", self._data)
            if not 0 < length <= self._limit:
                raise WireError(f"frame of {length} bytes is outside 1..{self._limit}")
            if len(self._data) < 4 + length:
                return
            body = bytes(self._data[4 : 4 + length])
            del self._data[: 4 + length]
            if body.count(0) > MAX_FIELDS:
                raise WireError(f"frame of {body.count(0)} fields has more than {MAX_FIELDS}")
            yield body.decode(errors="replace").removesuffix("\0").split("\0")


class Fields:
    """Reads the fields of a request one after the other; raises WireError if one is missing or not a number."""

    def __init__(self, fields: list[str]) -> None:
        self._fields = fields
        self._at = 0

    def text(self) -> str:
        if self._at >= len(self._fields):
            raise WireError(f"request {self._fields[0]} has only {len(self._fields)} fields")
        self._at += 1
        return self._fields[self._at - 1]

    def skip(self, count: int) -> None:
        for _ in range(count):
            self.text()

    def integer(self) -> int:
        """Empty and `0.0` count as 0; raises WireError beyond 32 bits."""
        number = self.decimal()
        if abs(number) >= INTEGERS:
            raise WireError(f"request {self._fields[0]} has {self._fields[self._at - 1][:40]!r} instead of an integer")
        return int(number)

    def flag(self) -> bool:
        return self.text() not in ("", "0", "false")

    def decimal(self) -> Decimal:
        """Empty counts as 0, and so does the largest double."""
        raw = self.text()
        try:
            number = Decimal(raw) if raw else Decimal(0)
        except ArithmeticError as error:
            raise WireError(f"request {self._fields[0]} has {raw[:40]!r} instead of a number") from error
        if number.is_finite() and number.adjusted() in UNSET:
            return Decimal(0)
        if not number.is_finite() or abs(number.adjusted()) > MAX_DIGITS:
            raise WireError(f"request {self._fields[0]} has {raw[:40]!r} instead of a finite number")
        return number

    def optional(self) -> Decimal | None:
        """A price; None for empty, zero and the largest double, by which clients mean that it is not set."""
        number = self.decimal()
        return None if number == 0 else number
