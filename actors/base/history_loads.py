"""The history that strategies wait for: of one instrument one load is under way, and who wants the same shares it."""

from collections import deque
from collections.abc import Callable

import msgspec

from actors.messages.broker import HistoryLoaded, HistoryProgressed
from actors.messages.market_data import LoadHistory
from mats.model import InstrumentId


class _Shared(msgspec.Struct):
    """One load, and whom it is for. `count` is the greatest of theirs."""

    seconds: int
    count: int
    loads: list[LoadHistory]


class HistoryLoads:
    """The loads of one instrument, first come, first served. `ask` requests so many bars of so many seconds."""

    def __init__(self, name: InstrumentId, ask: Callable[[int, int], None]) -> None:
        self._name, self._ask = name, ask
        self._queue: deque[_Shared] = deque()
        self._asked = False

    def add(self, load: LoadHistory) -> None:
        """One more load; one of the same bars for the same receiver takes the place of its earlier one."""
        for shared in self._queue:
            shared.loads = [known for known in shared.loads if not _same(known, load)]
        for number, shared in enumerate(self._queue):
            under_way = self._asked and number == 0
            if shared.seconds == load.bar_seconds and (load.count <= shared.count or not under_way):
                shared.count = max(shared.count, load.count)
                shared.loads.append(load)
                return
        self._queue.append(_Shared(load.bar_seconds, load.count, [load]))

    def waiting(self) -> list[LoadHistory]:
        """All loads that are not answered yet."""
        return [load for shared in self._queue for load in shared.loads]

    def request(self) -> None:
        """Ask for what waits longest, unless that is under way; whom nobody waits for is left out."""
        while self._queue and not self._queue[0].loads and not self._asked:
            self._queue.popleft()
        if self._queue and not self._asked:
            self._asked = True
            self._ask(self._queue[0].seconds, self._queue[0].count)

    def request_again(self) -> None:
        """What was under way was lost with its connection."""
        self._asked = False
        self.request()

    def progressed(self, progress: HistoryProgressed) -> None:
        """Tell who waits how far their load is."""
        if self._queue and self._asked and self._queue[0].seconds == progress.bar_seconds:
            for load in self._queue[0].loads:
                bars = min(progress.bars, load.count)
                load.reply_to.tell(HistoryProgressed(self._name, progress.bar_seconds, bars))

    def loaded(self, loaded: HistoryLoaded) -> None:
        """Give each receiver its bars; an answer to what was asked before a restart is none."""
        under_way = self._queue[0] if self._queue and self._asked else None
        if under_way is None or (loaded.bar_seconds, loaded.count) != (under_way.seconds, under_way.count):
            return
        self._queue.popleft()
        self._asked = False
        for load in under_way.loads:
            bars = loaded.bars[max(0, len(loaded.bars) - load.count) :]
            load.reply_to.tell(msgspec.structs.replace(loaded, bars=bars, count=load.count))
        self.request()

    def fail(self, reason: str) -> None:
        """There is no contract now: whoever waits gets no history."""
        waiting = [load for shared in self._queue for load in shared.loads]
        self._queue.clear()
        self._asked = False
        for load in waiting:
            answer = HistoryLoaded(self._name, (), False, reason, load.bar_seconds, load.count)
            load.reply_to.tell(answer)


def _same(one: LoadHistory, other: LoadHistory) -> bool:
    return one.reply_to == other.reply_to and one.bar_seconds == other.bar_seconds
