"""The one way to the store: a call that it cannot answer begins an outage, and is never its caller's failure.

Nothing is called again before its time. A call that fails slowly (an object store that is away answers after 25 s)
leaves its caller at least as much time for everything else as it took.
"""

from collections.abc import Callable
from typing import Literal, TypeVar

import msgspec

from mats.runtime import Clock
from mats.store.outages.outage import Outage
from mats.store.tables import STORE_ERRORS, DiskReservedError, Store, StoreUnreachableError, check_disk_space, safe_uri

T = TypeVar("T")

Task = Literal["commit", "table", "equities", "history"]
"""Calls that are made again until they succeed. An outage ends when each of them that failed has succeeded."""

FIRST_SECONDS, LONGEST_SECONDS = 0.5, 15.0
REASON_LENGTH = 200
AWAY = (*STORE_ERRORS, StoreUnreachableError)


class StoreAway(Exception):
    """The store does not answer, or is not asked because it did not a moment ago."""

    def __init__(self, outage: Outage) -> None:
        super().__init__(f"the store is {outage}")


class _Retry(msgspec.Struct):
    """When (monotonic seconds) a task that failed is due again, and the pause after its next failure."""

    due: float
    pause: float


class StoreGuard:
    """Opens the store when it is first needed, and again after it was away for more than a moment."""

    def __init__(self, uri: str, clock: Clock, branch: str = "") -> None:
        """`branch` is the branch of the journal whose log is stored."""
        self.store = Store(uri, branch)
        self.outage: Outage | None = None
        self._uri, self._clock = uri, clock
        self._failing: dict[Task, _Retry] = {}
        self._quiet_until = clock.monotonic()

    def run(self, task: Task, work: Callable[[], T]) -> T:
        """The result of `work`, which calls the store. Where it does not answer, an outage begins: raises StoreAway."""
        retry = self._failing.get(task)
        if self.outage and self._clock.monotonic() < max(self._quiet_until, retry.due if retry else 0.0):
            raise StoreAway(self.outage)
        begun = self._clock.monotonic()
        try:
            result = self._call(work)
        except AWAY as error:
            raise StoreAway(self._failed(task, error, begun)) from error
        self._failing.pop(task, None)
        if not self._failing:
            self.outage = None
        return result

    def run_once(self, work: Callable[[], T]) -> T:
        """The result of `work`, for which somebody waits or which is not needed. Raises StoreAway."""
        if self.outage:
            raise StoreAway(self.outage)
        try:
            return self._call(work)
        except AWAY as error:
            raise StoreAway(self._outage_of(error)) from error

    def _call(self, work: Callable[[], T]) -> T:
        check_disk_space(self._uri)
        return work()

    def _failed(self, task: Task, error: Exception, begun: float) -> Outage:
        now = self._clock.monotonic()
        known = self._failing.get(task)
        if isinstance(error, DiskReservedError):  # the store was not called: nothing speaks against looking again
            pause = FIRST_SECONDS
        else:
            pause = known.pause if known else FIRST_SECONDS
            self._quiet_until = now + (now - begun)
            if known:
                self.store.close()
        self._failing[task] = _Retry(now + pause, min(LONGEST_SECONDS, 2 * pause))
        self.outage = self.outage or self._outage_of(error)
        return self.outage

    def _outage_of(self, error: Exception) -> Outage:
        return Outage(self._clock.now(), self._reason(error), self._clock.monotonic())

    def _reason(self, error: Exception) -> str:
        return safe_uri(str(error))[:REASON_LENGTH] or type(error).__name__
