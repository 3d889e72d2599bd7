"""Messages that were not delivered or not handled, each with the reason."""

from collections import Counter, deque
from collections.abc import Callable
from threading import Lock
from typing import Literal

import msgspec

from mats.runtime.containment import contain, safe_repr

Reason = Literal["closed", "full", "unprocessed", "failed", "expired", "stale", "not understood", "no such actor"]
"""`closed`: no actor runs there. `full`: the mailbox was at its bound. `unprocessed`: left when it closed.
`failed`: its handler raised. `expired`: its asker has gone. `stale`: sent by an abandoned actor.
`not understood`: it is not among the messages of its receiver, which goes on.
`no such actor`: none was ever started under this name, and none is planned."""


class DeadLetter(msgspec.Struct, frozen=True):
    """One lost message; `id`, `cause` and `root` as in its envelope, `error` and `traceback` for `failed`."""

    reason: Reason
    target: str
    message: object
    id: int
    cause: int
    root: int
    error: str = ""
    traceback: str = ""


class DeadLetters:
    """The last thousand, and how many of each reason there were."""

    def __init__(self, keep: int = 1000) -> None:
        self.counts: Counter[Reason] = Counter()
        self.recent: deque[DeadLetter] = deque(maxlen=keep)
        self._lock = Lock()
        self._subscribers: list[Callable[[DeadLetter], None]] = []

    def record(self, letter: DeadLetter) -> None:
        """Keep it and tell the subscribers; a subscriber that raises is logged, because a sender must not fail."""
        with self._lock:
            self.counts[letter.reason] += 1
            self.recent.append(letter)
        for subscriber in self._subscribers:
            contain("a subscriber to dead letters failed", subscriber, letter)

    def subscribe(self, subscriber: Callable[[DeadLetter], None]) -> None:
        """Call `subscriber` with each letter from now on, in the thread that lost it."""
        self._subscribers.append(subscriber)

    def __len__(self) -> int:
        return self.counts.total()

    def assert_none(self, *but: Reason) -> None:
        """Raise AssertionError with the letters, unless all of them have a reason among `but`."""
        if any(count for reason, count in self.counts.items() if reason not in but):
            letters = (x for x in self.recent if x.reason not in but)
            lines = (f"{x.reason} at {x.target}: {safe_repr(x.message)} {x.error}" for x in letters)
            raise AssertionError("dead letters:\n" + "\n".join(lines))
