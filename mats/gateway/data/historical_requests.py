"""Historical bar requests: parsing, validation and pacing."""

from collections import deque
from collections.abc import Hashable

import msgspec

from mats.gateway.protocol import Fields, WireError, parse_time
from mats.model import DAY, SECOND, Clock, Instrument, Nanos, SecType

DURATIONS: dict[str, Nanos] = {"S": SECOND, "D": DAY, "W": 7 * DAY, "M": 31 * DAY, "Y": 366 * DAY}

WEEK, MONTH = 7 * 86_400, 30 * 86_400
BAR_SIZES: dict[str, int] = {
    "1 secs": 1,
    **{f"{n} secs": n for n in (5, 10, 15, 30)},
    **{f"{n} min{'s' if n > 1 else ''}": 60 * n for n in (1, 2, 3, 5, 10, 15, 20, 30)},
    "1 hour": 3600,
    **{f"{n} hours": 3600 * n for n in (2, 3, 4, 8)},
    "1 day": 86_400,
    "1 week": WEEK,
    "1 month": MONTH,
}
"""Seconds of each bar size; weeks and months are names for calendar weeks and months."""

SCHEDULE = "SCHEDULE"
PRICES = {"TRADES": "TRADES", "MIDPOINT": "MIDPOINT", "BID": "BID", "ASK": "ASK", "ADJUSTED_LAST": "TRADES"}
"""The `whatToShow` values, and the kind of price that each is built from; BID_ASK is built from two."""

MAX_SPAN: Nanos = 31 * DAY
"""The maximum span of bars below one hour in one request."""
MAX_SECONDS: Nanos = 2000 * SECOND
"""The maximum span of one-second bars. Source: IB's documentation of historical bars."""
MAX_BARS = 100_000
"""The maximum number of bars in one answer."""
SMALL = 30
"""Bars of up to this many seconds are kept for half a year and subject to pacing."""
SMALL_KEPT: Nanos = 183 * DAY

SERVICE_ERROR = "Historical Market Data Service error message:"
INVALID = "Error validating request.-'bQ' : cause - "
NO_DATA = f"{SERVICE_ERROR}HMDS query returned no data"

ErrorReply = tuple[int, str]


class BarRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Bars of `seconds` over `span` up to `end` (0: now). `keep` also subscribes to the unfinished bar."""

    request_id: int
    instrument: Instrument
    end: Nanos
    seconds: int
    span: Nanos
    regular: bool
    what: str
    date_format: int
    keep: bool

    @property
    def small(self) -> bool:
        return self.seconds <= SMALL


def read_bar_request(request_id: int, instrument: Instrument, fields: Fields) -> BarRequest | ErrorReply:
    """Reads the fields of the request after its contract."""
    fields.skip(1)
    ends, size, length = fields.text(), fields.text(), fields.text()
    regular, what, date_format, keep = fields.flag(), fields.text(), fields.integer(), fields.flag()
    try:
        end = parse_time(ends) if ends else 0
    except WireError as error:
        return 10314, f"End Date/Time: {error}."
    if size not in BAR_SIZES:
        text = f"Historical data bar size setting is invalid; one of {', '.join(BAR_SIZES)} is legal"
        return 321, INVALID + text
    span = parse_duration(length)
    if not span:
        return 321, f"{INVALID}Historical data duration is not a count and one of S, D, W, M, Y"
    return BarRequest(
        request_id=request_id,
        instrument=instrument,
        end=end,
        seconds=BAR_SIZES[size],
        span=span,
        regular=regular,
        what=what,
        date_format=date_format,
        keep=keep,
    )


def check_bar_request(request: BarRequest, now: Nanos) -> ErrorReply | None:
    """The error reply to an invalid request; None if it is valid."""
    if request.what == SCHEDULE:
        daily = request.seconds == DAY // SECOND
        return None if daily else (321, f"{INVALID}A schedule needs bars of 1 day")
    if request.what not in PRICES and request.what != "BID_ASK":
        return 321, f"{INVALID}Bars of {request.what} are not offered"
    traded = "TRADES" in (request.what, PRICES.get(request.what))
    sec_type, symbol = request.instrument.sec_type, request.instrument.symbol
    if (sec_type is SecType.CASH and traded) or (sec_type is SecType.INDEX and not traded):
        exchange = request.instrument.exchange
        return 162, f"{SERVICE_ERROR}No market data permissions for {exchange} {sec_type} of {symbol}: {request.what}"
    if request.keep and request.end:
        return 321, f"{INVALID}Bars that keep up to date end now: leave the end empty"
    if request.keep and (request.what not in PRICES or not 5 <= request.seconds <= DAY // SECOND):
        return 321, f"{INVALID}Bars of {request.what} of this size do not keep up to date"
    if request.span > max_span(request.seconds):
        return 162, f"{SERVICE_ERROR}Time length exceed max."
    if request.small and request.end and request.end < now - SMALL_KEPT:
        return 162, NO_DATA
    return None


def max_span(seconds: int) -> Nanos:
    """The maximum span for a bar size."""
    if seconds == 1:
        return MAX_SECONDS
    span = MAX_BARS * seconds * SECOND
    return min(span, MAX_SPAN) if seconds < 3600 else span


def parse_duration(text: str) -> Nanos:
    """`3600 S`, `2 D`, `1 W`, `1 M`, `1 Y`; 0 if it is invalid."""
    count, _, unit = text.partition(" ")
    return int(count) * DURATIONS[unit] if count.isdigit() and len(count) < 7 and unit in DURATIONS else 0


IDENTICAL_SECONDS = 15.0
MAX_BURST, BURST_WINDOW_SECONDS = 5, 2.0
MAX_REQUESTS, LONG_WINDOW_SECONDS = 60, 600.0

PACING_VIOLATION = "Historical Market Data Service error message:Historical data request pacing violation"


class HistoricalPacing:
    """The three windows, over all clients, in the seconds of the clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, Hashable, Hashable]] = deque()

    def admit(self, series: Hashable, request: Hashable, weight: int = 1) -> bool:
        """Counts a request for a series; False, and not counted, if it violates a limit."""
        now = self._clock.monotonic()
        while self._seen and self._seen[0][0] <= now - LONG_WINDOW_SECONDS:
            self._seen.popleft()
        identical = any(at > now - IDENTICAL_SECONDS and same == request for at, _, same in self._seen)
        burst = sum(at > now - BURST_WINDOW_SECONDS and of == series for at, of, _ in self._seen)
        if identical or burst + weight > MAX_BURST or len(self._seen) + weight > MAX_REQUESTS:
            return False
        self._seen.extend([(now, series, request)] * weight)
        return True
