"""The line to the gateway: never more messages a second than IB allows, and what is urgent first.

IB accepts 50 messages a second from a client, then rejects or silently delays (IB's TWS API documentation, "Pacing").
A token bucket of `burst` tokens filled at `rate` lets at most `burst + rate` messages into any one second.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from enum import StrEnum
from itertools import count

import msgspec

from mats.ib.errors import ConnectionLostError, QueueFull
from mats.ib.events import Unsent
from mats.model import IntentId

MIN_WAIT_SECONDS = 0.001
"""Seconds; a token missed by a rounding error must not make a timer spin."""


class SendLane(StrEnum):
    """Priority, the first one first: each lane overtakes all that are named after it."""

    LINK = "LINK"
    """Heartbeats, snapshots and account values: few, and without them the session is given up."""
    CANCEL = "CANCEL"
    """Cancels, at most one for each order."""
    ORDER = "ORDER"
    """New orders and changes of orders, which keep their order among each other."""
    DATA = "DATA"
    """Market data, history and contracts."""


ORDER_LANES = (SendLane.CANCEL, SendLane.ORDER)


class Outgoing(msgspec.Struct, frozen=True):
    """A waiting message: the function that writes it, and what it does to which order, if it concerns one.

    `messages` are so many that go out in one.
    """

    send: Callable[[], None]
    order: Unsent | None = None
    messages: int = 1


class Pacer:
    """A token bucket with bounded lanes; the last `reserve` tokens are not for data, half of them not for new orders.

    `clock` gives monotonic seconds. The defaults allow 48 messages in any second, under IB's limit of 50. What waits
    about one order can be withdrawn, so that its cancel may overtake without coming before what it cancels.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        rate: float = 40.0,
        burst: float = 8.0,
        reserve: float = 2.0,
        capacity: int = 10_000,
    ) -> None:
        if rate <= 0 or burst < reserve + 1:
            raise ValueError(f"rate {rate} must be positive and burst {burst} at least reserve {reserve} + 1")
        self._clock = clock
        self._rate, self._burst, self._capacity = rate, burst, capacity
        self._prices = dict.fromkeys(SendLane, 1.0)
        self._prices[SendLane.ORDER] += reserve / 2
        self._prices[SendLane.DATA] += reserve
        self._tokens, self._filled_at = burst, clock()
        self._numbers = count()
        self._lanes: dict[SendLane, OrderedDict[int, Outgoing]] = {lane: OrderedDict() for lane in SendLane}
        self._about: dict[int, list[int]] = {}
        """Numbers of the messages of lane ORDER, by order id."""
        self._cancels: set[int] = set()
        """Order ids of lane CANCEL."""
        self._children: set[int] = set()
        """Order ids that leave with the order of another id, in lane ORDER."""

    def __len__(self) -> int:
        return sum(len(lane) for lane in self._lanes.values())

    def put(self, lane: SendLane, message: Outgoing) -> None:
        """Queue a message; `QueueFull` if its lane holds `capacity` already. A cancel that waits is not put twice."""
        order_id = message.order.order_id if message.order else 0
        if lane is SendLane.CANCEL:
            if order_id in self._cancels:
                return
            self._cancels.add(order_id)
        elif len(self._lanes[lane]) >= self._capacity:
            raise QueueFull(f"{self._capacity} messages already wait in lane {lane}; request less or wait")
        number = next(self._numbers)
        self._lanes[lane][number] = message
        if lane is SendLane.ORDER and message.order:
            self._about.setdefault(order_id, []).append(number)
            self._children.update(message.order.child_ids)

    def withdraw(self, order_id: int) -> tuple[Unsent, ...]:
        """Take back what waits in lane ORDER about an order, in its order."""
        lane = self._lanes[SendLane.ORDER]
        waiting = [lane.pop(number) for number in self._about.pop(order_id, ())]
        withdrawn = tuple(message.order for message in waiting if message.order)
        for order in withdrawn:
            self._children.difference_update(order.child_ids)
        return withdrawn

    def waits_as_child(self, order_id: int) -> bool:
        """Whether an order waits to leave with that of another id."""
        return order_id in self._children

    def take(self) -> Outgoing | None:
        """The next message that may be sent now, or None."""
        self._fill()
        for lane, queue in self._lanes.items():
            if queue and self._tokens >= self._price(lane):
                _, message = queue.popitem(last=False)
                self._tokens -= message.messages
                self._leaves(lane, message)
                return message
        return None

    def delay(self) -> float | None:
        """Seconds until `take` gives a message; None if nothing waits."""
        self._fill()
        waits = [self._price(lane) - self._tokens for lane, queue in self._lanes.items() if queue]
        return max(MIN_WAIT_SECONDS, min(waits) / self._rate) if waits else None

    def unsent_orders(self) -> frozenset[IntentId]:
        """The intents of new orders that wait."""
        waiting = (message.order for message in self._lanes[SendLane.ORDER].values())
        new = [order for order in waiting if order and order.action == "place"]
        return frozenset(name for order in new for name in (order.intent_id, *order.children))

    def clear(self) -> tuple[Unsent, ...]:
        """Drop all waiting messages; returns those about orders, the oldest first."""
        waiting = {number: message for lane in ORDER_LANES for number, message in self._lanes[lane].items()}
        for queue in self._lanes.values():
            queue.clear()
        self._about.clear()
        self._cancels.clear()
        self._children.clear()
        return tuple(order for _, message in sorted(waiting.items()) if (order := message.order))

    def _price(self, lane: SendLane) -> float:
        """How many tokens there must be before the next message of a lane leaves."""
        return self._prices[lane] + next(iter(self._lanes[lane].values())).messages - 1

    def _leaves(self, lane: SendLane, message: Outgoing) -> None:
        if message.order is None:
            return
        order_id = message.order.order_id
        if lane is SendLane.CANCEL:
            self._cancels.discard(order_id)
        elif lane is SendLane.ORDER:
            self._children.difference_update(message.order.child_ids)
            self._about[order_id].pop(0)
            if not self._about[order_id]:
                del self._about[order_id]

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now


class PacedSender:
    """Sends paced messages on the running loop. Closed until `open`; after `close` it never opens again."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._closed_because = "it is not connected yet"
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        self._closed_because = ""

    @property
    def is_open(self) -> bool:
        return not self._closed_because

    def send(self, lane: SendLane, send: Callable[[], None], order: Unsent | None = None, *, messages: int = 1) -> None:
        """Send now, or as soon as the limit allows.

        Raises `ConnectionLostError` if the connection is closed, `QueueFull` if too many wait.
        """
        if self._closed_because:
            raise ConnectionLostError(f"nothing can be sent: {self._closed_because}")
        self._pacer.put(lane, Outgoing(send, order, messages))
        if self._timer is None or lane is not SendLane.DATA:
            self._pump()

    def withdraw(self, order_id: int) -> tuple[Unsent, ...]:
        """Take back what waits about an order, but for its cancel."""
        return self._pacer.withdraw(order_id)

    def waits_as_child(self, order_id: int) -> bool:
        """Whether an order waits to leave with that of another id."""
        return self._pacer.waits_as_child(order_id)

    def unsent_orders(self) -> frozenset[IntentId]:
        """The intents of new orders that wait."""
        return self._pacer.unsent_orders()

    def close(self, reason: str) -> tuple[Unsent, ...]:
        """Close for good; returns the order messages that were still waiting."""
        self._closed_because = reason
        if self._timer:
            self._timer.cancel()
        return self._pacer.clear()

    def _pump(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None
        while message := self._pacer.take():
            message.send()
        delay = self._pacer.delay()
        if delay is not None and not self._closed_because:
            self._timer = asyncio.get_running_loop().call_later(delay, self._pump)
