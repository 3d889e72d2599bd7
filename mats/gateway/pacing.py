"""The message rate limit of clients: messages beyond it are queued, or rejected until the connection is closed.

Source: IB's TWS API documentation, "Pacing limitations": 50 messages a second; with the setting "Reject messages above
maximum allowed message rate", error 100, and the connection ends at the third one.
"""

from collections import deque
from collections.abc import Callable
from enum import StrEnum

import msgspec

from mats.gateway.protocol import ClientSession, Fields, WireError, responses
from mats.venue import AlarmClock


class ExcessPolicy(StrEnum):
    """What happens to messages beyond the rate: they are queued, as with a gateway's default settings, or rejected with
    error 100, and the third rejection closes the connection, as with a gateway set to reject."""

    QUEUE = "queue"
    REJECT = "reject"


class GatewayLimits(msgspec.Struct, frozen=True, kw_only=True):
    """`messages_per_second` applies to one client, 0 is unlimited. `lines` bounds the instruments with top-of-book data
    or bars, `tick_by_tick` and `depth` the subscriptions of these kinds, over all clients. `historical` says whether
    requests for bars of up to 30 seconds are held to IB's three pacing windows (error 162), `historical_open` how many
    requests for bars that keep up to date may be open at once, over all clients."""

    messages_per_second: int = 50
    excess: ExcessPolicy = ExcessPolicy.REJECT
    lines: int = 100
    tick_by_tick: int = 5
    depth: int = 3
    historical: bool = True
    historical_open: int = 50


STRICT = GatewayLimits()
"""The defaults: everything that IB enforces."""

UNLIMITED = 1_000_000
LOOSE = GatewayLimits(
    messages_per_second=0,
    lines=UNLIMITED,
    tick_by_tick=UNLIMITED,
    depth=UNLIMITED,
    historical=False,
    historical_open=UNLIMITED,
)
"""Nothing is limited: for load, and for tests whose clock stands still."""


MAX_STRIKES = 3
WINDOW_SECONDS = 1.0

OnRequest = Callable[[ClientSession, int, Fields], None]


class MessageRate:
    """The messages one client sent in the last second, and those that are queued."""

    def __init__(self) -> None:
        self.recent: deque[float] = deque()
        self.waiting: deque[tuple[int, Fields]] = deque()
        self.strikes = 0

    def delay(self, limit: int, now: float) -> float:
        """Seconds until one more message may pass; 0 if it may pass now."""
        while self.recent and self.recent[0] <= now - WINDOW_SECONDS:
            self.recent.popleft()
        return self.recent[0] + WINDOW_SECONDS - now if len(self.recent) >= limit else 0.0


class MessagePacing:
    """Forwards the requests of clients at the rate that the limits allow."""

    def __init__(self, limits: GatewayLimits, on_request: OnRequest, clock: AlarmClock) -> None:
        self._limit, self._excess, self._on_request = limits.messages_per_second, limits.excess, on_request
        self._clock = clock
        self._rates: dict[ClientSession, MessageRate] = {}

    def submit(self, session: ClientSession, number: int, fields: Fields) -> None:
        if not self._limit:
            self._on_request(session, number, fields)
            return
        rate = self._rates.setdefault(session, MessageRate())
        now = self._clock.monotonic()
        delay = rate.delay(self._limit, now)
        if not delay and not rate.waiting:
            rate.recent.append(now)
            self._on_request(session, number, fields)
        elif self._excess is ExcessPolicy.QUEUE:
            rate.waiting.append((number, fields))
            if len(rate.waiting) == 1:
                self._clock.call_later(delay, self._release, session)
        else:
            self._strike(session, rate)

    def remove_client(self, session: ClientSession) -> None:
        """Drops the queued messages of a client that has disconnected."""
        self._rates.pop(session, None)

    def _release(self, session: ClientSession) -> None:
        rate = self._rates.get(session)
        while rate and rate.waiting:
            delay = rate.delay(self._limit, self._clock.monotonic())
            if delay:
                self._clock.call_later(delay, self._release, session)
                return
            rate.recent.append(self._clock.monotonic())
            try:
                self._on_request(session, *rate.waiting.popleft())
            except WireError as error:
                session.drop(str(error))

    def _strike(self, session: ClientSession, rate: MessageRate) -> None:
        rate.strikes += 1
        text = f"Max rate of messages per second has been exceeded:max={self._limit} rec={self._limit + 1}"
        session.send(responses.error(-1, 100, f"{text} ({rate.strikes})"))
        session.flush()
        if rate.strikes >= MAX_STRIKES:
            session.close()
