"""Books against the broker's positions: Σ strategies + `Discretionary` must equal what the broker holds.

A difference is first a candidate, because news may be on its way. It is booked to `Discretionary` only when a second
complete look, `grace` seconds later, shows the same difference and no entry of the log touched the instrument between.
"""

from collections.abc import Collection, Iterable
from decimal import Decimal

import msgspec

from mats.ledger.books import Books
from mats.model.broker import BrokerPosition
from mats.model.instrument import InstrumentId
from mats.model.money import ONE, ZERO, Currency
from mats.model.orders import DISCRETIONARY, AccountId
from mats.model.timestamp import SECOND, Nanos, iso

PATIENCE = 10
"""An adjustment that does not arrive is asked for again at 10, 100, … times the grace."""

Place = tuple[AccountId, InstrumentId]


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """A place where books and broker differ: `difference` = `broker` − `expected`, signed units.

    `seq` is the last log entry that touched the instrument, `books` how many strategy books `expected` sums:
    the proof of what was compared. `looks` counts complete looks that showed the same difference, `asked` how
    often its adjustment was asked for.
    """

    account: AccountId
    instrument: InstrumentId
    expected: Decimal
    broker: Decimal
    first_seen: Nanos
    seq: int
    books: int
    looks: int = 1
    asked: int = 0

    @property
    def id(self) -> str:
        return f"{self.account}/{self.instrument}@{iso(self.first_seen)}"

    @property
    def difference(self) -> Decimal:
        return self.broker - self.expected

    def age(self, now: Nanos) -> float:
        """Seconds since the difference was first seen."""
        return (now - self.first_seen) / SECOND


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """What to book to `Discretionary` to settle a break: signed units at `price`, and why."""

    account: AccountId
    instrument: InstrumentId
    quantity: Decimal
    price: Decimal
    currency: Currency
    multiplier: Decimal
    reason: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one look found: breaks still open, breaks that went away by themselves, and adjustments now due."""

    open: tuple[Break, ...]
    settled: tuple[Break, ...]
    adjustments: tuple[Adjustment, ...]


def compare(
    books: Books,
    positions: Iterable[BrokerPosition],
    accounts: Collection[AccountId],
    now: Nanos,
    in_flight: Collection[Place] = (),
) -> tuple[Break, ...]:
    """Every difference in `accounts` between the books and a complete snapshot of the broker's positions.

    An instrument that the snapshot does not name is held in quantity 0. Places `in_flight`, whose fills are logged but
    not folded yet, cannot be judged and are left out.
    """
    held = {(p.account, p.instrument): p.quantity for p in positions}
    places = {place for place in (*held, *books.instruments()) if place[0] in accounts} - set(in_flight)
    return tuple(
        found
        for place in sorted(places)
        if (found := _looked_at(books, place, held.get(place, ZERO), now)).difference != 0
    )


def _looked_at(books: Books, place: Place, broker: Decimal, now: Nanos) -> Break:
    folded = books.of_instrument(*place)
    return Break(
        account=place[0],
        instrument=place[1],
        expected=books.net(*place),
        broker=broker,
        first_seen=now,
        seq=max((book.seq for book in folded), default=0),
        books=len(folded),
    )


class Reconciliation:
    """The open breaks, from look to look. `grace` is in seconds."""

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._open: dict[Place, Break] = {}

    @property
    def open(self) -> tuple[Break, ...]:
        """Breaks that are not settled, by account and instrument."""
        return tuple(self._open[place] for place in sorted(self._open))

    def disagrees(self, account: AccountId, instrument: InstrumentId) -> Break | None:
        """The open break of an instrument, if there is one: no new risk is taken there."""
        return self._open.get((account, instrument))

    def look(
        self,
        books: Books,
        positions: Collection[BrokerPosition],
        accounts: Collection[AccountId],
        now: Nanos,
        in_flight: Collection[Place] = (),
    ) -> Outcome:
        """Compare again. Breaks of places in flight keep their standing until they can be judged.

        An adjustment that was asked for is on its way; one that does not arrive is asked for again after `PATIENCE`
        times the wait before. Should both arrive, the next looks find the surplus and take it back.
        """
        found = {(b.account, b.instrument): self._aged(b) for b in compare(books, positions, accounts, now, in_flight)}
        judged = {place for place in self._open if place[0] in accounts} - set(in_flight)
        settled = tuple(self._open[place] for place in sorted(judged - found.keys()))
        due = [b for b in found.values() if b.looks > 1 and b.age(now) >= self._wait(b)]
        kept = {place: b for place, b in self._open.items() if place not in judged}
        asked = {(b.account, b.instrument): msgspec.structs.replace(b, asked=b.asked + 1) for b in due}
        self._open = {**kept, **found, **asked}
        by_place = {(p.account, p.instrument): p for p in positions}
        adjustments = tuple(_adjustment(b, books, by_place.get((b.account, b.instrument)), now) for b in due)
        return Outcome(open=self.open, settled=settled, adjustments=adjustments)

    def _wait(self, found: Break) -> float:
        """The age in seconds at which the break is due."""
        return self._grace if not found.asked else max(self._grace, 1.0) * PATIENCE**found.asked

    def _aged(self, found: Break) -> Break:
        """The same difference over the same entries is one break that grows older; anything else is a new one."""
        known = self._open.get((found.account, found.instrument))
        if known is None or (known.expected, known.broker, known.seq) != (found.expected, found.broker, found.seq):
            return found
        return msgspec.structs.replace(found, first_seen=known.first_seen, looks=known.looks + 1, asked=known.asked)


def _adjustment(found: Break, books: Books, position: BrokerPosition | None, now: Nanos) -> Adjustment:
    """The break as an entry to book. Its price is the broker's average where the broker still holds something."""
    own = books.get(found.account, DISCRETIONARY, found.instrument)
    known = own or next(iter(books.of_instrument(found.account, found.instrument)), None)
    multiplier = position.multiplier if position else known.multiplier if known else ONE
    if position and position.quantity:
        price = position.average_cost / multiplier
    else:
        price = known.average_price if known else ZERO
    return Adjustment(
        account=found.account,
        instrument=found.instrument,
        quantity=found.difference,
        price=price,
        currency=position.currency if position else known.currency if known else "USD",
        multiplier=multiplier,
        reason=(
            f"the broker holds {found.broker}, the books say {found.expected}; the same on {found.looks} looks over"
            f" {found.age(now):.1f} s with no fill after entry {found.seq}"
        ),
    )
