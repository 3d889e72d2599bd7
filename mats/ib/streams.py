"""Open subscriptions: which request id carries which stream, so that data find their instrument."""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from mats.model import Instrument


class StreamKind(StrEnum):
    """Kinds of streams."""

    BARS = "BARS"
    QUOTES = "QUOTES"
    ACCOUNT = "ACCOUNT"


class Stream(msgspec.Struct, frozen=True):
    """One subscription; `subject` is an instrument id, or an account."""

    feed: StreamKind
    subject: str
    instrument: Instrument | None = None


class Streams:
    """The streams of a session, found by request id or by what they carry; one for each feed and subject."""

    def __init__(self) -> None:
        self._by_id: dict[int, Stream] = {}
        self._ids: dict[tuple[StreamKind, str], int] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Stream]:
        return iter(tuple(self._by_id.values()))

    def add(self, request_id: int, stream: Stream) -> bool:
        """Note a new stream; False if there is one already."""
        key = (stream.feed, stream.subject)
        if key in self._ids:
            return False
        self._ids[key] = request_id
        self._by_id[request_id] = stream
        return True

    def remove(self, feed: StreamKind, subject: str) -> int | None:
        """Forget a stream; its request id, None if there was none."""
        request_id = self._ids.pop((feed, subject), None)
        if request_id is not None:
            del self._by_id[request_id]
        return request_id

    def subject(self, request_id: int, feed: StreamKind) -> str | None:
        """What the request carries, None if it is not (or no longer) such a stream."""
        stream = self._by_id.get(request_id)
        return stream.subject if stream and stream.feed is feed else None

    def instrument(self, request_id: int) -> str:
        """The instrument of a market data stream, or an empty name."""
        stream = self._by_id.get(request_id)
        return stream.subject if stream and stream.instrument else ""
