"""The answer to an ask: set once, by whoever comes first."""

from threading import Lock
from typing import TYPE_CHECKING, NoReturn

import pykka

from mats.runtime.errors import AskTimeout

if TYPE_CHECKING:
    from pykka._types import OptExcInfo


class Reply(pykka.Future[object]):
    """A slot for one value or one error. Later settings are refused, so a slow actor and its undertaker may race."""

    def __init__(self) -> None:
        self._get_hook = None
        self._claim = Lock()
        self._done = Lock()
        self._done.acquire()
        self._value: object = None
        self._error: BaseException | None = None
        self.settled = False
        self.abandoned = False

    def get(self, *, timeout: float | None = None) -> object:
        """Wait at most `timeout` seconds. Raises AskTimeout, or the error that was set."""
        if not self._done.acquire(timeout=-1 if timeout is None else timeout):
            self.abandoned = True
            raise AskTimeout(f"no reply within {timeout} seconds")
        self._done.release()
        if self._error is not None:
            raise self._error
        return self._value

    def __await__(self) -> NoReturn:
        raise TypeError("a reply cannot be awaited, it would block the loop; tell, and be told the answer")

    def set(self, value: object | None = None) -> None:
        """Answer with `value`, unless there is an answer already."""
        self._settle(value, None)

    def set_exception(self, exc_info: "OptExcInfo | None" = None) -> None:
        self._settle(None, exc_info[1] if exc_info else None)

    def fail(self, error: BaseException) -> None:
        """Answer with an error, unless there is an answer already."""
        self._settle(None, error)

    def _settle(self, value: object, error: BaseException | None) -> None:
        if self._claim.acquire(blocking=False):
            self._value, self._error = value, error
            self.settled = True
            self._done.release()
