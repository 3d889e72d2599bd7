"""Whether the store answers, as the rest of the system sees it: since when not, why, and whether new risk waits for it.

The store is what people read; what trading needs is in the journal. So its outage stops new risk, after a while, and
nothing else.
"""

import msgspec

from mats.store.outages.outage import Outage

SILENT_SECONDS = 5.0
"""The writer reports every second; after so many without a report a call to the store holds it."""


class Patience(msgspec.Struct, frozen=True):
    """How long the store may be away, in seconds, and how many entries may wait for it before new risk waits too."""

    seconds: float = 30.0
    entries: int = 1_000


class StoreHealth(msgspec.Struct, frozen=True):
    """`text` says what the store is (`away since …`), empty when all is well; `blocks` whether new risk waits."""

    text: str = ""
    blocks: bool = False


class StoreWatch:
    """What is known of the store from the reports of its writer, and from what waits for it. Spans are seconds.

    Before the first report there is nothing to say. Until the tables of operators were read once no new risk is taken:
    explicit equities, for example, are not known yet.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._reported_at: float | None = None
        self._outage: Outage | None = None
        self._known = False
        self._well_at = 0.0
        self._owed, self._owed_since = 0, 0.0

    @property
    def reporting(self) -> bool:
        """Whether a writer has ever reported."""
        return self._reported_at is not None

    def report(self, outage: Outage | None, known: bool, monotonic: float) -> None:
        """The writer's state: the outage, and whether it has read the tables of operators.

        One that has not read them yet has not seen that an outage of before is over; one that is known already to the
        first report began before.
        """
        if self._reported_at is None:
            self._well_at = outage.began if outage else monotonic
        self._reported_at, self._outage = monotonic, outage if known else outage or self._outage
        self._known = self._known or known

    def look(self, cursor: int | None, last_seq: int, monotonic: float) -> StoreHealth:
        """The health now, given what the store has acknowledged (None: its writer is down) and the end of the log."""
        if self._reported_at is None:
            return StoreHealth()
        if cursor is not None and cursor >= self._owed:
            self._owed, self._owed_since = last_seq, monotonic
        wrong = self._wrong(cursor, monotonic - self._reported_at)
        if not wrong:
            self._well_at = monotonic
        waiting = None if cursor is None else last_seq - cursor
        late = max(monotonic - self._well_at, monotonic - self._owed_since) >= self._patience.seconds
        many = (waiting or 0) >= self._patience.entries
        if not (wrong or late or many):
            return StoreHealth("" if self._known else "not read yet", blocks=not self._known)
        return StoreHealth(f"{wrong or 'behind'}, {_waiting(waiting)}", blocks=late or many or not self._known)

    def _wrong(self, cursor: int | None, silent: float) -> str:
        if cursor is None:
            return "down, its writer is being restarted"
        if silent >= SILENT_SECONDS:
            return f"not answering for {silent:.0f} s"
        return str(self._outage) if self._outage else ""


def _waiting(entries: int | None) -> str:
    return "1 entry waits" if entries == 1 else f"{'?' if entries is None else entries} entries wait"
