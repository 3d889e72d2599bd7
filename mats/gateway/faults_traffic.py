"""What stands between the clients and the gateway: the armed faults, looked at for every message both ways."""

from collections.abc import Iterable

from mats.gateway.session import Session
from mats.gateway.wire import Message


class Traffic:
    """The line of every session."""

    def __init__(self) -> None:
        self.watching = False
        self.recording = False
        self.swallowed: frozenset[int] = frozenset()

    def incoming(self, session: Session, fields: list[str]) -> Iterable[list[str]]:
        if session.version and fields[0].isdigit() and int(fields[0]) in self.swallowed:
            return ()
        return (fields,)

    def outgoing(self, session: Session, message: Message) -> Iterable[Message]:
        return (message,)

    def wrote(self, session: Session, frames: list[bytes]) -> None:
        """Nothing is recorded."""
