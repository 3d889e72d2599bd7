"""Writes a journal or a store until it is killed, and prints what has been acknowledged. Run by test_store_kill.py."""

import sys
from pathlib import Path

from conftest import Make

from mats.store.journal.journal import Journal
from mats.store.tables.store import Store


def write_journal(path: str) -> None:
    make, journal = Make(), Journal(Path(path))
    while True:
        seq = journal.last_seq()
        first, second = make.execution(seq), make.execution(seq + 1)
        journal.append([make.fill(seq + 1, first), make.commission(seq + 2, first), make.fill(seq + 3, second)])
        print(seq + 3, flush=True)


def write_store(uri: str, done: str) -> None:
    store, log, stored = Store(uri), Make().long_log(4_000), int(done)
    while stored < len(log):
        batch = log[stored : stored + (1, 4, 1, 9)[stored % 4]]
        rejects = store.append_fills("DU1", batch)
        assert not rejects, rejects
        stored += len(batch)
        store.compact_due()
        print(stored, flush=True)


if __name__ == "__main__":
    {"journal": write_journal, "store": write_store}[sys.argv[1]](*sys.argv[2:])
