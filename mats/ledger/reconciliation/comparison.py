"""One complete snapshot of the broker's positions, aggregated and compared with the books."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from msgspec.structs import replace

from mats.instruments import numbered
from mats.ledger.books import Books
from mats.ledger.reconciliation.breaks import Break
from mats.model import ZERO, AccountId, BrokerPosition, Nanos, PositionKey


def aggregate(positions: Iterable[BrokerPosition]) -> tuple[BrokerPosition, ...]:
    """One row for each account and contract.

    A contract that appears twice has changed while the snapshot was made: its last row counts. Two contracts are never
    added up: where they came under one name, which the registry rules out, each but the first has its id in its name.
    """
    contracts: dict[PositionKey, dict[int, BrokerPosition]] = {}
    for position in positions:
        contracts.setdefault((position.account, position.instrument), {})[position.con_id] = position
    return tuple(row for rows in contracts.values() for row in _apart(list(rows.values())))


def _apart(rows: Sequence[BrokerPosition]) -> Iterator[BrokerPosition]:
    yield from rows[:1]
    for row in rows[1:]:
        yield replace(row, instrument=numbered(row.instrument, row.con_id))


def compare(
    books: Books,
    positions: Mapping[PositionKey, BrokerPosition],
    accounts: Collection[AccountId],
    now: Nanos,
) -> tuple[Break, ...]:
    """Every difference in `accounts` between the books and a complete snapshot of the broker's positions, by key.

    An instrument that the snapshot does not name has quantity 0. The cost grows with the number of instruments, not of
    strategies.
    """
    nets = books.nets
    differing = []
    for key in nets.keys() | positions.keys():
        expected, position = nets.get(key, ZERO), positions.get(key)
        broker = position.quantity if position else ZERO
        if expected != broker and key[0] in accounts:
            differing.append((key, expected, broker))
    return tuple(_differing(books, key, expected, broker, now) for key, expected, broker in sorted(differing))


def _differing(books: Books, key: PositionKey, expected: Decimal, broker: Decimal, now: Nanos) -> Break:
    seq = max((book.seq for book in books.of_instrument(*key)), default=0)
    return Break(
        account=key[0],
        instrument=key[1],
        expected=expected,
        broker=broker,
        first_seen=now,
        first_seq=seq,
        seq=seq,
    )
