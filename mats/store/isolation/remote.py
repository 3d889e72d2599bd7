"""The near end: stands for ArcticDB's connection, and carries each call to the process that makes it.

Many calls of ArcticDB hold the interpreter's lock until they return: an object store that is away takes 25 seconds to
say so, in which no thread of the process would run. Here a call waits in a pipe, and only the caller waits. One that
takes too long is given up with its process; the next one starts another.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, cast

from arcticdb import Arctic, LibraryOptions
from arcticdb.version_store.library import Library

from mats.store.isolation.server import Answer, Call, serve
from mats.store.tables import connected, safe_uri

CALL_SECONDS = 120.0
END_SECONDS = 2.0


class StoreProcessError(OSError):
    """The process of the store did not answer in time, or died; whether the call was carried out is unknown."""


class _Remote:
    """An attribute of the far end, or of an attribute of it, as far as it is only called."""

    def __init__(self, process: "_Process", library: str | None, path: tuple[str, ...] = ()) -> None:
        self._process, self._library, self._path = process, library, path

    def __getattr__(self, name: str) -> "_Remote":
        if name.startswith("__"):
            raise AttributeError(name)
        return _Remote(self._process, self._library, (*self._path, name))

    def __call__(self, *arguments: object, **options: object) -> Any:
        return self._process.call(Call(self._library, self._path, arguments, options))


class IsolatedArctic:
    """What is used of ArcticDB's `Arctic`."""

    def __init__(self, uri: str, seconds: float) -> None:
        self._uri, self._process = uri, _Process(uri, seconds)
        self._remote = _Remote(self._process, None)

    def has_library(self, name: str) -> bool:
        return bool(self._remote.has_library(name))

    def create_library(self, name: str, options: LibraryOptions) -> None:
        self._process.call(Call(None, ("create_library",), (name, options), {}))

    def get_library(self, name: str) -> Library:
        """The library, opened at the far end."""
        self._process.call(Call(name, (), (), {}))
        return cast(Library, _Remote(self._process, name))

    def list_libraries(self) -> list[str]:
        return list(self._remote.list_libraries())

    def get_uri(self) -> str:
        return self._uri

    @contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """Give up calls after so long within the block."""
        with self._process.patience(seconds):
            yield

    @property
    def pid(self) -> int | None:
        """The process that makes the calls; None before the first one."""
        return self._process.pid

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.end()


class _Process:
    """The process of one store; it is started by the first call, and by the first one after it was lost."""

    def __init__(self, uri: str, seconds: float) -> None:
        self._uri, self._seconds = uri, seconds
        self._lock = threading.Lock()
        self._running: tuple[BaseProcess, Connection] | None = None

    @property
    def pid(self) -> int | None:
        return self._running[0].pid if self._running else None

    @contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        usual, self._seconds = self._seconds, seconds
        try:
            yield
        finally:
            self._seconds = usual

    def call(self, call: Call) -> Any:
        """The result; raises what the call raised, or StoreProcessError."""
        with self._lock:
            answer = self._asked(call)
        if answer.error is not None:
            raise answer.error
        return answer.result

    def _asked(self, call: Call) -> Answer:
        connection = self._connection()
        try:
            connection.send(call)
            if connection.poll(self._seconds):
                return cast(Answer, connection.recv())
            why = f"did not answer within {self._seconds:g} s and was ended"
        except (EOFError, OSError):
            why = "died"
        self._end()
        raise StoreProcessError(f"the process of the store {safe_uri(self._uri)} {why}, at {'.'.join(call.path)}")

    def _connection(self) -> Connection:
        if self._running is not None and not self._running[0].is_alive():
            self._end()
        if self._running is None:
            context = get_context("spawn")
            near, far = context.Pipe()
            process = context.Process(target=serve, args=(far, self._uri, os.getpid()), name="store", daemon=True)
            process.start()
            far.close()
            self._running = process, near
        return self._running[1]

    def end(self) -> None:
        """A call under way gets a moment to return."""
        if self._lock.acquire(timeout=END_SECONDS):
            self._end()
            self._lock.release()
        elif (running := self._running) is not None:
            running[0].kill()  # whoever waits for it ends it

    def _end(self) -> None:
        if self._running is not None:
            (process, connection), self._running = self._running, None
            connection.close()
            process.kill()
            process.join(END_SECONDS)


@contextmanager
def isolated_store(uri: str, seconds: float = CALL_SECONDS) -> Iterator[IsolatedArctic]:
    """Let every call to the store at `uri` that this process makes within the block run in another process.

    A call that takes longer than `seconds` is given up: an OSError, as when that process dies.
    """
    arctic = IsolatedArctic(uri, seconds)
    with connected(uri, cast(Arctic, arctic)):
        try:
            yield arctic
        finally:
            arctic.close()
