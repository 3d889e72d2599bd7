"""One stream as a value: every message and every silence makes the next state of it. Times are monotonic seconds.

A request is repeated until data flow, whatever the broker says against it: what it says decides how the stream is
called, and how long the first wait is. A stream in trouble keeps its phase and its reason while it is asked for again,
so that a person and the log are told of it once.
"""

from enum import StrEnum
from types import MappingProxyType

import msgspec

from mats.model import StreamMeaning
from mats.streams.retries import Retry

SLACK = 2.0
"""Besides two bars: data are under way, and looked for once a second."""
LONGEST_CADENCE = 300.0


class StreamPhase(StrEnum):
    """How a stream stands."""

    ASKED = "asked"
    """Requested for the first time; nothing has come so far."""
    FLOWING = "flowing"
    DELAYED = "delayed"
    """Delayed data flow, which the settings allow."""
    CLOSED = "closed"
    """Nothing comes, and nothing is expected: the market is closed."""
    STALE = "stale"
    """It has fallen silent, or the broker has ended it."""
    WAITING = "waiting"
    """For a data farm, or for the link to the broker."""
    REFUSED = "refused"

    @property
    def troubled(self) -> bool:
        """Whether no new risk is to be taken on it."""
        return self in (StreamPhase.STALE, StreamPhase.WAITING, StreamPhase.REFUSED)


LONGEST = 300.0
SILENCE = Retry(15.0, LONGEST)
"""Of a stream that sends nothing although it was requested again."""


class Answer(msgspec.Struct, frozen=True):
    """What a meaning leads to."""

    phase: StreamPhase
    retry: Retry


ANSWERS = MappingProxyType(
    {
        StreamMeaning.STOPPED: Answer(StreamPhase.STALE, Retry(2.0, LONGEST)),
        StreamMeaning.COMPETING: Answer(StreamPhase.REFUSED, Retry(60.0, LONGEST)),
        StreamMeaning.PACED: Answer(StreamPhase.REFUSED, Retry(60.0, LONGEST)),
        StreamMeaning.NOT_SUBSCRIBED: Answer(StreamPhase.REFUSED, Retry(60.0, LONGEST)),
        StreamMeaning.DELAYED: Answer(StreamPhase.REFUSED, Retry(60.0, LONGEST)),
        StreamMeaning.REFUSED: Answer(StreamPhase.REFUSED, Retry(15.0, LONGEST)),
        StreamMeaning.UNRESOLVED: Answer(StreamPhase.REFUSED, Retry(60.0, 3 * LONGEST)),
    }
)
"""What is said of one stream; delayed data are refused where the settings do not allow them."""


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """A stream at a moment.

    `reason`: what is wrong with it, in the broker's words where it said something. `tries`: requests since data came
    last. `cadence`: seconds between two data at most, as far as is known; two of them without any are a silence.
    `barred`: what comes is delayed, and must not be used. `reachable`: there is a way to the broker, or there was when
    it was asked for.
    """

    since: float
    phase: StreamPhase = StreamPhase.ASKED
    reason: str = ""
    asked_at: float | None = None
    data_at: float | None = None
    next_try: float | None = None
    tries: int = 0
    cadence: float = 5.0
    least_cadence: float = 5.0
    delayed: bool = False
    barred: bool = False
    reachable: bool = True

    @property
    def limit(self) -> float:
        """The longest silence that means nothing."""
        return 2 * self.cadence + SLACK

    @property
    def pending(self) -> bool:
        """Whether it was asked for, and nothing says so far that it has to be asked for again."""
        return self.asked_at is not None and self.next_try is None and self.reachable

    def due(self, now: float) -> bool:
        """Whether it is time to ask for it."""
        return self.next_try is not None and self.next_try <= now

    # What happens to it

    def asked(self, now: float) -> "StreamState":
        """The request was sent (again)."""
        return msgspec.structs.replace(
            self,
            asked_at=now,
            next_try=None,
            tries=self.tries + 1,
            barred=False,
            reachable=True,
        )

    def received(self, now: float) -> "StreamState":
        """Data came."""
        if self.barred:
            return self
        phase = StreamPhase.DELAYED if self.delayed else StreamPhase.FLOWING
        state = self if phase is self.phase else self._in(phase, self.reason if self.delayed else "", now)
        cadence = self._learned(now)
        return msgspec.structs.replace(state, data_at=now, next_try=None, tries=0, cadence=cadence, reachable=True)

    def substituted(self, now: float) -> "StreamState":
        """Delayed data came in place of those that were refused, which are asked for again at their time."""
        return msgspec.structs.replace(
            self._in(StreamPhase.DELAYED, self.reason, now),
            data_at=now,
            next_try=self.next_try,
            cadence=self._learned(now),
        )

    def _learned(self, now: float) -> float:
        """Data that came long after the newest request came by themselves: the stream is slow, not dead."""
        before = self.data_at if self.data_at is not None else self.asked_at
        if before is None or self.asked_at is None:
            return self.cadence
        gap = now - before
        if gap < self.cadence:
            return max(self.least_cadence, (self.cadence + gap) / 2)
        slow = self.phase is StreamPhase.STALE and now - self.asked_at > self.limit
        return min(gap, LONGEST_CADENCE) if slow else self.cadence

    def noticed(self, meaning: StreamMeaning, text: str, now: float, chance: float, *, delayed: bool) -> "StreamState":
        """The broker said something about this stream; `delayed`: the settings allow delayed data."""
        if meaning is StreamMeaning.DELAYED and delayed:
            return msgspec.structs.replace(self, delayed=True, reason=text)
        answer = ANSWERS[meaning]
        wait = answer.retry.wait(self.tries, chance)
        if meaning is StreamMeaning.NOT_SUBSCRIBED and delayed and self.phase is StreamPhase.DELAYED:
            return msgspec.structs.replace(self, next_try=now + wait, reason=text, delayed=False)
        state = self._in(answer.phase, text, now)
        barred = meaning is StreamMeaning.DELAYED
        return msgspec.structs.replace(state, next_try=now + wait, delayed=False, barred=barred)

    def waiting(self, reason: str, now: float) -> "StreamState":
        """There is no way to the broker: it is not asked for before there is one again."""
        return msgspec.structs.replace(self._in(StreamPhase.WAITING, reason, now), tries=0, reachable=False)

    def lost(self, reason: str, now: float) -> "StreamState":
        """The broker has forgotten the stream, and it was requested once more."""
        return msgspec.structs.replace(self._in(StreamPhase.STALE, reason, now), tries=0).asked(now)

    def verified(self, now: float, wait: float) -> "StreamState":
        """The cause may be gone: unless data flow by then, ask for it in `wait` seconds."""
        if not self.phase.troubled:
            return self
        at = now + wait if self.next_try is None else min(self.next_try, now + wait)
        return msgspec.structs.replace(self, next_try=at, tries=0)

    def looked(self, now: float, open_since: float | None, outage: str, chance: float) -> "StreamState":
        """Time has passed. `open_since`: data are expected since then; None: the market is closed.

        `outage`: the farm that is broken, in the broker's words.
        """
        silent = self._silent(now, open_since)
        if open_since is None:
            return self._closed(now, chance) if silent and self._pauses else self
        state = self._opened(open_since) if self.phase is StreamPhase.CLOSED else self
        if not silent or self.asked_at is None:
            return state
        if not state.phase.troubled:
            reason = outage or f"nothing came for more than {self.limit:.0f} s"
            fallen = state._in(StreamPhase.WAITING if outage else StreamPhase.STALE, reason, now)
            at = now if state.tries == 0 and not outage else now + SILENCE.wait(state.tries, chance)
            return msgspec.structs.replace(fallen, next_try=at)
        if state.next_try is None:
            return msgspec.structs.replace(state, next_try=now + SILENCE.wait(self.tries, chance))
        return state

    def _opened(self, at: float) -> "StreamState":
        return msgspec.structs.replace(self._in(StreamPhase.ASKED, "", at), tries=0)

    def _closed(self, now: float, chance: float) -> "StreamState":
        """It is asked for once more if data flowed: extended hours may have ended, or the stream."""
        closed = self._in(StreamPhase.CLOSED, "", now)
        flowed = self.phase in (StreamPhase.FLOWING, StreamPhase.DELAYED)
        return msgspec.structs.replace(closed, next_try=now + self.limit * chance) if flowed else closed

    def _silent(self, now: float, open_since: float | None) -> bool:
        heard = max(at for at in (self.data_at, self.asked_at, open_since, self.since) if at is not None)
        return now - heard > self.limit

    @property
    def _pauses(self) -> bool:
        """Whether silence is all that there is against it."""
        return self.phase is not StreamPhase.CLOSED and (self.next_try is None or self.phase is StreamPhase.STALE)

    def _in(self, phase: StreamPhase, reason: str, now: float) -> "StreamState":
        since = self.since if phase is self.phase else now
        return msgspec.structs.replace(self, phase=phase, reason=reason, since=since, next_try=None)
