"""What the runtime raises, each with one sentence that says what to do."""

import pykka

from mats.runtime.containment import describe

ActorDeadError = pykka.ActorDeadError
"""The asked actor is closed: it ended, was parked or stopped, and will not answer."""


class NotUnderstood(ActorDeadError):
    """The message is not among those that the actor understands: it was sent to the wrong actor."""


class ActorFailed(Exception):
    """The asked actor failed while it handled the message; `error` is what it raised."""

    def __init__(self, name: str, error: BaseException) -> None:
        super().__init__(f"{name} failed: {describe(error)}")
        self.name = name
        self.error = error


class AskInHandler(RuntimeError):
    """An actor tried to wait for another one; actors send messages, and are sent the answer."""


class AskTimeout(pykka.Timeout, TimeoutError):
    """No reply within the time given; whether the message was or will be handled is unknown."""


class Deadlock(RuntimeError):
    """In virtual time: a caller waits, nothing can run and no timer is set."""


class NameTaken(ValueError):
    """A name belongs to one running actor."""


class RestartLimitReached(Exception):
    """A supervisor gave up: a child failed more often than its limit allows."""


class StartTimeout(TimeoutError):
    """The tree was not up in time."""


class TestCrash(Exception):
    """What a `Crash` message raises inside the actor that handles it."""

    __test__ = False


class SimulatedCrash(BaseException):
    """What a chaos point raises. No `except Exception` of a handler can swallow it."""
