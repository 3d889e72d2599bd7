"""Frames as bytes: pickled, with refs by name; a runtime reads from a process nothing but plain data."""

import enum
import io
import pickle
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from mats.runtime.messaging import Ref, ref_named

PLAIN = frozenset(
    {
        ("builtins", "frozenset"),
        ("builtins", "set"),
        ("builtins", "bytearray"),
        ("builtins", "complex"),
        ("builtins", "range"),
        ("datetime", "date"),
        ("datetime", "datetime"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("decimal", "Decimal"),
        ("mats.runtime.hosts.link.errors", "remote_error"),
        ("msgspec._utils", "rebuild"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "scalar"),
        ("pathlib", "PosixPath"),
    }
)
"""What a process may send besides structs and enums that the runtime has loaded already."""

MARK = (ref_named.__module__, ref_named.__name__)
"""What stands before the name of a ref."""


class BrokenFrame(Exception):
    """Bytes that are no frame."""


@cache
def _known_class(module: str, name: str) -> type:
    """A struct or an enum that is loaded already. Raises BrokenFrame."""
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, type) and issubclass(found, msgspec.Struct | enum.Enum):
        return found
    raise BrokenFrame(f"{module}.{name} is no message or value that the daemon knows")


def encode(frame: msgspec.Struct) -> bytes:
    """Raises BrokenFrame where the frame holds something that cannot leave its process."""
    try:
        return pickle.dumps(frame, protocol=5)
    except Exception as error:
        raise BrokenFrame(f"a {type(frame).__name__} cannot leave its process: {error}") from error


class _Decoder(pickle.Unpickler):
    def __init__(self, data: bytes, ref_of: Callable[[str], Ref[Any]]) -> None:
        super().__init__(io.BytesIO(data))
        self._ref_of = ref_of

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == MARK:
            return self._ref_of
        return super().find_class(module, name)


class _PlainDecoder(_Decoder):
    """Loads no module and calls nothing but constructors of data, so that a frame cannot make the runtime do things."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in PLAIN or (module, name) == MARK:
            return super().find_class(module, name)
        return _known_class(module, name)


def decode(data: bytes, ref_of: Callable[[str], Ref[Any]]) -> Any:
    """A frame from the runtime, which is trusted."""
    return _Decoder(data, ref_of).load()


def decode_plain(data: bytes, ref_of: Callable[[str], Ref[Any]]) -> Any:
    """A frame from a process, which may send anything. Raises BrokenFrame."""
    try:
        return _PlainDecoder(data, ref_of).load()
    except BrokenFrame:
        raise
    except Exception as error:
        raise BrokenFrame(f"{type(error).__name__}: {error}") from error
