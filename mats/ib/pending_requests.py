"""Requests that wait for an answer, and what has come of each answer so far."""

import asyncio
from collections.abc import Callable, Generator, Hashable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Generic, TypeVar

from mats.ib.errors import RequestFailed

FIRST_REQUEST_ID = 1_000_000_000
"""Request ids and order ids share one space on the wire; requests begin where orders never get (both below 2**31)."""

T = TypeVar("T")


class PendingSnapshot(StrEnum):
    """Answers that carry no request id: one of a kind at a time. The last two have no end marker."""

    POSITIONS = "positions"
    OPEN_ORDERS = "open orders"
    COMPLETED_ORDERS = "completed orders"
    SERVER_TIME = "server time"
    COMMISSIONS = "commissions"
    INSTRUMENTS = "instruments"


WITH_END = frozenset(PendingSnapshot) - {PendingSnapshot.COMMISSIONS, PendingSnapshot.INSTRUMENTS}


class PendingAnswer(Generic[T]):
    """The items of one answer so far; awaiting it gives them all once the end marker came.

    `what` describes the request in errors, `note` is the text of the end marker. `received` counts the items that came
    before the end, and the end.
    """

    def __init__(self, key: Hashable, what: str) -> None:
        self.key, self.what = key, what
        self.items: list[T] = []
        self.sent = False
        self.note = ""
        self.received = 0
        self._complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def ended(self) -> bool:
        """The end marker or a refusal came: nothing more will come."""
        return self._complete.done()

    def add(self, item: T) -> None:
        self.items.append(item)
        if not self._complete.done():
            self.received += 1

    def finish(self, note: str) -> None:
        self.note = note
        if not self._complete.done():
            self.received += 1
            self._complete.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self._complete.done():
            self._complete.set_exception(error)
            self._complete.exception()  # retrieved, so that asyncio does not log it when the caller has left

    def __await__(self) -> Generator[Any, None, list[T]]:
        yield from asyncio.shield(self._complete).__await__()
        return self.items


class PendingRequests:
    """All requests that wait. A request ends when its caller leaves; what comes later is counted as late."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, PendingAnswer[Any]] = {}
        self._overdue: set[Hashable] = set()
        self._next_id = FIRST_REQUEST_ID
        self.late = 0

    def __len__(self) -> int:
        return len(self._answers)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._answers

    def new_id(self) -> int:
        """A request id never used before in this session."""
        self._next_id += 1
        return self._next_id - 1

    def begin(self, key: Hashable, what: str) -> PendingAnswer[Any]:
        """The answer that will collect what comes for `key`."""
        if key in self._answers:
            raise ValueError(f"request {key!r} is pending already; wait for it")
        if key in self._overdue:
            raise RequestFailed(
                f"{what}: the previous such request is unanswered, its end would be taken for this one's"
            )
        return self._answers.setdefault(key, PendingAnswer(key, what))

    @contextmanager
    def collecting(self, key: Hashable) -> Iterator[PendingAnswer[Any]]:
        """Collect what comes for `key` for as long as the context lasts."""
        answer = self.begin(key, str(key))
        try:
            yield answer
        finally:
            self.end(key)

    def end(self, key: Hashable) -> None:
        """The caller left. A request without an id cannot be sent again before its end marker has come."""
        answer = self._answers.pop(key, None)
        if answer and not answer.ended and key in WITH_END:
            self._overdue.add(key)

    def add(self, key: Hashable, item: object) -> None:
        """One item of the answer."""
        if answer := self._answers.get(key):
            answer.add(item)
        elif not isinstance(key, PendingSnapshot):  # positions and orders without a request are ordinary updates
            self.late += 1

    def finish(self, key: Hashable, note: str = "") -> None:
        """The end marker, with its text."""
        if answer := self._answers.get(key):
            answer.finish(note)
        else:
            self.late += 1
            self._overdue.discard(key)

    def fail(self, key: Hashable, error: Callable[[str], Exception]) -> None:
        """The broker refused; `error` is made from the description of the request."""
        if answer := self._answers.get(key):
            answer.fail(error(answer.what))
        else:
            self.late += 1

    def fail_without_id(self, error: Exception) -> None:
        """The broker refused a request that has no id: none of them can be told from the others."""
        for key in WITH_END & self._answers.keys():
            self._answers[key].fail(error)

    def fail_all(self, error: Exception) -> None:
        """No answer will come any more."""
        for answer in self._answers.values():
            answer.fail(error)
