"""The power goes, and with it what the journal has not flushed: the broker reports it again, and it is booked once."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from sqlite3 import Connection

import pytest

from mats.store.journal.journal import Journal
from mats.store.journal.journal_file import JournalFile
from mats.store.rebuild import Contents, journal_differences, missing_entries
from mats.store.tables.connection import lmdb_uri
from mats.store.tables.reader import Reader
from tests.simulation.checks import complaints, every_execution_is_in_the_log_once
from tests.simulation.faulty_broker import ACCOUNT
from tests.simulation.plan import Plan
from tests.simulation.world import World

CUTS, SECONDS = 8, 60
NORMAL = 1
"""`PRAGMA synchronous` of a connection whose commits are not flushed."""


class Platter:
    """What the disk holds of the journal: its files as they were at the last flush."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.unflushed = 0

    def keep(self, journal: Path) -> None:
        files = (journal, journal.with_name(f"{journal.name}-wal"))
        self.files = {file.name: file.read_bytes() for file in files if file.exists()}
        self.unflushed = 0

    def restore(self, folder: Path) -> None:
        folder.mkdir()
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


@pytest.fixture
def platter(monkeypatch: pytest.MonkeyPatch) -> Platter:
    disk, transaction, flush = Platter(), JournalFile._transaction, JournalFile.flush

    @contextmanager
    def watched(journal: JournalFile) -> Iterator[Connection]:
        with transaction(journal) as db:
            yield db
        if db.execute("PRAGMA synchronous").fetchone()[0] == NORMAL:
            disk.unflushed += 1
        else:
            disk.keep(journal.path)

    def flushed(journal: JournalFile) -> None:
        flush(journal)
        disk.keep(journal.path)

    monkeypatch.setattr(JournalFile, "_transaction", watched)
    monkeypatch.setattr(JournalFile, "flush", flushed)
    return disk


class Cuts(World):
    """A world whose only trouble is that the power goes while something is not flushed."""

    def __init__(self, seed: int, folder: Path, platter: Platter, store_uri: str = "") -> None:
        super().__init__(seed, folder, Plan(strategies=2, seconds=SECONDS), store_uri)
        self.platter, self.lost = platter, 0
        self.broker.noise = 0.05

    def _trouble(self) -> None:
        draw = Random(f"cuts/{self.seed}")
        for _ in range(CUTS):
            self.runtime.run_until(lambda: self.platter.unflushed > 0 or self.now >= SECONDS)
            self._steps(draw.choice((2, 40)))
            self.cut()
            self._steps(300)
        self.broker.be_quiet()

    def _steps(self, count: int) -> None:
        left = iter(range(count))
        self.runtime.run_until(lambda: next(left, None) is None or self.now >= SECONDS)

    def cut(self) -> None:
        """The daemon goes, and what was not flushed; it starts again with what the disk holds."""
        before = self.journal.last_seq()
        self.journal.close()
        self.folder = self.folder / "cut"
        self.platter.restore(self.folder)
        self.journal = Journal(self.folder / "journal.db")
        after = self.journal.last_seq()
        self.lost += before - after
        self.watch.forget_beyond(after)
        self.lose_power()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_a_power_cut_takes_is_reported_again_and_booked_once(seed: int, folder: Path, platter: Platter) -> None:
    with closing(Cuts(seed, folder, platter)) as world:
        world.run()
        assert world.lost > 0, "nothing was lost, so nothing was shown"
        assert not complaints(world)


def test_the_store_has_nothing_that_a_power_cut_takes_from_the_journal(folder: Path, platter: Platter) -> None:
    uri = lmdb_uri(folder / "arctic")
    with closing(Cuts(1, folder, platter, uri)) as world:
        world.run()
        assert world.lost > 0, "nothing was lost, so nothing was shown"
        assert not list(every_execution_is_in_the_log_once(world))
        assert len(Reader(uri).fills(ACCOUNT)) == len({execution.family for execution in world.broker.executions})
        contents = Contents(uri)
        assert not missing_entries(contents.entries)
        assert not list(journal_differences(contents.entries, world.journal.entries(0, 1_000_000)))
