"""Which actor has one message in hand for too long. Messages cost nothing for it: a thread looks at times."""

from collections.abc import Callable, Iterable
from threading import Event as Flag
from threading import Thread

import msgspec

from mats.runtime.actor_slot import ActorSlot
from mats.runtime.clock import Clock
from mats.runtime.containment import contain
from mats.runtime.events import HandlerSlow

LOOKS = 5
"""Looks within the bound: a handler is found when it lasts a fifth longer, at the latest."""


class _Seen(msgspec.Struct):
    """A message in hand: its id, when it was first seen there, and whether that was said."""

    envelope: int
    since: float
    reported: bool = False


class Watchdog:
    """Says once for each message that its handler has held its actor for `bound` seconds, and where it is."""

    def __init__(
        self, bound: float, clock: Clock, slots: Callable[[], Iterable[ActorSlot]], tell: Callable[[HandlerSlow], None]
    ) -> None:
        self._bound, self._clock, self._slots, self._tell = bound, clock, slots, tell
        self._seen: dict[str, _Seen] = {}
        self._over = Flag()

    def start(self) -> None:
        Thread(target=self._run, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(self._bound / LOOKS):
            contain("the watchdog failed", self.look)

    def look(self) -> None:
        """One round over all actors."""
        now, seen = self._clock.monotonic(), {}
        for slot in self._slots():
            incarnation = slot.incarnation
            envelope = incarnation.envelope if incarnation is not None else None
            if incarnation is None or envelope is None:
                continue
            known = self._seen.get(slot.name)
            held = seen[slot.name] = known if known and known.envelope == envelope.id else _Seen(envelope.id, now)
            seconds = now - held.since
            if seconds < self._bound:
                continue
            message = type(envelope.message).__name__
            slot.slow = f"{message} {seconds:.1f} s"
            if not held.reported:
                held.reported = True
                self._tell(HandlerSlow(slot.name, message, seconds, incarnation.stack()))
        self._seen = seen
