"""What bookkeeping costs: folding a million fills into books, and into trades.

Run it: `python tests/benchmarks/bench_ledger.py [FILLS]`. Each line is printed as microseconds a fill and as a multiple
of the raw peer, a loop that adds as many products of decimals and nothing else: the least that exact money can cost.
Entries are made in chunks outside of the measured time, so that the memory is that of what is kept.
"""

import random
import resource
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TypeVar

from mats.ledger.books.book import Book
from mats.ledger.books.books import Books
from mats.ledger.books.cost_basis import trade
from mats.ledger.books.execution_order import Charge
from mats.ledger.books.lots import Lot, OpenLots
from mats.ledger.books.trade_matching import RoundTrips
from mats.model.executions import Commission, CommissionRecorded, Entry, Execution, FillRecorded
from mats.model.money import ONE
from mats.model.orders import Side

T = TypeVar("T")

CHUNK = 20_000
STRATEGIES = [f"s{n}" for n in range(20)]
INSTRUMENTS = [f"STK{n}" for n in range(10)]


Fill = tuple[Execution, Charge]


def main() -> None:
    fills = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    version = sys.version.split()[0]
    print(f"{fills:,} fills, {len(STRATEGIES)} strategies × {len(INSTRUMENTS)} instruments, Python {version}")
    raw = run("raw: one product and one addition of decimals", added(), plain, fills)
    run("trade(): one book, no log", traded(), plain, fills, raw)
    run("OpenLots.apply(): one book, no log", taken(), lots, fills, raw)
    run("Books.apply()", applying(Books(no_past)), logged, fills, raw)
    run("RoundTrips.apply()", applying(RoundTrips(no_past)), logged, fills, raw)
    run("Books.apply(), each fill with its commission", applying(Books(no_past)), charged, fills, raw)
    run("RoundTrips.apply(), each fill with its commission", applying(RoundTrips(no_past)), charged, fills, raw)


def run(
    name: str,
    work: Callable[[list[T]], object],
    prepare: Callable[[list[Fill], int], list[T]],
    fills: int,
    raw: float = 0.0,
) -> float:
    """Microseconds a fill, over all chunks; and how much the peak of memory grew meanwhile."""
    before, spent, done = peak(), 0.0, 0
    for chunk in executions(fills):
        prepared = prepare(chunk, done)
        start = time.perf_counter()
        work(prepared)
        spent += time.perf_counter() - start
        done += len(chunk)
    micros, grown = spent / done * 1e6, (peak() - before) / 1e6
    ratio = f"{micros / raw:6.1f} × raw" if raw else " " * 12
    print(f"{micros:7.2f} µs  {ratio}  {spent:6.1f} s  {1e6 / micros:10,.0f}/s  +{grown:4.0f} MB  {name}")
    return micros


def executions(fills: int) -> Iterator[list[Fill]]:
    """Positions that wander: half of the fills lead towards flat, one in ten through it."""
    chance, held = random.Random(1), dict.fromkeys(((s, i) for s in STRATEGIES for i in INSTRUMENTS), 0)
    for first in range(0, fills, CHUNK):
        chunk = []
        for number in range(first, min(first + CHUNK, fills)):
            key = chance.choice(STRATEGIES), chance.choice(INSTRUMENTS)
            size = chance.randrange(1, 300)
            towards = held[key] > 0 if chance.random() < 0.5 else chance.random() < 0.5
            held[key] += -size if towards else size
            execution = Execution(
                account="DU1",
                exec_id=f"{number:08d}.01",
                instrument=key[1],
                side=Side.SELL if towards else Side.BUY,
                quantity=Decimal(size),
                price=Decimal(chance.randrange(9_000, 11_000)).scaleb(-2),
                time=number,
                order_ref=key[0],
            )
            chunk.append((execution, Charge(Decimal("0.35"), "USD", ONE)))
        yield chunk


def added() -> Callable[[list[Fill]], None]:
    total = Decimal(0)

    def work(chunk: list[Fill]) -> None:
        nonlocal total
        for execution, _ in chunk:
            total += execution.quantity * execution.price

    return work


def traded() -> Callable[[list[Fill]], None]:
    book = Book(account="DU1", strategy="s", instrument="SPY", currency="USD")

    def work(chunk: list[Fill]) -> None:
        nonlocal book
        for execution, _ in chunk:
            book = trade(book, execution.signed_quantity, execution.price, ONE)

    return work


def taken() -> Callable[[list[Lot]], None]:
    open_lots = OpenLots(("DU1", "s", "SPY"), "USD")

    def work(chunk: list[Lot]) -> None:
        for lot in chunk:
            open_lots.apply(lot)

    return work


def applying(fold: Books | RoundTrips) -> Callable[[list[Entry]], None]:
    def work(chunk: list[Entry]) -> None:
        for entry in chunk:
            fold.apply(entry)

    return work


def no_past(*_: object) -> list[Entry]:
    return []


def plain(chunk: list[Fill], _: int) -> list[Fill]:
    return chunk


def lots(chunk: list[Fill], _: int) -> list[Lot]:
    return [
        Lot(
            id=execution.exec_id,
            time=execution.time,
            price=execution.price,
            quantity=execution.signed_quantity,
            size=execution.quantity,
            charge=charge,
        )
        for execution, charge in chunk
    ]


def logged(chunk: list[Fill], done: int) -> list[Entry]:
    return [_fill(execution, seq) for seq, (execution, _) in enumerate(chunk, done + 1)]


def charged(chunk: list[Fill], done: int) -> list[Entry]:
    """Each fill and, right behind it as from the broker, what it cost."""
    entries: list[Entry] = []
    for number, (execution, charge) in enumerate(chunk, done):
        entries.append(_fill(execution, 2 * number + 1))
        entries.append(
            CommissionRecorded(
                seq=2 * number + 2,
                strategy=execution.order_ref,
                intent_id="i",
                execution=execution,
                commission=Commission(exec_id=execution.exec_id, amount=charge.amount, currency=charge.currency),
                recorded=number,
                rate=ONE,
            )
        )
    return entries


def _fill(execution: Execution, seq: int) -> FillRecorded:
    return FillRecorded(
        seq=seq, strategy=execution.order_ref, intent_id="i", execution=execution, recorded=seq, rate=ONE
    )


def peak() -> float:
    """The largest resident memory so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
