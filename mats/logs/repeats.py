"""Lines that repeat: the first of each cause as they are, then how many more there were in each period."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Protocol

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

FIRST = 20
"""So many lines of one cause are written in a period."""
SECONDS = 60.0
"""A period: it begins with the first line of a cause."""
ALL = 3_000
"""So many lines of all causes together are written in a period."""
CAUSES = 1_000
"""So many causes are told apart; the one that began first makes room."""
TOLD_APART_BY = ("name", "actor", "connection", "strategy", "code")
"""Fields that make two lines with the same text two causes."""
SUMMARY = "_summary"
"""The field that marks our own lines, which are not counted; it is not written."""
EVENT_CHARACTERS = 200


class Say(Protocol):
    """Writes a line at a level."""

    def __call__(self, level: str, event: str, **fields: object) -> None: ...


class Cause(msgspec.Struct):
    """One cause in its period; `fields` tell it apart from others."""

    level: str
    event: str
    fields: dict[str, object]
    begun: float
    written: int = 0
    left_out: int = 0


class RepeatLimit:
    """A processor for the beginning of the chain, called from any thread. `say` writes the summaries."""

    def __init__(
        self, say: Say, monotonic: Callable[[], float], *, first: int = FIRST, seconds: float = SECONDS, all_: int = ALL
    ) -> None:
        self._say, self._monotonic = say, monotonic
        self._first, self._seconds, self._all = first, seconds, all_
        self._causes: OrderedDict[Hashable, Cause] = OrderedDict()
        self._everything = Cause("warning", "lines of all kinds", {}, monotonic())
        self._lock = threading.Lock()

    def __call__(self, _logger: WrappedLogger, level: str, line: EventDict) -> EventDict:
        """The line, or `DropEvent` where it is only counted."""
        if line.pop(SUMMARY, False):
            return line
        with self._lock:
            now = self._monotonic()
            ended = self._ended(now)
            written = self._counted(level, line, now)
        self._tell(ended)
        if not written:
            raise structlog.DropEvent
        return line

    def poll(self) -> None:
        """Write the summaries of the periods that are over; a line of any cause does that too."""
        with self._lock:
            ended = self._ended(self._monotonic())
        self._tell(ended)

    def close(self) -> None:
        """Write the summary of every period, over or not."""
        with self._lock:
            ended = [*self._causes.values(), self._everything]
            self._causes.clear()
            self._everything = Cause("warning", self._everything.event, {}, self._monotonic())
        self._tell(ended)

    def _counted(self, level: str, line: EventDict, now: float) -> bool:
        """Whether the line is to be written."""
        fields = {name: line[name] for name in TOLD_APART_BY if name in line}
        event = str(line.get("event", ""))[:EVENT_CHARACTERS]
        key = (level, event, *(f"{name}={value!s:.100}" for name, value in fields.items()))
        cause = self._causes.get(key)
        if cause is None:
            cause = self._causes[key] = Cause(level, event, fields, now)
        everything = self._everything
        if cause.written >= self._first:
            cause.left_out += 1
            return False
        if everything.written >= self._all:
            everything.left_out += 1
            return False
        cause.written += 1
        everything.written += 1
        return True

    def _ended(self, now: float) -> list[Cause]:
        """Take out the causes whose period is over, and the oldest one where there are too many."""
        ended = []
        while self._causes:
            oldest = next(iter(self._causes.values()))
            if now - oldest.begun < self._seconds and len(self._causes) <= CAUSES:
                break
            ended.append(self._causes.popitem(last=False)[1])
        if now - self._everything.begun >= self._seconds:
            ended.append(self._everything)
            self._everything = Cause("warning", self._everything.event, {}, now)
        return ended

    def _tell(self, ended: list[Cause]) -> None:
        now = self._monotonic()
        for cause in ended:
            if cause.left_out:
                text = f"{cause.event} … {cause.left_out:,} more in the last {now - cause.begun:.0f} s"
                self._say(cause.level, text, **cause.fields, **{SUMMARY: True})
