"""What can go wrong at the edge, one class for each thing a caller may do about it."""


class IBError(Exception):
    """Anything that the broker connection reports by raising."""


class ConnectionFailed(IBError):
    """No session was opened."""


class GatewayRefused(ConnectionFailed):
    """Nothing listens there, or it hung up before the handshake was over."""


class ClientIdInUse(ConnectionFailed):
    """Another connection holds the client id (IB's 326). Retry the same id: its orders belong to it."""


class GatewaySilent(ConnectionFailed):
    """The socket opened, the handshake did not finish in time."""


class VersionTooOld(ConnectionFailed):
    """The gateway speaks a protocol that is not understood any more."""


class ConnectionLostError(IBError):
    """The socket is gone; whether the gateway took what was sent last is unknown."""


class QueueFull(IBError):
    """More messages wait for the pacing limit than may wait."""


class IncompleteReplay(IBError):
    """Part of what the broker knows did not arrive: unknown, which is not empty. The session is closed."""


class RequestFailed(IBError):
    """A question has no usable answer."""


class RequestTimedOut(RequestFailed):
    """No answer in time: unknown, which is not empty."""


class RequestRefused(RequestFailed):
    """The broker answered with an error."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class PacingViolated(RequestRefused):
    """Asked too often; ask again later."""


class NotPermitted(RequestRefused):
    """The account has no permission for these data."""


class AnswerUntrusted(RequestRefused):
    """Refused while the gateway had no link to IB's servers; the refusal proves nothing, ask again later."""


class UnknownInstrument(RequestRefused):
    """The broker knows no such contract, and the link was healthy when it said so."""


class AmbiguousInstrument(RequestFailed):
    """The description fits several contracts."""
