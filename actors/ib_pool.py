"""The pool of broker connections: one fixed client id per strategy, connected when its first user asks for it."""

from collections.abc import Callable
from pathlib import Path
from typing import assert_never

import msgspec

from actors.base import JournalWrites
from actors.messages.addresses import IbPoolMessage, connection_at
from actors.messages.broker import RequestSnapshot
from actors.messages.ib_pool import DATA_CLIENT, MASTER_CLIENT, LeaseConnection
from actors.messages.subscription import Republish
from mats.runtime import Actor, Ref, Spec, StartChild, SupervisorMessage
from mats.store.journal import Journal

RETRY_SECONDS = 5.0
"""Until a client id that the journal did not take is recorded again."""


class IbPool(Actor[IbPoolMessage]):
    """Starts connections under the supervisor that it is itself a child of."""

    class Args(msgspec.Struct, frozen=True, kw_only=True):
        """`connection` makes the spec of a strategy's connection from its client id."""

        journal_path: Path
        supervisor: Ref[SupervisorMessage]
        connection: Callable[[int], Spec]

    def __init__(self, args: Args) -> None:
        self._path, self._supervisor, self._connection = args.journal_path, args.supervisor, args.connection

    def on_start(self) -> None:
        self._journal, self._writes = Journal(self._path), JournalWrites(self)
        self.defer(self._journal.release)
        fixed = {connection_at(MASTER_CLIENT).path, connection_at(DATA_CLIENT).path}
        names = {status.name for status in self.runtime.status()} - fixed
        prefix = connection_at(0).path.removesuffix("0")
        self._leased = {int(name.removeprefix(prefix)) for name in names if name.startswith(prefix)}

    def on_receive(self, message: IbPoolMessage) -> None:
        match message:
            case LeaseConnection(strategy=strategy):
                if not self._writes.attempt(lambda: self._lease(self._journal.client_id(strategy))):
                    self.after(RETRY_SECONDS, message)
            case Republish():
                connections = (self.runtime.ref(connection_at(client_id)) for client_id in sorted(self._leased))
                # One that was not started yet announces itself when it is.
                for connection in [started for started in connections if started.incarnation]:
                    connection.tell(RequestSnapshot())
            case _:
                assert_never(message)

    def _lease(self, client_id: int) -> None:
        if client_id not in self._leased:
            self._leased.add(client_id)
            self._supervisor.tell(StartChild(self._connection(client_id)))
