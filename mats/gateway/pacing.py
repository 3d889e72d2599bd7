"""The rate of messages a client may send: what is beyond it waits, or is refused until the connection ends.

Source: IB's TWS API documentation, "Pacing limitations": 50 messages a second; with the setting "Reject messages above
maximum allowed message rate", error 100, and the connection ends at the third one.
"""

from collections import deque
from collections.abc import Callable
from enum import StrEnum

import msgspec

from mats.gateway.protocol import ClientSession, Fields, WireError, responses
from mats.venue import AlarmClock


class Excess(StrEnum):
    """What happens to messages beyond the rate: they wait, as at a gateway with its factory settings, or are refused
    with error 100 and the connection ends at the third time, as at one that is set to reject."""

    QUEUE = "queue"
    REJECT = "reject"


class GatewayLimits(msgspec.Struct, frozen=True, kw_only=True):
    """`messages_per_second` of one client, 0 for any number. `lines` are the instruments with top-of-book data or bars,
    `tick_by_tick` and `depth` the subscriptions of these sorts, over all clients. `historical` says whether requests
    for bars of up to 30 seconds are held to the three windows of IB (error 162)."""

    messages_per_second: int = 0
    excess: Excess = Excess.QUEUE
    lines: int = 100
    tick_by_tick: int = 5
    depth: int = 3
    historical: bool = True


LENIENT = GatewayLimits()
"""The defaults."""

STRICT = GatewayLimits(messages_per_second=50, excess=Excess.REJECT)
"""Everything that IB enforces."""


STRIKES = 3
WINDOW = 1.0
"""Seconds."""

OnRequest = Callable[[ClientSession, int, Fields], None]


class MessageRate:
    """What one client sent in the last second, and what waits."""

    def __init__(self) -> None:
        self.recent: deque[float] = deque()
        self.waiting: deque[tuple[int, Fields]] = deque()
        self.strikes = 0

    def delay(self, most: int, now: float) -> float:
        """Seconds until one more message may pass; 0 where it may now."""
        while self.recent and self.recent[0] <= now - WINDOW:
            self.recent.popleft()
        return self.recent[0] + WINDOW - now if len(self.recent) >= most else 0.0


class MessagePacing:
    """Hands on the requests of clients at the rate that the limits allow."""

    def __init__(self, limits: GatewayLimits, on_request: OnRequest, clock: AlarmClock) -> None:
        self._most, self._excess, self._on_request = limits.messages_per_second, limits.excess, on_request
        self._clock = clock
        self._rates: dict[ClientSession, MessageRate] = {}

    def take(self, session: ClientSession, number: int, fields: Fields) -> None:
        if not self._most:
            self._on_request(session, number, fields)
            return
        rate = self._rates.setdefault(session, MessageRate())
        now = self._clock.monotonic()
        delay = rate.delay(self._most, now)
        if not delay and not rate.waiting:
            rate.recent.append(now)
            self._on_request(session, number, fields)
        elif self._excess is Excess.QUEUE:
            rate.waiting.append((number, fields))
            if len(rate.waiting) == 1:
                self._clock.call_later(delay, self._release, session)
        else:
            self._strike(session, rate)

    def forget(self, session: ClientSession) -> None:
        """It has left; what it has waiting is dropped."""
        self._rates.pop(session, None)

    def _release(self, session: ClientSession) -> None:
        rate = self._rates.get(session)
        while rate and rate.waiting:
            delay = rate.delay(self._most, self._clock.monotonic())
            if delay:
                self._clock.call_later(delay, self._release, session)
                return
            rate.recent.append(self._clock.monotonic())
            try:
                self._on_request(session, *rate.waiting.popleft())
            except WireError as error:
                session.refuse(str(error))

    def _strike(self, session: ClientSession, rate: MessageRate) -> None:
        rate.strikes += 1
        words = f"Max rate of messages per second has been exceeded:max={self._most} rec={self._most + 1}"
        session.send(responses.error(-1, 100, f"{words} ({rate.strikes})"))
        session.flush()
        if rate.strikes >= STRIKES:
            session.close()
