"""What stands between the clients and the gateway: the armed faults, looked at for every message both ways.

A message passes the faults that name its number in the order in which they were armed. What one of them delays or
reorders goes on with the next one when its time has come.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Protocol

import msgspec

from mats.gateway.faults import plan
from mats.gateway.faults.recording import Recorder
from mats.gateway.protocol import ClientSession, Message, encode, error, text
from mats.venue import AlarmClock

FIELD = re.compile(r"\$(\d+|id|order|perm)")


class Event(msgspec.Struct, frozen=True):
    """A request (`incoming`) or a message, on its way."""

    session: ClientSession
    fields: list[str]
    incoming: bool


Held = tuple[Event, list["Armed"]]
"""An event, and the faults that it has yet to pass."""


class Armed:
    """A fault with its counts."""

    def __init__(self, fault: plan.AnyFault, random: Random) -> None:
        self.fault, self.random = fault, random
        self.seen = self.acted = 0
        self.gathered: dict[ClientSession, list[Held]] = defaultdict(list)

    def matches(self, event: Event, known: Callable[[Event], bool]) -> bool:
        """Whether the fault acts on this one; counts it."""
        fault = self.fault
        if fault.client not in (None, event.session.client_id):
            return False
        for position, pattern in fault.where.items():
            if position >= len(event.fields) or not re.fullmatch(pattern, event.fields[position]):
                return False
        if fault.known is not None and known(event) != fault.known:
            return False
        self.seen += 1
        if self.seen <= fault.skip or (fault.times is not None and self.acted >= fault.times):
            return False
        if fault.chance < 1 and self.random.random() >= fault.chance:
            return False
        self.acted += 1
        return True


class Performer(Protocol):
    """The gateway behind the line."""

    def perform(self, fault: plan.AnyFault, event: Event | None) -> None:
        """Does what is more than a change of the traffic; `event` is what the fault has matched."""

    def known(self, event: Event) -> bool:
        """Whether a request is about an order that exists."""

    def fill_in(self, name: str, event: Event) -> str:
        """The text for a placeholder."""

    def end_turn(self) -> None:
        """Stores and writes what has gathered."""


class Traffic:
    """The line of every session. `performer` is set before the first connection."""

    performer: Performer

    def __init__(self, clock: AlarmClock) -> None:
        self._clock = clock
        self.recorder: Recorder | None = None
        self.swallowed: frozenset[int] = frozenset()
        self._requests: dict[int, list[Armed]] = {}
        self._messages: dict[int, list[Armed]] = {}
        self._waiting: list[Held] = []

    @property
    def recording(self) -> bool:
        return self.recorder is not None

    @property
    def watching(self) -> bool:
        return bool(self._messages)

    def arm(self, armed: Armed) -> None:
        for table, numbers in ((self._requests, armed.fault.request), (self._messages, armed.fault.message)):
            for number in numbers:
                table.setdefault(number, []).append(armed)

    def disarm(self, armed: Armed) -> None:
        for table in (self._requests, self._messages):
            for number, chain in tuple(table.items()):
                table[number] = [other for other in chain if other is not armed]
                if not table[number]:
                    del table[number]

    # the line

    def opened(self, session: ClientSession) -> None:
        if self.recorder:
            self.recorder.opened(session)

    def closed(self, session: ClientSession) -> None:
        if self.recorder:
            self.recorder.closed(session)

    def incoming(self, session: ClientSession, fields: list[str]) -> Iterable[list[str]]:
        if self.recorder:
            self.recorder.received(session, fields)
        number = _request_number(session, fields)
        if number in self.swallowed:
            return ()
        chain = self._requests.get(number)
        return self._pass(chain, Event(session, fields, incoming=True)) if chain else (fields,)

    def outgoing(self, session: ClientSession, message: Message) -> Iterable[Message]:
        number = 0 if message[0] == session.version else message[0]
        chain = self._messages.get(int(str(number)))
        if not chain:
            return (message,)
        event = Event(session, [text(field) for field in message], incoming=False)
        return tuple(tuple(fields) for fields in self._pass(chain, event))

    def wrote(self, session: ClientSession, frames: list[bytes]) -> None:
        if self.recorder:
            self.recorder.wrote(session, frames)

    def release(self) -> None:
        """Lets go what was delayed without an end."""
        waiting, self._waiting = self._waiting, []
        for event, rest in waiting:
            self._deliver(event, rest)

    # the faults

    def _pass(self, chain: list[Armed], event: Event) -> Iterator[list[str]]:
        for at, armed in enumerate(chain):
            if armed.matches(event, self.performer.known):
                for changed, rest in self._apply(armed, chain[at + 1 :], event):
                    yield from self._pass(rest, changed)
                return
        yield event.fields

    def _apply(self, armed: Armed, rest: list[Armed], event: Event) -> Iterable[Held]:
        """What goes on now, each with the faults that are left for it."""
        match armed.fault:
            case plan.Swallow():
                return ()
            case plan.Delay(seconds=None):
                self._waiting.append((event, rest))
                return ()
            case plan.Delay(seconds=float(seconds)):
                self._clock.call_later(seconds, self._deliver, event, rest)
                return ()
            case plan.Reorder():
                return self._gather(armed, armed.fault, (event, rest))
            case plan.DuplicateMessage(copies=copies):
                return [(event, rest)] * (1 + copies)
            case plan.Edit():
                return [(msgspec.structs.replace(event, fields=self._edited(armed.fault, event)), rest)]
            case plan.AnswerRequest():
                return self._answers(armed.fault, event)
            case plan.Drop():
                self._drop(armed.fault, event)
                return [(event, rest)] if armed.fault.place == "after" else ()
            case plan.Truncate():
                return self._truncate(event)
            case plan.Twin():
                self.performer.perform(armed.fault, event)
                return ()
            case other:
                self.performer.perform(other, event)
                return [(event, rest)]

    def _deliver(self, event: Event, rest: list[Armed]) -> None:
        """Brings home what was held back."""
        for fields in self._pass(rest, event):
            if event.incoming:
                event.session.handle(fields)
            else:
                event.session.send_through(tuple(fields))
        self.performer.end_turn()

    def _gather(self, armed: Armed, fault: plan.Reorder, held: Held) -> Iterable[Held]:
        session = held[0].session
        gathered = armed.gathered[session]
        gathered.append(held)
        if len(gathered) == fault.count:
            return _reordered(armed, fault, session)
        if len(gathered) == 1:
            self._clock.call_later(fault.seconds, self._give_up, armed, fault, session, gathered)
        return ()

    def _give_up(self, armed: Armed, fault: plan.Reorder, session: ClientSession, gathered: list[Held]) -> None:
        if armed.gathered.get(session) is gathered:
            for event, rest in _reordered(armed, fault, session):
                self._deliver(event, rest)

    def _edited(self, fault: plan.Edit, event: Event) -> list[str]:
        instead = {old: self._text(new, event) for old, new in fault.replace.items()}
        fields = [instead.get(field, field) for field in event.fields]
        for position, value in fault.set.items():
            if position < len(fields):
                fields[position] = self._text(value, event)
        return fields

    def _answers(self, fault: plan.AnswerRequest, event: Event) -> Iterable[Held]:
        """The messages instead; they are not looked at again."""
        messages: list[Message] = [tuple(self._text(field, event) for field in message) for message in fault.messages]
        if fault.code:
            messages.append(error(int(self.performer.fill_in("id", event)), fault.code, self._text(fault.text, event)))
        event.session.send_through(*messages)
        asyncio.get_running_loop().call_soon(self.performer.end_turn)
        return ()

    def _drop(self, fault: plan.Drop, event: Event) -> None:
        if event.incoming or fault.place == "before":
            event.session.stop()
        asyncio.get_running_loop().call_soon(self._end, event.session, b"", fault.hard)

    def _truncate(self, event: Event) -> Iterable[Held]:
        frame = encode(tuple(event.fields))
        event.session.stop()
        asyncio.get_running_loop().call_soon(self._end, event.session, frame[: len(frame) // 2], False)
        return ()

    def _end(self, session: ClientSession, last: bytes, hard: bool) -> None:
        self.performer.end_turn()
        session.end(last, hard=hard)

    def _text(self, value: plan.Text, event: Event) -> str:
        return FIELD.sub(lambda name: self.performer.fill_in(name[1], event), str(value))


def _reordered(armed: Armed, fault: plan.Reorder, session: ClientSession) -> list[Held]:
    held = armed.gathered.pop(session)
    if not fault.order:
        armed.random.shuffle(held)
        return held
    return [held[at] for at in fault.order if at < len(held)]


def _request_number(session: ClientSession, fields: list[str]) -> int:
    """The number of a request; 0 for the greeting, -1 for what has none."""
    if not session.version:
        return 0
    return int(fields[0]) if fields[0].isdigit() and len(fields[0]) < 10 else -1
