"""What durability costs: `python tests/benchmarks/bench_store.py [FOLDER] [--stored N]` prints medians in milliseconds.

With --stored it measures a start behind N stored fills instead, and what a prune of their journal costs.

The anchor is one record and one fdatasync: the least any durable write can cost on the disk of FOLDER.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path

from msgspec.structs import replace

from mats.model.executions import Commission, CommissionRecorded, Entry, Execution, FillRecorded
from mats.model.orders import Side
from mats.model.timestamp import SECOND
from mats.store.journal.journal import Journal
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.rows import PositionRow
from mats.store.tables.store import Store
from mats.store.views.view_writer import ViewWriter

OPENING = 1_700_000_000 * SECOND


def main() -> None:
    """Read the arguments, and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, nargs="?", default=Path.cwd())
    parser.add_argument("--stored", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as scratch:
        if chosen.stored:
            start_up(Path(scratch), chosen.stored)
            return
        anchor = raw_sync(Path(scratch) / "raw")
        journal(Path(scratch) / "journal.sqlite", anchor)
        store = Store(lmdb_uri(Path(scratch) / "arctic"))
        fills_by_batch(store, anchor)
        fills_by_history(store)
        portfolio(store)


def start_up(folder: Path, stored: int) -> None:
    """Journal, tables and the writer's fold as a restart finds them, behind 1,000 and behind `stored` fills."""
    costs = [_start_behind(folder / str(size), size) for size in (1_000, stored)]
    print(f"start: behind {stored:,} fills it takes {costs[1] / costs[0]:.2f} times what it takes behind 1,000")


def _start_behind(folder: Path, size: int) -> float:
    uri = _fill_up(folder, size)
    steps: dict[str, Callable[[], object]] = {}
    journal = Journal(folder / "journal.db")
    saved = journal.load_snapshot("store")
    assert saved is not None
    store = Store(uri)
    steps["journal: open, last entry"] = lambda: Journal(folder / "journal.db").last_seq()
    steps["journal: load the saved fold"] = lambda: journal.load_snapshot("store")
    steps["store: open"] = lambda: store.strategy_equity("B", "S0")
    steps["writer: the fold, and marks"] = lambda: ViewWriter(store, "USD", journal.entries_of, saved[1])
    following = fill(size + 1)
    steps["writer: first commit, reads the newest rows"] = lambda: store.append_fills("DU1", [following])
    print(f"behind {size:,} fills:")
    total = sum(report(f"  {name}", milliseconds(work)) for name, work in steps.items())
    prune = partial(journal.prune, OPENING + 1, size)
    report("  journal: prune of 20,000 entries", milliseconds(prune))
    store.close()
    return report("  start, all of it", total)


def _fill_up(folder: Path, size: int) -> str:
    journal, uri, log = Journal(folder / "journal.db"), lmdb_uri(folder / "arctic"), many_fills()
    store = Store(uri)
    derived = ViewWriter(store, "USD", journal.entries_of, b"")
    for done in range(0, size, 5_000):
        entries = [next(log) for _ in range(min(5_000, size - done))]
        journal.append(entries)
        store.append_fills("DU1", entries)
        derived.apply(entries, OPENING)
    derived.commit(OPENING)
    journal.save_snapshot("store", size, derived.save())
    journal.close()
    store.close()
    return uri


def many_fills() -> Iterator[Entry]:
    """Fills of 10 strategies in 100 instruments, both ways."""
    return (fill(seq) for seq in count(1))


def fill(seq: int) -> Entry:
    side = Side.BUY if seq // 1_000 % 2 else Side.SELL
    done = replace(execution(seq), instrument=f"SYM{seq % 100}", side=side)
    return FillRecorded(seq=seq, strategy=f"S{seq % 10}", intent_id=f"i{seq}", execution=done, recorded=OPENING)


def raw_sync(path: Path) -> float:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write() -> None:
        os.write(descriptor, b"x" * 400)
        os.fdatasync(descriptor)

    anchor = report("raw: 400 bytes + fdatasync", median(write, 200))
    os.close(descriptor)
    return anchor


def journal(path: Path, anchor: float) -> None:
    log, target = fills(), Journal(path)
    one = report("journal: append 1 entry", median(lambda: target.append([next(log)]), 300))
    report("journal: append 100 entries", median(lambda: target.append([next(log) for _ in range(100)]), 50))
    for _ in range(200):
        target.append([next(log) for _ in range(200)])
    late = report("journal: append 1 entry, behind 45,000", median(lambda: target.append([next(log)]), 300))
    print(f"journal: {one / anchor:.1f} times raw; behind 45,000 entries {late / one:.2f} times the first ones")
    target.close()


def fills_by_batch(store: Store, anchor: float) -> None:
    for size in (1, 10, 100, 1_000):
        log, account = fills(), f"B{size}"
        batch = take(log, size)
        spent = []
        for _ in range(60 if size < 1_000 else 20):
            spent.append(milliseconds(partial(store.append_fills, account, next(batch))))
            store.compact_due()
        cost = report(f"store: append_fills, {size} rows", statistics.median(spent))
        print(f"  {cost / anchor:.1f} times raw, {size / cost * 1_000:,.0f} rows a second")


def fills_by_history(store: Store) -> None:
    """One row at a time behind 100 and behind 20,000 rows; compaction runs as in the daemon and is counted apart."""
    log = fills()
    medians = []
    for rows, step in ((100, 10), (20_000, 500)):
        batches = take(log, step)
        while store.fills_seq("H") < rows:
            store.append_fills("H", next(batches))
        singles = take(log, 1)
        spent, compactions = [], []
        for _ in range(200):
            spent.append(milliseconds(partial(store.append_fills, "H", next(singles))))
            compactions.append(milliseconds(store.compact_due))
        medians.append(report(f"store: append_fills, 1 row behind {rows:,}", statistics.median(spent)))
        report("  longest compaction", max(compactions))
    print(f"store: cost at 20,000 is {medians[1] / medians[0]:.2f} times that at 100")
    stored = store.fills_seq("H")
    charges = (commission(seq, stored) for seq in count(stored + 1))
    report("store: commission of a fill stored before", median(lambda: store.append_fills("H", [next(charges)]), 40))


def portfolio(store: Store) -> None:
    for rows in (10, 2_000):
        book = [position(n, 0) for n in range(rows)]
        store.upsert_portfolio(f"P{rows}", book)
        changes = ([position(n * 7 % rows, n)] for n in count(1))
        cost = median(lambda changes=changes, rows=rows: store.upsert_portfolio(f"P{rows}", next(changes)), 19)
        report(f"store: upsert of 1 position among {rows:,}", cost)


def fills() -> Iterator[Entry]:
    for seq in count(1):
        yield FillRecorded(seq=seq, strategy="TREND", intent_id="i", execution=execution(seq), recorded=OPENING)


def execution(n: int) -> Execution:
    return Execution(
        account="DU1", exec_id=f"0000e0d5.{n:08d}.01", instrument="SPY", side=Side.BUY, quantity=Decimal(100),
        price=Decimal("450.12"), time=OPENING + n // 3 * SECOND, order_ref="TREND:i", perm_id=n, exchange="ARCA",
    )  # fmt: skip


def commission(seq: int, n: int) -> Entry:
    amount = Commission(exec_id=execution(n).exec_id, amount=Decimal(seq), currency="USD")
    return CommissionRecorded(
        seq=seq, strategy="TREND", intent_id="i", execution=execution(n), commission=amount, recorded=OPENING
    )


def position(n: int, change: int) -> PositionRow:
    return PositionRow(
        account="DU1", strategy=f"S{n % 10}", instrument=f"SYM{n}", quantity=Decimal(change + 1),
        average_cost=Decimal(10), currency="USD", time=OPENING + change,
    )  # fmt: skip


def take(log: Iterator[Entry], size: int) -> Iterator[list[Entry]]:
    while True:
        yield [next(log) for _ in range(size)]


def milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1_000


def median(work: Callable[[], object], rounds: int) -> float:
    return statistics.median(milliseconds(work) for _ in range(rounds))


def report(what: str, cost: float) -> float:
    print(f"{what:<55}{cost:>9.3f} ms", flush=True)
    return cost


if __name__ == "__main__":
    main()
