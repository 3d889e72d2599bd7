"""The client of the control socket: one request to the daemon of a data directory."""

from pathlib import Path
from typing import TypeVar

import msgspec

from mats.errors import UserError
from mats.operator import protocol
from mats.operator.socket import connect

ANSWER_SECONDS = 20.0
FLATTEN_SECONDS = 60.0
CHUNK = 1 << 16

_replies = msgspec.json.Decoder(protocol.Reply)

T = TypeVar("T", bound=protocol.BaseResponse)


class OperatorError(UserError):
    """Why a command was not carried out: one sentence that says what to do."""


def ask(directory: Path, request: protocol.Request, kind: type[T]) -> T:
    """The daemon's answer of this kind. Raises OperatorError when it refuses, is not there, or does not answer."""
    seconds = FLATTEN_SECONDS if isinstance(request, protocol.FlattenRequest) else ANSWER_SECONDS
    try:
        reply = _replies.decode(_exchange(directory, msgspec.json.encode(request) + b"\n", seconds))
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise OperatorError(f"no daemon runs on {directory}; start it with `mats --data-dir {directory}`") from None
    except PermissionError:
        raise OperatorError(f"the daemon on {directory} belongs to another user; run this as that user") from None
    except TimeoutError:
        raise OperatorError(
            f"the daemon on {directory} did not answer within {seconds:g} s; the command may still be carried"
            " out, see `mats status` and `mats audit`"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise OperatorError(
            f"the daemon on {directory} closed the connection ({error}); `mats status` shows whether it still runs"
        ) from None
    if isinstance(reply, protocol.RequestRefused):
        raise OperatorError(reply.reason)
    if not isinstance(reply, kind):
        raise OperatorError(f"the daemon answered with {type(reply).__name__}, so it is of another version; restart it")
    return reply


def _exchange(directory: Path, line: bytes, seconds: float) -> bytes:
    """Send one line, receive one line."""
    with connect(directory, seconds) as connection:
        connection.sendall(line)
        answer = bytearray()
        while not answer.endswith(b"\n"):
            chunk = connection.recv(CHUNK)
            if not chunk:
                raise ConnectionResetError("it closed the connection")
            answer += chunk
    return bytes(answer)
