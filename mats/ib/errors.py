"""Errors of the broker connection, one class for each way to handle them."""


class IBError(Exception):
    """Anything that the broker connection reports by raising."""


class ConnectionFailed(IBError):
    """No session was opened."""


class GatewayRefused(ConnectionFailed):
    """Nothing listens there, or it closed the socket during the handshake."""


class ClientIdInUse(ConnectionFailed):
    """Another connection holds the client id (IB's 326). Retry the same id: its orders belong to it."""


class GatewaySilent(ConnectionFailed):
    """The socket opened, the handshake did not finish in time."""


class Unusable(ConnectionFailed):
    """No attempt will do better before an operator has changed something; the text says what."""


class OrderIdsExhausted(Unusable):
    """The gateway goes on with order ids that belong to requests."""


class VersionTooOld(Unusable):
    """The gateway's protocol version is no longer supported."""


class TimeZoneUnknown(Unusable):
    """Times of the gateway cannot be read."""


class ReadOnlyApi(Unusable):
    """The gateway takes no orders from this program, and does not tell of any."""


UNUSABLE = frozenset(kind.__name__ for kind in Unusable.__subclasses__())
"""Names of the errors that only an operator can mend."""


class ConnectionLostError(IBError):
    """The socket is gone; whether the gateway took what was sent last is unknown."""


class QueueFull(IBError):
    """Too many messages wait for the pacing limit."""


class IncompleteSnapshot(IBError):
    """Part of what the broker knows did not arrive: unknown, which is not empty. The session is closed."""


class RequestFailed(IBError):
    """A request has no usable answer."""


class RequestTimedOut(RequestFailed):
    """No answer in time: unknown, which is not empty."""


class RequestRefused(RequestFailed):
    """The broker answered with an error."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class PacingViolated(RequestRefused):
    """Too many requests; retry later."""


class NotPermitted(RequestRefused):
    """The account has no permission for these data."""


class NoHistory(RequestRefused):
    """The broker has no bars of an instrument at all."""


class UntrustedAnswer(RequestRefused):
    """Refused while the gateway had no link to IB's servers; the refusal proves nothing; retry later."""


class UnknownInstrument(RequestRefused):
    """The broker knows no such contract, and the link was healthy when it said so."""


class AmbiguousInstrument(RequestFailed):
    """The description fits several contracts."""
