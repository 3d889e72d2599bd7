"""How long a comparison of books and broker takes. Run it: `python tests/benchmarks/bench_reconcile.py`.

1,000 instruments in the hands of 50 strategies each. The raw operation beside it adds up the same numbers in plain
dictionaries and compares them with the broker's.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from mats.ledger.books.book import Book
from mats.ledger.books.books import Books
from mats.ledger.reconciliation.comparison import aggregate, compare
from mats.ledger.reconciliation.reconcile import Reconciliation
from mats.ledger.reconciliation.scheduler import ReconciliationScheduler
from mats.model.broker_reports import BrokerPosition
from mats.model.timestamp import SECOND
from mats.store.journal.journal import Journal

INSTRUMENTS, STRATEGIES, BREAKS, ROUNDS = 1_000, 50, 20, 101
ACCOUNT = "DU1"


def quantity(instrument: int, strategy: int) -> Decimal:
    """Long and short, fractions too."""
    return Decimal((instrument * 7 + strategy * 13) % 201 - 100) / 4


def main() -> None:
    books = Books(lambda *_: (), [a_book(i, s) for i in range(INSTRUMENTS) for s in range(STRATEGIES)], seq=1)
    nets = {f"I{i}": sum(quantity(i, s) for s in range(STRATEGIES)) for i in range(INSTRUMENTS)}
    equal = tuple(a_position(name, net) for name, net in nets.items())
    unequal = tuple(a_position(name, net + (i < BREAKS)) for i, (name, net) in enumerate(nets.items()))
    plain = [(book.instrument, book.quantity) for book in books]
    figures = {
        "plain dictionaries": timed(lambda _: raw(plain, nets)),
        "compare": timed(lambda _: compare(books, {(ACCOUNT, p.instrument): p for p in equal}, (ACCOUNT,), 0)),
        "a look, all equal": timed(looking(books, equal)),
        f"a look, {BREAKS} breaks": timed(looking(books, unequal)),
    }
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db")
        figures["a look of the daemon, on disk"] = timed(watching(books, equal, journal))
        journal.close()
    table = Table(title=f"{INSTRUMENTS:,} instruments × {STRATEGIES} strategies, {ROUNDS} rounds")
    for column in ("", "p50 ms", "p99 ms", "× plain"):
        table.add_column(column, justify="left" if not column else "right")
    unit = statistics.median(figures["plain dictionaries"])
    for name, times in figures.items():
        middle, worst = statistics.median(times), sorted(times)[int(len(times) * 0.99)]
        table.add_row(name, f"{middle * 1e3:.1f}", f"{worst * 1e3:.1f}", f"{middle / unit:.1f}")
    Console().print(table)


def a_book(instrument: int, strategy: int) -> Book:
    return Book(
        account=ACCOUNT,
        strategy=f"s{strategy}",
        instrument=f"I{instrument}",
        currency="USD",
        quantity=quantity(instrument, strategy),
        seq=1,
    )


def a_position(name: str, net: Decimal) -> BrokerPosition:
    return BrokerPosition(account=ACCOUNT, instrument=name, quantity=net, average_cost=Decimal(10))


def looking(books: Books, positions: tuple[BrokerPosition, ...]) -> Callable[[int], object]:
    """One look after another, of one run."""
    reconciliation = Reconciliation(3.0, lambda key, after: ())
    return lambda second: reconciliation.compare(
        books, aggregate(positions), (ACCOUNT,), second * SECOND, float(second)
    )


def watching(books: Books, positions: tuple[BrokerPosition, ...], journal: Journal) -> Callable[[int], object]:
    """The same as the portfolio manager does it: what agreed is in the journal."""
    watch = ReconciliationScheduler(60.0, 3.0, journal)
    watch.accounts = (ACCOUNT,)
    return lambda second: watch.compare(books, positions, second * SECOND, float(second))


def raw(plain: list[tuple[str, Decimal]], nets: dict[str, Decimal]) -> list[str]:
    """What any comparison must do at least."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for name, held in plain:
        sums[name] += held
    return [name for name, net in nets.items() if sums[name] != net]


def timed(act: Callable[[int], object]) -> list[float]:
    times = []
    for round_ in range(ROUNDS):
        begun = time.perf_counter()
        act(round_)
        times.append(time.perf_counter() - begun)
    return times


if __name__ == "__main__":
    main()
