"""IB as a source of whole ranges of history, for downloads."""

from collections.abc import Sequence

from mats.ib.conversion import longest_span, source_of
from mats.ib.errors import NoHistory
from mats.ib.history.paced import PacedHistory
from mats.ib.history.request import HeadRequest, HistoryRequest
from mats.model import DAY, SECOND, Bar, Instrument, Nanos


class IbPages:
    """Pages within the budget of a connection. `source` is IB's name of the kind of prices; empty: what is usual.

    Bars of less than a day come with extended hours, daily ones without: a day is a session.
    """

    def __init__(self, history: PacedHistory, source: str = "") -> None:
        self._history, self.source = history, source

    def longest_span(self, seconds: int) -> int:
        """The seconds that one request for bars of `seconds` may cover."""
        return longest_span(seconds)

    def source_of(self, instrument: Instrument) -> str:
        """The kind of prices of an instrument's bars."""
        return self.source or source_of(instrument)

    async def head(self, instrument: Instrument) -> Nanos | None:
        """The start of the earliest bar; None where there is none. Raises RequestFailed."""
        try:
            return await self._history.head(HeadRequest(instrument, self.source))
        except NoHistory:
            return None

    async def page(self, instrument: Instrument, seconds: int, start: Nanos, end: Nanos) -> Sequence[Bar]:
        """All bars that start in a range, oldest first; none is an answer too. Raises RequestFailed."""
        span = -(-(end - start) // SECOND)
        daily = seconds * SECOND >= DAY
        answer = await self._history.bars(HistoryRequest(instrument, seconds, span, end, self.source, daily))
        return [bar for bar in answer.bars if start <= bar.start < end]
