"""Passes the traffic between clients and gateway, in both directions, through the armed faults.

A message passes the faults that match its number in the order in which they were armed. What one of them delays or
reorders continues with the next one when it is due.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from mats.gateway.faults import fault_types
from mats.gateway.faults.fault_matching import ArmedFault, HeldEvent, TrafficEvent
from mats.gateway.faults.java_zones import in_zone
from mats.gateway.faults.placeholders import Placeholders
from mats.gateway.faults.recording import Recorder
from mats.gateway.protocol import ClientSession, Message, encode, error, text
from mats.venue import AlarmClock


class Performer(Protocol):
    """Performs faults on the gateway itself."""

    @property
    def placeholders(self) -> Placeholders:
        """What a fault's messages take from the matched request or message."""

    def perform(self, fault: fault_types.AnyFault, event: TrafficEvent | None) -> None:
        """Performs a fault that does more than alter the traffic; `event` is what the fault has matched."""

    def commit_and_flush(self) -> None:
        """Commits the state and writes queued messages."""


class Traffic:
    """The interceptor of all sessions. `performer` is set before the first connection."""

    performer: Performer

    def __init__(self, clock: AlarmClock) -> None:
        self._clock = clock
        self.recorder: Recorder | None = None
        self.swallowed: frozenset[int] = frozenset()
        self._requests: dict[int, list[ArmedFault]] = {}
        self._messages: dict[int, list[ArmedFault]] = {}
        self._delayed: list[HeldEvent] = []

    @property
    def recording(self) -> bool:
        return self.recorder is not None

    @property
    def intercepting(self) -> bool:
        return bool(self._messages)

    def arm(self, armed: ArmedFault) -> None:
        for table, numbers in ((self._requests, armed.fault.request), (self._messages, armed.fault.message)):
            for number in numbers:
                table.setdefault(number, []).append(armed)

    def disarm(self, armed: ArmedFault) -> None:
        for table in (self._requests, self._messages):
            for number, chain in tuple(table.items()):
                table[number] = [other for other in chain if other is not armed]
                if not table[number]:
                    del table[number]

    # interceptor

    def on_connect(self, session: ClientSession) -> None:
        if self.recorder:
            self.recorder.on_connect(session)

    def on_disconnect(self, session: ClientSession) -> None:
        if self.recorder:
            self.recorder.on_disconnect(session)

    def intercept_request(self, session: ClientSession, fields: list[str]) -> Iterable[list[str]]:
        if self.recorder:
            self.recorder.on_request(session, fields)
        number = _request_number(session, fields)
        if number in self.swallowed:
            return ()
        chain = self._requests.get(number)
        return self._pass(chain, TrafficEvent(session, fields, incoming=True)) if chain else (fields,)

    def intercept_message(self, session: ClientSession, message: Message) -> Iterable[Message]:
        number = 0 if message[0] == session.version else message[0]
        chain = self._messages.get(int(str(number)))
        if not chain:
            return (message,)
        event = TrafficEvent(session, [text(field) for field in message], incoming=False)
        return tuple(tuple(fields) for fields in self._pass(chain, event))

    def on_write(self, session: ClientSession, frames: list[bytes]) -> None:
        if self.recorder:
            self.recorder.on_write(session, frames)

    def release(self) -> None:
        """Delivers what was delayed indefinitely."""
        delayed, self._delayed = self._delayed, []
        for event, rest in delayed:
            self._deliver(event, rest)

    # the faults

    def _pass(self, chain: list[ArmedFault], event: TrafficEvent) -> Iterator[list[str]]:
        for at, armed in enumerate(chain):
            if armed.matches(event, self.performer.placeholders.order_exists):
                for changed, rest in self._apply(armed, chain[at + 1 :], event):
                    yield from self._pass(rest, changed)
                return
        yield event.fields

    def _apply(self, armed: ArmedFault, rest: list[ArmedFault], event: TrafficEvent) -> Iterable[HeldEvent]:
        """The events to pass on now, each with its remaining faults."""
        match armed.fault:
            case fault_types.Swallow():
                return ()
            case fault_types.Delay(seconds=None):
                self._delayed.append((event, rest))
                return ()
            case fault_types.Delay(seconds=float(seconds)):
                self._clock.call_later(seconds, self._deliver, event, rest)
                return ()
            case fault_types.Reorder():
                return self._gather(armed, armed.fault, (event, rest))
            case fault_types.DuplicateMessage(copies=copies):
                return [(event, rest)] * (1 + copies)
            case fault_types.Edit():
                return [(msgspec.structs.replace(event, fields=self._edit(armed.fault, event)), rest)]
            case fault_types.Zone(name=name):
                return [(msgspec.structs.replace(event, fields=[in_zone(field, name) for field in event.fields]), rest)]
            case fault_types.Fuzz():
                return [(msgspec.structs.replace(event, fields=_fuzz(armed, armed.fault, event.fields)), rest)]
            case fault_types.AnswerRequest():
                return self._send_answer(armed.fault, event)
            case fault_types.Drop():
                self._drop(armed.fault, event)
                return [(event, rest)] if armed.fault.place == "after" else ()
            case fault_types.Truncate():
                return self._truncate(event)
            case fault_types.Twin():
                self.performer.perform(armed.fault, event)
                return ()
            case other:
                self.performer.perform(other, event)
                return [(event, rest)]

    def _deliver(self, event: TrafficEvent, rest: list[ArmedFault]) -> None:
        """Delivers a delayed event."""
        for fields in self._pass(rest, event):
            if event.incoming:
                event.session.handle(fields)
            else:
                event.session.send_unfiltered(tuple(fields))
        self.performer.commit_and_flush()

    def _gather(self, armed: ArmedFault, fault: fault_types.Reorder, held: HeldEvent) -> Iterable[HeldEvent]:
        session = held[0].session
        gathered = armed.gathered[session]
        gathered.append(held)
        if len(gathered) == fault.count:
            return _reordered(armed, fault, session)
        if len(gathered) == 1:
            self._clock.call_later(fault.seconds, self._flush_reorder, armed, fault, session, gathered)
        return ()

    def _flush_reorder(
        self, armed: ArmedFault, fault: fault_types.Reorder, session: ClientSession, gathered: list[HeldEvent]
    ) -> None:
        if armed.gathered.get(session) is gathered:
            for event, rest in _reordered(armed, fault, session):
                self._deliver(event, rest)

    def _edit(self, fault: fault_types.Edit, event: TrafficEvent) -> list[str]:
        expand = self.performer.placeholders.expand
        instead = {old: expand(new, event) for old, new in fault.replace.items()}
        fields = [instead.get(field, field) for field in event.fields]
        for position, value in fault.set.items():
            if position < len(fields):
                fields[position] = expand(value, event)
        return fields

    def _send_answer(self, fault: fault_types.AnswerRequest, event: TrafficEvent) -> Iterable[HeldEvent]:
        """Sends the messages of the fault instead; they bypass other faults."""
        placeholders = self.performer.placeholders
        messages: list[Message] = [tuple(placeholders.expand(f, event) for f in message) for message in fault.messages]
        if fault.code:
            reason = placeholders.expand(fault.text, event)
            messages.append(error(int(placeholders.request_id(event)), fault.code, reason))
        event.session.send_unfiltered(*messages)
        asyncio.get_running_loop().call_soon(self.performer.commit_and_flush)
        return ()

    def _drop(self, fault: fault_types.Drop, event: TrafficEvent) -> None:
        if event.incoming or fault.place == "before":
            event.session.mute()
        asyncio.get_running_loop().call_soon(self._flush_and_close, event.session, b"", fault.hard)

    def _truncate(self, event: TrafficEvent) -> Iterable[HeldEvent]:
        frame = encode(tuple(event.fields))
        event.session.mute()
        asyncio.get_running_loop().call_soon(self._flush_and_close, event.session, frame[: len(frame) // 2], False)
        return ()

    def _flush_and_close(self, session: ClientSession, last: bytes, hard: bool) -> None:
        self.performer.commit_and_flush()
        session.write_and_close(last, hard=hard)


def _reordered(armed: ArmedFault, fault: fault_types.Reorder, session: ClientSession) -> list[HeldEvent]:
    held = armed.gathered.pop(session)
    if not fault.order:
        armed.random.shuffle(held)
        return held
    return [held[at] for at in fault.order if at < len(held)]


def _request_number(session: ClientSession, fields: list[str]) -> int:
    """The number of a request; 0 for the handshake, -1 if it has none."""
    if not session.version:
        return 0
    return int(fields[0]) if fields[0].isdigit() and len(fields[0]) < 10 else -1


def _fuzz(armed: ArmedFault, fault: fault_types.Fuzz, fields: list[str]) -> list[str]:
    places = [place for place in fault.fields or range(1, len(fields)) if place < len(fields)]
    if not places:
        return fields
    place, value = armed.random.choice(places), armed.random.choice(fault.values)
    return [*fields[:place], str(value), *fields[place + 1 :]]
