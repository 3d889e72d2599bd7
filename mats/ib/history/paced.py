"""Historical requests within the budget: each waits for its turn, identical ones are asked once, refusals again."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

import msgspec

from mats.ib.conversion import HistoricalBars
from mats.ib.errors import ConnectionLostError, PacingViolated, RequestTimedOut, UntrustedAnswer
from mats.ib.history.budget import BudgetUse, HistoricalBudget, RequestCost, Ticket
from mats.ib.history.request import HeadRequest, HistoryRequest, HistorySource
from mats.model import Nanos

MAX_ATTEMPTS = 10
"""How often one request may be refused for pacing, or without a link; the holds in between add up to an hour."""
MAX_TIMEOUTS = 3
"""How often one request may stay without an answer."""
MIN_WAIT_SECONDS = 0.001

T = TypeVar("T")


class _Waiter:
    """A request that waits for its turn."""

    def __init__(self, cost: RequestCost, turn: "asyncio.Future[Ticket]") -> None:
        self.cost, self.turn = cost, turn


class _Shared(Generic[T]):
    """Requests under way: who asks the same gets the same answer."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[T]] = {}

    async def get(self, key: Hashable, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of one task for all; it goes on when one of them leaves."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.get_running_loop().create_task(make())
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)

    def _forget(self, key: Hashable, done: "asyncio.Task[T]") -> None:
        del self._tasks[key]
        if not done.cancelled():
            done.exception()  # retrieved, so that asyncio does not log it when everybody has left


class PacedHistory:
    """The historical requests of one connection, first come, first served as far as the budget has room."""

    def __init__(
        self,
        source: HistorySource,
        budget: HistoricalBudget,
        on_sent: Callable[[RequestCost], None] = lambda cost: None,
    ) -> None:
        """`on_sent` is called with what each request counts for, as it leaves."""
        self._source, self._budget, self._on_sent = source, budget, on_sent
        self._waiters: list[_Waiter] = []
        self._bars = _Shared[HistoricalBars]()
        self._heads = _Shared[Nanos]()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def bars(self, request: HistoryRequest) -> HistoricalBars:
        """The answer; one that the broker refuses for pacing is asked again. Raises RequestFailed."""

        def ask(on_sent: Callable[[], None]) -> Awaitable[HistoricalBars]:
            return self._source.history(
                request.instrument,
                request.seconds,
                request.span,
                request.end,
                request.source,
                regular_hours=request.regular,
                on_sent=on_sent,
            )

        return await self._bars.get(request, lambda: self._ask(request.cost, ask))

    async def head(self, request: HeadRequest) -> Nanos:
        """The start of the earliest bar. Raises RequestFailed."""

        def ask(on_sent: Callable[[], None]) -> Awaitable[Nanos]:
            return self._source.head_timestamp(
                request.instrument, request.source, regular_hours=request.regular, on_sent=on_sent
            )

        return await self._heads.get(request, lambda: self._ask(request.cost, ask))

    def use(self) -> BudgetUse:
        """What is used of the budget, and how many requests wait."""
        used = self._budget.use()
        return msgspec.structs.replace(used, waiting=self.waiting)

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    def close(self) -> None:
        """The connection has ended: whoever waits fails."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.turn.done():
                waiter.turn.set_exception(ConnectionLostError("the connection has ended; nothing more is asked"))

    async def _ask(self, cost: RequestCost, ask: Callable[[Callable[[], None]], Awaitable[T]]) -> T:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            ticket = await self._turn(cost)
            try:
                answer = await ask(lambda ticket=ticket: self._sent(ticket))  # type: ignore[misc]
            except PacingViolated:
                self._budget.refused()
                if attempt == MAX_ATTEMPTS:
                    raise
            except UntrustedAnswer:
                self._budget.hold()
                if attempt == MAX_ATTEMPTS:
                    raise
            except RequestTimedOut:
                if attempt == MAX_TIMEOUTS:
                    raise
            else:
                self._budget.accepted()
                return answer
            finally:
                self._budget.returned(ticket)
                self._pump()
        raise AssertionError("the last attempt returns or raises")

    async def _turn(self, cost: RequestCost) -> Ticket:
        if self._closed:
            raise ConnectionLostError("the connection has ended; nothing more is asked")
        waiter = _Waiter(cost, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        self._pump()
        try:
            return await waiter.turn
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def _leave(self, waiter: _Waiter) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        elif waiter.turn.done() and not waiter.turn.cancelled() and waiter.turn.exception() is None:
            self._budget.returned(waiter.turn.result())
        self._pump()

    def _sent(self, ticket: Ticket) -> None:
        self._budget.sent(ticket)
        self._on_sent(ticket.cost)
        self._pump()

    def _pump(self) -> None:
        """Give turns to all who may go; look again when the next one may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._closed:
            return
        soonest, left, heavy = math.inf, list[_Waiter](), set[bool]()
        for waiter in self._waiters:
            delay = math.inf if waiter.cost.small in heavy else self._budget.wait(waiter.cost)
            if delay:
                soonest = min(soonest, delay)
                left.append(waiter)
                if waiter.cost.weight > 1:  # or lighter ones would take its room for ever
                    heavy.add(waiter.cost.small)
            elif not waiter.turn.done():
                waiter.turn.set_result(self._budget.take(waiter.cost))
        self._waiters = left
        if soonest < math.inf:
            wait = max(soonest, MIN_WAIT_SECONDS)
            self._timer = asyncio.get_running_loop().call_later(wait, self._pump)
