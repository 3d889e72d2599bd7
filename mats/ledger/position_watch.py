"""When to ask the broker for its positions again, and what each complete answer means for the books."""

from collections.abc import Iterable

from mats.ledger.books import Books
from mats.ledger.reconcile import Break, Outcome, Place, Reconciliation
from mats.model.broker import BrokerPosition
from mats.model.orders import AccountId
from mats.model.timestamp import Nanos

ANSWER_SECONDS = 30.0
"""How long to wait for positions that were asked for before asking again."""


class PositionWatch:
    """Asks every `every` seconds, and `grace` seconds after anything looked different. Spans are monotonic seconds.

    Only a complete snapshot is a look; single updates are hints that one is worth taking.
    """

    def __init__(self, every: float, grace: float) -> None:
        self._every, self._grace = every, grace
        self._reconciliation = Reconciliation(grace)
        self._due: float | None = None
        self.accounts: tuple[AccountId, ...] = ()
        self.broker: dict[Place, BrokerPosition] = {}
        self.looked_at: float | None = None

    @property
    def breaks(self) -> tuple[Break, ...]:
        """Differences that a second look has confirmed; a first one may be news on its way."""
        return tuple(found for found in self._reconciliation.open if found.looks > 1)

    @property
    def places(self) -> frozenset[Place]:
        """Where books and broker differ: no new risk is taken there."""
        return frozenset((found.account, found.instrument) for found in self.breaks)

    def hear(self, positions: Iterable[BrokerPosition], books: Books, now: float) -> None:
        """A position changed at the broker; as a rule its fill is being booked at this moment."""
        for position in positions:
            self.broker[position.account, position.instrument] = position
            if position.quantity != books.net(position.account, position.instrument):
                self.look_within(self._grace, now)

    def look_within(self, seconds: float, now: float) -> None:
        """Ask not later than `seconds` from now."""
        if self._due is not None:
            self._due = min(self._due, now + seconds)

    def take_due(self, now: float) -> bool:
        """Whether to ask now; the next time to ask is set."""
        if self._due is None or now < self._due:
            return False
        self._due = now + ANSWER_SECONDS
        return True

    def look(self, books: Books, positions: tuple[BrokerPosition, ...], instant: Nanos, now: float) -> Outcome:
        """Hold a complete snapshot against the books."""
        self.broker = {(position.account, position.instrument): position for position in positions}
        outcome = self._reconciliation.look(books, positions, self.accounts, instant)
        self.looked_at = now
        self._due = now + (min(self._grace, self._every) if outcome.open else self._every)
        return outcome

    def lost(self) -> None:
        """No link: nothing is asked until a new connection has brought a snapshot."""
        self._due = None
