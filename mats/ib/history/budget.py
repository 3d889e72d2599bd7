"""How much history may be asked of IB, and when: its pacing limits as a value with a clock.

Source: IB's TWS API documentation, "Historical Data Limitations": for bars of 30 seconds or smaller no more than 60
requests in ten minutes, no identical request within 15 seconds, fewer than six of one contract, exchange and kind of
price within two seconds, BID_ASK counts twice; at most 50 requests open at once. Larger bars have no published limit;
IB slows down who asks for too much.
"""

import math
from collections import deque
from collections.abc import Callable

import msgspec

FIRST_HOLD_SECONDS, LONGEST_HOLD_SECONDS = 15.0, 600.0
"""How long nothing is asked after a pacing violation, and after one that follows at once; it doubles in between."""

MAX_SERIES = 256
"""With more series than that, those of which nothing was asked lately are forgotten."""


class HistoricalLimits(msgspec.Struct, frozen=True, kw_only=True):
    """IB's limits. `larger_requests` is our own for bars above 30 seconds; spans are seconds.

    Each span is kept a little longer than IB's, because requests do not arrive as evenly as they were sent.
    """

    small_requests: int = 60
    larger_requests: int = 1_200
    window: float = 600.0
    window_margin: float = 1.0
    identical: float = 15.0
    identical_margin: float = 0.5
    burst_requests: int = 5
    burst: float = 2.0
    burst_margin: float = 0.1
    open_requests: int = 50


class RequestCost(msgspec.Struct, frozen=True):
    """What one request counts for: `identity` is equal for identical ones, `series` for those of one kind of price of
    one contract. `small` ones (bars of up to 30 seconds, head timestamps) have a window of their own."""

    identity: str
    series: str
    small: bool
    weight: int = 1


class BudgetUse(msgspec.Struct, frozen=True, kw_only=True):
    """What of the budget is used: requests in the last ten minutes, and those without an answer.

    `held` are the seconds in which nothing is asked after a pacing violation; `violations` counts these.
    """

    small: int
    small_limit: int
    larger: int
    larger_limit: int
    open: int
    open_limit: int
    held: float
    violations: int
    waiting: int = 0

    @property
    def used(self) -> bool:
        """Whether anything was asked lately, or waits."""
        return bool(self.small or self.larger or self.open or self.waiting or self.held)

    def __str__(self) -> str:
        held = f", held for {self.held:.0f} s after a refusal" if self.held else ""
        return (
            f"{self.small} of {self.small_limit} requests for small bars and {self.larger:,} of {self.larger_limit:,} "
            f"for larger ones in ten minutes, {self.open} open, {self.waiting} waiting{held}"
        )


class Ticket:
    """One request that was granted. It counts from the moment it is sent."""

    __slots__ = ("cost", "sent_at")

    def __init__(self, cost: RequestCost) -> None:
        self.cost = cost
        self.sent_at: float | None = None

    def frees_at(self, span: float) -> float:
        """When it has left a window of `span`; never before it was sent."""
        return math.inf if self.sent_at is None else self.sent_at + span


class _Window:
    """Tickets within a span, the oldest first, and their weights."""

    def __init__(self, limit: int, span: float) -> None:
        self.limit, self.span = limit, span
        self.used = 0
        self._tickets: deque[Ticket] = deque()

    def __bool__(self) -> bool:
        return bool(self._tickets)

    def add(self, ticket: Ticket) -> None:
        self._tickets.append(ticket)
        self.used += ticket.cost.weight

    def remove(self, ticket: Ticket) -> None:
        self._tickets.remove(ticket)
        self.used -= ticket.cost.weight

    def forget(self, now: float) -> None:
        while self._tickets and self._tickets[0].frees_at(self.span) <= now:
            self.used -= self._tickets.popleft().cost.weight

    def free_at(self, weight: int) -> float:
        """When there is room for `weight`; in the past where there is room already."""
        excess = self.used + weight - self.limit
        at = -math.inf
        for ticket in self._tickets:
            if excess <= 0:
                break
            excess -= ticket.cost.weight
            at = max(at, ticket.frees_at(self.span))
        return at


class HistoricalBudget:
    """The limits, and what counts against them. `clock` gives monotonic seconds.

    Ask `wait`, then `take`; report `sent` and `returned`, or `refused` where the answer is a pacing violation.
    """

    def __init__(self, clock: Callable[[], float], limits: HistoricalLimits | None = None) -> None:
        self._clock, self._limits = clock, limits or HistoricalLimits()
        span = self._limits.window + self._limits.window_margin
        self._windows = {
            True: _Window(self._limits.small_requests, span),
            False: _Window(self._limits.larger_requests, span),
        }
        self._series: dict[str, _Window] = {}
        self._newest: dict[str, Ticket] = {}
        self._open = 0
        self._held_until, self._hold = -math.inf, FIRST_HOLD_SECONDS
        self._violations = 0

    def wait(self, cost: RequestCost) -> float:
        """Seconds until the request may be sent: 0 now, infinity until another one is sent or returns."""
        now = self._clock()
        self._forget(now)
        if self._open >= self._limits.open_requests:
            return math.inf
        at = max(self._held_until, self._windows[cost.small].free_at(cost.weight))
        if series := self._series.get(cost.series):
            series.forget(now)
            at = max(at, series.free_at(cost.weight))
        if same := self._newest.get(cost.identity):
            at = max(at, same.frees_at(self._identical))
        return max(0.0, at - now)

    def take(self, cost: RequestCost) -> Ticket:
        """Count a request that is about to be sent."""
        ticket = Ticket(cost)
        self._count(ticket)
        self._open += 1
        return ticket

    def sent(self, ticket: Ticket) -> None:
        """It left now: from here on its spans run."""
        ticket.sent_at = self._clock()

    def returned(self, ticket: Ticket) -> None:
        """Its answer is here, or nobody waits for it; what was never sent does not count."""
        self._open -= 1
        if ticket.sent_at is None:
            self._windows[ticket.cost.small].remove(ticket)
            self._series[ticket.cost.series].remove(ticket)
            if self._newest.get(ticket.cost.identity) is ticket:
                del self._newest[ticket.cost.identity]

    def accepted(self) -> None:
        """A request was answered: the next violation is the first one again."""
        self._hold = FIRST_HOLD_SECONDS

    def refused(self) -> None:
        """IB counted more than is known here: ask nothing for a while."""
        self._violations += 1
        self.hold()

    def hold(self) -> None:
        """Ask nothing for a while, and longer each time until something is answered."""
        self._held_until = self._clock() + self._hold
        self._hold = min(LONGEST_HOLD_SECONDS, 2 * self._hold)

    def remember(self, cost: RequestCost, age: float) -> None:
        """Count a request that was sent `age` seconds ago, by an earlier process; the oldest first."""
        ticket = Ticket(cost)
        ticket.sent_at = self._clock() - age
        self._count(ticket)

    def use(self) -> BudgetUse:
        """What is used now."""
        now = self._clock()
        self._forget(now)
        return BudgetUse(
            small=self._windows[True].used,
            small_limit=self._limits.small_requests,
            larger=self._windows[False].used,
            larger_limit=self._limits.larger_requests,
            open=self._open,
            open_limit=self._limits.open_requests,
            held=max(0.0, self._held_until - now),
            violations=self._violations,
        )

    @property
    def _identical(self) -> float:
        return self._limits.identical + self._limits.identical_margin

    def _count(self, ticket: Ticket) -> None:
        cost = ticket.cost
        self._windows[cost.small].add(ticket)
        burst = _Window(self._limits.burst_requests, self._limits.burst + self._limits.burst_margin)
        self._series.setdefault(cost.series, burst).add(ticket)
        self._newest.pop(cost.identity, None)
        self._newest[cost.identity] = ticket  # at the end: the oldest come first
        if len(self._series) > MAX_SERIES:
            self._series = {
                name: window for name, window in self._series.items() if not _emptied(window, self._clock())
            }

    def _forget(self, now: float) -> None:
        for window in self._windows.values():
            window.forget(now)
        while self._newest and next(iter(self._newest.values())).frees_at(self._identical) <= now:
            del self._newest[next(iter(self._newest))]


def _emptied(window: _Window, now: float) -> bool:
    window.forget(now)
    return not window
