"""One complete snapshot of the broker's positions, made comparable, and held against the books."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal

from msgspec.structs import replace

from mats.ledger.books import Books
from mats.ledger.reconciliation.breaks import Break, PositionKey
from mats.model import ZERO, AccountId, BrokerPosition, Nanos


def aggregate(positions: Iterable[BrokerPosition]) -> tuple[BrokerPosition, ...]:
    """One row for each account and instrument.

    A contract that comes twice has changed while the snapshot was made: its last row holds. Several contracts of one
    name add up, at the average of their costs.
    """
    contracts: dict[PositionKey, dict[int, BrokerPosition]] = {}
    for position in positions:
        contracts.setdefault((position.account, position.instrument), {})[position.con_id] = position
    return tuple(_added(tuple(rows.values())) for rows in contracts.values())


def _added(rows: Sequence[BrokerPosition]) -> BrokerPosition:
    if len(rows) == 1:
        return rows[0]
    quantity = sum((row.quantity for row in rows), ZERO)
    cost = sum((row.quantity * row.average_cost for row in rows), ZERO)
    return replace(rows[-1], quantity=quantity, average_cost=cost / quantity if quantity else ZERO)


def compare(
    books: Books,
    positions: Mapping[PositionKey, BrokerPosition],
    accounts: Collection[AccountId],
    now: Nanos,
) -> tuple[Break, ...]:
    """Every difference in `accounts` between the books and a complete snapshot of the broker's positions, by place.

    An instrument that the snapshot does not name is held in quantity 0. Costs what the instruments are, however many
    strategies hold each.
    """
    nets = books.nets
    differing = []
    for place in nets.keys() | positions.keys():
        expected, position = nets.get(place, ZERO), positions.get(place)
        broker = position.quantity if position else ZERO
        if expected != broker and place[0] in accounts:
            differing.append((place, expected, broker))
    return tuple(_differing(books, place, expected, broker, now) for place, expected, broker in sorted(differing))


def _differing(books: Books, place: PositionKey, expected: Decimal, broker: Decimal, now: Nanos) -> Break:
    seq = max((book.seq for book in books.of_instrument(*place)), default=0)
    return Break(
        account=place[0],
        instrument=place[1],
        expected=expected,
        broker=broker,
        first_seen=now,
        first_seq=seq,
        seq=seq,
    )
