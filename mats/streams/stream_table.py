"""All streams of one connection to the broker, and what is known of the way to it. Times are monotonic seconds.

It decides and sends nothing: its owner requests what `look` names, and reports what came of it.
"""

import math
from collections.abc import Callable, Iterator, Mapping

import msgspec

from mats.model import Bar, InstrumentId, MarketStream, Nanos, StreamMeaning, StreamNotice
from mats.streams.retries import JITTER
from mats.streams.stream_state import SILENCE, SLACK, StreamPhase, StreamState
from mats.streams.views import StreamKey, fault_of

BAR_CADENCE = 5.0
QUOTE_CADENCE = 30.0
"""Quotes come when they change: only a long silence means something."""
CADENCES = {MarketStream.CONTRACT: math.inf, MarketStream.BARS: BAR_CADENCE, MarketStream.QUOTES: QUOTE_CADENCE}

ANSWER_SECONDS = 2 * BAR_CADENCE + SLACK
"""Within so many seconds after a request, data come from a market that is open."""
LONGEST_RETRY = SILENCE.bound
"""No stream in trouble is left alone for longer, but for a way to the broker that is known to be lost."""


class Hole(msgspec.Struct, frozen=True):
    """Bars that never came: from the end of the last one to the beginning of the next."""

    instrument: InstrumentId
    start: Nanos
    end: Nanos


class StreamTable:
    """States of streams by instrument and kind. `chance` gives random numbers in [0, 1), which keep requests apart.

    `delayed`: the settings allow delayed data.
    """

    def __init__(self, chance: Callable[[], float], *, delayed: bool) -> None:
        self._chance, self._delayed = chance, delayed
        self._states: dict[StreamKey, StreamState] = {}
        self._last_bar: dict[InstrumentId, Nanos] = {}
        self._farms: dict[str, str] = {}
        self._away = ""
        self._transitions: list[tuple[StreamKey, StreamState]] = []
        self._holes: list[Hole] = []

    def __iter__(self) -> Iterator[StreamKey]:
        return iter(self._states)

    def __contains__(self, key: object) -> bool:
        return key in self._states

    def __getitem__(self, key: StreamKey) -> StreamState:
        return self._states[key]

    def requested(self, key: StreamKey) -> bool:
        """Whether it was asked for on this connection: from then on `look` says when to ask again."""
        state = self._states.get(key)
        return state is not None and state.reachable

    def pending(self, key: StreamKey) -> bool:
        """Whether its request was sent, and nothing says so far that it has to be sent again."""
        state = self._states.get(key)
        return state is not None and state.pending

    def faults(self) -> dict[InstrumentId, str]:
        """What is wrong with each instrument that has a stream in trouble."""
        return {key[0]: fault_of(key, state) for key, state in self._states.items() if state.phase.troubled}

    def transitions(self) -> list[tuple[StreamKey, StreamState]]:
        """The streams of whose change a person should know, as they stood after it; since the last call."""
        taken, self._transitions = self._transitions, []
        return taken

    def holes(self) -> list[Hole]:
        """The bars that never came, as far as that has become known since the last call."""
        taken, self._holes = self._holes, []
        return taken

    # What happens

    def asked(self, key: StreamKey, now: float) -> None:
        """The request for a stream was sent; a new stream begins with it."""
        cadence = CADENCES[key[1]]
        fresh = StreamState(since=now, cadence=cadence, least_cadence=cadence)
        self._states[key] = self._states.get(key, fresh).asked(now)

    def received_bar(self, bar: Bar, now: float) -> bool:
        """A bar came: whether it may be used. Where the stream was in trouble, what is missing before it is a hole."""
        key, end = (bar.instrument, MarketStream.BARS), self._last_bar.get(bar.instrument)
        state = self._states.get(key)
        if state is not None and end is not None and bar.start > end and state.phase.troubled and not state.barred:
            self._holes.append(Hole(bar.instrument, end, bar.start))
        self._last_bar[bar.instrument] = bar.end
        return self._received(key, now)

    def substituted_bar(self, bar: Bar, now: float) -> None:
        """A bar was made of delayed quotes, because the broker refuses the stream of bars."""
        key = (bar.instrument, MarketStream.BARS)
        self._last_bar[bar.instrument] = bar.end
        if (state := self._states.get(key)) is not None:
            self._put(key, state.substituted(now))

    def received_quote(self, instrument: InstrumentId, now: float) -> bool:
        """A quote came: whether it may be used."""
        return self._received((instrument, MarketStream.QUOTES), now)

    def _received(self, key: StreamKey, now: float) -> bool:
        state = self._states.get(key)
        if state is not None:
            self._put(key, state.received(now))
        return state is None or not state.barred

    def noticed(self, notice: StreamNotice, now: float) -> None:
        """The broker said something."""
        match notice.meaning:
            case StreamMeaning.FARM_DOWN:
                self._farms[_farm(notice.text)] = notice.text
            case StreamMeaning.FARM_UP:
                self._farms.pop(_farm(notice.text), None)
                self._verify(now)
            case StreamMeaning.LINK_DOWN:
                self.disconnected(notice.text, now)
            case StreamMeaning.LINK_UP:
                self._away = ""
                self._farms.clear()
                self._verify(now)
            case StreamMeaning.STREAMS_LOST:
                self._away = ""
                self._farms.clear()
                self._verify(now)
                for key, state in self._states.items():
                    if key[1] is not MarketStream.CONTRACT:
                        self._put(key, state.lost(notice.text, now))
            case _:
                self._noticed_of_one(notice, now)

    def _noticed_of_one(self, notice: StreamNotice, now: float) -> None:
        key = (notice.instrument, notice.stream)
        if (state := self._states.get(key)) is not None:
            chance = self._chance()
            self._put(key, state.noticed(notice.meaning, notice.text, now, chance, delayed=self._delayed))

    def disconnected(self, reason: str, now: float) -> None:
        """There is no way to the broker."""
        self._away = reason
        for key, state in self._states.items():
            self._put(key, state.waiting(reason, now))

    def connected(self) -> None:
        """There is a new connection, which knows of no stream: its owner asks for each when it knows its contract."""
        self._away = ""
        self._farms.clear()

    def resolved(self, instrument: InstrumentId, now: float) -> None:
        """The contract is known: there is no more to ask for."""
        key = (instrument, MarketStream.CONTRACT)
        if (state := self._states.get(key)) is not None:
            self._put(key, state.received(now))
            del self._states[key]

    def look(self, now: float, open_since: Mapping[InstrumentId, float | None]) -> list[StreamKey]:
        """The streams to ask for now. `open_since`: since when data of an instrument are expected, None while not."""
        outage = self._away or next(iter(self._farms.values()), "")
        for key, state in self._states.items():
            if state.reachable:
                self._put(key, state.looked(now, open_since.get(key[0]), outage, self._chance()))
        return [] if self._away else [key for key, state in self._states.items() if state.due(now)]

    def _verify(self, now: float) -> None:
        for key, state in self._states.items():
            self._put(key, state.verified(now, ANSWER_SECONDS * (1 + JITTER * self._chance())))

    def _put(self, key: StreamKey, state: StreamState) -> None:
        before, self._states[key] = self._states[key], state
        if before is state:
            return
        trouble = state.phase.troubled and (before.phase, before.reason) != (state.phase, state.reason)
        end = before.phase.troubled and not state.phase.troubled
        delayed = state.phase is StreamPhase.DELAYED and before.phase is not StreamPhase.DELAYED
        if trouble or end or delayed:
            self._transitions.append((key, state))


def _farm(text: str) -> str:
    """The farm that a notice names at its end: `... is broken:usfarm`."""
    return text.rpartition(":")[2].strip()
