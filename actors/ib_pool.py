"""The pool of broker connections: one fixed client id per role, started when its first user asks for it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec

from actors.base import BrokerConnection
from actors.messages.broker import RequestSnapshot
from actors.messages.ib_pool import LeaseConnection, ResyncConnections
from mats.runtime import Actor, Backoff, ChildSpec, Ref, StartChild
from mats.store.journal import Journal

RECONNECT = Backoff(min=1.0, max=60.0, jitter=0.2, reset_after=30.0)
MASTER_CLIENT = 0
"""Sees everybody's executions, positions and account values; places nothing."""
DATA_CLIENT = 99
"""History, contracts and market data: bulk requests never share a socket or a pacing lane with orders."""


def connection_name(client_id: int) -> str:
    """The actor's name within the supervisor of the connections."""
    return f"ib-{client_id}"


class Connector(msgspec.Struct, frozen=True):
    """Which connections are made, and what all of them are given."""

    actor: type[BrokerConnection]
    args: Mapping[str, object]


def connection_spec(client_id: int, connector: Connector, listeners: tuple[Ref, ...]) -> ChildSpec:
    """A connection that is made again for ever, ever more slowly."""
    return ChildSpec(
        name=connection_name(client_id),
        actor=cast(Any, connector.actor),
        args={"client_id": client_id, "listeners": listeners, **connector.args},
        backoff=RECONNECT,
        over_limit="keep",
    )


class IbPool(Actor):
    """Starts connections under the supervisor that it is itself a child of."""

    def __init__(self, journal_path: Path, supervisor: Ref, connector: Connector, listeners: tuple[Ref, ...]) -> None:
        self._path, self._supervisor, self._connector, self._listeners = journal_path, supervisor, connector, listeners

    def on_start(self) -> None:
        self._journal = Journal(self._path)
        fixed = {connection_name(MASTER_CLIENT), connection_name(DATA_CLIENT)}
        prefix = f"{self._supervisor.name}/ib-"
        running = (status.name for status in self.runtime.status() if status.name.startswith(prefix))
        self._leased = {name.rpartition("/")[2] for name in running} - fixed

    def on_receive(self, message: object) -> object:
        match message:
            case LeaseConnection(strategy=strategy):
                self._lease(self._journal.client_id(strategy))
            case ResyncConnections():
                for name in sorted(self._leased):
                    self.runtime.ref(f"{self._supervisor.name}/{name}").tell(RequestSnapshot())
            case _:
                return super().on_receive(message)
        return None

    def _lease(self, client_id: int) -> None:
        name = connection_name(client_id)
        if name not in self._leased:
            self._leased.add(name)
            self._supervisor.tell(StartChild(connection_spec(client_id, self._connector, self._listeners)))

    def on_stop(self) -> None:
        self._journal.close()
