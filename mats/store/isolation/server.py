"""The process that calls ArcticDB: takes one call after the other, and ends with the process that started it."""

import signal
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from arcticdb import Arctic, VersionedItem
from arcticdb.exceptions import StorageException
from arcticdb.version_store.library import Library, SymbolDescription

from mats.end_with_parent import end_with_parent
from mats.store.tables import connect, require_in_place


class Call(NamedTuple):
    """A call of the connection (no library) or of one of its libraries: `path` are the attributes that lead to it."""

    library: str | None
    path: tuple[str, ...]
    arguments: tuple[Any, ...]
    options: dict[str, Any]


class Item(NamedTuple):
    """What is used of ArcticDB's `VersionedItem`."""

    version: int
    data: Any
    metadata: Any


class Description(NamedTuple):
    """What is used of ArcticDB's `SymbolDescription`."""

    row_count: int | None
    date_range: Any


class Answer(NamedTuple):
    """The result, or the error that the call raised."""

    result: Any = None
    error: Exception | None = None


def serve(connection: Connection, uri: str, parent: int) -> None:
    """Answer calls until the other end is closed. Signals for the daemon are none for this process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    end_with_parent(parent)  # a second writer must never be
    store = _Opened(uri)
    while True:
        try:
            call: Call = connection.recv()
        except (EOFError, OSError):
            return
        answer = store.answer(call)
        try:
            connection.send(answer)
        except (TypeError, AttributeError, ValueError) as error:  # what is not portable
            connection.send(Answer(error=TypeError(f"{'.'.join(call.path)}: {error}")))


class _Opened:
    """The connection and its libraries, opened when they are needed, and anew after a fault of the storage."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._arctic: Arctic | None = None
        self._libraries: dict[str, Library] = {}

    def answer(self, call: Call) -> Answer:
        try:
            target: Any = self._connection() if call.library is None else self._library(call.library)
            for name in call.path:
                target = getattr(target, name)
            return Answer(_portable(target(*call.arguments, **call.options) if call.path else None))
        except Exception as error:
            if isinstance(error, StorageException | OSError):
                self._libraries.clear()
                self._arctic = None
            return Answer(error=error.with_traceback(None))

    def _connection(self) -> Arctic:
        if self._arctic is None:
            self._arctic = connect(self._uri)
        return self._arctic

    def _library(self, name: str) -> Library:
        if name not in self._libraries:
            arctic = self._connection()
            require_in_place(self._uri)
            self._libraries[name] = arctic.get_library(name)
        return self._libraries[name]


def _portable(result: object) -> object:
    match result:
        case VersionedItem():
            return Item(int(result.version), result.data, result.metadata)
        case SymbolDescription():
            return Description(result.row_count, result.date_range)
        case Library():
            return None
    return result
